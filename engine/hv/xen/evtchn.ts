/**
 * Event channels: the hypercalls of event_channel_op, and Xen's own side of them.
 *
 * After xen/common/event_channel.c of 4.17, of 3.4 where the profile says so (evtchn-profile.ts). A method's
 * first argument is the domain that makes the hypercall; the answer is what the guest gets: 0 or a port, or
 * a negative errno. What the checks come in which order is part of the interface, so it is kept.
 */

import {
  DOMID_SELF,
  EACCES,
  EAGAIN,
  EBUSY,
  ECS_FREE,
  ECS_INTERDOMAIN,
  ECS_IPI,
  ECS_PIRQ,
  ECS_RESERVED,
  ECS_UNBOUND,
  ECS_VIRQ,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOSYS,
  EPERM,
  ERESTART,
  ESRCH,
  EVTCHNOP_expand_array,
  EVTCHNOP_init_control,
  EVTCHNOP_reset_cont,
  EVTCHNOP_set_priority,
  NR_VIRQS,
} from '../../abi/xen.ts';
import type { Part, Plain } from '../../core/state.ts';
import { type Evtchn, EvtchnDomain, evtchnUsable } from './evtchn-domain.ts';
import { fifoExpandArray, fifoInitControl } from './evtchn-fifo.ts';
import { channelInfo, statusOf } from './evtchn-inspect.ts';
import { linkPirqPort, movePirqs, unlinkPirqPort } from './evtchn-pirq.ts';
import { doPoll, type PollResult } from './evtchn-poll.ts';
import { EVTCHN_RULES, type EvtchnProfile, type EvtchnRules } from './evtchn-profile.ts';
import type { ChannelInfo, EvtchnDomainInit, EvtchnOutput, EvtchnStatus } from './evtchn-types.ts';

export type { Evtchn, EvtchnDomain, EvtchnVcpu } from './evtchn-domain.ts';
export type { PollResult } from './evtchn-poll.ts';
export type { EvtchnProfile } from './evtchn-profile.ts';
export type * from './evtchn-types.ts';

export class EventChannels implements Part {
  readonly id = 'evtchn';
  readonly rules: EvtchnRules;
  private readonly domains: (EvtchnDomain | undefined)[] = [];
  /** domain that receives a global VIRQ; -1: the hardware domain */
  private readonly globalVirqHandlers = new Int32Array(NR_VIRQS).fill(-1);
  private hardwareDomain = -1;

  constructor(
    private readonly output: EvtchnOutput,
    options: { readonly profile: EvtchnProfile },
  ) {
    this.rules = EVTCHN_RULES[options.profile];
  }

  addDomain(init: EvtchnDomainInit): void {
    this.domains[init.id] = new EvtchnDomain(init, this.output, this.rules);
    if (init.privileged && this.hardwareDomain < 0) this.hardwareDomain = init.id;
  }

  /** @throws Error if there is no such domain */
  domain(id: number): EvtchnDomain {
    const d = this.domains[id];
    if (!d) throw new Error(`no domain ${id}`);
    return d;
  }

  /** Is it a command of event_channel_op? Others answer -ENOSYS. */
  knows(command: number): boolean {
    return command >= 0 && command <= this.rules.lastCommand;
  }

  /** rcu_lock_domain_by_any_id */
  private byAnyId(caller: EvtchnDomain, dom: number): EvtchnDomain | undefined {
    return dom === DOMID_SELF ? caller : this.domains[dom];
  }

  private mayTarget(caller: EvtchnDomain, dom: number, d: EvtchnDomain): boolean {
    const self = this.rules.permissionFirst ? dom === DOMID_SELF : caller === d;
    return self || caller.privileged;
  }

  // Binding. Where a port number can be asked for (`at`, static event channels), 0 means the lowest.

  allocUnbound(caller: number, dom: number, remoteDom: number, at = 0): number {
    const current = this.domain(caller);
    const d = this.byAnyId(current, dom);
    if (!d) return -ESRCH;
    const permitted = this.mayTarget(current, dom, d);
    if (this.rules.permissionFirst && !permitted) return -EPERM;
    const port = d.getPort(at);
    if (port < 0) return port;
    if (!permitted) {
      d.giveBack(port);
      return -EPERM;
    }
    const chn = d.ports[port]!;
    chn.state = ECS_UNBOUND;
    d.setPeer(chn, remoteDom === DOMID_SELF ? current.id : remoteDom, 0);
    d.portOps.init(chn);
    return port;
  }

