/**
 * The real-time clock and CMOS memory of a PC (Motorola MC146818A), index and data at ports 0x70 and 0x71:
 * periodic, update-ended and alarm interrupts on IRQ 8, held until register C is read, which clears it.
 * The divider always runs; daylight saving and the square wave are not modelled.
 *
 * Flags of interrupts that are not enabled are found when register C is read: an idle clock costs no event.
 *
 * Under Xen (xen/arch/x86/hvm/rtc.c) the periodic interrupt is made by Xen's own timers, which raise it themselves, and
 * each interrupt is an edge, whether register C was read or not.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { TickService } from '../../core/ticks.ts';
import { type AlarmTime, type ClockFields, fieldsOf, nextAlarm, secondsOf } from './rtc-time.ts';

const SECOND: Ns = 1_000_000_000;
/** an update is announced this long before it happens */
const UPDATE: Ns = 244_000;
const HZ = 32_768;

const REG_A = 10;
const REG_B = 11;
const REG_C = 12;
const REG_D = 13;
const CENTURY = 0x32;
/** register A */
const UIP = 0x80;
/** register B */
const SET = 0x80;
const BINARY = 0x04;
const HOURS_24 = 0x02;
/** enables in B, flags in C */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATED = 0x10;
const SOURCES = PERIODIC | ALARM | UPDATED;
const IRQF = 0x80;
/** in an alarm register: any value */
const ANY = 0xc0;
const PM = 0x80;

/** Time registers by index, with their fields. */
const FIELDS: readonly (keyof ClockFields | undefined)[] = [
  'second',
  undefined,
  'minute',
  undefined,
  'hour',
  undefined,
  'weekday',
  'day',
  'month',
  'year',
];

export class Rtc implements Registers, Part {
  readonly id: string;
  /** interrupts since boot */
  events = 0;
  private index = 0;
  private readonly ram = new Uint8Array(128);
  private flags = 0;
  /** the wire is high */
  private asserted = false;
  /** flags are up to date until then */
  private seen: Ns = 0;
  /** seconds of the calendar when the machine's time was 0 */
  private offset: number;
  /** the time while SET holds it */
  private held = 0;
  /** Xen: period of the ticks that were asked for; 0: none */
  private ticking: Ns = 0;
  private readonly task: Task;

