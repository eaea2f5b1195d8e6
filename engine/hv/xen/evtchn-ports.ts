/**
 * Event channels: how ports are bound, bound elsewhere and closed.
 *
 * After xen/common/event_channel.c of 4.17, of 3.4 where the profile says so (evtchn-profile.ts). A method's
 * first argument is the domain that makes the hypercall; the answer is what the guest gets: 0 or a port, or
 * a negative errno. Which check comes first is part of the interface, so their order is the original's.
 */
import {
  DOMID_SELF,
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
  EVTCHNOP_reset_cont,
  NR_VIRQS,
} from '../../abi/xen.ts';
import { EvtchnDomain } from './evtchn-domain.ts';
import { linkPirqPort, unlinkPirqPort } from './evtchn-pirq.ts';
import { EVTCHN_RULES, type EvtchnFixes, type EvtchnProfile, type EvtchnRules } from './evtchn-profile.ts';
import type { EvtchnDomainInit, EvtchnOutput } from './evtchn-types.ts';

export class EvtchnPorts {
  readonly rules: EvtchnRules;
  protected readonly domains: (EvtchnDomain | undefined)[] = [];
  /** domain that receives a global VIRQ; -1: the hardware domain */
  protected readonly globalVirqHandlers = new Int32Array(NR_VIRQS).fill(-1);
  protected hardwareDomain = -1;

  constructor(
    protected readonly output: EvtchnOutput,
    options: { readonly profile: EvtchnProfile; readonly fixes?: Partial<EvtchnFixes> | undefined },
  ) {
    this.rules = { ...EVTCHN_RULES[options.profile], ...options.fixes };
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
  protected byAnyId(caller: EvtchnDomain, dom: number): EvtchnDomain | undefined {
    return dom === DOMID_SELF ? caller : this.domains[dom];
  }

  protected mayTarget(caller: EvtchnDomain, dom: number, d: EvtchnDomain): boolean {
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

  bindPirq(caller: number, pirq: number, willShare = false): number {
    const d = this.domain(caller);
    if (pirq < 0 || pirq >= d.pirqToEvtchn.length) return -EINVAL;
    if (d.init.pirqPermitted && !d.init.pirqPermitted(pirq)) return -EPERM;
    if (d.pirqToEvtchn[pirq] !== 0) return -EEXIST;
    const port = d.getFreePort();
    if (port < 0) return port;
    d.pirqToEvtchn[pirq] = port;
    const r = this.output.pirqBind(d.id, pirq, willShare);
    if (r !== 0) {
      d.pirqToEvtchn[pirq] = 0;
      d.giveBack(port);
      return r;
    }
    const chn = d.ports[port]!;
    chn.state = ECS_PIRQ;
    chn.pirq = pirq;
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
}
