/**
 * The timer of a local APIC (SDM volume 3, "APIC Timer"): one-shot and periodic, counting down at the bus's rate, and
 * TSC-deadline. Expiry is an alarm; what then happens is the local APIC's business.
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import { TimerMode } from './apic-regs.ts';

/** What wakes the timer: a task of the clock, or a hypervisor's own timer. */
export interface Alarm {
  at(when: Ns): void;
  cancel(): void;
}

/** The time stamp counter at a moment, in cycles; exact while below 2^53. */
export function tscAt(ns: Ns, khz: number): number {
  const whole = Math.floor(ns / 1_000_000);
  return whole * khz + Math.floor(((ns - whole * 1_000_000) * khz) / 1_000_000);
}

const TWO32 = 2 ** 32;
/** cycles whose product with 10^6 is below 2^53 */
const SMALL = 2 ** 33;

/** Cycles to ns, as the product of 64 bits that C makes of it. */
function wait(cycles: number, khz: number): Ns {
  if (cycles < SMALL) return Math.floor((cycles * 1_000_000) / khz);
  return Number(BigInt.asUintN(64, BigInt(cycles) * 1_000_000n) / BigInt(khz));
}

export class ApicTimer {
  mode: number = TimerMode.ONE_SHOT;
  /** TDCR as a divisor */
  divisor = 2;
  /** ns of a whole count; 0: not counting */
  period: Ns = 0;
  /** when the count reaches 0 */
  expiry: Ns = 0;
  /** expired, and not delivered yet */
  pending = 0;
  private deadlineLow = 0;
  private deadlineHigh = 0;
  alarm!: Alarm;

  /** @param expired called at expiry; `alarm`: the alarm went off, else the moment had passed when it was set */
  constructor(
    private readonly now: () => Ns,
    private readonly tscKhz: number,
    private readonly busCycle: number,
    private readonly leastPeriod: Ns,
    private readonly expired: (alarm: boolean) => void,
  ) {}

  /** The alarm goes off. */
  ring(): void {
    this.expired(true);
    if (this.mode !== TimerMode.PERIODIC || this.period === 0) return;
    this.expiry += this.period;
    this.alarm.at(this.expiry);
  }

  /** LVTT was written. */
  setMode(mode: number): boolean {
    if (mode === this.mode) return false;
    const deadline = mode === TimerMode.TSC_DEADLINE;
    const reset = deadline !== (this.mode === TimerMode.TSC_DEADLINE);
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

  /** TMICT was written, or the count goes on from `count` after a restore. */
  start(initial: number, count = initial): void {
    this.pending = 0;
    if (this.mode === TimerMode.TSC_DEADLINE) {
      this.startDeadline();
      return;
    }
    // the fourth mode is reserved: nothing counts
    if (this.mode > TimerMode.TSC_DEADLINE) return;
    this.period = initial * this.busCycle * this.divisor;
    if (this.period === 0) return;
    this.limit();
    let left = this.period;
    if (count !== initial) {
      left = count * this.busCycle * this.divisor;
      if (left === 0 && this.mode === TimerMode.PERIODIC) left = this.period;
      else if (left > this.period) left = this.period;
    }
    this.expiry = this.now() + left;
    this.startCount();
  }

  private startCount(): void {
    if (this.mode !== TimerMode.PERIODIC && this.pending > 0) return;
    if (this.now() > this.expiry) {
      this.expired(false);
      if (this.mode === TimerMode.ONE_SHOT) return;
      this.expiry += this.period;
    }
    this.alarm.at(this.expiry);
  }

  /** TDCR was written. What is left of the count is scaled; one that has run out runs out again. */
  setDivisor(divisor: number, initial: number): void {
    const old = this.divisor;
    this.divisor = divisor;
    if (divisor === old || this.period === 0) return;
    this.alarm.cancel();
    this.period = initial * this.busCycle * divisor;
    this.limit();
    const left = Math.max(0, this.expiry - this.now());
    this.expiry = this.now() + Math.floor((left * divisor) / old);
    if (this.mode === TimerMode.TSC_DEADLINE) this.startDeadline();
    else this.startCount();
  }

  /** TMCCT. */
  count(initial: number): number {
    if (this.mode === TimerMode.TSC_DEADLINE || initial === 0 || this.period === 0) return 0;
    const left = Math.max(0, this.expiry - this.now()) % this.period;
    return Math.floor(left / (this.busCycle * this.divisor));
  }

  /** IA32_TSC_DEADLINE; 0 disarms. */
  setDeadline(low: number, high: number): void {
    if (this.mode !== TimerMode.TSC_DEADLINE) return;
    this.alarm.cancel();
    this.deadlineLow = low;
    this.deadlineHigh = high;
    this.pending = 0;
    this.startDeadline();
  }

  get deadline(): { low: number; high: number } {
    if (this.mode !== TimerMode.TSC_DEADLINE) return { low: 0, high: 0 };
    return { low: this.deadlineLow, high: this.deadlineHigh };
  }

  private startDeadline(): void {
    if ((this.deadlineLow === 0 && this.deadlineHigh === 0) || this.pending > 0) return;
    const now = this.now();
    const cycles = this.deadlineHigh * TWO32 + this.deadlineLow - tscAt(now, this.tscKhz);
    const ns = cycles > 0 ? wait(cycles, this.tscKhz) : 0;
    if (ns > 0) this.alarm.at(now + ns);
    else this.expired(false);
  }

  /** Its interrupt has been delivered. */
  delivered(): void {
    this.pending = 0;
    if (this.mode === TimerMode.PERIODIC) return;
    this.deadlineLow = 0;
    this.deadlineHigh = 0;
    if (this.mode === TimerMode.ONE_SHOT) this.expiry = 0;
  }

  private limit(): void {
    if (this.mode === TimerMode.PERIODIC && this.period > 0 && this.period < this.leastPeriod) {
      this.period = this.leastPeriod;
    }
  }

  save(): Plain {
    const { mode, divisor, period, expiry, pending, deadlineLow, deadlineHigh } = this;
    return [mode, divisor, period, expiry, pending, deadlineLow, deadlineHigh];
  }

  restore(state: Plain): void {
    [this.mode, this.divisor, this.period, this.expiry, this.pending, this.deadlineLow, this.deadlineHigh] =
      state as [number, number, number, number, number, number, number];
  }
}
