/**
 * The high precision event timer (IA-PC HPET specification 1.0a): a counter of 100 MHz and three timers, one-shot
 * or periodic, each an edge or a level at a pin of the interrupt controllers; with legacy replacement timers 0 and
 * 1 take the wires of the 8254 and the clock instead. Messages (FSB delivery) are not modelled. The counter starts
 * at what was written to it and never reaches 2^53.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';

const TICK: Ns = 10;
const TIMERS = 3;
const WORD = 2 ** 32;

const CAPABILITY = 0x00;
const CONFIG = 0x10;
const STATUS = 0x20;
const COUNTER = 0xf0;
const TIMER0 = 0x100;

/** general configuration */
const ENABLE = 1;
const LEGACY = 2;
/** configuration of a timer (2.3.8) */
const LEVEL = 0x02;
const INTERRUPT = 0x04;
const PERIODIC = 0x08;
const CAPABLE_PERIODIC = 0x10;
const CAPABLE_64 = 0x20;
const SET_VALUE = 0x40;
const MODE_32 = 0x100;
const ROUTE_SHIFT = 9;
const WRITABLE = LEVEL | INTERRUPT | PERIODIC | SET_VALUE | MODE_32 | (31 << ROUTE_SHIFT);

export interface HpetWires {
  /** in place of the 8254's and the clock's */
  readonly legacy: readonly [LineDriver, LineDriver];
  /** by input of the IOAPIC; those missing are not offered */
  readonly pins: readonly (LineDriver | undefined)[];
}

interface Timer {
  config: number;
  /** the comparator's halves */
  low: number;
  high: number;
  period: number;
  readonly task: Task;
}

