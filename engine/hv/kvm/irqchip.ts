/**
 * The interrupt controllers that KVM keeps in the kernel for one machine: two 8259As, the IOAPIC and the local APICs'
 * bus, and what goes on among them (arch/x86/kvm/{ioapic,irq,irq_comm}.c, virt/kvm/eventfd.c).
 */
import { Bitmap } from '../../core/bits.ts';
import type { Clock } from '../../core/clock.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { ApicBus } from '../../hw/x86/apic-bus.ts';
import { Mode } from '../../hw/x86/apic-regs.ts';
import { I8259Pair } from '../../hw/x86/i8259.ts';
import { KVM_PIC } from '../../hw/x86/i8259-options.ts';
import { IoApic } from '../../hw/x86/ioapic.ts';
import { KVM_IOAPIC } from '../../hw/x86/ioapic-options.ts';
import { Rte } from '../../hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../hw/x86/lapic.ts';
import { SOURCES } from '../../hw/x86/line-states.ts';

/** Sources of kvm_set_irq that exist from the start. */
export const USERSPACE_SOURCE = 0;
export const RESAMPLE_SOURCE = 1;
/** The real-time clock's pin. */
const RTC_PIN = 8;

/** Of one virtual CPU: what the IOAPIC must know of it. */
interface Attention {
  /** vectors whose EOI the IOAPIC is to hear of (ioapic_handled_vectors) */
  readonly handled: Bitmap;
  /** the set is to be made anew before the next entry (KVM_REQ_SCAN_IOAPIC) */
  scan: boolean;
  /** vector of the clock's interrupt whose EOI is outstanding; -1 for none */
  rtcVector: number;
}

export class IrqChip implements Part {
  readonly id: string;
  readonly pic: I8259Pair;
  readonly ioapic: IoApic;
  private readonly attention: Attention[] = [];
  private readonly sources = new Bitmap(SOURCES);
  /** the message under way is the clock's */
  private recording = false;
  /** a chip's input is acknowledged: who wants to know? (kvm_notify_acked_irq) */
  acked: (chip: 'pic' | 'ioapic', pin: number) => void = () => {};
  /** a line that is held interrupts again */
  again: (pin: number) => void = () => {};
  /** so often that it has to wait */
  delayed: (pin: number) => void = () => {};
  /** does anybody want to know? */
  watched: (chip: 'pic' | 'ioapic', pin: number) => boolean = () => false;
  /** INT of the 8259s was looked at */
  picOutput: (high: boolean) => void = () => {};

  constructor(
    name: string,
    readonly bus: ApicBus,
    clock: Clock,
    resamples = true,
  ) {
    this.id = `${name}.irqchip`;
    this.pic = new I8259Pair(name, KVM_PIC, {
      intr: (high) => this.picOutput(high),
      acked: (pin) => this.acked('pic', pin),
      inUse: () => bus.apics.some((apic) => apic.acceptsPic),
    });
    this.ioapic = new IoApic(
      name,
      { ...KVM_IOAPIC, resamples },
      {
        send: (low, high, rtc) => this.send(low, high, rtc),
        acked: (pin) => this.acked('ioapic', pin),
        again: (pin) => this.again(pin),
        delayed: (pin) => this.delayed(pin),
        written: (pin, oldLow, oldHigh) => this.entryWritten(pin, oldLow, oldHigh),
      },
      clock,
    );
    bus.onChange = () => this.scanAll();
    bus.onEoi = (apic, vector, level) => {
      const of = this.attention[apic.apicId];
      if (of?.handled.has(vector)) this.eoi(apic.apicId, vector, level);
    };
    this.sources.set(USERSPACE_SOURCE);
    this.sources.set(RESAMPLE_SOURCE);
  }

  /** To be called for each virtual CPU in order, once its local APIC is on the bus. */
  addVcpu(): void {
    this.attention.push({ handled: new Bitmap(256), scan: true, rtcVector: -1 });
  }

  private send(low: number, high: number, rtc: boolean): number {
    this.recording = rtc;
    const reached = this.bus.send(
      null,
      high >>> 24,
      Rte.logical.has(low),
      Rte.mode.get(low),
      low & 0xff,
      true,
      Rte.level.has(low),
      0,
      false,
    );
    this.recording = false;
    return reached;
  }

  /** A local APIC has taken a vector: of the clock's interrupt it owes an EOI. */
  accepted(vcpu: number, vector: number): void {
    if (this.recording) this.attention[vcpu]!.rtcVector = vector;
  }

  /** kvm_ioapic_update_eoi. */
  eoi(vcpu: number, vector: number, level: boolean): void {
    const of = this.attention[vcpu]!;
    if (of.rtcVector === vector) {
      of.rtcVector = -1;
      this.ioapic.rtcPending--;
    }
    this.ioapic.eoi(vector, level);
  }

