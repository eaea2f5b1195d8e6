/** The interrupt controllers that KVM keeps for a machine, with local APICs that a kernel has enabled. */
import { Clock } from '../../engine/core/clock.ts';
import { IrqRouting } from '../../engine/hv/kvm/irq-routing.ts';
import { IrqChip } from '../../engine/hv/kvm/irqchip.ts';
import { ApicBus } from '../../engine/hw/x86/apic-bus.ts';
import { KVM_BUS } from '../../engine/hw/x86/apic-bus-options.ts';
import { Reg, SVR_ENABLE } from '../../engine/hw/x86/apic-regs.ts';
import { LocalApic } from '../../engine/hw/x86/lapic.ts';
import { KVM_LAPIC } from '../../engine/hw/x86/lapic-options.ts';

export class IrqChipRig {
  readonly clock = new Clock();
  readonly bus: ApicBus;
  readonly apics: readonly LocalApic[];
  readonly chip: IrqChip;
  readonly routing: IrqRouting;
  /** what irqfds were signalled, as `[fd, gsi]` */
  readonly signalled: number[][] = [];

  constructor(vcpus = 1, { wideIds = false } = {}) {
    this.bus = new ApicBus({ ...KVM_BUS, wideIds });
    this.chip = new IrqChip('vm', this.bus, this.clock);
    this.apics = Array.from({ length: vcpus }, (_, vcpu) => this.addVcpu(vcpu));
    this.routing = new IrqRouting(this.chip);
    this.routing.resample = (fd, gsi) => this.signalled.push([fd, gsi]);
    this.enter();
  }

  private addVcpu(vcpu: number): LocalApic {
    const apic = new LocalApic({
      id: `vcpu${vcpu}.lapic`,
      apicId: vcpu,
      bsp: vcpu === 0,
      options: KVM_LAPIC,
      bus: this.bus,
      clock: this.clock,
      tscKhz: 1_000_000,
      output: { request: () => {}, accepted: (vector) => this.chip.accepted(vcpu, vector) },
    });
    this.chip.addVcpu();
    apic.write(Reg.SVR, SVR_ENABLE | 0xff);
    return apic;
  }

  /** Every virtual CPU enters the guest. The answer is those that made their set of vectors anew. */
  enter(): number[] {
    return this.apics.flatMap((_, vcpu) => (this.chip.scanIfAsked(vcpu) ? [vcpu] : []));
  }

  /** Vectors whose EOIs reach the IOAPIC, by virtual CPU. */
  get handled(): number[][] {
    return this.apics.map((_, vcpu) => this.chip.handledVectors(vcpu).members());
  }

  /** Writes an entry as Linux does, the upper half first. */
  entry(pin: number, low: number, destination = 0): void {
    const { ioapic } = this.chip;
    ioapic.write(0x00, 0x11 + 2 * pin, 4);
    ioapic.write(0x10, destination << 24, 4);
    ioapic.write(0x00, 0x10 + 2 * pin, 4);
    ioapic.write(0x10, low, 4);
  }

  /** ICW1 to ICW4 and OCW1 of both 8259s as Linux writes them: IRQ n is vector 0x30 + n, unmasked. */
  initPics(): void {
    const { pic } = this.chip;
    for (const [port, values] of [
      [0x20, [0x11]],
      [0x21, [0x30, 4, 1, 0]],
      [0xa0, [0x11]],
      [0xa1, [0x38, 2, 1, 0]],
    ] as const)
      for (const value of values) pic.write(port, value);
  }

  /** A virtual CPU takes the highest vector that it may; -1 for none. */
  ack(vcpu = 0): number {
    return this.apics[vcpu]!.ack();
  }

  eoi(vcpu = 0): void {
    this.apics[vcpu]!.write(Reg.EOI, 0);
  }

  remoteIrr(pin: number): boolean {
    return (this.chip.ioapic.low[pin]! & (1 << 14)) !== 0;
  }
}
