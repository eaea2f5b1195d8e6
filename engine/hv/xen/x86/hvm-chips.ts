/**
 * The interrupt controllers that Xen gives an HVM guest: two 8259As, an IOAPIC of 48 pins and the local APICs' bus, and
 * what goes on among them (xen/arch/x86/hvm/{vpic,vioapic,vlapic,vmsi}.c). What drives their inputs is in hvm-irq.ts.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { ApicBus } from '../../../hw/x86/apic-bus.ts';
import { LVT_MASKED, Lvt, Mode, Reg, Shorthand } from '../../../hw/x86/apic-regs.ts';
import { I8259Pair } from '../../../hw/x86/i8259.ts';
import { IoApic } from '../../../hw/x86/ioapic.ts';
import { RTE_LEVEL, RTE_REMOTE_IRR, Rte } from '../../../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import type { HvmHop } from './hvm-hops.ts';
import { type HvmOptions, XEN_HVM } from './hvm-options.ts';
import type { HvmVcpuApic } from './hvm-vcpu-apic.ts';

/** The pin that the 8259s' INT is wired to: its entry may make a local APIC take their interrupts. */
const PIC_PIN = 0;
/** ISA interrupt 0 comes in there (hvm_isa_irq_to_gsi) */
export const TIMER_GSI = 2;
const ESRCH = -3;
const EINVAL = -22;

/** GSI of an ISA interrupt (hvm_isa_irq_to_gsi). */
export function isaGsi(irq: number): number {
  return irq === 0 ? TIMER_GSI : irq;
}

/** What the chips of a domain need of who runs it. */
export interface HvmOutput {
  /** a virtual CPU is to look at its interrupts before it goes on (vcpu_kick) */
  kick(vcpu: number): void;
  /** an NMI waits for a virtual CPU, which is to look at it */
  nmi?(vcpu: number): void;
  /** an input was acknowledged that a passed-through device may be behind (hvm_dpci_eoi) */
  acked?(gsi: number): void;
  /** a virtual CPU has ended a vector, which may have been a passed-through device's message (hvm_dpci_msi_eoi) */
  ended?(vcpu: number, vector: number): void;
  /** an interrupt goes through one of Xen's functions */
  hop?(name: HvmHop, a: number, b: number): void;
}

export class HvmChips implements Part {
  readonly id: string;
  readonly bus: ApicBus;
  readonly pic: I8259Pair;
  readonly ioapic: IoApic;
  /** each puts itself here when it is made, its local APIC at the same place of `bus.apics` */
  readonly vcpus: HvmVcpuApic[] = [];
  /** the virtual CPU that takes the 8259s' interrupts (i8259_target) */
  target = 0;
  /** an interrupt of a device that was masked may get through now (pt_may_unmask_irq) */
  unmasked: () => void = () => {};
  /** another virtual CPU takes the 8259s' interrupts (pt_adjust_global_vcpu_target) */
  retargeted: (vcpu: number) => void = () => {};
  /** does counter 0 of the 8254 make ticks? (pt_active) */
  timerRuns: () => boolean = () => false;

  constructor(
    name: string,
    readonly output: HvmOutput,
    readonly options: HvmOptions = XEN_HVM,
  ) {
    this.id = `${name}.chips`;
    this.bus = new ApicBus(options.bus);
    this.pic = new I8259Pair(name, options.pic, {
      intr: (_, rose) => {
        if (rose) this.picInterrupts();
      },
      acked: (pin) => output.acked?.(isaGsi(pin)),
      unmasked: () => this.unmasked(),
    });
    this.ioapic = new IoApic(name, options.ioapic, {
      send: (low, high, _, pin) => this.deliver(low, high, pin),
      acked: (pin) => output.acked?.(pin),
      written: (pin, oldLow) => this.entryWritten(pin, oldLow),
    });
    this.bus.onEoi = (apic, vector, level) => this.ended(this.bus.apics.indexOf(apic), vector, level);
  }

  hop(name: HvmHop, a = 0, b = 0): void {
    this.output.hop?.(name, a, b);
  }

  // messages

  /** vioapic_deliver: a redirection entry's message. Xen knows fixed, lowest priority and NMI. */
  private deliver(low: number, high: number, pin: number): number {
    const mode = Rte.mode.get(low);
    const vector = low & 0xff;
    const destination = high >>> 24;
    const logical = Rte.logical.has(low);
    const level = Rte.level.has(low);
    this.hop('vioapic_deliver', pin, vector);
    if (mode === Mode.NMI) return this.nmi(destination, logical);
    if (mode !== Mode.FIXED && mode !== Mode.LOWEST) return 0;
    if (pin === TIMER_GSI && this.takesTimer(mode, destination, logical)) {
      return this.request(this.bus.apics[0]!, vector, level);
    }
    return this.message(vector, destination, logical, mode, level);
  }

  private nmi(destination: number, logical: boolean): number {
    let meant = 0;
    for (const v of this.vcpus) {
      if (!this.bus.isMeant(v.apic, destination, logical)) continue;
      v.pendNmi();
      meant++;
    }
    return meant;
  }

