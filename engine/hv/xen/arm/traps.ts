/**
 * The way from a guest into Xen and back (xen/arch/arm/arm64/entry.S, traps.c). In the order of the code: the entry macro
 * saves the frame; a pending SError of the guest's is looked for; enter_hypervisor_from_guest takes back the list
 * registers; the trap is handled; leave_hypervisor_to_guest runs softirqs and fills list registers; the exit macro restores
 * the frame.
 *
 * 4.17 means to skip the trap when an SError was found at its entry, but patches that check (of X19) in only where none is
 * looked for: the trap is handled in any case.
 */
import type { Books } from '../../../core/books.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { Ec, Esr, Hcr, syndrome } from '../../../hw/arm/exceptions.ts';
import { timing } from '../../../timing.ts';
import type { ExitTable } from '../../exits.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { GicCpu } from './gic-hw.ts';
import type { Ssbd } from './ssbd.ts';
import type { Vgic } from './vgic.ts';
import type { VtimerHost } from './vtimer.ts';

/** Reasons of exits: exception classes, and behind them an IRQ and an FIQ. */
export const EXIT_IRQ = 64;
export const EXIT_FIQ = 65;
export const ARM_EXITS = 66;

/** HSR_EC_* of asm-arm/hsr.h */
const NAMES: Readonly<Record<number, string>> = {
  [Ec.UNKNOWN]: 'UNKNOWN',
  [Ec.WFX]: 'WFI_WFE',
  [Ec.CP15_32]: 'CP15_32',
  [Ec.CP15_64]: 'CP15_64',
  [Ec.SMC32]: 'SMC32',
  [Ec.HVC32]: 'HVC32',
  [Ec.HVC64]: 'HVC64',
  [Ec.SMC64]: 'SMC64',
  [Ec.SYS64]: 'SYSREG',
  [Ec.IABT_LOW]: 'INSTR_ABORT_LOWER_EL',
  [Ec.DABT_LOW]: 'DATA_ABORT_LOWER_EL',
  [Ec.SERROR]: 'SERROR',
  [EXIT_IRQ]: 'IRQ',
  [EXIT_FIQ]: 'FIQ',
};

export function armExitName(reason: number): string {
  return NAMES[reason] ?? `EC_0x${reason.toString(16)}`;
}

/** ESR_EL2 of an SError: IDS, and the processor's own word for the answer of a slave (SLVERR, Cortex-A57). */
const SERROR_ESR = syndrome(Ec.SERROR, (1 << 24) | 2) >>> 0;

/** Where hyp_error has come: within check_pending_guest_serror, where it is the guest's, or anywhere else in Xen. */
export const IN_WINDOW = 1;
export const IN_XEN = 0;

/** Command line and errata, as alternatives are patched in by them. */
export interface TrapOptions {
  /** serrors=; panic patches in SKIP_SYNCHRONIZE_SERROR_ENTRY_EXIT */
  readonly serrors: 'diverse' | 'panic';
  readonly ssbd: Ssbd;
}

export interface TrapHost extends VtimerHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly exits: ExitTable;
  readonly vgic: Vgic;
  readonly gicCpus: readonly GicCpu[];
  readonly vcpus: readonly ArmVcpu[];
  readonly trapOptions: TrapOptions;
  /** Is the guest's IRQ line high? */
  hasVirq(v: ArmVcpu): boolean;
  /** the journey of what it is high for */
  virqJourney(v: ArmVcpu): number;
  /** do_unexpected_trap: Xen ends. */
  unexpectedTrap(cpu: Pcpu, message: string): void;
}

export class Traps implements Part {
  readonly id = 'xen.traps';
  /** by CPU: ESR_EL2, which IRQ and FIQ leave as it is, and FAR_EL2 */
  readonly esr: Uint32Array;
  readonly far: Float64Array;
  /** by CPU: the last exception that nothing masks has come from Xen itself */
  readonly inXen: Uint8Array;
  /** by CPU: whose HCR_EL2 and VTTBR_EL2 it has, as the idle one brings none; -1: nobody's */
  readonly loaded: Int32Array;
  /** by CPU: Xen is about to make a store that fails, when it next has the CPU: its journey; 0: it is not */
  readonly failing: number[];
  private readonly tpExit: Tracepoint;
  private readonly tpEnter: Tracepoint;
  private readonly tpLeave: Tracepoint;
  private readonly tpEret: Tracepoint;
  private readonly tpVirq: Tracepoint;
  private readonly tpHypError: Tracepoint;
  private readonly tpInject: Tracepoint;
  private readonly tpVserror: Tracepoint;