  /**
   * @param start seconds since 1970 when the machine starts
   * @param ticks Xen: who makes the periodic interrupt
   */
  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly line: LineDriver,
    start = 1_672_531_200,
    private readonly ticks?: TickService,
  ) {
    this.id = `device.${name}`;
    this.offset = start;
    this.ram[REG_A] = 0x26;
    this.ram[REG_B] = HOURS_24;
    this.ram[REG_D] = 0x80;
    this.task = clock.task(`${this.id}.clock`, Priority.hardware, () => this.due());
  }

  read(offset: number, _width: Width): number {
    if (offset === 0) return 0xff;
    const field = this.fieldOf(this.index);
    if (field) return this.encode(this.index, this.timeField(field));
    if (this.index === CENTURY) return this.digits(Math.floor(fieldsOf(this.time).year / 100));
    if (this.index === REG_A) return this.ram[REG_A]! | (this.updating ? UIP : 0);
    return this.index === REG_C ? this.readC() : this.ram[this.index]!;
  }

  write(offset: number, value: number, _width: Width): void {
    const byte = value & 0xff;
    if (offset === 0) {
      this.index = byte & 0x7f;
      return;
    }
    if (this.index === REG_C || this.index === REG_D) return;
    this.sync();
    const field = this.fieldOf(this.index);
    if (field) this.setField(field, this.decode(this.index, byte));
    else if (this.index === CENTURY) this.setCentury(byte);
    else if (this.index === REG_B) this.writeB(byte);
    else this.ram[this.index] = this.index === REG_A ? byte & ~UIP : byte;
    if (this.index === REG_A) this.setTicks();
    this.follow();
  }

  /** Register C: what has happened; reading takes it and lets the wire go. */
  private readC(): number {
    this.sync();
    const { flags } = this;
    const asserted = flags & this.ram[REG_B]! & SOURCES;
    this.flags = 0;
    this.follow();
    return flags | (asserted ? IRQF : 0);
  }

  private writeB(value: number): void {
    const periodic = (this.ram[REG_B]! ^ value) & PERIODIC;
    const wasSet = (this.ram[REG_B]! & SET) !== 0;
    const set = (value & SET) !== 0;
    if (set && !wasSet) this.held = this.time;
    this.ram[REG_B] = set ? value & ~UPDATED : value;
    if (!set && wasSet) this.offset = this.held - this.elapsed;
    if (!periodic) return;
    this.ticking = 0;
    this.ticks?.stop();
    this.setTicks();
  }

  // time

  private get elapsed(): number {
    return Math.floor(this.clock.now / SECOND);
  }

  private get time(): number {
    return this.ram[REG_B]! & SET ? this.held : this.offset + this.elapsed;
  }

  private get updating(): boolean {
    return !(this.ram[REG_B]! & SET) && SECOND - (this.clock.now % SECOND) <= UPDATE;
  }

  private fieldOf(index: number): keyof ClockFields | undefined {
    return FIELDS[index];
  }

  private timeField(field: keyof ClockFields): number {
    return fieldsOf(this.time)[field];
  }

  private setField(field: keyof ClockFields, value: number): void {
    const fields = fieldsOf(this.time);
    fields[field] = field === 'year' ? Math.floor(fields.year / 100) * 100 + value : value;
    this.setTime(fields);
  }

  private setCentury(byte: number): void {
    const fields = fieldsOf(this.time);
    const hundreds = this.ram[REG_B]! & BINARY ? byte : fromBcd(byte);
    fields.year = hundreds * 100 + (fields.year % 100);
    this.setTime(fields);
  }

  private setTime(fields: ClockFields): void {
    const seconds = secondsOf(fields);
    if (this.ram[REG_B]! & SET) this.held = seconds;
    else this.offset = seconds - this.elapsed;
  }

  private encode(index: number, value: number): number {
    if (FIELDS[index] === 'year') return this.digits(value % 100);
    if (FIELDS[index] !== 'hour' || this.ram[REG_B]! & HOURS_24) return this.digits(value);
    return this.digits(value % 12 || 12) | (value >= 12 ? PM : 0);
  }

  private decode(index: number, byte: number): number {
    const plain = (n: number) => (this.ram[REG_B]! & BINARY ? n : fromBcd(n));
    const hours = FIELDS[index] === 'hour' || index === 5;
    if (!hours || this.ram[REG_B]! & HOURS_24) return plain(byte);
    return (plain(byte & 0x7f) % 12) + (byte & PM ? 12 : 0);
  }

  private digits(value: number): number {
    return this.ram[REG_B]! & BINARY ? value : ((Math.floor(value / 10) << 4) | (value % 10)) & 0xff;
  }

  private get alarm(): AlarmTime {
    const part = (index: number) => {
      const byte = this.ram[index]!;
      return byte >= ANY ? undefined : this.decode(index, byte);
    };
    return { second: part(1), minute: part(3), hour: part(5) };
  }

  // interrupts

  /** Clocks of 32,768 Hz in a period; 0: no periodic interrupt. */
  private get period(): number {
    const rate = this.ram[REG_A]! & 15;
    if (rate === 0) return 0;
    return 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  /** Xen: the ticks are those of register A, if B enables them (rtc_timer_update). */
  private setTicks(): void {
    if (!this.ticks) return;
    const period = Math.round((this.period * SECOND) / HZ);
    if (period === this.ticking) return;
    this.ticking = period;
    if (period === 0) this.ticks.stop();
    else if (this.ram[REG_B]! & PERIODIC) this.ticks.start(period - (this.clock.now % period), period);
  }

  /** Xen: a tick was injected (rtc_pf_callback). */
  taken(): void {
    this.events++;
    this.flags |= PERIODIC;
    this.asserted = true;
  }

  /** Flags of what has happened since they were looked at. */
  private sync(): void {
    const { now } = this.clock;
    const { period, seen } = this;
    const second = Math.floor(seen / SECOND);
    const own = !this.ticks || !(this.ram[REG_B]! & PERIODIC);
    if (own && period > 0 && periods(now, period) !== periods(seen, period)) this.flags |= PERIODIC;
    if (!(this.ram[REG_B]! & SET) && this.elapsed !== second) {
      this.flags |= UPDATED;
      const alarm = nextAlarm(this.offset + second, this.alarm);
      if (alarm !== undefined && alarm <= this.time) this.flags |= ALARM;
    }
    this.seen = now;
  }

  private due(): void {
    const before = this.flags & this.ram[REG_B]!;
    this.sync();
    // Xen lets the wire go first (rtc_update_irq)
    if (this.ticks && this.flags & this.ram[REG_B]! & SOURCES & ~before) {
      this.asserted = false;
      this.line.set(false);
    }
    this.follow();
  }

  /** The wire follows the flags that are enabled; those to come are waited for. */
  private follow(): void {
    const enabled = this.ram[REG_B]! & SOURCES;
    const asserted = (enabled & this.flags) !== 0;
    if (asserted && !this.asserted) this.events++;
    this.asserted = asserted;
    this.line.set(asserted);
    const next = this.next(enabled & ~this.flags);
    if (next === Infinity) this.task.cancel();
    else this.task.at(next);
  }

  /** When one of these flags will be set. */
  private next(sources: number): Ns {
    const { now } = this.clock;
    let next = Infinity;
    const { period } = this;
    if (sources & PERIODIC && period > 0 && !this.ticks) {
      next = timeOf((periods(now, period) + 1) * period);
    }
    if (this.ram[REG_B]! & SET) return next;
    if (sources & UPDATED) next = Math.min(next, (this.elapsed + 1) * SECOND);
    if (sources & ALARM) {
      const alarm = nextAlarm(this.time, this.alarm);
      if (alarm !== undefined) next = Math.min(next, (alarm - this.offset) * SECOND);
    }
    return next;
  }

  /** An alarm that someone has set for this moment. */
  fire(): void {
    this.sync();
    this.ram[REG_B]! |= ALARM;
    this.flags |= ALARM;
    this.follow();
  }

  inspect() {
    const { events, flags } = this;
    return { events, flags, a: this.ram[REG_A]!, b: this.ram[REG_B]!, time: fieldsOf(this.time) };
  }

  save(): Plain {
    const { events, index, flags, seen, offset, held, ticking } = this;
    const numbers = [events, index, flags, seen, offset, held, Number(this.asserted), ticking];
    return { numbers, ram: [...this.ram] };
  }

  restore(state: Plain): void {
    const s = state as {
      numbers: [number, number, number, number, number, number, number, number];
      ram: number[];
    };
    [this.events, this.index, this.flags, this.seen, this.offset, this.held] = s.numbers;
    this.asserted = s.numbers[6] === 1;
    this.ticking = s.numbers[7];
    this.ram.set(s.ram);
  }
}

/** Whole periods of `clocks` clocks since the machine's time was 0. */
function periods(now: Ns, clocks: number): number {
  const whole = Math.floor(now / SECOND);
  return Math.floor((whole * HZ + Math.floor(((now - whole * SECOND) * HZ) / SECOND)) / clocks);
}

/** When the n-th clock of 32,768 Hz has come. */
function timeOf(clocks: number): Ns {
  const whole = Math.floor(clocks / HZ);
  return whole * SECOND + Math.ceil(((clocks - whole * HZ) * SECOND) / HZ);
}

function fromBcd(byte: number): number {
  return (byte >> 4) * 10 + (byte & 15);
}