  /** Does virtual CPU 0 take the 8254's interrupt in place of who is meant? (IRQ0_SPECIAL_ROUTING) */
  private takesTimer(mode: number, destination: number, logical: boolean): boolean {
    if (!this.timerRuns()) return false;
    const { apics } = this.bus;
    if (this.options.timerGoesToFirst === 'always') {
      return apics.some((apic) => this.bus.isMeant(apic, destination, logical));
    }
    return mode === Mode.LOWEST && apics[0]!.enabled && this.bus.isMeant(apics[0]!, destination, logical);
  }

  /**
   * A device's message (vmsi_deliver), also a passed-through one's.
   * @returns 0; ESRCH: lowest priority finds nobody; EINVAL: there is no such mode
   */
  sendMessage(vector: number, destination: number, logical: boolean, mode: number, level: boolean): number {
    const fixed = mode === Mode.FIXED || (mode === Mode.EXTINT && this.options.extIntMessages);
    if (!fixed && mode !== Mode.LOWEST) return EINVAL;
    const reached = this.message(vector, destination, logical, fixed ? Mode.FIXED : mode, level);
    return mode === Mode.LOWEST && reached < 0 ? ESRCH : 0;
  }

  /** Fixed or lowest priority. How many virtual CPUs took it; -1: lowest priority found none. */
  private message(
    vector: number,
    destination: number,
    logical: boolean,
    mode: number,
    level: boolean,
  ): number {
    if (mode === Mode.LOWEST) {
      const chosen = this.bus.lowest(null, destination, logical, Shorthand.NONE, vector);
      return chosen ? this.request(chosen, vector, level) : -1;
    }
    let taken = 0;
    for (const apic of this.bus.apics) {
      if (!apic.enabled && !this.options.requestsWhenOff) continue;
      if (this.bus.isMeant(apic, destination, logical)) taken += this.request(apic, vector, level);
    }
    return taken;
  }

  /** vlapic_set_irq: 1 if the local APIC has taken it, 0 if there is no such vector. */
  private request(apic: LocalApic, vector: number, level: boolean): number {
    return apic.setIrq(vector, level) ? 1 : 0;
  }

  // acknowledgements

  private ended(vcpu: number, vector: number, level: boolean): void {
    this.hop('vlapic_EOI_set', vcpu, vector);
    if (level) {
      this.hop('vioapic_update_EOI', vector);
      this.ioapic.eoi(vector, true);
    }
    this.output.ended?.(vcpu, vector);
  }

  /** vioapic_write_redirent, what comes after the entry itself. */
  private entryWritten(pin: number, oldLow: number): void {
    const low = this.ioapic.low[pin]!;
    if (pin === PIC_PIN) this.adjustI8259Target();
    else if (oldLow & ~low & RTE_REMOTE_IRR && !(low & RTE_LEVEL)) this.output.acked?.(pin);
    if (pin === PIC_PIN || (Rte.masked.has(oldLow) && !Rte.masked.has(low))) this.unmasked();
  }

  /** Vector of a GSI's entry (vioapic_get_vector). */
  vectorOf(gsi: number): number {
    return this.ioapic.low[gsi]! & 0xff;
  }

  /** Is a GSI level-triggered at the IOAPIC? (vioapic_get_trigger_mode) */
  isLevel(gsi: number): boolean {
    return Rte.level.has(this.ioapic.low[gsi]!);
  }

  /** vioapic_get_mask */
  isMasked(gsi: number): boolean {
    return Rte.masked.has(this.ioapic.low[gsi]!);
  }

  // who takes the 8259s' interrupts

  /** INT of the master has risen (vpic_update_int_output). */
  private picInterrupts(): void {
    if (this.options.picTarget === 'chosen' || this.acceptsPic(0)) this.output.kick(this.target);
  }

  /** To be called when an entry of a local vector table was written. */
  lvtWritten(offset: number): void {
    if (offset !== Reg.LVT_LINT0) return;
    this.adjustI8259Target();
    this.unmasked();
  }

  /** vlapic_adjust_i8259_target */
  adjustI8259Target(): void {
    if (this.options.picTarget === 'first') return;
    const found = this.bus.apics.findIndex((apic) => this.letsPicThrough(apic));
    const target = Math.max(0, found);
    if (target === this.target) return;
    this.target = target;
    this.retargeted(target);
  }

  /** Does this virtual CPU take them? (vlapic_accept_pic_intr) */
  acceptsPic(vcpu: number): boolean {
    const apic = this.bus.apics[vcpu]!;
    if (this.options.picTarget === 'first') return vcpu === 0 && apic.acceptsPic;
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
    const { pic, ioapic, bus } = this;
    return { pic: pic.save(), ioapic: ioapic.save(), target: this.target, roundRobin: bus.roundRobin };
  }

  restore(state: Plain): void {
    const s = state as unknown as { pic: Plain; ioapic: Plain; target: number; roundRobin: number };
    this.pic.restore(s.pic);
    this.ioapic.restore(s.ioapic);
    this.target = s.target;
    this.bus.roundRobin = s.roundRobin;
  }
}