export class Hpet implements Registers, Part {
  readonly id: string;
  /** matches since boot */
  events = 0;
  private config = 0;
  private status = 0;
  /** the counter when it was written or enabled last */
  private base = 0;
  private since: Ns = 0;
  private readonly timers: readonly Timer[];
  private readonly pinMask: number;

  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly wires: HpetWires,
  ) {
    this.id = `device.${name}`;
    this.pinMask = wires.pins.reduce((mask, wire, pin) => (wire ? mask | (1 << pin) : mask), 0) >>> 0;
    this.timers = Array.from({ length: TIMERS }, (_, n) => ({
      config: CAPABLE_PERIODIC | CAPABLE_64,
      low: 0xffff_ffff,
      high: 0xffff_ffff,
      period: 0,
      task: clock.task(`${this.id}.timer${n}`, Priority.hardware, () => this.match(n)),
    }));
  }

  get counter(): number {
    return this.config & ENABLE ? this.base + Math.floor((this.clock.now - this.since) / TICK) : this.base;
  }

  read(offset: number, width: Width): number {
    const low = this.read32(offset & ~3);
    if (width === 8) return low + this.read32(offset + 4) * WORD;
    return width === 4 ? low : (low >>> ((offset & 3) * 8)) & ((1 << (width * 8)) - 1);
  }

  private read32(offset: number): number {
    switch (offset) {
      case CAPABILITY:
        // revision 1, a 64-bit counter, legacy replacement, Intel
        return (0x8086_0000 | 0x8000 | 0x2000 | ((TIMERS - 1) << 8) | 1) >>> 0;
      case CAPABILITY + 4:
        return TICK * 1_000_000;
      case CONFIG:
        return this.config;
      case STATUS:
        return this.status;
      case COUNTER:
        return this.counter % WORD;
      case COUNTER + 4:
        return Math.floor(this.counter / WORD);
    }
    const timer = this.timers[(offset - TIMER0) >> 5];
    if (offset < TIMER0 || !timer) return 0;
    switch (offset & 0x1f) {
      case 0:
        return timer.config;
      case 4:
        return this.pinMask;
      case 8:
        return timer.low;
      case 12:
        return timer.high;
    }
    return 0;
  }

  write(offset: number, value: number, width: Width): void {
    if (width < 4 || offset & 3) return;
    this.write32(offset, value >>> 0);
    if (width === 8) this.write32(offset + 4, Math.floor(value / WORD) >>> 0);
  }

  private write32(offset: number, value: number): void {
    switch (offset) {
      case CONFIG:
        this.configure(value & (ENABLE | LEGACY));
        return;
      case STATUS:
        this.acknowledge(value);
        return;
      case COUNTER:
      case COUNTER + 4:
        this.setCounter(offset, value);
        return;
    }
    const n = (offset - TIMER0) >> 5;
    const timer = this.timers[n];
    if (offset < TIMER0 || !timer) return;
    const at = offset & 0x1f;
    if (at === 0) this.configureTimer(n, timer, value);
    else if (at === 8 || at === 12) this.compare(timer, at === 12, value);
    this.schedule(n);
  }

  private configure(value: number): void {
    this.base = this.counter;
    this.since = this.clock.now;
    for (let n = 0; n < TIMERS; n++) this.wire(n)?.set(false);
    this.config = value;
    for (let n = 0; n < TIMERS; n++) {
      this.drive(n);
      this.schedule(n);
    }
  }

  private setCounter(offset: number, value: number): void {
    const { counter } = this;
    const low = counter % WORD;
    this.base = offset === COUNTER ? counter - low + value : (value & 0x1f_ffff) * WORD + low;
    this.since = this.clock.now;
    for (let n = 0; n < TIMERS; n++) this.schedule(n);
  }

  private configureTimer(n: number, timer: Timer, value: number): void {
    this.wire(n)?.set(false);
    timer.config = (timer.config & ~WRITABLE) | (value & WRITABLE);
    if (!(timer.config & LEVEL)) this.status &= ~(1 << n);
    this.drive(n);
  }

  /** The comparator; of a periodic timer its period, and the comparator only if that was asked for. */
  private compare(timer: Timer, high: boolean, value: number): void {
    const periodic = (timer.config & PERIODIC) !== 0;
    if (!periodic || timer.config & SET_VALUE) {
      if (high) timer.high = value;
      else timer.low = value;
    }
    if (periodic && !high) timer.period = value;
    if (!high) timer.config &= ~SET_VALUE;
  }

  private acknowledge(bits: number): void {
    this.status &= ~bits;
    for (let n = 0; n < TIMERS; n++) if (bits & (1 << n)) this.drive(n);
  }

  /** Counts until timer `n` matches; Infinity if it does not within the counter's life. */
  private distance(timer: Timer): number {
    const { counter } = this;
    if (timer.config & MODE_32) return (timer.low - (counter % WORD) + WORD) % WORD || WORD;
    const target = timer.high * WORD + timer.low;
    return target > counter && target <= Number.MAX_SAFE_INTEGER ? target - counter : Infinity;
  }

  private schedule(n: number): void {
    const timer = this.timers[n]!;
    const distance = this.config & ENABLE ? this.distance(timer) : Infinity;
    if (distance === Infinity) timer.task.cancel();
    else timer.task.at(this.since + (this.counter - this.base + distance) * TICK);
  }

  private match(n: number): void {
    const timer = this.timers[n]!;
    if (timer.config & PERIODIC && timer.period > 0) {
      const sum = timer.low + timer.period;
      timer.low = sum % WORD;
      if (sum >= WORD) timer.high = (timer.high + 1) % WORD;
    }
    this.schedule(n);
    this.raise(n);
  }

  private raise(n: number): void {
    this.events++;
    const timer = this.timers[n]!;
    if (timer.config & LEVEL) {
      this.status |= 1 << n;
      this.drive(n);
    } else if (timer.config & INTERRUPT) {
      this.wire(n)?.set(true);
      this.wire(n)?.set(false);
    }
  }

  /** A level timer holds its wire while its status bit is set. */
  private drive(n: number): void {
    const { config } = this.timers[n]!;
    const on = config & LEVEL && config & INTERRUPT && this.status & (1 << n) && this.config & ENABLE;
    this.wire(n)?.set(Boolean(on));
  }

  private wire(n: number): LineDriver | undefined {
    if (this.config & LEGACY && n < 2) return this.wires.legacy[n];
    return this.wires.pins[(this.timers[n]!.config >> ROUTE_SHIFT) & 31];
  }

  /** Legacy replacement is on: the 8254 and the clock have lost their wires. */
  get replaces(): boolean {
    return (this.config & LEGACY) !== 0;
  }

  /** Timer 0 interrupts now. */
  fire(): void {
    this.raise(0);
  }

  inspect() {
    const { events, config, status, counter } = this;
    const timers = this.timers.map((t) => ({ config: t.config, low: t.low, high: t.high, period: t.period }));
    return { events, config, status, counter, timers };
  }

  save(): Plain {
    const { events, config, status, base, since } = this;
    const timers = this.timers.map((t) => [t.config, t.low, t.high, t.period]);
    return { numbers: [events, config, status, base, since], timers };
  }

  restore(state: Plain): void {
    const s = state as {
      numbers: [number, number, number, number, number];
      timers: [number, number, number, number][];
    };
    [this.events, this.config, this.status, this.base, this.since] = s.numbers;
    s.timers.forEach(([config, low, high, period], n) => {
      Object.assign(this.timers[n]!, { config, low, high, period });
    });
  }
}