  constructor(
    readonly xen: TrapHost,
    cpus: number,
  ) {
    const { trace } = xen;
    this.esr = new Uint32Array(cpus);
    this.far = new Float64Array(cpus);
    this.inXen = new Uint8Array(cpus);
    this.loaded = new Int32Array(cpus).fill(-1);
    this.failing = new Array(cpus).fill(0);
    this.tpExit = trace.point('guest_exit', 'vcpu', 'reason', 'esr');
    this.tpEnter = trace.point('enter_hypervisor_from_guest', 'vcpu', 'lrs');
    this.tpLeave = trace.point('leave_hypervisor_to_guest', 'vcpu', 'lrs');
    this.tpEret = trace.point('eret', 'vcpu');
    this.tpVirq = trace.point('el1_irq', 'vcpu');
    this.tpHypError = trace.point('hyp_error', 'vcpu', 'window');
    this.tpInject = trace.point('inject_vabt_exception', 'vcpu');
    this.tpVserror = trace.point('el1_serror', 'vcpu');
  }

  // into Xen

  /** guest_irq */
  guestIrq(v: ArmVcpu): void {
    v.journey = 0;
    this.enter(v, EXIT_IRQ, 0);
  }

  /** guest_sync: an instruction of the guest's leaves it. The one before in the same decision of its kernel is over first. */
  guestSync(v: ArmVcpu, esr: number): void {
    if (v.exited) this.leave(v);
    this.esr[v.processor] = esr;
    this.enter(v, Esr.ec.get(esr), esr);
  }

  /** guest_error */
  guestError(v: ArmVcpu): void {
    v.journey = this.xen.hardware.signals.journeys[v.processor]!;
    this.esr[v.processor] = SERROR_ESR;
    this.enter(v, Ec.SERROR, SERROR_ESR);
  }

  /** guest_fiq_invalid: nothing but the frame. */
  guestFiq(v: ArmVcpu): void {
    v.journey = this.xen.hardware.signals.journeys[v.processor]!;
    this.inXen[v.processor] = 0;
    this.saveFrame(v, EXIT_FIQ, 0);
  }

  private enter(v: ArmVcpu, reason: number, esr: number): void {
    const { xen } = this;
    this.saveFrame(v, reason, esr);
    v.cpu.charge(timing.armEntry);
    if (xen.trapOptions.serrors === 'diverse') this.checkPendingGuestSerror(v);
    // enter_hypervisor_from_guest_preirq: Xen runs with the workaround
    if (this.needsSsbdFlip(v)) v.cpu.charge(timing.ssbdCall);
    const here = xen.gicCpus[v.processor]!;
    this.emit(v, this.tpEnter, here.lrMask);
    xen.vgic.gic.syncFromLrs(here);
    if (this.failing[v.processor] !== 0) this.storeFails(v.cpu);
  }

  /** The entry macro. */
  private saveFrame(v: ArmVcpu, reason: number, esr: number): void {
    v.regs.fromGuest(v.irqsMasked, v.compat, this.esr[v.processor]!);
    this.emit(v, this.tpExit, reason, esr);
    this.xen.exits.begin(v.index, reason, v.now);
    v.cpu.exits++;
    v.exited = true;
  }

  // SErrors

  /** check_pending_guest_serror: a barrier, and PSTATE.A cleared for a moment. What comes then was the guest's. */
  private checkPendingGuestSerror(v: ArmVcpu): void {
    v.cpu.charge(timing.serrorSync);
    if (this.synchronize(v.cpu)) this.hypError(v.cpu, IN_WINDOW);
  }

  /** Is an SError there when all stores are answered? */
  private synchronize(cpu: Pcpu): boolean {
    const wait = this.xen.hardware.signals.barrier(cpu.cpu, cpu.time);
    if (wait < 0) return false;
    cpu.charge(wait);
    return true;
  }

  /** A store of Xen's own, which it has just made, is answered by an error in a while. */
  storeFails(cpu: Pcpu): void {
    const journey = this.failing[cpu.cpu]!;
    this.failing[cpu.cpu] = 0;
    this.xen.hardware.signals.storeFails(cpu.cpu, cpu.time + timing.serrorFlight, journey);
  }

