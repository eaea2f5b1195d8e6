/**
 * A virtual CPU of a guest on ARM (struct arch_vcpu): where it is between `eret` and the next exception, what Xen keeps of
 * it while another has the processor, and how the physical CPU that runs it comes in and out. What an exception does is in
 * traps.ts.
 */
import type { Plain } from '../../../core/state.ts';
import type { ArmEntry } from '../../../hw/arm/cpu.ts';
import { From, Kind, vectorOffset } from '../../../hw/arm/exceptions.ts';
import { type InterruptLine, type Pcpu, Vcpu } from '../../pcpu.ts';
import type { ArmDomain } from './arm-domain.ts';
import type { Traps } from './traps.ts';
import { UserRegs } from './user-regs.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import { VcpuTimers } from './vtimer.ts';

export class ArmVcpu extends Vcpu {
  arm!: ArmDomain;
  vgic!: VgicVcpu;
  /** the kernel that runs on it */
  guest!: ArmEntry;
  readonly timers: VcpuTimers;
  readonly regs = new UserRegs();
  /** in EL2, an exception being handled; false: in EL1 */
  exited = true;
  /** PSTATE.I of the guest */
  irqsMasked = true;
  /** the guest has executed WFI, and no interrupt has come since */
  waiting = false;
  /** it has been brought up (not _VPF_down) */
  online = true;
  /** the raise that is being handled */
  journey = 0;

  constructor(
    private readonly traps: Traps,
    index: number,
    domain: number,
    vcpu: number,
    cpu: Pcpu,
    affinity: readonly number[],
    /** AArch32 at EL1: exceptions come by the compat entries */
    readonly compat: boolean,
  ) {
    super(index, domain, vcpu, cpu, affinity);
    this.timers = new VcpuTimers(this, traps.xen);
  }

  // from its physical CPU

  stretchOver(): void {
    // no longer in a handler: what it does now is about nothing that came before
    if (!this.irqsMasked) this.journey = 0;
    this.traps.xen.books.journey = this.journey;
    this.guest.done();
  }

  /** The IRQ entry of EL2's vector table: from the guest, or from Xen itself. */
  override acknowledge(line: InterruptLine): number {
    if (this.exited) return line.ack();
    this.traps.guestIrq(this);
    return vectorOffset(this.compat ? From.LOWER_32 : From.LOWER_64, Kind.IRQ);
  }

  /** leave_hypervisor_to_guest behind its softirqs, then the guest's interrupt, if it has one and takes it. */
  enter(): boolean {
    if (this.exited) this.traps.leave(this);
    if (!this.irqsMasked && this.traps.xen.hasVirq(this)) {
      this.deliver();
      return true;
    }
    if (!this.waiting) return false;
    // WFI may end for no reason that the guest finds
    this.waiting = false;
    this.guest.done();
    return true;
  }

  private deliver(): void {
    const left = this.waiting ? 0 : this.left;
    this.waiting = false;
    this.irqsMasked = true;
    this.traps.virq(this);
    this.guest.irq(left);
  }

  /** ctxt_switch_from */
  override leaves(): void {
    this.timers.save();
    this.traps.xen.vgic.gic.saveState(this.traps.xen.gicCpus[this.processor]!);
    this.traps.xen.vgic.gic.restoreState(this.traps.xen.gicCpus[this.processor]!, null);
  }

  /** ctxt_switch_to */
  override resumes(): void {
    this.traps.xen.vgic.gic.restoreState(this.traps.xen.gicCpus[this.processor]!, this.vgic);
    this.timers.restore();
  }

  override save(): Plain {
    const { exited, irqsMasked, waiting, online } = this;
    return {
      common: super.save(),
      flags: [exited, irqsMasked, waiting, online].map(Number),
      timers: this.timers.saveRegisters(),
      regs: this.regs.save(),
      journey: this.journey,
    };
  }

  override restore(saved: Plain): void {
    const s = saved as unknown as {
      common: Plain;
      flags: number[];
      timers: Plain;
      regs: Plain;
      journey: number;
    };
    super.restore(s.common);
    [this.exited, this.irqsMasked, this.waiting, this.online] = s.flags.map((n) => n === 1) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ];
    this.timers.restoreRegisters(s.timers);
    this.regs.restore(s.regs);
    this.journey = s.journey;
  }
}
