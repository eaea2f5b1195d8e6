/**
 * Holding domains back and ending them (domain_pause, domain_shutdown, domain_crash of xen/common/domain.c;
 * domain_pause_for_debugger of xen/arch/x86/gdbsx.c, on 3.4 of xen/common/domain.c).
 */
import { VIRQ_DEBUGGER, VIRQ_DOM_EXC } from '../../abi/xen.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Domain } from './domain.ts';
import type { Schedule } from './schedule.ts';

export interface DomainControlHost {
  readonly sched: Schedule;
  domain(id: number): Domain;
  /** send_global_virq, in the name of the raise that is carried on */
  globalVirq(virq: number): void;
}

export class DomainControl implements Part {
  readonly id = 'xen.domains';
  /** by domain: what has ended it (is_shut_down); empty: nothing has */
  private readonly ends: string[] = [];
  /** domains that are held back until a tool of dom0 lets them go on (controller_pause_count) */
  private readonly paused: boolean[] = [];
  /** of those, which their debugger has not seen yet */
  private readonly events: boolean[] = [];

  constructor(private readonly host: DomainControlHost) {}

  /** What has ended the domain; empty: it has not. */
  endOf(domain: number): string {
    return this.ends[domain] ?? '';
  }

  /** Is the domain held back by a tool of dom0? */
  isPaused(domain: number): boolean {
    return this.paused[domain] === true;
  }

  /** domain_shutdown: none of its virtual CPUs runs any more, and dom0's toolstack is told. */
  shutDown(domain: number, why: string): void {
    if (this.endOf(domain) !== '') return;
    this.ends[domain] = why;
    for (const v of this.vcpusOf(domain)) this.host.sched.pause(v);
    this.host.globalVirq(VIRQ_DOM_EXC);
  }

  /**
   * domain_pause_for_debugger: an exception of this virtual CPU is for the debugger.
   * @param tell by VIRQ_DEBUGGER; else it asks (gdbsx_vcpu_event)
   */
  pauseForDebugger(v: Vcpu, tell: boolean): void {
    this.events[v.domain] = true;
    if (!this.isPaused(v.domain)) {
      this.paused[v.domain] = true;
      for (const other of this.vcpusOf(v.domain)) this.host.sched.pause(other);
    }
    if (tell) this.host.globalVirq(VIRQ_DEBUGGER);
  }

  /** XEN_DOMCTL_gdbsx_domstatus: has it paused for its debugger, since that has asked last? */
  takeDebugEvent(domain: number): boolean {
    const event = this.events[domain] === true;
    this.events[domain] = false;
    return event;
  }

  /** domain_unpause_by_systemcontroller */
  unpause(domain: number): void {
    if (!this.isPaused(domain)) return;
    this.paused[domain] = false;
    for (const v of this.vcpusOf(domain)) this.host.sched.unpause(v);
  }

  private vcpusOf(domain: number): readonly Vcpu[] {
    return this.host.domain(domain).vcpus;
  }

  save(): Plain {
    return {
      ends: Array.from(this.ends, (why) => why ?? ''),
      paused: Array.from(this.paused, (paused) => paused ?? false),
      events: Array.from(this.events, (event) => event ?? false),
    };
  }

  restore(state: Plain): void {
    const s = state as { ends: string[]; paused: boolean[]; events: boolean[] };
    this.ends.splice(0, Infinity, ...s.ends);
    this.paused.splice(0, Infinity, ...s.paused);
    this.events.splice(0, Infinity, ...s.events);
  }
}
