/**
 * The IOAPIC: pins with redirection entries, remote IRR for level ones, EOI broadcasts. Follows the 82093AA datasheet
 * and the ICH's manual; where the virtual ones differ (KVM's arch/x86/kvm/ioapic.c, Xen's xen/arch/x86/hvm/vioapic.c),
 * ioapic-options.ts says how.
 *
 * Not modelled: arbitration and retries on the APIC bus, so that delivery status never shows a message that waits;
 * KVM's look at edges whose EOIs the processor keeps to itself (AVIC).
 */
import { Bitmap } from '../../core/bits.ts';
import type { Clock, Task } from '../../core/clock.ts';
import { ms } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { Width } from './cpu.ts';
import type { Registers } from './io-bus.ts';
import type { IoApicOptions } from './ioapic-options.ts';
import {
  IOAPICARB,
  IOAPICID,
  IOAPICVER,
  IOEOI,
  IOREDTBL,
  IOREGSEL,
  IOWIN,
  MOST_ENTRIES,
  RTE_DESTINATION,
  RTE_FIELDS,
  RTE_LEVEL,
  RTE_MASKED,
  RTE_READ_ONLY,
  RTE_REMOTE_IRR,
} from './ioapic-regs.ts';
import { LineStates } from './line-states.ts';

/** Answers of `setIrq` beside the number of processors reached. */
export const IGNORED = -1;
export const COALESCED = 0;

const RTC_PIN = 8;
/** INT of the 8259s is wired to it. */
const PIC_PIN = 0;
/** the first version with an EOI register */
const EOI_VERSION = 0x20;
/** HZ / 100 jiffies at 250 Hz: two of them */
const STORM_DELAY = ms(8);

export interface IoApicOutput {
  /**
   * An interrupt message for an entry.
   * @param rtc the clock's: who takes it is to be remembered
   * @returns how many processors took it; 0: none did; -1: nobody was meant
   */
  send(low: number, high: number, rtc: boolean, pin: number): number;
  /** the EOI of a pin has come; its wire may be driven from here */
  acked?(pin: number): void;
  /** its wire is still high after that: it sends again */
  again?(pin: number): void;
  /** as it has done so all the time: later */
  delayed?(pin: number): void;
  /** An entry was written; what it was before is told as `oldHigh` and `oldLow`. */
  written?(pin: number, oldLow: number, oldHigh: number): void;
}

export class IoApic implements Part {
  readonly id: string;
  readonly options: IoApicOptions;
  /** redirection entries, bits 31-0 and 63-32 */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  select = 0;
  /** IOAPICID bits 27-24 */
  apicId = 0;
  /** pins that are high */
  readonly requests: Bitmap;
  /** pins whose edge has been delivered, or is lost */
  readonly deliveries: Bitmap;
  readonly levels: LineStates;
  /** EOIs that the clock's last interrupt still waits for */
  rtcPending = 0;
  /** accesses of a width or at a place that no register answers */
  misuses = 0;
  private readonly successive: Uint16Array;
  private readonly storm: Task | undefined;

  constructor(
    name: string,
    options: IoApicOptions,
    private readonly output: IoApicOutput,
    clock?: Clock,
  ) {
    this.id = `${name}.ioapic`;
    this.options = options;
    const { pins } = options;
    if (pins > MOST_ENTRIES) throw new Error(`${pins} pins, an IOAPIC has ${MOST_ENTRIES} at most`);
    this.low = new Uint32Array(pins).fill(RTE_MASKED);
    this.high = new Uint32Array(pins);
    this.requests = new Bitmap(pins);
    this.deliveries = new Bitmap(pins);
    this.levels = new LineStates(pins);
    this.successive = new Uint16Array(pins);
    this.storm =
      options.stormLimit > 0 && clock
        ? clock.task(`${this.id}.eoi_inject`, Priority.hardware, () => this.injectAgain())
        : undefined;
  }

  /** Requests of pins 0 to 31: levels as they are, edges delivered or not. */
  get irr(): number {
    return this.requests.words[0]!;
  }

  /** Of those, the edges that have been delivered. */
  get delivered(): number {
    return this.deliveries.words[0]!;
  }

  // a pin

