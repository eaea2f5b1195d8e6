/** Where virtual platform timers interrupt: which input, masked or not, by which vector (xen/arch/x86/hvm/vpt.c). */
import { type HvmChips, isaGsi } from './hvm-chips.ts';
import type { HvmIrq, IntAck } from './hvm-irq.ts';
import type { PeriodicTime } from './periodic-time.ts';

/** below are the processor's own */
const FIRST_VECTOR = 16;

export class PtInputs {
  constructor(
    private readonly chips: HvmChips,
    private readonly irq: HvmIrq,
  ) {}

  /** Its interrupt is raised. The vector, if that is requested at the local APIC; else -1. */
  raise(vcpu: number, pt: PeriodicTime): number {
    switch (pt.source) {
      case 'lapic':
        this.chips.vcpus[vcpu]!.apic.setIrq(pt.irq);
        return pt.irq;
      case 'isa':
        return this.raiseIsa(vcpu, pt.irq);
      case 'ioapic':
        this.irq.ioapicAssert(pt.irq, pt.level);
        return this.requested(vcpu, pt.irq);
    }
  }

  /** An edge, whatever the wire was. */
  private raiseIsa(vcpu: number, irq: number): number {
    this.irq.isaIrqDeassert(irq);
    const byPic = this.chips.acceptsPic(vcpu) && this.chipOf(irq).output;
    this.irq.isaIrqAssert(irq);
    return byPic ? -1 : this.requested(vcpu, isaGsi(irq));
  }

  private chipOf(irq: number) {
    const { pic } = this.chips;
    return irq < 8 ? pic.master : pic.slave;
  }

  private requested(vcpu: number, gsi: number): number {
    const vector = this.chips.vectorOf(gsi);
    return vector >= FIRST_VECTOR && this.chips.vcpus[vcpu]!.requested(vector) ? vector : -1;
  }

  /** The vector that its interrupt has when it comes from there (pt_irq_vector). */
  vectorOf(pt: PeriodicTime, { source }: IntAck): number {
    if (pt.source === 'lapic') return pt.irq;
    if (source === 'pic') return this.chipOf(pt.irq).base + (pt.irq & 7);
    return this.chips.vectorOf(pt.source === 'isa' ? isaGsi(pt.irq) : pt.irq);
  }

  /** pt_irq_masked */
  isMasked(pt: PeriodicTime): boolean {
    const { chips } = this;
    if (pt.source === 'lapic') return chips.vcpus[pt.vcpu]!.timerMasked;
    if (pt.source === 'ioapic') return chips.isMasked(pt.irq);
    const byPic = !(this.chipOf(pt.irq).imr & (1 << (pt.irq & 7))) && chips.acceptsPic(pt.vcpu);
    return !byPic && chips.isMasked(isaGsi(pt.irq));
  }
}