  bindInterdomain(caller: number, remoteDom: number, remotePort: number, at = 0): number {
    const ld = this.domain(caller);
    const rd = this.byAnyId(ld, remoteDom);
    if (!rd) return -ESRCH;
    const lport = ld.getPort(at);
    if (lport < 0) return lport;
    const rchn = rd.ports[remotePort];
    if (!rchn || rchn.state !== ECS_UNBOUND || rchn.remoteDom !== ld.id) {
      ld.giveBack(lport);
      return -EINVAL;
    }
    const lchn = ld.ports[lport]!;
    lchn.state = ECS_INTERDOMAIN;
    ld.setPeer(lchn, rd.id, remotePort);
    ld.portOps.init(lchn);
    rchn.state = ECS_INTERDOMAIN;
    rd.setPeer(rchn, ld.id, lport);
    // events may have been lost while the other end was unbound
    ld.setPending(lchn.notifyVcpu, lchn);
    return lport;
  }

  virqIsGlobal(virq: number): boolean {
    return !this.rules.perVcpuVirqs.includes(virq);
  }

  bindVirq(caller: number, virq: number, vcpu: number, at = 0): number {
    const d = this.domain(caller);
    if (virq < 0 || virq >= NR_VIRQS) return -EINVAL;
    if (this.virqIsGlobal(virq) && vcpu !== 0) return -EINVAL;
    const v = d.vcpus[vcpu];
    if (!v) return -ENOENT;
    if (v.virqToEvtchn[virq] !== 0) return -EEXIST;
    const port = d.getPort(at);
    if (port < 0) return port;
    const chn = d.ports[port]!;
    chn.state = ECS_VIRQ;
    chn.notifyVcpu = vcpu;
    chn.virq = virq;
    d.portOps.init(chn);
    v.virqToEvtchn[virq] = port;
    return port;
  }

  bindIpi(caller: number, vcpu: number): number {
    const d = this.domain(caller);
    if (!d.vcpus[vcpu]) return -ENOENT;
    const port = d.getFreePort();
    if (port < 0) return port;
    const chn = d.ports[port]!;
    chn.state = ECS_IPI;
    chn.notifyVcpu = vcpu;
    d.portOps.init(chn);
    return port;
  }

  bindPirq(caller: number, pirq: number): number {
    const d = this.domain(caller);
    if (pirq < 0 || pirq >= d.pirqToEvtchn.length) return -EINVAL;
    if (d.init.pirqPermitted && !d.init.pirqPermitted(pirq)) return -EPERM;
    if (d.pirqToEvtchn[pirq] !== 0) return -EEXIST;
    const port = d.getFreePort();
    if (port < 0) return port;
    const r = this.output.pirqBind(d.id, pirq);
    if (r !== 0) {
      d.giveBack(port);
      return r;
    }
    const chn = d.ports[port]!;
    chn.state = ECS_PIRQ;
    chn.pirq = pirq;
    d.pirqToEvtchn[pirq] = port;
    linkPirqPort(d, chn);
    d.portOps.init(chn);
    return port;
  }

  bindVcpu(caller: number, port: number, vcpu: number): number {
    const d = this.domain(caller);
    if (!d.vcpus[vcpu]) return -ENOENT;
    const chn = d.ports[port];
    if (chn?.xenConsumer !== 0) return -EINVAL;
    switch (chn.state) {
      case ECS_VIRQ:
        if (!this.virqIsGlobal(chn.virq)) return -EINVAL;
        chn.notifyVcpu = vcpu;
        return 0;
      case ECS_UNBOUND:
      case ECS_INTERDOMAIN:
        chn.notifyVcpu = vcpu;
        return 0;
      case ECS_PIRQ:
        if (chn.notifyVcpu === vcpu) return 0;
        unlinkPirqPort(d, chn);
        chn.notifyVcpu = vcpu;
        if (this.rules.pirqFollowsVcpu) this.output.pirqAffinity(d.id, chn.pirq, vcpu);
        linkPirqPort(d, chn);
        return 0;
      default:
        return -EINVAL;
    }
  }

  // Closing.

  close(caller: number, port: number): number {
    return this.closePort(this.domain(caller), port, true);
  }

  /** evtchn_close @param guest the guest asks, who must not close what Xen consumes */
  private closePort(d: EvtchnDomain, port: number, guest: boolean): number {
    const chn = d.ports[port];
    if (!chn || (chn.xenConsumer !== 0 && guest)) return -EINVAL;
    switch (chn.state) {
      case ECS_FREE:
      case ECS_RESERVED:
        return -EINVAL;
      case ECS_PIRQ:
        this.output.pirqUnbind(d.id, chn.pirq);
        d.pirqToEvtchn[chn.pirq] = 0;
        unlinkPirqPort(d, chn);
        break;
      case ECS_VIRQ:
        d.vcpus[this.virqIsGlobal(chn.virq) ? 0 : chn.notifyVcpu]!.virqToEvtchn[chn.virq] = 0;
        break;
      case ECS_INTERDOMAIN: {
        const rd = this.domain(chn.remoteDom);
        const rchn = rd.ports[chn.remotePort]!;
        rchn.state = ECS_UNBOUND;
        rd.setPeer(rchn, d.id, 0);
        break;
      }
    }
    d.free(chn);
    return 0;
  }

