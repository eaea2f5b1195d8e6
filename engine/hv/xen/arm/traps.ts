/**
 * The way from a guest into Xen and back (xen/arch/arm/arm64/entry.S, traps.c). In the order of the code: the entry macro
 * saves the frame; a pending SError of the guest's is looked for; enter_hypervisor_from_guest takes back the list
 * registers; the trap is handled; leave_hypervisor_to_guest runs softirqs and fills list registers; the exit macro restores
 * the frame.
 */
import type { Books } from '../../../core/books.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { Ec, Esr } from '../../../hw/arm/exceptions.ts';
import { timing } from '../../../timing.ts';
import type { ExitTable } from '../../exits.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { GicCpu } from './gic-hw.ts';
import type { Vgic } from './vgic.ts';
import type { VtimerHost } from './vtimer.ts';

/** Reasons of exits: exception classes, and behind them an IRQ. */
export const EXIT_IRQ = 64;
export const ARM_EXITS = 65;

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
};

export function armExitName(reason: number): string {
  return NAMES[reason] ?? `EC_0x${reason.toString(16)}`;
}

/** Command line and errata, as alternatives are patched in by them. */
export interface TrapOptions {
  /** serrors=diverse, forward or panic */
  readonly serrors: 'diverse' | 'forward' | 'panic';
  /** spec-ctrl=ssbd: the firmware's workaround is switched off for guests that ask for it */
  readonly ssbd: 'force-disable' | 'runtime' | 'force-enable';
}

export interface TrapHost extends VtimerHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly exits: ExitTable;
  readonly vgic: Vgic;
  readonly gicCpus: readonly GicCpu[];
  readonly trapOptions: TrapOptions;
  /** Is the guest's IRQ line high? */
  hasVirq(v: ArmVcpu): boolean;
  /** the journey of what it is high for */
  virqJourney(v: ArmVcpu): number;
}

export class Traps {
  private readonly tpExit: Tracepoint;
  private readonly tpEnter: Tracepoint;
  private readonly tpLeave: Tracepoint;
  private readonly tpEret: Tracepoint;
  private readonly tpVirq: Tracepoint;

  constructor(readonly xen: TrapHost) {
    const { trace } = xen;
    this.tpExit = trace.point('guest_exit', 'vcpu', 'reason', 'esr');
    this.tpEnter = trace.point('enter_hypervisor_from_guest', 'vcpu', 'lrs');
    this.tpLeave = trace.point('leave_hypervisor_to_guest', 'vcpu', 'lrs');
    this.tpEret = trace.point('eret', 'vcpu');
    this.tpVirq = trace.point('el1_irq', 'vcpu');
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
    this.enter(v, Esr.ec.get(esr), esr);
  }

  private enter(v: ArmVcpu, reason: number, esr: number): void {
    const { xen } = this;
    v.regs.fromGuest(v.irqsMasked, v.compat, esr);
    this.emit(v, this.tpExit, reason, esr);
    xen.exits.begin(v.index, reason, v.now);
    v.exited = true;
    v.cpu.charge(timing.armEntry);
    this.synchronizeSErrors(v);
    // enter_hypervisor_from_guest_preirq: the host runs with the workaround
    if (this.xen.trapOptions.ssbd === 'runtime') v.cpu.charge(timing.ssbdCall);
    const here = xen.gicCpus[v.processor]!;
    this.emit(v, this.tpEnter, here.lrMask);
    xen.vgic.gic.syncFromLrs(here);
  }

  /** check_pending_guest_serror: unless the alternative SKIP_SYNCHRONIZE_SERROR_ENTRY_EXIT is in its place. */
  private synchronizeSErrors(v: ArmVcpu): void {
    if (this.xen.trapOptions.serrors !== 'forward') v.cpu.charge(timing.serrorSync);
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
    if (xen.trapOptions.serrors === 'diverse') v.cpu.charge(timing.serrorSync);
    if (xen.trapOptions.ssbd === 'runtime') v.cpu.charge(timing.ssbdCall);
    v.cpu.charge(timing.armExit);
    xen.exits.end(v.index, v.now);
    this.emit(v, this.tpEret);
    v.exited = false;
  }

  /** The virtual interrupt is taken: the guest's own vector. */
  virq(v: ArmVcpu): void {
    v.journey = this.xen.virqJourney(v);
    this.xen.books.journey = v.journey;
    this.emit(v, this.tpVirq);
  }

  private emit(v: ArmVcpu, point: Tracepoint, b = 0, c = 0): void {
    this.xen.trace.emit(point, v.now, v.journey, v.processor, v.index, b, c);
  }
}
