/**
 * Event channels: how events are raised, masked and waited for, by a guest's hypercalls and by Xen itself.
 *
 * After xen/common/event_channel.c. How ports come and go is in evtchn-ports.ts, where the answers of
 * hypercalls are explained too.
 */
import {
  EACCES,
  ECS_FREE,
  ECS_INTERDOMAIN,
  ECS_IPI,
  ECS_UNBOUND,
  EINVAL,
  ENOSYS,
  EPERM,
  ESRCH,
  EVTCHNOP_expand_array,
  EVTCHNOP_init_control,
  EVTCHNOP_set_priority,
  NR_VIRQS,
} from '../../abi/xen.ts';
import type { Part, Plain } from '../../core/state.ts';
import { type Evtchn, type EvtchnDomain, evtchnUsable } from './evtchn-domain.ts';
import { fifoExpandArray, fifoInitControl } from './evtchn-fifo.ts';
import { channelInfo, statusOf } from './evtchn-inspect.ts';
import { movePirqs } from './evtchn-pirq.ts';
import { doPoll, type PollResult } from './evtchn-poll.ts';
import { EvtchnPorts } from './evtchn-ports.ts';
import type { ChannelInfo, EvtchnStatus } from './evtchn-types.ts';

export { debugKeyE } from './debug-keys/evtchn.ts';
export type { Evtchn, EvtchnDomain, EvtchnVcpu } from './evtchn-domain.ts';
export type { PollResult } from './evtchn-poll.ts';
export type { EvtchnProfile } from './evtchn-profile.ts';
export type * from './evtchn-types.ts';

export class EventChannels extends EvtchnPorts implements Part {
  readonly id = 'evtchn';

  // Raising.

  send(caller: number, port: number): number {
    const ld = this.domain(caller);
    const lchn = ld.ports[port];
    if (lchn?.xenConsumer !== 0) return -EINVAL;
    switch (lchn.state) {
      case ECS_INTERDOMAIN: {
        const rd = this.domains[lchn.remoteDom]!;
        const rchn = rd.ports[lchn.remotePort]!;
        if (rchn.xenConsumer !== 0) this.output.xenConsumer(rd.id, rchn.port, rchn.notifyVcpu);
        else rd.setPending(rchn.notifyVcpu, rchn);
        return 0;
      }
      case ECS_IPI:
        ld.setPending(lchn.notifyVcpu, lchn);
        return 0;
      case ECS_UNBOUND:
        this.lose(ld, lchn);
        return 0;
      default:
        return -EINVAL;
    }
  }

  /** what pends now does so with interrupts off */
  interruptsOff = false;

  /** send_guest_vcpu_virq */
  vcpuVirq(dom: number, vcpu: number, virq: number): void {
    if (this.virqIsGlobal(virq)) throw new Error(`VIRQ ${virq} is global`);
    const d = this.domain(dom);
    const port = d.vcpus[vcpu]!.virqToEvtchn[virq]!;
    if (port === 0) this.output.pended(dom, 0, 'dropped');
    else this.withVirqLock(() => d.setPending(vcpu, d.ports[port]!));
  }

  /** send_global_virq */
  globalVirq(virq: number): void {
    if (!this.virqIsGlobal(virq)) throw new Error(`VIRQ ${virq} is per vCPU`);
    const handler = this.globalVirqHandlers[virq]!;
    const d = this.domain(handler >= 0 ? handler : this.hardwareDomain);
    this.withVirqLock(() => this.pendOr(d, d.vcpus[0]!.virqToEvtchn[virq]!));
  }

  /** The lock of a virtual CPU's VIRQs is held with interrupts off (virq_lock). */
  private withVirqLock(act: () => void): void {
    this.interruptsOff = true;
    act();
    this.interruptsOff = false;
  }

  /** set_global_virq_handler */
  setGlobalVirqHandler(dom: number, virq: number): number {
    if (!this.rules.virqHandlers) return -ENOSYS;
    if (virq < 0 || virq >= NR_VIRQS || !this.virqIsGlobal(virq)) return -EINVAL;
    this.globalVirqHandlers[virq] = this.domain(dom).id;
    return 0;
  }

  /** send_guest_pirq */
  guestPirq(dom: number, pirq: number): void {
    const d = this.domain(dom);
    this.pendOr(d, d.pirqToEvtchn[pirq]!);
  }

  private pendOr(d: EvtchnDomain, port: number): void {
    if (port === 0) {
      this.output.pended(d.id, 0, 'dropped');
      return;
    }
    const chn = d.ports[port]!;
    d.setPending(chn.notifyVcpu, chn);
  }

  /** Has this virtual CPU an event channel for the VIRQ? (evtchn_virq_enabled) */
  virqEnabled(dom: number, vcpu: number, virq: number): boolean {
    return this.domain(dom).vcpus[vcpu]!.virqToEvtchn[virq]! !== 0;
  }

  /** Has the domain bound this pirq? */
  pirqBound(dom: number, pirq: number): boolean {
    return (this.domain(dom).pirqToEvtchn[pirq] ?? 0) !== 0;
  }

