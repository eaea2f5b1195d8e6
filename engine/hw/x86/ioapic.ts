/**
 * The IOAPIC (82093AA datasheet): pins with redirection entries, remote IRR for level ones, EOI broadcasts. Where
 * KVM and Xen part from the datasheet, ioapic-options.ts says how.
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
  send(low: number, high: number, rtc: boolean): number;
  /** the EOI of a pin has come, remote IRR is still set */
  acked?(pin: number): void;
  /** An entry was written; what it was before is told as `oldHigh` and `oldLow`. */
  written?(pin: number, oldLow: number, oldHigh: number): void;
  /** Unmasked with a level request: ask the source whether it still holds. True: it will say so itself. */
  resample?(pin: number): boolean;
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
  /** pins whose edge has been delivered */
  readonly deliveries: Bitmap;
  readonly levels: LineStates;
  /** EOIs that the clock's last interrupt still waits for */
  rtcPending = 0;
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
    }
    return this.service(pin, lineStatus);
  }

  /** Sends the message of an entry, unless it is masked or waits for an EOI. */
  service(pin: number, lineStatus: boolean): number {
    const entry = this.low[pin]!;
    const level = (entry & RTE_LEVEL) !== 0;
    if (entry & RTE_MASKED || (level && entry & RTE_REMOTE_IRR)) return IGNORED;
    if (!level) this.deliveries.set(pin);
    const rtc = pin === RTC_PIN && lineStatus && this.options.tracksRtc;
    if (level && this.options.remoteIrrFirst) this.low[pin] = entry | RTE_REMOTE_IRR;
    const reached = this.output.send(entry, this.high[pin]!, rtc);
    if (rtc) this.rtcPending = Math.max(0, reached);
    if (level && reached !== 0) this.low[pin]! |= RTE_REMOTE_IRR;
    return reached;
  }

  /** An EOI was broadcast: pins of this vector may send again, and do if their wire is still high. */
  eoi(vector: number, level: boolean): void {
    for (let pin = 0; pin < this.low.length; pin++) {
      if ((this.low[pin]! & 0xff) === vector) this.eoiOne(pin, level);
    }
  }

  private eoiOne(pin: number, level: boolean): void {
    this.output.acked?.(pin);
    if (!level) return;
    this.low[pin]! &= ~RTE_REMOTE_IRR;
    if (!(this.low[pin]! & RTE_LEVEL) && !this.options.eoiMeansEdges) return;
    if (this.low[pin]! & RTE_MASKED || !this.requests.has(pin)) {
      this.successive[pin] = 0;
      return;
    }
    if (this.storm && ++this.successive[pin]! === this.options.stormLimit) {
      this.successive[pin] = 0;
      if (!this.storm.queued) this.storm.after(STORM_DELAY);
      return;
    }
    this.service(pin, false);
  }

  /** The rest after a storm. */
  private injectAgain(): void {
    for (let pin = 0; pin < this.low.length; pin++) {
      const entry = this.low[pin]!;
      if (entry & RTE_LEVEL && !(entry & RTE_REMOTE_IRR) && this.requests.has(pin)) this.service(pin, false);
    }
  }

  // registers

  /** A load at an offset of its page. */
  read(offset: number, width: Width): number {
    const at = offset & 0xff;
    const value = at === IOREGSEL ? this.select : at === IOWIN ? this.readWindow() : 0;
    return width >= 4 ? value >>> 0 : value & ((1 << (width * 8)) - 1);
  }

  write(offset: number, value: number, width: Width): void {
    const data = width >= 4 ? value >>> 0 : value & ((1 << (width * 8)) - 1);
    const at = offset & 0xff;
    if (at === IOREGSEL) this.select = data & 0xff;
    else if (at === IOWIN) this.writeWindow(data);
    else if (at === IOEOI && this.options.version >= EOI_VERSION) this.eoi(data & 0xff, true);
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
    const pin = (this.select - IOREDTBL) >> 1;
    if (this.select < IOREDTBL || pin >= this.low.length) return this.options.beyondIsOnes ? 0xffff_ffff : 0;
    return this.select & 1 ? this.high[pin]! : this.low[pin]!;
  }

  private writeWindow(value: number): void {
    if (this.select === IOAPICID) this.apicId = (value >>> 24) & 0xf;
    const pin = (this.select - IOREDTBL) >> 1;
    if (this.select < IOREDTBL || pin >= this.low.length) return;
    const [oldLow, oldHigh] = [this.low[pin]!, this.high[pin]!];
    if (this.select & 1) this.high[pin] = value;
    else {
      this.low[pin] = (value & ~RTE_READ_ONLY) | (oldLow & RTE_READ_ONLY);
    }
    if (pin !== PIC_PIN || !this.options.picPinApart) {
      // Linux and Xen rely on it: writing an entry as edge clears remote IRR
      if (!(this.low[pin]! & RTE_LEVEL)) this.low[pin]! &= ~RTE_REMOTE_IRR;
      this.unmasked(pin);
    }
    this.output.written?.(pin, oldLow, oldHigh);
  }

  /** A level request that waits is served as soon as its entry lets it through. */
  private unmasked(pin: number): void {
    const entry = this.low[pin]!;
    if (!(entry & RTE_LEVEL) || entry & (RTE_MASKED | RTE_REMOTE_IRR) || !this.requests.has(pin)) return;
    if (this.output.resample?.(pin)) this.requests.clear(pin);
    else this.service(pin, false);
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
      rest: [this.select, this.apicId, this.rtcPending],
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
      rest: [number, number, number];
    };
    restoreArray(this.low, s.low);
    restoreArray(this.high, s.high);
    this.levels.restore(s.levels);
    restoreArray(this.successive, s.successive);
    restoreArray(this.requests.words, s.requests);
    restoreArray(this.deliveries.words, s.deliveries);
    [this.select, this.apicId, this.rtcPending] = s.rest;
  }
}
