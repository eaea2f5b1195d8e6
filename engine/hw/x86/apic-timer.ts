/**
 * The timer of a local APIC (SDM volume 3, "APIC Timer"): one-shot and periodic, counting down at the bus's rate, and
 * TSC-deadline. Expiry is an alarm; what then happens is the local APIC's business.
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import { TimerMode } from './apic-regs.ts';
import type { LapicOptions } from './lapic-options.ts';

/** What wakes the timer: a task of the clock, or a hypervisor's own timer. */
export interface Alarm {
  at(when: Ns): void;
  cancel(): void;
}

/** The timer as its local APIC knows it. Another one than below is given to LapicInit, as Xen's virtual ones have. */
export interface LapicTimer {
  /** one of TimerMode */
  readonly mode: number;
  /** interrupts that are due, and not delivered yet */
  readonly pending: number;
  /** when that expired last which waits (timerWaits) */
  readonly expiredAt?: Ns;
  /** LVTT was written. True: TMICT is void, as on the way into and out of TSC-deadline mode. */
  setMode(mode: number, vector: number): boolean;
  cancel(): void;
  /** TMICT was written. */
  start(initial: number): void;
  /** TDCR was written: it divides by this. */
  setDivisor(divisor: number, initial: number): void;
  /** TMCCT. */
  count(initial: number): number;
  /** IA32_TSC_DEADLINE; 0 disarms. */
  setDeadline(low: number, high: number): void;
  readonly deadline: { low: number; high: number };
  /** Its interrupt has been delivered. */
  delivered(): void;
  /** The local APIC is disabled by software. */
  disabled(): void;
  /** The local APIC is reset, which comes before and after LVTT is. */
  stop(): void;
  reset(): void;
  /** Goes on from a count, as after a migration. */
  resume(initial: number, count: number, divisor: number): void;
  save(): Plain;
  restore(state: Plain): void;
}

/** The time stamp counter at a moment, in cycles; exact while below 2^53. */
export function tscAt(ns: Ns, khz: number): number {
  const whole = Math.floor(ns / 1_000_000);
  return whole * khz + Math.floor(((ns - whole * 1_000_000) * khz) / 1_000_000);
}

const TWO32 = 2 ** 32;
/** upper halves of deadlines that are exact as one number */
const EXACT = 2 ** 21;
/** cycles whose product with 10^6 is below 2^53 */
const SMALL = 2 ** 33;

/** Time from a count of the TSC to a deadline, with the product cut to 64 bits as C does; 0: it has passed. */
export function timeTo(low: number, high: number, tsc: number, khz: number): Ns {
  const cycles = high * TWO32 + low - tsc;
  if (cycles <= 0) return 0;
  if (cycles < SMALL) return Math.floor((cycles * 1_000_000) / khz);
  const exact = high < EXACT ? BigInt(cycles) : (BigInt(high) << 32n) + BigInt(low) - BigInt(tsc);
  return Number(BigInt.asUintN(64, exact * 1_000_000n) / BigInt(khz));
}

export class ApicTimer implements LapicTimer {
  mode: number = TimerMode.ONE_SHOT;
  /** TDCR as a divisor */
  divisor = 2;
  /** ns of a whole count; 0: not counting */
  period: Ns = 0;
  /** when the count reaches 0 */
  expiry: Ns = 0;
  /** expired, and not delivered yet */
  pending = 0;
  /** when it expired last */
  expiredAt: Ns = 0;
  private deadlineLow = 0;
  private deadlineHigh = 0;
  private readonly alarm: Alarm;

  /**
   * @param alarm makes what wakes it
   * @param expired called at expiry, or when it becomes pending by that; `alarm`: the alarm went off, else the moment had
   * passed when it was set
   */
  constructor(
    private readonly now: () => Ns,
    private readonly tscKhz: number,
    private readonly options: LapicOptions,
    alarm: (ring: () => void) => Alarm,
    private readonly expired: (alarm: boolean) => void,
  ) {
    this.alarm = alarm(() => this.ring());
  }

  /** The alarm goes off. */
  private ring(): void {
    this.expire(true);
    if (this.mode !== TimerMode.PERIODIC || this.period === 0) return;
    this.expiry += this.period;
    this.alarm.at(this.expiry);
  }

  private expire(alarm: boolean): void {
    if (this.options.timerWaits) {
      if (this.pending > 0) return;
      this.pending = 1;
      this.expiredAt = this.now();
    }
    this.expired(alarm);
  }

  setMode(mode: number): boolean {
    if (mode === this.mode) return false;
    const reset = (mode === TimerMode.TSC_DEADLINE) !== (this.mode === TimerMode.TSC_DEADLINE);
    if (reset) {
      this.cancel();
      this.period = 0;
      this.deadlineLow = 0;
      this.deadlineHigh = 0;
    }
    this.mode = mode;
    this.limit();
    return reset;
  }

