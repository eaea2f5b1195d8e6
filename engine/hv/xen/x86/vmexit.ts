/**
 * VM exits of HVM guests on VMX (vmx_vmexit_handler of xen/arch/x86/hvm/vmx/vmx.c, vmx_asm_vmexit_handler of
 * entry.S). Read from top to bottom it follows an exit: the interrupt that ends the guest's stretch is handled before any
 * other is let in, then the event whose delivery was cut short, then the reason itself, and the way back.
 *
 * What exits of single instructions do is in hvm-cpu.ts.
 */
import { MACHINE_CHECK } from '../../../abi/mca.ts';
import type { Books } from '../../../core/books.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { FAILED } from '../../../hw/x86/vm-entry-exit.ts';
import { Blocking, Exit, exitName, INFO_VALID, Info, Type } from '../../../hw/x86/vmcs-fields.ts';
import { timing } from '../../../timing.ts';
import type { ExitTable } from '../../exits.ts';
import type { InterruptLine } from '../../hypervisor.ts';
import type { XenProfile } from '../softirq.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';
import type { MachineChecks } from './mce.ts';
import type { VirtualMachineChecks } from './vmce.ts';

/** a write to a page that is not mapped, while an event is delivered */
const WRITE_TO_ABSENT = 0x182;
export const PAGE_FAULT = 14;
const NAMES: { readonly [reason: number]: string } = {
  [Exit.INTERRUPT_WINDOW]: 'PENDING_VIRT_INTR',
  [Exit.NMI_WINDOW]: 'PENDING_VIRT_NMI',
};

/** As Xen spells a reason (EXIT_REASON_*). */
export function xenExitName(reason: number): string {
  return NAMES[reason] ?? exitName(reason);
}

/** What the exits need of Xen. */
export interface HvmHost {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly profile: XenProfile;
  /** of all virtual CPUs; there from the time that they are */
  readonly exits: ExitTable;
  readonly points: HvmPoints;
  readonly mce: MachineChecks;
  readonly vmce: VirtualMachineChecks;
  /** a trace record of this virtual CPU, in the journey that it is about */
  emit(v: HvmVcpu, point: Tracepoint, b?: number, c?: number, d?: number): void;
  /** the journey of the raise that waits for this vector */
  journeyOf(v: HvmVcpu, vector: number): number;
  /** the interrupt hook, at the exception branch */
  exceptionExit(v: HvmVcpu, vector: number): void;
  /** SCHEDOP_block, from HLT */
  halt(v: HvmVcpu): void;
  /** SCHEDOP_poll */
  poll(v: HvmVcpu, port: number): void;
  /** An exception for the debugger: the domain is paused. */
  debugTrap(v: HvmVcpu, vector: number): void;
  /** hvm_triple_fault: the domain is shut down */
  tripleFault(v: HvmVcpu): void;
}

/** Tracepoints of HVM virtual CPUs; the first number is the virtual CPU's. */
export class HvmPoints {
  readonly exit: Tracepoint;
  readonly entry: Tracepoint;
  readonly doExtint: Tracepoint;
  readonly reinject: Tracepoint;
  readonly injectVirq: Tracepoint;
  readonly injectNmi: Tracepoint;
  readonly injectException: Tracepoint;
  readonly injectMce: Tracepoint;
  readonly intrWindow: Tracepoint;
  readonly gate: Tracepoint;
  // for who follows the trace
  readonly hypercall: Tracepoint;
  readonly io: Tracepoint;
  readonly msr: Tracepoint;
  readonly eoiWrite: Tracepoint;
  readonly nestedPageFault: Tracepoint;

