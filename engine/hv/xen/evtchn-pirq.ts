/** The pirq ports of each vCPU, as a list: a vCPU that moves takes its physical interrupts along. */
import type { Evtchn, EvtchnDomain } from './evtchn-domain.ts';

/** link_pirq_port: to the front of the list of the port's notify vCPU. */
export function linkPirqPort(d: EvtchnDomain, chn: Evtchn): void {
  const v = d.vcpus[chn.notifyVcpu]!;
  chn.prevPort = 0;
  chn.nextPort = v.pirqEvtchnHead;
  if (chn.nextPort !== 0) d.ports[chn.nextPort]!.prevPort = chn.port;
  v.pirqEvtchnHead = chn.port;
}

/** unlink_pirq_port */
export function unlinkPirqPort(d: EvtchnDomain, chn: Evtchn): void {
  if (chn.prevPort !== 0) d.ports[chn.prevPort]!.nextPort = chn.nextPort;
  else d.vcpus[chn.notifyVcpu]!.pirqEvtchnHead = chn.nextPort;
  if (chn.nextPort !== 0) d.ports[chn.nextPort]!.prevPort = chn.prevPort;
  chn.prevPort = 0;
  chn.nextPort = 0;
}

/** evtchn_move_pirqs: the one bound last comes first. */
export function movePirqs(d: EvtchnDomain, vcpu: number): void {
  for (let port = d.vcpus[vcpu]!.pirqEvtchnHead; port !== 0; ) {
    const chn = d.ports[port]!;
    d.output.pirqAffinity(d.id, chn.pirq, vcpu);
    port = chn.nextPort;
  }
}