  /** hyp_error, do_trap_hyp_serror */
  hypError(cpu: Pcpu, window: number): void {
    const { xen } = this;
    const v = cpu.current as ArmVcpu | null;
    this.esr[cpu.cpu] = SERROR_ESR;
    this.inXen[cpu.cpu] = 1;
    const journey = xen.hardware.signals.journeys[cpu.cpu]!;
    xen.trace.emit(this.tpHypError, cpu.time, journey, cpu.cpu, v ? v.index : -1, window);
    cpu.charge(timing.armHypEntry);
    this.doTrapSerror(cpu, window === IN_WINDOW);
  }

  /** __do_trap_serror: with serrors=diverse what is the guest's goes back to it; all else ends Xen. */
  doTrapSerror(cpu: Pcpu, guest: boolean): void {
    if (guest && this.xen.trapOptions.serrors === 'diverse') {
      this.injectVabt(cpu.current as ArmVcpu);
    } else this.xen.unexpectedTrap(cpu, 'SError');
  }

  /** inject_vabt_exception: HCR_EL2.VSE (HCR_VA) makes a virtual SError pending. */
  private injectVabt(v: ArmVcpu): void {
    const { xen } = this;
    v.serrorJourney = xen.hardware.signals.journeys[v.processor]!;
    xen.trace.emit(this.tpInject, v.now, v.serrorJourney, v.processor, v.index);
    v.hcr |= Hcr.vse.mask;
  }

  // and back

  /** leave_hypervisor_to_guest, behind the vCPU's work and softirqs, which are done. */
  leave(v: ArmVcpu): void {
    const { xen } = this;
    const here = xen.gicCpus[v.processor]!;
    xen.vgic.gic.syncToLrs(here);
    // what it goes back for, if an interrupt waits there
    if (!v.irqsMasked && xen.hasVirq(v)) v.journey = xen.virqJourney(v);
    this.emit(v, this.tpLeave, here.lrMask);
    if (xen.trapOptions.serrors === 'diverse') {
      // SYNCHRONIZE_SERROR: Xen's own does not slip into the guest
      v.cpu.charge(timing.serrorSync);
      if (this.synchronize(v.cpu)) {
        this.hypError(v.cpu, IN_XEN);
        return;
      }
    }
    if (this.needsSsbdFlip(v)) v.cpu.charge(timing.ssbdCall);
    v.cpu.charge(timing.armExit);
    xen.exits.end(v.index, v.now);
    this.emit(v, this.tpEret);
    v.exited = false;
    this.loaded[v.processor] = v.index;
  }

  /** The virtual interrupt is taken: the guest's own vector. */
  virq(v: ArmVcpu): void {
    v.journey = this.xen.virqJourney(v);
    this.xen.books.journey = v.journey;
    this.emit(v, this.tpVirq);
  }

  /** So is the virtual SError: the processor clears VSE, which Xen reads back when it next has the processor. */
  virtualSerror(v: ArmVcpu): void {
    v.hcr &= ~Hcr.vse.mask;
    v.journey = v.serrorJourney;
    this.emit(v, this.tpVserror);
  }

  // SSBD

  /** needs_ssbd_flip: the guest runs without the workaround. */
  private needsSsbdFlip(v: ArmVcpu): boolean {
    return !v.workaround2 && this.xen.trapOptions.ssbd.callback;
  }

  /**
   * wa2_ssbd, the fast path of HVC #0 in guest_sync, by which a guest switches the workaround. Without
   * ssbd=runtime arm_enable_wa2_handling has left a branch there to its end.
   */
  switchWorkaround2(v: ArmVcpu, on: boolean): void {
    const { state, callback } = this.xen.trapOptions.ssbd;
    if (v.state !== 'offline') v.cpu.charge(timing.hvcFastPath);
    if (state !== 'runtime') return;
    v.workaround2 = on;
    if (callback && v.state !== 'offline') v.cpu.charge(timing.ssbdCall);
  }

  private emit(v: ArmVcpu, point: Tracepoint, b = 0, c = 0): void {
    this.xen.trace.emit(point, v.now, v.journey, v.processor, v.index, b, c);
  }

  // to keep

  save(): Plain {
    const { esr, far, inXen, loaded, failing } = this;
    return [...[esr, far, inXen, loaded].map((array) => saveArray(array)), [...failing]];
  }

  restore(state: Plain): void {
    const [esr, far, inXen, loaded, failing] = state as [number[], number[], number[], number[], number[]];
    restoreArray(this.esr, esr);
    restoreArray(this.far, far);
    restoreArray(this.inXen, inXen);
    restoreArray(this.loaded, loaded);
    this.failing.splice(0, Infinity, ...failing);
  }
}
