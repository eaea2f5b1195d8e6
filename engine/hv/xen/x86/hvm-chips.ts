/**
 * The interrupt controllers that Xen gives an HVM guest: two 8259As, an IOAPIC of 48 pins and the local APICs' bus, and
 * what goes on among them (xen/arch/x86/hvm/{vpic,vioapic,vlapic}.c). Lines, callbacks and injection are not here.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { ApicBus } from '../../../hw/x86/apic-bus.ts';
import { XEN_BUS } from '../../../hw/x86/apic-bus-options.ts';
import { LVT_MASKED, Lvt, Mode, Reg } from '../../../hw/x86/apic-regs.ts';
import { I8259Pair } from '../../../hw/x86/i8259.ts';
import { XEN_PIC } from '../../../hw/x86/i8259-options.ts';
import { IoApic } from '../../../hw/x86/ioapic.ts';
import { XEN_IOAPIC } from '../../../hw/x86/ioapic-options.ts';
import { Rte } from '../../../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';

/** The pin that the 8259s' INT is wired to: its entry may make a local APIC take their interrupts. */
const PIC_PIN = 0;

export class HvmChips implements Part {
  readonly id: string;
  readonly bus = new ApicBus(XEN_BUS);
  readonly pic: I8259Pair;
  readonly ioapic: IoApic;
  /** the virtual CPU that takes the 8259s' interrupts (i8259_target) */
  target = 0;
  /** INT of the 8259s was looked at */
  picOutput: (high: boolean) => void = () => {};
  /** an input was acknowledged that a passed-through device may be behind (hvm_dpci_eoi) */
  acked: (chip: 'pic' | 'ioapic', pin: number) => void = () => {};

  constructor(name: string) {
    this.id = `${name}.chips`;
    this.pic = new I8259Pair(name, XEN_PIC, {
      intr: (high) => this.picOutput(high),
      acked: (pin) => this.acked('pic', pin),
    });
    this.ioapic = new IoApic(name, XEN_IOAPIC, {
      send: (low, high) => this.deliver(low, high),
      acked: (pin) => this.acked('ioapic', pin),
      written: (pin) => {
        if (pin === PIC_PIN) this.adjustI8259Target();
      },
    });
    this.bus.onEoi = (_, vector, level) => {
      if (level) this.ioapic.eoi(vector, true);
    };
  }

  /** vioapic_deliver: a redirection entry's message. Xen knows fixed, lowest priority and NMI. */
  private deliver(low: number, high: number): number {
    const mode = Rte.mode.get(low);
    if (mode !== Mode.FIXED && mode !== Mode.LOWEST && mode !== Mode.NMI) return 0;
    const level = Rte.level.has(low);
    return this.bus.send(null, high >>> 24, Rte.logical.has(low), mode, low & 0xff, true, level, 0, false);
  }

  // who takes the 8259s' interrupts

  /** To be called when an entry of a local vector table was written. */
  lvtWritten(offset: number): void {
    if (offset === Reg.LVT_LINT0) this.adjustI8259Target();
  }

  /** vlapic_adjust_i8259_target */
  adjustI8259Target(): void {
    this.target = Math.max(
      0,
      this.bus.apics.findIndex((apic) => this.letsPicThrough(apic)),
    );
  }

  /** Does this virtual CPU take them? (vlapic_accept_pic_intr) */
  acceptsPic(vcpu: number): boolean {
    const apic = this.bus.apics[vcpu]!;
    return vcpu === this.target && apic.hardwareEnabled && this.letsPicThrough(apic);
  }

  /** Pin 0 of the IOAPIC or LINT0 passes them on, or there is no local APIC in between. */
  private letsPicThrough(apic: LocalApic): boolean {
    if (!apic.hardwareEnabled) return true;
    const entry = this.ioapic.low[PIC_PIN]!;
    const byPin = Rte.mode.get(entry) === Mode.EXTINT && !Rte.masked.has(entry) && apic.enabled;
    if (byPin && this.ioapic.high[PIC_PIN]! >>> 24 === this.idOf(apic)) return true;
    const lint0 = apic.reg(Reg.LVT_LINT0);
    return !(lint0 & LVT_MASKED) && Lvt.mode.get(lint0) === Mode.EXTINT;
  }

  private idOf(apic: LocalApic): number {
    return apic.x2apic ? apic.reg(Reg.ID) : apic.xapicId;
  }

  save(): Plain {
    return { pic: this.pic.save(), ioapic: this.ioapic.save(), target: this.target };
  }

  restore(state: Plain): void {
    const s = state as unknown as { pic: Plain; ioapic: Plain; target: number };
    this.pic.restore(s.pic);
    this.ioapic.restore(s.ioapic);
    this.target = s.target;
  }
}
