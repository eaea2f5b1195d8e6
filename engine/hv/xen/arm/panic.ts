/**
 * How Xen ends (do_bad_mode of xen/arch/arm/arm64/traps.c, do_unexpected_trap of traps.c, panic of
 * xen/drivers/char/console.c, machine_halt of shutdown.c): it prints what it was about, tells the other CPUs to halt, and
 * halts itself. What devices do afterwards waits at the GIC for good. Xen was booted with noreboot.
 */
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { Esr, Kind } from '../../../hw/arm/exceptions.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import { GIC_SGI_CALL_FUNCTION } from './irq.ts';
import { showGuest, showXen, type XenPlace } from './registers.ts';
import type { Traps } from './traps.ts';

/** handler[] of arm64/traps.c, by kind of exception */
const HANDLERS = ['Synchronous Abort', 'IRQ', 'FIQ', 'Error'] as const;
const STARS = '****************************************';
const IDLE: XenPlace = { at: 'idle_loop', from: 'idle_loop' };
const LEAVING: XenPlace = { at: 'leave_hypervisor_to_guest', from: 'guest_irq' };

export interface PanicHost {
  readonly cpus: readonly Pcpu[];
  readonly trace: Trace;
  readonly traps: Traps;
  readonly hostGic: { sendSgi(from: number, to: number, sgi: number): void };
  readonly console: { print(cpu: Pcpu, line: string): void };
}

export class Panic implements Part {
  readonly id = 'xen.panic';
  /** what has ended it; empty: Xen runs */
  why = '';
  when: Ns = 0;
  private readonly tpPanic: Tracepoint;

  constructor(private readonly host: PanicHost) {
    this.tpPanic = host.trace.point('panic', 'kind');
  }

  /** do_bad_mode: an exception that has no business to come. */
  badMode(cpu: Pcpu, kind: Kind): void {
    const esr = this.host.traps.esr[cpu.cpu]!;
    const il = Number(Esr.il.has(esr));
    const numbers = `EC=${hex(Esr.ec.get(esr))}, IL=${il}, ISS=${hex(Esr.iss.get(esr))}`;
    this.print(cpu, `Bad mode in ${HANDLERS[kind]} handler detected`);
    this.print(cpu, `ESR=${esr === 0 ? '0' : `0x${hex(esr)}`}:  ${numbers}`);
    this.showExecutionState(cpu);
    this.panic(cpu, 'bad mode', kind);
  }

  /** do_unexpected_trap: one that Xen cannot go on from. */
  unexpectedTrap(cpu: Pcpu, what: string): void {
    const message = `CPU${cpu.cpu}: Unexpected Trap: ${what}`;
    this.print(cpu, message);
    this.showExecutionState(cpu);
    this.panic(cpu, message, Kind.SERROR);
  }

  /** show_execution_state of what was interrupted: the guest, or Xen. */
  private showExecutionState(cpu: Pcpu): void {
    const { traps } = this.host;
    const v = cpu.current as ArmVcpu | null;
    const lines = traps.inXen[cpu.cpu] ? showXen(traps, cpu, v ? LEAVING : IDLE) : showGuest(traps, cpu, v!);
    for (const line of lines) this.print(cpu, line);
  }

  private panic(cpu: Pcpu, message: string, kind: Kind): void {
    const { trace, traps } = this.host;
    trace.emit(this.tpPanic, cpu.time, traps.xen.hardware.signals.journeys[cpu.cpu]!, cpu.cpu, kind);
    const text = ['', STARS, `Panic on CPU ${cpu.cpu}:`, message, STARS, '', MANUAL_RESET];
    for (const line of text) this.print(cpu, line);
    this.machineHalt(cpu, `Panic on CPU ${cpu.cpu}: ${message}`);
  }

  /** hwdom_shutdown: dom0 has ended itself, and with it the machine. */
  dom0Shutdown(cpu: Pcpu, reboot: boolean): void {
    const what = reboot ? 'shutdown: rebooting machine' : 'halted: halting machine';
    this.print(cpu, `Hardware Dom0 ${what}`);
    this.machineHalt(cpu, `Hardware Dom0 ${what}`);
  }

  /** machine_halt, after which a board without power control stays as it is: smp_call_function(halt_this_cpu). */
  private machineHalt(cpu: Pcpu, why: string): void {
    if (this.why !== '') return;
    this.why = why;
    this.when = cpu.time;
    const { cpus, hostGic } = this.host;
    for (const other of cpus) if (other !== cpu) hostGic.sendSgi(cpu.cpu, other.cpu, GIC_SGI_CALL_FUNCTION);
    this.halt(cpu);
  }

  /** halt_this_cpu: interrupts are masked, and it waits for good. */
  halt(cpu: Pcpu): void {
    cpu.hold();
  }

  private print(cpu: Pcpu, line: string): void {
    this.host.console.print(cpu, line);
  }

  save(): Plain {
    return [this.why, this.when];
  }

  restore(state: Plain): void {
    [this.why, this.when] = state as [string, number];
  }
}

const MANUAL_RESET = "Manual reset required ('noreboot' specified)";

function hex(value: number): string {
  return (value >>> 0).toString(16);
}
