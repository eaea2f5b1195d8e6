/**
 * The generic timer of one CPU (DDI 0487, chapter D11): the counter that all CPUs share, and the timers that compare it:
 * EL1's virtual one, which counts from an offset, EL1's physical one and EL2's. Each is a level of a PPI: high while it is
 * enabled, not masked and its moment has come.
 */
import { type Clock, type Ns, Priority, type Task } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import { COUNTER_HZ, Ppi } from './board-virt.ts';
import { CNT, TimerCtl } from './timer-regs.ts';

const TWO32 = 2 ** 32;
/** upper halves of numbers that are exact */
const EXACT = 2 ** 21;
const NS_PER_MS = 1_000_000;
const ON = TimerCtl.enable.mask | TimerCtl.imask.mask;

/** The system counter: what it shows at a moment, and when it shows a value. */
export class SystemCounter {
  private readonly khz: number;

  constructor(readonly hz: number = COUNTER_HZ) {
    if (hz % 1000 !== 0) throw new Error(`a counter of ${hz} Hz: must be whole kHz`);
    this.khz = hz / 1000;
  }

  at(ns: Ns): number {
    const whole = Math.floor(ns / NS_PER_MS);
    return whole * this.khz + Math.floor(((ns - whole * NS_PER_MS) * this.khz) / NS_PER_MS);
  }

  /** The first moment at which it shows this. */
  when(count: number): Ns {
    const whole = Math.floor(count / this.khz);
    return whole * NS_PER_MS + Math.ceil(((count - whole * this.khz) * NS_PER_MS) / this.khz);
  }
}

/** A number of 64 bits in halves, as registers have it. */
class Wide {
  low = 0;
  high = 0;

  get exact(): boolean {
    return this.high < EXACT;
  }

  get value(): number {
    return this.high * TWO32 + this.low;
  }