  constructor(trace: Trace) {
    this.exit = trace.point('vmexit', 'vcpu', 'reason', 'info');
    this.entry = trace.point('vmentry', 'vcpu');
    this.doExtint = trace.point('vmx_do_extint', 'vcpu', 'vector');
    this.reinject = trace.point('vmx_idtv_reinject', 'vcpu', 'info');
    this.injectVirq = trace.point('vmx_inject_extint', 'vcpu', 'vector');
    this.injectNmi = trace.point('vmx_inject_nmi', 'vcpu');
    this.injectException = trace.point('vmx_propagate_intr', 'vcpu', 'vector');
    this.injectMce = trace.point('hvm_inject_hw_exception', 'vcpu', 'vector');
    this.gate = trace.point('guest_gate', 'vcpu', 'vector');
    this.intrWindow = trace.point('vmx_enable_intr_window', 'vcpu', 'vector', 'injected', 'source');
    this.hypercall = trace.point('hypercall', 'vcpu', 'op', 'command');
    this.io = trace.point('hvmtrace_io_assist', 'vcpu', 'kind', 'address', 'data');
    this.msr = trace.point('hvm_msr_intercept', 'vcpu', 'write', 'msr', 'value');
    this.eoiWrite = trace.point('vmx_handle_eoi_write', 'vcpu');
    this.nestedPageFault = trace.point('ept_handle_violation', 'vcpu', 'address', 'qualification', 'type');
  }
}

export class VmExits {
  constructor(readonly xen: HvmHost) {}

  /** A VM exit, its fields the reason and a qualification. */
  exit(v: HvmVcpu, reason: number, qualification = 0): void {
    v.vmx.exit(reason, qualification);
    this.began(v);
  }

  /** vmx_asm_vmexit_handler, and the first that the handler does: the reason is read and traced. */
  private began(v: HvmVcpu): void {
    const { exitReason, exitInfo } = v.vmcs;
    this.xen.emit(v, this.xen.points.exit, exitReason, exitInfo);
    v.cpu.charge(timing.xenVmExit);
    this.xen.exits.begin(v.index, exitReason, v.now);
    v.cpu.exits++;
    v.exited = true;
    v.unfinished = true;
  }

  // the interrupt that we missed, before any more are let in

  /** EXTERNAL_INTERRUPT: the exit has acknowledged it; vmx_do_extint hands its vector to do_IRQ. */
  externalInterrupt(v: HvmVcpu, lapic: InterruptLine): number {
    v.journey = 0;
    const vector = v.vmx.exitForInterrupt(lapic);
    this.began(v);
    this.xen.emit(v, this.xen.points.doExtint, vector);
    return vector;
  }

  /** EXCEPTION_NMI with an NMI or #MC of the processor's: do_nmi or do_machine_check is called by hand. */
  nonMaskable(v: HvmVcpu, vector: number): void {
    if (vector === MACHINE_CHECK) {
      v.journey = this.xen.mce.journeyOn(v.cpu);
      v.vmx.exitForException(vector, 0);
    } else {
      this.setOut(v);
      v.vmx.exitForNmi();
    }
    this.began(v);
    this.xen.exceptionExit(v, vector);
  }

  /** Is it out for an NMI that do_nmi has not seen yet? */
  static leftForNmi({ exited, unfinished, vmcs }: HvmVcpu): boolean {
    const { exitReason, exitInfo } = vmcs;
    return exited && unfinished && exitReason === Exit.EXCEPTION_NMI && Info.type.get(exitInfo) === Type.NMI;
  }

  /** A journey of its own begins, which is over when the guest goes on. */
  private setOut(v: HvmVcpu): void {
    v.aside = this.xen.books.beside();
    v.journey = v.aside;
  }

  // with interrupts on again

  /** hvm_maybe_deassert_evtchn_irq, vmx_idtv_reinject, and the reasons that are no instruction. */
  finish(v: HvmVcpu): void {
    if (!v.unfinished) return;
    v.unfinished = false;
    v.hvm.irq.maybeDeassertEvtchnIrq();
    this.reinject(v);
    switch (v.vmcs.exitReason) {
      case Exit.INTERRUPT_WINDOW:
        v.vmx.interruptWindow = false;
        return;
      case Exit.NMI_WINDOW:
        v.vmx.nmiWindow = false;
        return;
      case Exit.EPT_VIOLATION:
        v.cpu.charge(timing.eptViolation);
        return;
      case Exit.EXCEPTION_NMI:
        if ((v.vmcs.exitInfo & 0xff) === PAGE_FAULT) v.cpu.charge(timing.eptViolation);
    }
  }