  /** A source drives a pin. Answers the processors reached, COALESCED, or IGNORED; lowering answers 1. */
  setIrq(pin: number, high: boolean, source = 0, lineStatus = false): number {
    return this.input(pin, this.levels.drive(pin, source, high), lineStatus);
  }

  /** The wire of a pin is high or low from now on, and nobody looks at it now: the caller counts who holds it. */
  hold(pin: number, high: boolean): void {
    if (high) this.requests.set(pin);
    else this.requests.clear(pin);
  }

  private input(pin: number, high: boolean, lineStatus: boolean): number {
    if (!high) {
      this.requests.clear(pin);
      return 1;
    }
    if (lineStatus && pin === RTC_PIN && this.rtcPending > 0 && this.options.tracksRtc) return COALESCED;
    const rises = this.requests.set(pin);
    if (!(this.low[pin]! & RTE_LEVEL)) {
      this.deliveries.clear(pin);
      if (!rises) return COALESCED;
      if (!this.options.maskedEdgesWait && this.low[pin]! & RTE_MASKED) this.deliveries.set(pin);
    }
    return this.service(pin, lineStatus);
  }

  /** A request at a pin: sends the message of its entry, unless that is masked or waits for an EOI. */
  service(pin: number, lineStatus = false): number {
    const entry = this.low[pin]!;
    const level = (entry & RTE_LEVEL) !== 0;
    if (entry & RTE_MASKED || (level && entry & RTE_REMOTE_IRR)) return IGNORED;
    if (!level) this.deliveries.set(pin);
    const rtc = pin === RTC_PIN && lineStatus && this.options.tracksRtc;
    if (level && this.options.remoteIrrFirst) this.low[pin] = entry | RTE_REMOTE_IRR;
    const reached = this.output.send(entry, this.high[pin]!, rtc, pin);
    if (rtc) this.rtcPending = Math.max(0, reached);
    if (level && reached !== 0) this.low[pin]! |= RTE_REMOTE_IRR;
    return reached;
  }

  /** An EOI was broadcast: pins of this vector may send again, and do if their wire is still high. */
  eoi(vector: number, level = true): void {
    if (!level && !this.options.ackedFirst) return;
    for (let pin = 0; pin < this.low.length; pin++) {
      if ((this.low[pin]! & 0xff) !== vector) continue;
      this.eoiOne(pin, level);
      if (!this.options.eoiForAll) return;
    }
  }

  private eoiOne(pin: number, level: boolean): void {
    const { ackedFirst } = this.options;
    if (ackedFirst) this.output.acked?.(pin);
    if (!level) return;
    this.low[pin]! &= ~RTE_REMOTE_IRR;
    if (!ackedFirst) this.output.acked?.(pin);
    if (!this.options.resamples) return;
    if (!(this.low[pin]! & RTE_LEVEL) && !this.options.eoiMeansEdges) return;
    if (this.low[pin]! & RTE_MASKED || !this.requests.has(pin)) {
      this.successive[pin] = 0;
      return;
    }
    if (this.storm && ++this.successive[pin]! === this.options.stormLimit) {
      this.successive[pin] = 0;
      if (!this.storm.queued) this.storm.after(STORM_DELAY);
      this.output.delayed?.(pin);
      return;
    }
    this.output.again?.(pin);
    this.service(pin);
  }

  /** The rest after a storm. */
  private injectAgain(): void {
    for (let pin = 0; pin < this.low.length; pin++) {
      const entry = this.low[pin]!;
      if (!(entry & RTE_LEVEL) || entry & RTE_REMOTE_IRR || !this.requests.has(pin)) continue;
      this.output.again?.(pin);
      this.service(pin);
    }
  }

  // registers

  /** A load at an offset of its page; what no register answers reads 0. */
  read(offset: number, width: Width): number {
    const at = offset & 0xff;
    let value = 0;
    if (at === IOREGSEL) value = this.select;
    else if (at === IOWIN && this.takes(width)) value = this.readWindow();
    else this.misuses++;
    return cut(value, width);
  }

  write(offset: number, value: number, width: Width): void {
    const data = cut(value, width);
    const at = offset & 0xff;
    if (at === IOREGSEL) this.select = (data & this.options.selectMask) >>> 0;
    else if (at === IOWIN && this.takes(width)) this.writeWindow(data);
    else if (at === IOEOI && this.options.version >= EOI_VERSION) this.eoi(data & 0xff);
    else this.misuses++;
  }