  /**
   * EVTCHNOP_reset: closes all ports of the guest's and goes back to the 2-level ABI.
   * @param preempt hypercall_preempt_check, asked after each port that is a multiple of 64
   */
  reset(caller: number, dom: number, preempt?: () => boolean): number {
    return this.resetFrom(caller, dom, false, preempt);
  }

  /** EVTCHNOP_reset_cont: what Xen makes the guest call after -ERESTART. */
  resetCont(caller: number, dom: number, preempt?: () => boolean): number {
    if (!this.knows(EVTCHNOP_reset_cont)) return -ENOSYS;
    return this.resetFrom(caller, dom, true, preempt);
  }

  private resetFrom(caller: number, dom: number, resuming: boolean, preempt?: () => boolean): number {
    const current = this.domain(caller);
    const d = this.byAnyId(current, dom);
    if (!d) return -ESRCH;
    if (!this.mayTarget(current, dom, d)) return -EPERM;
    // nobody pauses domains here
    if (this.rules.carefulReset && d !== current) return -EINVAL;
    const first = resuming ? d.nextEvtchn : Number(d.nextEvtchn === 0);
    if (first === 0) return -EBUSY;
    d.nextEvtchn = Math.max(d.nextEvtchn, first);
    for (let port = first; port < d.ports.length && d.activeEvtchns > d.xenEvtchns; port++) {
      this.closePort(d, port, true);
      if (this.rules.carefulReset && (port & 63) === 0 && preempt?.()) {
        d.nextEvtchn = port;
        return -ERESTART;
      }
    }
    d.nextEvtchn = 0;
    if (d.activeEvtchns > d.xenEvtchns) return -EAGAIN;
    d.switchTo2l();
    return 0;
  }

  /** evtchn_destroy: the domain dies. It can still be named until another takes its number. */
  destroy(dom: number): void {
    const d = this.domain(dom);
    d.isDying = true;
    const ports = d.ports.map((chn) => chn.port).slice(1);
    for (const port of this.rules.destroyFromTop ? ports.reverse() : ports) this.closePort(d, port, false);
    this.globalVirqHandlers.forEach((handler, virq) => {
      if (handler === dom) this.globalVirqHandlers[virq] = -1;
    });
    d.switchTo2l();
    if (!this.rules.destroyFromTop) d.ports.length = 0;
  }

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
        this.output.pended(lchn.remoteDom, 0, 'dropped');
        return 0;
      default:
        return -EINVAL;
    }
  }

  /** send_guest_vcpu_virq */
  vcpuVirq(dom: number, vcpu: number, virq: number): void {
    if (this.virqIsGlobal(virq)) throw new Error(`VIRQ ${virq} is global`);
    const d = this.domain(dom);
    const port = d.vcpus[vcpu]!.virqToEvtchn[virq]!;
    if (port === 0) this.output.pended(dom, 0, 'dropped');
    else d.setPending(vcpu, d.ports[port]!);
  }

  /** send_global_virq */
  globalVirq(virq: number): void {
    if (!this.virqIsGlobal(virq)) throw new Error(`VIRQ ${virq} is per vCPU`);
    const handler = this.globalVirqHandlers[virq]!;
    const d = this.domain(handler >= 0 ? handler : this.hardwareDomain);
    this.pendOr(d, d.vcpus[0]!.virqToEvtchn[virq]!);
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

  /** evtchn_move_pirqs: the vCPU runs on another CPU now. */
  movePirqs(dom: number, vcpu: number): void {
    if (this.rules.pirqFollowsVcpu) movePirqs(this.domain(dom), vcpu);
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

  // Ports that Xen itself consumes.

  /** alloc_unbound_xen_event_channel: a port or a negative errno. */
  xenAlloc(dom: number, vcpu: number, remoteDom: number): number {
    const d = this.domain(dom);
    const port = d.getFreePort();
    if (port < 0) return port;
    const chn = d.ports[port]!;
    chn.state = ECS_UNBOUND;
    chn.xenConsumer = 1;
    chn.notifyVcpu = vcpu;
    d.setPeer(chn, remoteDom, 0);
    d.xenEvtchns++;
    return port;
  }

  /** free_xen_event_channel */
  xenFree(dom: number, port: number): void {
    this.closePort(this.domain(dom), port, false);
  }

  /** notify_via_xen_event_channel */
  xenNotify(dom: number, port: number): void {
    const chn = this.domain(dom).ports[port];
    if (chn?.state === ECS_INTERDOMAIN) this.pendOr(this.domain(chn.remoteDom), chn.remotePort);
    else if (chn) this.output.pended(chn.remoteDom, 0, 'dropped');
  }

  // What is going on.

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

  /** The domain's ports that are not free, from 1 up. */
  channels(dom: number): ChannelInfo[] {
    const d = this.domain(dom);
    const used = (chn: Evtchn) => chn.port !== 0 && chn.state !== ECS_FREE;
    return d.ports.filter(used).map((chn) => channelInfo(d, chn));
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
