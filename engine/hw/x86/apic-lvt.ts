/**
 * The local vector table of a local APIC, and who interrupts by it: its timer, its inputs, its own errors (SDM volume 3, "Local
 * Vector Table", "APIC Timer", "Error Handling").
 */
import type { Ns } from '../../core/clock.ts';
import { ApicModes } from './apic-modes.ts';
import { Esr, FIRST_VECTOR, LVT_MASKED, LVTS, Lvt, Mode, Reg, TimerMode } from './apic-regs.ts';
import type { LapicTimer } from './apic-timer.ts';
import type { LapicInit, LapicOutput } from './lapic.ts';

export abstract class LocalVectorTable extends ApicModes {
  abstract readonly timer: LapicTimer;
  /** LVT entries there are, in the order of LVTS */
  readonly lvts: number;
  /** bits of LVTT that select the timer's mode */
  readonly timerModes: number;
  /** errors since ESR was last written */
  errors = 0;
  protected readonly output: LapicOutput;

  constructor({ options, output, cmci, tscDeadline }: LapicInit) {
    super(options);
    this.output = output;
    this.lvts = cmci ? LVTS.length : LVTS.length - 1;
    this.timerModes = tscDeadline === false ? TimerMode.PERIODIC << 17 : Lvt.timerMode.mask;
  }

  /** A message for this processor. */
  abstract accept(mode: number, vector: number, assert: boolean, level: boolean): number;
  /** A vector is requested. */
  abstract request(vector: number, level?: boolean): boolean;

  /** An input of the local vector table is raised. 1 if it was taken. */
  deliverLocal(offset: number): number {
    const entry = this.reg(offset);
    if (!this.hardwareEnabled || entry & LVT_MASKED) return 0;
    const taken = this.accept(Lvt.mode.get(entry), entry & 0xff, true, Lvt.level.has(entry));
    if (taken && offset === Reg.LVT_PERF && this.options.perfMasksItself) {
      this.regs[offset >> 4] = entry | LVT_MASKED;
    }
    return taken;
  }

  protected timerExpired(alarm: boolean): void {
    if (!this.options.timerWaits) {
      this.output.expired?.();
      this.deliverLocal(Reg.LVT_TIMER);
      this.timer.delivered();
      return;
    }
    if (alarm) this.output.request(-1);
  }

  /** Has the timer expired, and could LVTT be delivered? (apic_has_pending_timer) */
  get timerPending(): boolean {
    return this.timer.pending > 0 && this.enabled && !(this.reg(Reg.LVT_TIMER) & LVT_MASKED);
  }

  /** When it did so last. */
  get timerExpiredAt(): Ns | undefined {
    return this.timer.expiredAt;
  }

  /** On the way into the guest: a timer that has expired is delivered (kvm_inject_apic_timer_irqs). */
  injectPendingTimer(): void {
    if (!this.timerPending) return;
    this.deliverLocal(Reg.LVT_TIMER);
    this.timer.delivered();
  }

  /** Does LINT0 let the 8259s through? */
  get acceptsPic(): boolean {
    const lint0 = this.reg(Reg.LVT_LINT0);
    return !this.hardwareEnabled || (!(lint0 & LVT_MASKED) && Lvt.mode.get(lint0) === Mode.EXTINT);
  }

  /** Something is wrong, as a bit of ESR. Each kind is told by LVTERR once, until ESR is written. */
  error(bit: number): void {
    if (!this.options.illegalVectors || this.knownErrors & bit) return;
    this.knownErrors |= bit;
    const entry = this.reg(Reg.LVT_ERROR);
    if (entry & LVT_MASKED) return;
    const vector = entry & 0xff;
    if (vector < FIRST_VECTOR) this.knownErrors |= Esr.RECEIVE_ILLEGAL;
    else this.request(vector);
  }

  private get knownErrors(): number {
    return this.options.esrAtOnce ? this.reg(Reg.ESR) : this.errors;
  }

  private set knownErrors(bits: number) {
    if (this.options.esrAtOnce) this.regs[Reg.ESR >> 4] = bits;
    else this.errors = bits;
  }

  /** ESR was written: it shows the errors since then. */
  latchErrors(): void {
    if (this.options.esrAtOnce) return;
    this.regs[Reg.ESR >> 4] = this.errors;
    this.errors = 0;
  }

  writeLvt(offset: number, value: number): void {
    this.regs[offset >> 4] = this.softwareEnabled ? value : value | LVT_MASKED;
    if (offset === Reg.LVT_TIMER) this.timerModeChanged();
    this.output.lvt?.(offset);
  }

  protected timerModeChanged(): void {
    const entry = this.reg(Reg.LVT_TIMER);
    const mode = (entry & this.timerModes) >>> 17;
    if (this.timer.setMode(mode, entry & 0xff)) this.regs[Reg.TMICT >> 4] = 0;
  }

  /** TMICT was written. */
  startTimer(count: number): void {
    const { mode } = this.timer;
    if (this.options.fourthModeStops ? mode > TimerMode.PERIODIC : mode === TimerMode.TSC_DEADLINE) return;
    this.timer.cancel();
    this.regs[Reg.TMICT >> 4] = count;
    this.timer.start(count);
  }

  /** TDCR was written. */
  writeDivisor(value: number): void {
    this.regs[Reg.TDCR >> 4] = value;
    this.timer.setDivisor(divisorOf(value), this.reg(Reg.TMICT));
  }
}

/** TDCR bits 3, 1 and 0 as a divisor (SDM, "Divide Configuration Register"). */
export function divisorOf(tdcr: number): number {
  return 1 << ((((tdcr & 3) | ((tdcr & 8) >> 1)) + 1) & 7);
}