  /** evtchn_move_pirqs: the vCPU runs on another CPU now. */
  movePirqs(dom: number, vcpu: number): void {
    if (this.rules.pirqFollowsVcpu) movePirqs(this.domain(dom), vcpu);
  }

  /** notify_via_xen_event_channel */
  xenNotify(dom: number, port: number): void {
    const chn = this.domain(dom).ports[port];
    if (chn?.state === ECS_INTERDOMAIN) this.pendOr(this.domain(chn.remoteDom), chn.remotePort);
    else if (chn) this.lose(this.domain(dom), chn);
  }

  /** Nobody is bound to the other end; the domain it waits for need not exist yet. */
  private lose(d: EvtchnDomain, chn: Evtchn): void {
    this.output.pended(this.domains[chn.remoteDom] ? chn.remoteDom : d.id, 0, 'dropped');
  }

  // Masking, priority, looking.

  unmask(caller: number, port: number): number {
    const d = this.domain(caller);
    const chn = d.ports[port];
    if (!chn) return -EINVAL;
    if (d.usable(chn)) d.portOps.unmask(chn);
    return 0;
  }

  setPriority(caller: number, port: number, priority: number): number {
    if (!this.knows(EVTCHNOP_set_priority)) return -ENOSYS;
    const d = this.domain(caller);
    const chn = d.ports[port];
    if (!chn) return -EINVAL;
    if (!d.portOps.hasPriorities) return -ENOSYS;
    return evtchnUsable(chn) ? d.portOps.setPriority(chn, priority) : -EACCES;
  }

  status(caller: number, dom: number, port: number): EvtchnStatus {
    const current = this.domain(caller);
    const d = this.byAnyId(current, dom);
    if (!d) return statusOf(-ESRCH);
    const permitted = this.mayTarget(current, dom, d);
    if (this.rules.permissionFirst && !permitted) return statusOf(-EPERM);
    const chn = d.ports[port];
    if (!chn) return statusOf(-EINVAL);
    if (this.rules.statusHidesXen && chn.xenConsumer !== 0) return statusOf(-EACCES);
    return permitted ? statusOf(0, chn) : statusOf(-EPERM);
  }

  initControl(caller: number, vcpu: number, gfn: number, offset: number): number {
    if (!this.knows(EVTCHNOP_init_control)) return -ENOSYS;
    return fifoInitControl(this.domain(caller), vcpu, gfn, offset);
  }

  expandArray(caller: number, gfn: number): number {
    if (!this.knows(EVTCHNOP_expand_array)) return -ENOSYS;
    return fifoExpandArray(this.domain(caller), gfn);
  }

  /** SCHEDOP_poll */
  poll(caller: number, vcpu: number, ports: readonly number[]): PollResult {
    const d = this.domain(caller);
    return doPoll(d, d.vcpus[vcpu]!, ports, this.rules);
  }

  /** poll_timer_fn */
  pollTimeout(dom: number, vcpu: number): void {
    const d = this.domain(dom);
    d.unblock(d.vcpus[vcpu]!);
  }

  // What is going on.

  /** Has the port been raised before there was an event word for it, and is that kept? */
  portIsKept(dom: number, port: number): boolean {
    const d = this.domain(dom);
    const chn = d.ports[port];
    return chn !== undefined && d.isKept(chn);
  }

  /** Ports that are closed while their event words are still in a queue. */
  closedBusy(dom: number): number[] {
    return this.domain(dom).closedBusy();
  }

  /** Can the guest see the port pending? */
  portIsPending(dom: number, port: number): boolean {
    const d = this.domain(dom);
    const chn = d.ports[port];
    return chn !== undefined && d.isPending(chn);
  }

  portIsMasked(dom: number, port: number): boolean {
    const d = this.domain(dom);
    const chn = d.ports[port];
    return chn === undefined || d.isMasked(chn);
  }

  /** vCPUs that wait in SCHEDOP_poll. */
  polling(dom: number): number[] {
    return this.domain(dom)
      .vcpus.filter((v) => v.polling)
      .map((v) => v.id);
  }

  /** The domain's ports that are not free, from 1 up. */
  channels(dom: number): ChannelInfo[] {
    const d = this.domain(dom);
    const used = (chn: Evtchn) => chn.port !== 0 && chn.state !== ECS_FREE;
    return d.ports.filter(used).map((chn) => channelInfo(d, chn));
  }

  /** One port in use; undefined if it is free. */
  channel(dom: number, port: number): ChannelInfo | undefined {
    const d = this.domain(dom);
    const chn = d.ports[port];
    return chn && chn.state !== ECS_FREE ? channelInfo(d, chn) : undefined;
  }

  /** How the domain and Xen share its ports. */
  abiOf(dom: number): '2-level' | 'fifo' {
    return this.domain(dom).portOps.abi;
  }

  save(): Plain {
    const domains: Record<string, Plain> = {};
    for (const d of this.domains) if (d) domains[d.id] = d.save();
    return { domains, handlers: Array.from(this.globalVirqHandlers) };
  }

  restore(state: Plain): void {
    const s = state as { domains: Record<string, Plain>; handlers: number[] };
    for (const [id, saved] of Object.entries(s.domains)) this.domain(Number(id)).restore(saved);
    this.globalVirqHandlers.set(s.handlers);
  }
}