  get big(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  set(low: number, high: number): void {
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  setBig(value: bigint): void {
    this.set(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
  }
}

/** One of the timers. */
export class CompareTimer {
  private ctl = 0;
  readonly cval = new Wide();
  /** what is taken from the counter */
  readonly offset = new Wide();
  /** the wire */
  level = false;
  private readonly task: Task;

  /** @param now the time of the CPU whose timer it is */
  constructor(
    name: string,
    readonly ppi: number,
    private readonly counter: SystemCounter,
    clock: Clock,
    private readonly now: () => Ns,
    private readonly output: (ppi: number, high: boolean) => void,
  ) {
    this.task = clock.task(name, Priority.hardware, () => this.update());
  }

  /** Its counter: CNTPCT, or CNTVCT. Exact below 2^53. */
  count(): number {
    const ticks = this.counter.at(this.now());
    const { offset } = this;
    if (offset.exact && offset.value <= ticks) return ticks - offset.value;
    return Number(BigInt.asUintN(64, BigInt(ticks) - offset.big));
  }

  setOffset(low: number, high: number): void {
    this.offset.set(low, high);
    this.update();
  }

  get control(): number {
    const due = (this.ctl & TimerCtl.enable.mask) !== 0 && this.ticksLeft() <= 0;
    return this.ctl | (due ? TimerCtl.istatus.mask : 0);
  }

  set control(value: number) {
    this.ctl = value & ON;
    this.update();
  }

  setCval(low: number, high: number): void {
    this.cval.set(low, high);
    this.update();
  }

  /** TVAL: ticks until its moment, 32 bits with a sign. */
  get tval(): number {
    return (this.cval.low + this.offset.low - (this.counter.at(this.now()) % TWO32)) >>> 0;
  }

  set tval(value: number) {
    const ticks = this.counter.at(this.now());
    if (this.offset.exact && this.offset.value <= ticks && (value | 0) >= 0) {
      const moment = ticks - this.offset.value + value;
      this.cval.set(moment % TWO32, Math.floor(moment / TWO32));
    } else this.cval.setBig(BigInt.asUintN(64, BigInt(ticks) - this.offset.big + BigInt(value | 0)));
    this.update();
  }

  /** Ticks from now to its moment; none, or less: it has come. Infinity: it will not before the counter wraps. */
  private ticksLeft(): number {
    const ticks = this.counter.at(this.now());
    const { offset, cval } = this;
    if (offset.exact && cval.exact && offset.value <= ticks) return cval.value - (ticks - offset.value);
    const count = BigInt.asUintN(64, BigInt(ticks) - offset.big);
    return Number(cval.big - count);
  }

  /** The wire follows, and the clock is told when to look again. */
  private update(): void {
    const on = (this.ctl & ON) === TimerCtl.enable.mask;
    const left = on ? this.ticksLeft() : Infinity;
    const next = on ? this.nextChange(left) : Infinity;
    if (next < Infinity) this.task.at(next);
    else if (this.task.queued) this.task.cancel();
    const level = left <= 0;
    if (level === this.level) return;
    this.level = level;
    this.output(this.ppi, level);
  }

  /** When the wire changes by itself: its moment comes, or an offset ahead of the counter lets that wrap to 0. */
  private nextChange(left: number): Ns {
    const ticks = this.counter.at(this.now());
    const { offset } = this;
    const at = left > 0 ? ticks + left : offset.value > ticks ? offset.value : Infinity;
    const when = at < Number.MAX_SAFE_INTEGER ? this.counter.when(at) : Infinity;
    return when < Number.MAX_SAFE_INTEGER ? when : Infinity;
  }

  save(): Plain {
    const { ctl, cval, offset, level } = this;
    return [ctl, cval.low, cval.high, offset.low, offset.high, level ? 1 : 0];
  }

  /** What the clock has queued is restored by the clock. */
  restore(state: Plain): void {
    const [ctl, cvalLow, cvalHigh, low, high, level] = state as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.ctl = ctl;
    this.cval.set(cvalLow, cvalHigh);
    this.offset.set(low, high);
    this.level = level === 1;
  }
}

export interface GenericTimerInit {
  readonly id: string;
  readonly clock: Clock;
  readonly counter: SystemCounter;
  /** the time of the CPU; the clock's unless given */
  readonly now?: () => Ns;
  /** the wire of a PPI of this CPU */
  readonly output: (ppi: number, high: boolean) => void;
}

export class GenericTimer implements Part {
  readonly id: string;
  /** CNTV */
  readonly virtual: CompareTimer;
  /** CNTP */
  readonly physical: CompareTimer;
  /** CNTHP */
  readonly hypervisor: CompareTimer;
  private readonly hz: number;

  constructor({ id, clock, counter, now, output }: GenericTimerInit) {
    this.id = id;
    this.hz = counter.hz;
    const time = now ?? (() => clock.now);
    const timer = (name: string, ppi: number) =>
      new CompareTimer(`${id}.${name}`, ppi, counter, clock, time, output);
    this.virtual = timer('cntv', Ppi.CNTV);
    this.physical = timer('cntp', Ppi.CNTP);
    this.hypervisor = timer('cnthp', Ppi.CNTHP);
  }

  /** MRS, a whole number, exact below 2^53. Undefined: no register of a timer. */
  read(register: number): number | undefined {
    switch (register) {
      case CNT.CNTFRQ_EL0:
        return this.hz;
      case CNT.CNTPCT_EL0:
        return this.physical.count();
      case CNT.CNTVCT_EL0:
        return this.virtual.count();
      case CNT.CNTVOFF_EL2:
        return this.virtual.offset.value;
      case CNT.CNTV_CTL_EL0:
        return this.virtual.control;
      case CNT.CNTP_CTL_EL0:
        return this.physical.control;
      case CNT.CNTHP_CTL_EL2:
        return this.hypervisor.control;
      case CNT.CNTV_CVAL_EL0:
        return this.virtual.cval.value;
      case CNT.CNTP_CVAL_EL0:
        return this.physical.cval.value;
      case CNT.CNTHP_CVAL_EL2:
        return this.hypervisor.cval.value;
      case CNT.CNTV_TVAL_EL0:
        return this.virtual.tval;
      case CNT.CNTP_TVAL_EL0:
        return this.physical.tval;
      case CNT.CNTHP_TVAL_EL2:
        return this.hypervisor.tval;
      default:
        return undefined;
    }
  }

  /** MSR; `high`: bits 63 to 32. False: no register of a timer, or it cannot be written. */
  write(register: number, low: number, high = 0): boolean {
    switch (register) {
      case CNT.CNTVOFF_EL2:
        this.virtual.setOffset(low, high);
        return true;
      case CNT.CNTV_CTL_EL0:
        this.virtual.control = low;
        return true;
      case CNT.CNTP_CTL_EL0:
        this.physical.control = low;
        return true;
      case CNT.CNTHP_CTL_EL2:
        this.hypervisor.control = low;
        return true;
      case CNT.CNTV_CVAL_EL0:
        this.virtual.setCval(low, high);
        return true;
      case CNT.CNTP_CVAL_EL0:
        this.physical.setCval(low, high);
        return true;
      case CNT.CNTHP_CVAL_EL2:
        this.hypervisor.setCval(low, high);
        return true;
      case CNT.CNTV_TVAL_EL0:
        this.virtual.tval = low;
        return true;
      case CNT.CNTP_TVAL_EL0:
        this.physical.tval = low;
        return true;
      case CNT.CNTHP_TVAL_EL2:
        this.hypervisor.tval = low;
        return true;
      default:
        return false;
    }
  }

  save(): Plain {
    return [this.virtual.save(), this.physical.save(), this.hypervisor.save()];
  }

  restore(state: Plain): void {
    const [virtual, physical, hypervisor] = state as [Plain, Plain, Plain];
    this.virtual.restore(virtual);
    this.physical.restore(physical);
    this.hypervisor.restore(hypervisor);
  }
}
