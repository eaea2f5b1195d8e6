/**
 * Out of Xen, into a paravirtual guest (test_all_events, process_nmi and process_mce of xen/arch/x86/x86_64/entry.S): the
 * bounce frames that it finds for events, non-maskable interrupts and machine checks; and how it goes to sleep.
 */
import type { Books } from '../../../core/books.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Domain } from '../domain.ts';
import type { EventChannels } from '../evtchn.ts';
import type { Kicks } from '../kicks.ts';
import type { Schedule } from '../schedule.ts';
import type { PvHost, PvVcpu } from './pv-vcpu.ts';
import type { VirtualMachineChecks } from './vmce.ts';

export interface PvUpcallHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly kicks: Kicks;
  readonly sched: Schedule;
  readonly channels: EventChannels;
  readonly vmce: VirtualMachineChecks;
  domain(id: number): Domain;
  traceHypercall(v: PvVcpu, op: number, command: number): void;
}

export class PvUpcalls implements PvHost {
  /** upcalls made */
  count = 0;
  private readonly tpUpcall: Tracepoint;
  private readonly tpEntered: Tracepoint;

  constructor(private readonly xen: PvUpcallHost) {
    this.tpUpcall = xen.trace.point('upcall', 'dom', 'vcpu');
    this.tpEntered = xen.trace.point('xen_evtchn_do_upcall', 'dom', 'vcpu');
  }

  /** test_all_events: an upcall that is pending and not masked gets a bounce frame, which masks upcalls. */
  injects(v: PvVcpu): boolean {
    const info = this.xen.domain(v.domain).shared.vcpus[v.vcpu]!;
    if (info.upcallPending === 0 || info.upcallMask !== 0) return false;
    info.upcallMask = 1;
    this.count++;
    const journey = this.xen.kicks.takePending(v);
    this.xen.trace.emit(this.tpUpcall, v.now, journey, v.processor, v.domain, v.vcpu);
    this.xen.trace.emit(this.tpEntered, v.now + timing.irqEntry, journey, v.processor, v.domain, v.vcpu);
    return true;
  }

  /** process_mce: before events. */
  injectsMachineCheck(v: PvVcpu): boolean | undefined {
    if (!this.xen.vmce.due(v)) return undefined;
    const info = this.xen.domain(v.domain).shared.vcpus[v.vcpu]!;
    const upcalls = info.upcallMask === 0;
    info.upcallMask = 1;
    this.xen.books.journey = this.xen.vmce.bounce(v);
    return upcalls;
  }

  /** process_nmi: before events, behind machine checks. */
  injectsNmi(v: PvVcpu): boolean {
    const { nmiPending } = v;
    v.nmiPending = false;
    return nmiPending;
  }

  machineCheckReturn(v: PvVcpu): void {
    this.xen.vmce.returned(v);
  }

  /** vcpu_block_enable_events: events are looked for after blocking, so that none is slept through. */
  block(v: PvVcpu): void {
    const info = this.xen.domain(v.domain).shared.vcpus[v.vcpu]!;
    info.upcallMask = 0;
    if (info.upcallPending === 0 && !v.nmiPending && !this.xen.vmce.waitsFor(v)) this.xen.sched.block(v);
  }

  /** XEN_DOMCTL_SENDTRIGGER_NMI of a paravirtual guest: one waits at most. */
  pendNmi(v: PvVcpu): void {
    if (v.nmiPending) return;
    v.nmiPending = true;
    this.xen.books.journey = this.xen.books.beside();
    this.xen.kicks.kick(v);
  }

  poll(v: PvVcpu, port: number): void {
    if (this.xen.channels.poll(v.domain, v.vcpu, [port]).blocks) this.xen.sched.block(v);
  }

  traceHypercall(v: PvVcpu, op: number, command: number): void {
    this.xen.traceHypercall(v, op, command);
  }
}
