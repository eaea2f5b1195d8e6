/** The timer of a virtual local APIC as a virtual platform timer (vlapic_update_timer, xen/arch/x86/hvm/vlapic.c). */
import type { Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import { Reg, TimerMode } from '../../../hw/x86/apic-regs.ts';
import { type LapicTimer, timeTo, tscAt } from '../../../hw/x86/apic-timer.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import type { HvmOptions } from './hvm-options.ts';
import type { PeriodicTime } from './periodic-time.ts';
import type { Vpt } from './vpt.ts';

const TWO32 = 2 ** 32;

/** What is done when a tick was injected: nothing, the count starts over, or the deadline is gone too. */
const OnTick = { NOTHING: 0, RESTART: 1, DISARM: 2 } as const;

export class VlapicTimer implements LapicTimer {
  mode: number = TimerMode.ONE_SHOT;
  readonly pt: PeriodicTime;
  /** TDCR as a divisor */
  private divisor = 2;
  /** guest's time at which the count began; 0: it does not count (timer_last_update) */
  private began: Ns = 0;
  /** IA32_TSC_DEADLINE (tdt_msr) */
  private deadlineLow = 0;
  private deadlineHigh = 0;
  /** one of OnTick */
  private onTick: number = OnTick.NOTHING;
  private readonly follows: boolean;
  private readonly cycle: Ns;

  constructor(
    private readonly vpt: Vpt,
    private readonly vcpu: number,
    private readonly apic: LocalApic,
    private readonly tscKhz: number,
    options: HvmOptions,
  ) {
    this.pt = vpt.periodicTime(`vlapic${vcpu}`, 'lapic', () => this.taken());
    this.follows = options.timerFollows;
    this.cycle = options.lapic.busCycle;
  }

  get pending(): number {
    return this.pt.pending;
  }

  // registers

  setMode(mode: number, vector: number): boolean {
    const crosses = (mode === TimerMode.TSC_DEADLINE) !== (this.mode === TimerMode.TSC_DEADLINE);
    if (crosses) {
      this.deadlineLow = 0;
      this.deadlineHigh = 0;
    }
    this.pt.irq = vector;
    if (this.follows) this.update(mode, crosses ? 0 : this.apic.reg(Reg.TMICT), this.divisor);
    this.mode = mode;
    return crosses;
  }

  start(initial: number): void {
    const period = initial * this.cycle * this.divisor;
    const periodic = this.mode === TimerMode.PERIODIC;
    if (period > 0 || !this.follows) {
      this.arm(period, periodic ? period : 0, periodic || !this.follows ? OnTick.RESTART : OnTick.NOTHING);
    } else this.disarm();
  }

  setDivisor(divisor: number, initial: number): void {
    const old = this.divisor;
    this.divisor = divisor;
    if (this.follows) this.update(this.mode, initial, old);
  }

  /** A new mode, or another divisor than before: what is left of the count goes on with it. */
  private update(mode: number, initial: number, divisor: number): void {
    const before = initial * this.cycle * divisor;
    const left = this.left(before);
    if (left === 0 || mode > TimerMode.PERIODIC) {
      this.disarm();
      return;
    }
    const period = initial * this.cycle * this.divisor;
    const delta = Math.floor((left * this.divisor) / divisor);
    const periodic = mode === TimerMode.PERIODIC;
    this.arm(delta, periodic ? period : 0, periodic ? OnTick.RESTART : OnTick.NOTHING);
    this.began -= period - delta;
  }

  /** Time that is left of a count of that length; 0: it does not count. */
  private left(period: Ns): Ns {
    if (period === 0 || this.began === 0) return 0;
    const passed = this.vpt.time.of(this.vcpu) - this.began;
    const within = this.mode === TimerMode.PERIODIC ? passed % period : passed;
    return Math.max(0, period - within);
  }

  private arm(delta: Ns, period: Ns, onTick: number): void {
    this.vpt.create(this.vcpu, this.pt, delta, period, this.pt.irq);
    this.onTick = onTick;
    this.began = this.pt.lastTick;
  }

  private disarm(): void {
    this.vpt.destroy(this.pt);
    this.began = 0;
  }

  count(initial: number): number {
    if (this.mode > TimerMode.PERIODIC) return 0;
    const passed = Math.floor((this.vpt.time.look(this.vcpu) - this.began) / (this.cycle * this.divisor));
    if (!this.follows) return (initial - passed) >>> 0;
    if (initial === 0 || this.began === 0) return 0;
    return Math.max(0, initial - (this.mode === TimerMode.PERIODIC ? passed % initial : passed));
  }

  /** vlapic_tdt_msr_set */
  setDeadline(low: number, high: number): void {
    if (this.mode !== TimerMode.TSC_DEADLINE) return;
    const tsc = tscAt(this.vpt.now, this.tscKhz);
    const ahead = high * TWO32 + low > tsc;
    this.deadlineLow = ahead ? low : 0;
    this.deadlineHigh = ahead ? high : 0;
    if (ahead) this.arm(timeTo(low, high, tsc, this.tscKhz), 0, OnTick.DISARM);
    else if (low !== 0 || high !== 0) this.arm(0, 0, OnTick.DISARM);
    else this.vpt.destroy(this.pt);
  }

  get deadline(): { low: number; high: number } {
    const armed = this.mode === TimerMode.TSC_DEADLINE;
    return { low: armed ? this.deadlineLow : 0, high: armed ? this.deadlineHigh : 0 };
  }

  // ticks

  /** vlapic_pt_cb, vlapic_tdt_pt_cb */
  private taken(): void {
    if (this.onTick === OnTick.NOTHING) return;
    this.began = this.vpt.time.of(this.vcpu);
    if (this.onTick !== OnTick.DISARM) return;
    this.deadlineLow = 0;
    this.deadlineHigh = 0;
  }

  /** Its interrupt may have been unmasked. */
  mayUnmask(): void {
    this.vpt.resume(this.pt);
  }

  /** vpt.ts sees to its ticks. */
  delivered(): void {}

  disabled(): void {}

  cancel(): void {
    this.vpt.destroy(this.pt);
  }

  stop(): void {
    this.vpt.destroy(this.pt);
  }

  reset(): void {
    this.divisor = 2;
    this.vpt.destroy(this.pt);
  }

  /** lapic_rearm: a whole period again, whatever was left. */
  resume(initial: number, _count: number, divisor: number): void {
    this.divisor = divisor;
    if (this.mode === TimerMode.TSC_DEADLINE) this.setDeadline(this.deadlineLow, this.deadlineHigh);
    else if (initial > 0) this.start(initial);
  }

  save(): Plain {
    return [this.mode, this.divisor, this.began, this.deadlineLow, this.deadlineHigh, this.onTick];
  }

  restore(state: Plain): void {
    [this.mode, this.divisor, this.began, this.deadlineLow, this.deadlineHigh, this.onTick] = state as [
      ...[number, number, number],
      ...[number, number, number],
    ];
  }
}