  // which EOIs the IOAPIC hears of

  private scanAll(): void {
    for (const of of this.attention) of.scan = true;
  }

  /** A notifier was registered, or another thing of that kind. */
  rescan(): void {
    this.scanAll();
  }

  /** A redirection entry was written: those who were and who are meant look again. */
  private entryWritten(pin: number, oldLow: number, oldHigh: number): void {
    const low = this.ioapic.low[pin]!;
    const high = this.ioapic.high[pin]!;
    if (Rte.mode.get(low) !== Mode.FIXED) {
      this.scanAll();
      return;
    }
    const logical = Rte.logical.has(low);
    const ask = (apic: LocalApic) => {
      this.attention[apic.apicId]!.scan = true;
    };
    this.bus.meant(high >>> 24, logical, Mode.FIXED, low & 0xff, ask);
    if (logical !== Rte.logical.has(oldLow) || high >>> 24 !== oldHigh >>> 24) {
      // the old destination, but in the new mode
      this.bus.meant(oldHigh >>> 24, logical, Mode.FIXED, low & 0xff, ask);
    }
  }

  /** Is the set to be made anew? True: it was, `handled` is new. */
  scanIfAsked(vcpu: number): boolean {
    const of = this.attention[vcpu]!;
    if (!of.scan) return false;
    of.scan = false;
    const apic = this.bus.apics[vcpu]!;
    if (!apic.hardwareEnabled) return false;
    of.handled.words.fill(0);
    if (of.rtcVector >= 0) of.handled.set(of.rtcVector);
    const { low, high } = this.ioapic;
    for (let pin = 0; pin < low.length; pin++) {
      const entry = low[pin]!;
      if (!Rte.level.has(entry) && pin !== RTC_PIN && !this.watched('ioapic', pin)) continue;
      const vector = entry & 0xff;
      const meant = this.bus.isMeant(apic, high[pin]! >>> 24, Rte.logical.has(entry));
      if (meant || apic.irr.has(vector) || apic.isr.has(vector)) of.handled.set(vector);
    }
    return true;
  }

  /** The EOI-exit bitmap of a virtual CPU. */
  handledVectors(vcpu: number): Bitmap {
    return this.attention[vcpu]!.handled;
  }

  // sources

  /** kvm_request_irq_source_id; -14 (EFAULT) when all 64 are taken. */
  requestSource(): number {
    for (let id = 0; id < SOURCES; id++) if (this.sources.set(id)) return id;
    return -14;
  }

  /** kvm_free_irq_source_id: its lines are let go of, without a look at what that changes. */
  freeSource(id: number): void {
    if (id < 0 || id >= SOURCES) return;
    this.sources.clear(id);
    this.ioapic.levels.forget(id);
    this.pic.levels.forget(id);
  }

  // migration

  /** KVM_GET_IRQCHIP and KVM_SET_IRQCHIP of the IOAPIC. */
  reloadIoApic(): void {
    this.scanAll();
    this.ioapic.reload();
    this.restoreRtc();
  }

  /** kvm_rtc_eoi_tracking_restore_all: who still owes an EOI shows in IRR and ISR. */
  private restoreRtc(): void {
    for (const of of this.attention) of.rtcVector = -1;
    this.ioapic.rtcPending = 0;
    const entry = this.ioapic.low[RTC_PIN]!;
    const destination = this.ioapic.high[RTC_PIN]! >>> 24;
    const vector = entry & 0xff;
    this.bus.apics.forEach((apic, vcpu) => {
      const of = this.attention[vcpu]!;
      if (!this.bus.isMeant(apic, destination, Rte.logical.has(entry))) return;
      if (!apic.irr.has(vector) && !apic.isr.has(vector)) return;
      of.rtcVector = vector;
      this.ioapic.rtcPending++;
    });
  }

  save(): Plain {
    return {
      pic: this.pic.save(),
      ioapic: this.ioapic.save(),
      sources: saveArray(this.sources.words),
      attention: this.attention.map((of) => [Number(of.scan), of.rtcVector, ...of.handled.words]),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { pic: Plain; ioapic: Plain; sources: number[]; attention: number[][] };
    this.pic.restore(s.pic);
    this.ioapic.restore(s.ioapic);
    restoreArray(this.sources.words, s.sources);
    s.attention.forEach(([scan, rtcVector, ...words], vcpu) => {
      const of = this.attention[vcpu]!;
      of.scan = scan === 1;
      of.rtcVector = rtcVector!;
      restoreArray(of.handled.words, words);
    });
  }
}
