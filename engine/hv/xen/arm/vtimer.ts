/**
 * A guest's timers (xen/arch/arm/vtimer.c). The virtual one is the processor's own: it interrupts Xen, which masks it and
 * gives the guest an interrupt; while the virtual CPU is away a timer of Xen's takes its place. The physical one is Xen's
 * timers alone: the guest's accesses trap.
 */
import type { SourceId } from '../../../core/books.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import { CNT, TimerCtl } from '../../../hw/arm/timer-regs.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { XenTimer, XenTimers } from '../timer.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { HostHardware } from './host-hardware.ts';

const ENABLE = TimerCtl.enable.mask;
const MASK = TimerCtl.imask.mask;
const PENDING = TimerCtl.istatus.mask;
const TWO32 = 2 ** 32;

export interface VtimerHost {
  readonly timers: XenTimers;
  readonly hardware: HostHardware;
  /** A timer of the guest's interrupts it. */
  injectTimer(v: ArmVcpu, irq: number, source: SourceId): void;
  sourceOf(name: string): SourceId;
}

/** PPIs of the timers in every domain */
const VIRTUAL_PPI = 27;
const PHYSICAL_PPI = 30;

export class VcpuTimers {
  /** as it was when the virtual CPU was switched away from */
  private ctl = 0;
  private cvalLow = 0;
  private cvalHigh = 0;
  private physCtl = 0;
  private physCval = 0;
  private readonly virt: XenTimer;
  private readonly phys: XenTimer;
  private readonly source: SourceId;

  constructor(
    private readonly v: ArmVcpu,
    private readonly xen: VtimerHost,
  ) {
    this.source = xen.sourceOf(`${v.name} timer`);
    this.virt = xen.timers.timer(() => this.virtExpired());
    this.phys = xen.timers.timer(() => this.physExpired());
  }

  // the virtual timer

  /** vtimer_interrupt: the processor's timer is masked, so that its level falls; the guest unmasks it. */
  interrupt(cpu: Pcpu): void {
    const hw = this.xen.hardware.timers[cpu.cpu]!;
    this.ctl = hw.read(CNT.CNTV_CTL_EL0)!;
    hw.write(CNT.CNTV_CTL_EL0, this.ctl | MASK);
    this.xen.injectTimer(this.v, VIRTUAL_PPI, this.source);
  }

  /** virt_timer_save */
  save(): void {
    const hw = this.xen.hardware.timers[this.v.processor]!;
    this.ctl = hw.read(CNT.CNTV_CTL_EL0)!;
    hw.write(CNT.CNTV_CTL_EL0, this.ctl & ~ENABLE);
    const { low, high } = hw.virtual.cval;
    this.cvalLow = low;
    this.cvalHigh = high;
    if ((this.ctl & (ENABLE | MASK)) === ENABLE) this.virt.set(this.v.cpu, this.due(high * TWO32 + low));
  }

  /** virt_timer_restore */
  restore(): void {
    this.virt.stop();
    if (this.phys.expires !== undefined) this.phys.set(this.v.cpu, this.phys.expires);
    const hw = this.xen.hardware.timers[this.v.processor]!;
    hw.write(CNT.CNTV_CVAL_EL0, this.cvalLow, this.cvalHigh);
    hw.write(CNT.CNTV_CTL_EL0, this.ctl);
  }

  /** virt_timer_expired */
  private virtExpired(): void {
    this.ctl |= MASK;
    this.xen.injectTimer(this.v, VIRTUAL_PPI, this.source);
  }

  private due(count: number): Ns {
    return this.xen.hardware.counter.when(count);
  }

  // the physical timer

  /** vtimer_emulate: MRS */
  readPhysical(register: number): number | undefined {
    switch (register) {
      case CNT.CNTP_CTL_EL0:
        return this.physCtl;
      case CNT.CNTP_CVAL_EL0:
        return this.physCval;
      case CNT.CNTP_TVAL_EL0:
        return (this.physCval - this.xen.hardware.counter.at(this.v.now)) >>> 0;
      default:
        return undefined;
    }
  }

  /** MSR. False: no register of the physical timer. */
  writePhysical(register: number, low: number, high: number): boolean {
    switch (register) {
      case CNT.CNTP_CTL_EL0:
        this.physCtl = (low & ~PENDING) | (low & ENABLE ? this.physCtl & PENDING : 0);
        break;
      case CNT.CNTP_CVAL_EL0:
        this.physCval = high * TWO32 + low;
        this.physCtl &= this.physCtl & ENABLE ? ~PENDING : -1;
        break;
      case CNT.CNTP_TVAL_EL0:
        this.physCval = this.xen.hardware.counter.at(this.v.now) + (low | 0);
        this.physCtl &= this.physCtl & ENABLE ? ~PENDING : -1;
        break;
      default:
        return false;
    }
    if (this.physCtl & ENABLE) this.phys.set(this.v.cpu, this.due(this.physCval));
    else this.phys.stop();
    return true;
  }

  /** phys_timer_expired */
  private physExpired(): void {
    this.physCtl |= PENDING;
    if (!(this.physCtl & MASK)) this.xen.injectTimer(this.v, PHYSICAL_PPI, this.source);
  }

  // the virtual timer before the virtual CPU first runs

  readSaved(register: number): number | undefined {
    if (register === CNT.CNTV_CTL_EL0) return this.ctl;
    if (register === CNT.CNTV_CVAL_EL0) return this.cvalHigh * TWO32 + this.cvalLow;
    return this.xen.hardware.timers[this.v.processor]!.read(register);
  }

  writeSaved(register: number, low: number, high: number): boolean {
    if (register === CNT.CNTV_CTL_EL0) this.ctl = low;
    else {
      const count = high * TWO32 + low;
      const tval = register === CNT.CNTV_TVAL_EL0;
      const cval = tval ? this.xen.hardware.counter.at(this.v.now) + (low | 0) : count;
      this.cvalLow = cval % TWO32;
      this.cvalHigh = Math.floor(cval / TWO32);
    }
    return true;
  }

  saveRegisters(): Plain {
    return [this.ctl, this.cvalLow, this.cvalHigh, this.physCtl, this.physCval];
  }

  restoreRegisters(state: Plain): void {
    const [ctl, low, high, physCtl, physCval] = state as [number, number, number, number, number];
    this.ctl = ctl;
    this.cvalLow = low;
    this.cvalHigh = high;
    this.physCtl = physCtl;
    this.physCval = physCval;
  }
}