  /** An event whose delivery the exit cut short is queued again; an NMI no longer blocks NMIs. */
  private reinject(v: HvmVcpu): void {
    const { vmcs } = v;
    const event = vmcs.idtVectoringInfo;
    if (event >>> 0 < INFO_VALID) return;
    vmcs.entryInfo = (event & ~Info.nmiUnblocking.mask) >>> 0;
    if (Info.errorCode.has(event)) vmcs.entryErrorCode = vmcs.idtVectoringErrorCode;
    if (Info.type.get(event) === Type.NMI) vmcs.interruptibility &= ~Blocking.nmi;
    this.xen.emit(v, this.xen.points.reinject, event);
  }

  /** Exits of instructions come from the guest's kernel in one decision: the one before is over first. */
  beginInstruction(v: HvmVcpu, reason: number, qualification = 0): void {
    if (v.exited) this.leaveAgain(v);
    this.exit(v, reason, qualification);
    this.finish(v);
  }

  private leaveAgain(v: HvmVcpu): void {
    this.goOn(v);
    this.forget(v);
  }

  /** What it left for is over. */
  private forget(v: HvmVcpu): void {
    if (v.journey === v.aside) v.journey = 0;
    v.aside = 0;
  }

  private goOn(v: HvmVcpu): void {
    v.cpu.charge(timing.xenVmEntry);
    this.xen.exits.end(v.index, v.now);
    this.xen.emit(v, this.xen.points.entry);
    v.exited = false;
  }

  /** An exception that the exception bitmap names. What an interrupt's handler does is part of the interrupt's way. */
  exception(v: HvmVcpu, vector: number): void {
    if (v.exited) this.leaveAgain(v);
    if (v.journey === 0) this.setOut(v);
    this.exceptionBegins(v, vector);
    this.finish(v);
  }

  private exceptionBegins(v: HvmVcpu, vector: number): void {
    v.vmx.exitForException(vector, 0);
    this.began(v);
    this.xen.exceptionExit(v, vector);
  }

  /** vmx_propagate_intr: the guest gets the exception that it left for, by the next VM entry. */
  propagate(v: HvmVcpu): void {
    const { vmcs, vmx } = v;
    vmcs.entryInfo = (vmcs.exitInfo & ~Info.nmiUnblocking.mask) >>> 0;
    this.xen.emit(v, this.xen.points.injectException, vmcs.entryInfo & 0xff);
    this.goOn(v);
    this.xen.emit(v, this.xen.points.gate, vmx.enter());
    this.forget(v);
    // through a gate that IRET leaves again before the kernel's code goes on
    const { interruptFlag } = vmx;
    vmx.delivered();
    vmx.interruptFlag = interruptFlag;
  }

  // back into the guest

  /** VM entry; true: its kernel was told of an event, or the processor left again at once. */
  entry(v: HvmVcpu): boolean {
    const { vmx } = v;
    this.leaveAgain(v);
    const vector = vmx.enter();
    if (vector === FAILED) throw new Error(`${v.name}: VM entry failed, ${v.vmcs.entryInfo.toString(16)}`);
    if (vector >= 0) {
      if (v.coldStack) this.faultInDelivery(v);
      else this.deliver(v, vector);
      return true;
    }
    if (!v.halting) return false;
    // what ended the HLT is gone again; the instruction is over all the same
    v.halting = false;
    v.guest.done();
    return true;
  }

  /** While the processor pushes the frame it finds the page gone; the event is in the IDT-vectoring information. */
  private faultInDelivery(v: HvmVcpu): void {
    v.coldStack = false;
    if (v.options.hap) this.exit(v, Exit.EPT_VIOLATION, WRITE_TO_ABSENT);
    else this.exceptionBegins(v, PAGE_FAULT);
  }

  /** The event goes through the guest's gate. */
  private deliver(v: HvmVcpu, vector: number): void {
    const { deliveredType, interruptFlag } = v.vmx;
    v.vmx.delivered();
    const left = v.halting ? 0 : v.left;
    v.halting = false;
    this.xen.books.journey = v.journey;
    if (deliveredType === Type.NMI) {
      this.xen.emit(v, this.xen.points.gate, vector);
      v.guest.nmi(left);
    } else if (deliveredType === Type.HARDWARE_EXCEPTION && vector === MACHINE_CHECK) {
      this.xen.vmce.taken(v);
      v.guest.machineCheck(left, interruptFlag);
    } else {
      v.guest.interrupt(vector, left);
      this.xen.books.move(v.again, v.slot(vector));
    }
  }
}
