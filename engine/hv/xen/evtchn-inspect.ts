/** Event channels seen from outside: what EVTCHNOP_status and the dump tell of a port. */
import {
  ECS_INTERDOMAIN,
  ECS_IPI,
  ECS_PIRQ,
  ECS_RESERVED,
  ECS_UNBOUND,
  ECS_VIRQ,
  EVTCHNSTAT_closed,
  EVTCHNSTAT_interdomain,
  EVTCHNSTAT_ipi,
  EVTCHNSTAT_pirq,
  EVTCHNSTAT_unbound,
  EVTCHNSTAT_virq,
} from '../../abi/xen.ts';
import type { Evtchn, EvtchnDomain } from './evtchn-domain.ts';
import type { ChannelInfo, ChannelKind, EvtchnStatus } from './evtchn-types.ts';

const STATUS: Readonly<Record<number, number>> = {
  [ECS_UNBOUND]: EVTCHNSTAT_unbound,
  [ECS_INTERDOMAIN]: EVTCHNSTAT_interdomain,
  [ECS_PIRQ]: EVTCHNSTAT_pirq,
  [ECS_VIRQ]: EVTCHNSTAT_virq,
  [ECS_IPI]: EVTCHNSTAT_ipi,
};

const KIND: Readonly<Record<number, ChannelKind>> = {
  [ECS_RESERVED]: 'reserved',
  [ECS_UNBOUND]: 'unbound',
  [ECS_INTERDOMAIN]: 'interdomain',
  [ECS_PIRQ]: 'pirq',
  [ECS_VIRQ]: 'virq',
  [ECS_IPI]: 'ipi',
};

/** The answer of EVTCHNOP_status: an error, or a channel. */
export function statusOf(r: number, chn?: Evtchn): EvtchnStatus {
  return {
    r,
    status: (chn && STATUS[chn.state]) ?? EVTCHNSTAT_closed,
    vcpu: chn?.notifyVcpu ?? 0,
    dom: chn?.remoteDom ?? 0,
    port: chn?.remotePort ?? 0,
    pirq: chn?.pirq ?? 0,
    virq: chn?.virq ?? 0,
  };
}

/** One port in use. */
export function channelInfo(d: EvtchnDomain, chn: Evtchn): ChannelInfo {
  return {
    port: chn.port,
    state: chn.state,
    kind: KIND[chn.state]!,
    vcpu: chn.notifyVcpu,
    xenConsumer: chn.xenConsumer,
    remoteDom: chn.remoteDom,
    remotePort: chn.remotePort,
    pirq: chn.pirq,
    irq: chn.state === ECS_PIRQ ? (d.init.pirqToIrq?.(chn.pirq) ?? 0) : 0,
    virq: chn.virq,
    pending: d.isPending(chn),
    masked: d.isMasked(chn),
    kept: d.isKept(chn),
    priority: d.portOps.hasPriorities ? chn.priority : null,
    link: d.portOps.printState(chn),
  };
}