  cancel(): void {
    this.alarm.cancel();
    this.pending = 0;
  }

  start(initial: number): void {
    this.pending = 0;
    if (!this.counts) return;
    this.period = this.timeOf(initial);
    if (this.period === 0) return;
    this.limit();
    this.expiry = this.now() + this.period;
    this.startCount();
  }

  /** Goes on from a count, as after a migration: one that has run out runs out again. */
  resume(initial: number, count: number, divisor: number): void {
    this.divisor = divisor;
    this.pending = 0;
    if (this.mode === TimerMode.TSC_DEADLINE) this.startDeadline();
    if (!this.counts) return;
    this.period = this.timeOf(initial);
    if (this.period === 0) return;
    this.limit();
    const left = this.timeOf(count);
    const anew = left > this.period || (left === 0 && this.mode === TimerMode.PERIODIC);
    this.expiry = this.now() + (anew ? this.period : left);
    this.startCount();
  }

  /** One-shot or periodic; in the fourth mode, which is reserved, nothing counts. */
  private get counts(): boolean {
    return this.mode < TimerMode.TSC_DEADLINE;
  }

  private timeOf(count: number): Ns {
    return count * this.options.busCycle * this.divisor;
  }

  private startCount(): void {
    if (!this.counts || this.period === 0) return;
    if (this.mode === TimerMode.ONE_SHOT && this.pending > 0) return;
    this.alarm.at(this.expiry);
  }

  /** TDCR was written: what is left of the count is scaled. */
  setDivisor(divisor: number, initial: number): void {
    const old = this.divisor;
    this.divisor = divisor;
    if (divisor === old || this.period === 0) return;
    const now = this.now();
    this.period = this.timeOf(initial);
    this.limit();
    if (this.mode === TimerMode.ONE_SHOT && this.expiry <= now && !this.options.expiredRefires) return;
    this.alarm.cancel();
    const left = Math.max(0, this.expiry - now);
    this.expiry = now + Math.floor((left * divisor) / old);
    this.startCount();
  }

  count(initial: number): number {
    if (this.mode === TimerMode.TSC_DEADLINE || initial === 0 || this.period === 0) return 0;
    const left = Math.max(0, this.expiry - this.now());
    const step = this.timeOf(1);
    return this.options.countOfRest ? Math.floor((left % this.period) / step) : Math.ceil(left / step);
  }

  setDeadline(low: number, high: number): void {
    if (this.mode !== TimerMode.TSC_DEADLINE) return;
    this.cancel();
    this.deadlineLow = low;
    this.deadlineHigh = high;
    this.startDeadline();
  }

  get deadline(): { low: number; high: number } {
    if (this.mode !== TimerMode.TSC_DEADLINE) return { low: 0, high: 0 };
    return { low: this.deadlineLow, high: this.deadlineHigh };
  }

  private startDeadline(): void {
    if (this.deadlineLow === 0 && this.deadlineHigh === 0) return;
    const now = this.now();
    const left = timeTo(this.deadlineLow, this.deadlineHigh, tscAt(now, this.tscKhz), this.tscKhz);
    if (left > 0) this.alarm.at(now + left);
    else this.expire(false);
  }

  disabled(): void {
    this.pending = 0;
  }

  stop(): void {
    this.alarm.cancel();
  }

  reset(): void {
    this.divisor = 2;
    this.pending = 0;
  }

  delivered(): void {
    this.pending = 0;
    if (this.mode === TimerMode.PERIODIC) return;
    this.deadlineLow = 0;
    this.deadlineHigh = 0;
    if (this.mode === TimerMode.ONE_SHOT) this.expiry = 0;
  }

  private limit(): void {
    const { leastPeriod } = this.options;
    if (this.mode === TimerMode.PERIODIC && this.period > 0 && this.period < leastPeriod) {
      this.period = leastPeriod;
    }
  }

  save(): Plain {
    const { mode, divisor, period, expiry, pending, deadlineLow, deadlineHigh, expiredAt } = this;
    return [mode, divisor, period, expiry, pending, deadlineLow, deadlineHigh, expiredAt];
  }

  restore(state: Plain): void {
    const [mode, divisor, period, expiry, pending, deadlineLow, deadlineHigh, expiredAt] = state as number[];
    this.mode = mode!;
    this.divisor = divisor!;
    this.period = period!;
    this.expiry = expiry!;
    this.pending = pending!;
    this.deadlineLow = deadlineLow!;
    this.deadlineHigh = deadlineHigh!;
    this.expiredAt = expiredAt!;
  }
}