  private takes(width: Width): boolean {
    return width === 4 || !this.options.dwordsOnly;
  }

  get registers(): Registers {
    return {
      read: (offset, width) => this.read(offset, width),
      write: (offset, value, width) => this.write(offset, value, width),
    };
  }

  private readWindow(): number {
    switch (this.select) {
      case IOAPICID:
      case IOAPICARB:
        return this.apicId << 24;
      case IOAPICVER:
        return ((this.low.length - 1) << 16) | this.options.version;
    }
    const pin = this.selected();
    if (pin < 0) {
      this.misuses++;
      return this.options.beyondIsOnes ? 0xffff_ffff : 0;
    }
    return this.select & 1 ? this.high[pin]! : this.low[pin]!;
  }

  /** The pin whose entry the window shows; -1 for none. */
  private selected(): number {
    const pin = (this.select - IOREDTBL) >>> 1;
    return this.select >= IOREDTBL && pin < this.low.length ? pin : -1;
  }

  private writeWindow(value: number): void {
    const pin = this.selected();
    if (pin >= 0) this.writeEntry(pin, value);
    else if (this.select === IOAPICID) this.apicId = (value >>> 24) & 0xf;
    else if (this.select !== IOAPICVER && this.select !== IOAPICARB) this.misuses++;
  }

  private writeEntry(pin: number, value: number): void {
    const { reservedStick, picPinApart, edgeClearsRemoteIrr } = this.options;
    const oldLow = this.low[pin]!;
    const oldHigh = this.high[pin]!;
    if (this.select & 1) this.high[pin] = reservedStick ? value : value & RTE_DESTINATION.mask;
    else {
      const written = reservedStick ? value : value & RTE_FIELDS;
      this.low[pin] = (written & ~RTE_READ_ONLY) | (oldLow & RTE_READ_ONLY);
    }
    if (pin !== PIC_PIN || !picPinApart) {
      if (edgeClearsRemoteIrr && !(this.low[pin]! & RTE_LEVEL)) this.low[pin]! &= ~RTE_REMOTE_IRR;
      this.unmasked(pin);
    }
    this.output.written?.(pin, oldLow, oldHigh);
  }

  /** A level request that waits is served as soon as its entry lets it through. */
  private unmasked(pin: number): void {
    if (this.low[pin]! & RTE_LEVEL && this.requests.has(pin)) this.service(pin);
  }

  /** Takes its own image back (KVM_GET_IRQCHIP, KVM_SET_IRQCHIP): what is requested is injected anew. */
  reload(): void {
    const again = this.requests.members().filter((pin) => !this.deliveries.has(pin));
    this.requests.words.fill(0);
    this.deliveries.words.fill(0);
    this.rtcPending = 0;
    for (const pin of again) this.input(pin, true, true);
  }

  inspect() {
    return {
      id: this.apicId,
      select: this.select,
      irr: (this.irr & ~this.delivered) >>> 0,
      pins: Array.from(this.low, (low, pin) => ({
        pin,
        low,
        high: this.high[pin]!,
        line: this.levels.high(pin),
      })),
    };
  }

  save(): Plain {
    return {
      low: saveArray(this.low),
      high: saveArray(this.high),
      levels: this.levels.save(),
      successive: saveArray(this.successive),
      requests: saveArray(this.requests.words),
      deliveries: saveArray(this.deliveries.words),
      select: this.select,
      apicId: this.apicId,
      rtcPending: this.rtcPending,
      misuses: this.misuses,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      low: number[];
      high: number[];
      levels: Plain;
      successive: number[];
      requests: number[];
      deliveries: number[];
      select: number;
      apicId: number;
      rtcPending: number;
      misuses: number;
    };
    restoreArray(this.low, s.low);
    restoreArray(this.high, s.high);
    this.levels.restore(s.levels);
    restoreArray(this.successive, s.successive);
    restoreArray(this.requests.words, s.requests);
    restoreArray(this.deliveries.words, s.deliveries);
    this.select = s.select;
    this.apicId = s.apicId;
    this.rtcPending = s.rtcPending;
    this.misuses = s.misuses;
  }
}

function cut(value: number, width: Width): number {
  return width >= 4 ? value >>> 0 : value & ((1 << (width * 8)) - 1);
}
