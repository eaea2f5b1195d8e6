/** SCHEDOP_poll: a vCPU waits until one of some ports is pending. After do_poll, xen/common/sched/core.c. */
import { EINVAL } from '../../abi/xen.ts';
import type { EvtchnDomain, EvtchnVcpu } from './evtchn-domain.ts';
import type { EvtchnRules } from './evtchn-profile.ts';

/** "fairly arbitrary limit" of the original */
const MOST_PORTS = 128;

export interface PollResult {
  /** 0 or a negative errno */
  readonly r: number;
  /** the vCPU sleeps now, until the output is told to wake it */
  readonly blocks: boolean;
}

/** The timeout, if there is one, is the caller's. */
export function doPoll(
  d: EvtchnDomain,
  v: EvtchnVcpu,
  ports: readonly number[],
  rules: EvtchnRules,
): PollResult {
  if (ports.length > MOST_PORTS) return { r: -EINVAL, blocks: false };
  const answer = upcallDue(v) ? 1 : firstAnswer(d, ports, rules);
  if (answer !== 0) {
    d.endPoll(v);
    return { r: Math.min(answer, 0), blocks: false };
  }
  d.startPoll(v, ports.length === 1 ? ports[0]! : -1);
  return { r: 0, blocks: true };
}

/** local_events_need_delivery of a PV vCPU. */
function upcallDue(v: EvtchnVcpu): boolean {
  return v.info.upcallPending !== 0 && v.info.upcallMask === 0;
}

/** Of the ports in turn: 1 pending, negative errno; 0 when each is usable and none pending. */
function firstAnswer(d: EvtchnDomain, ports: readonly number[], rules: EvtchnRules): number {
  for (const port of ports) {
    const answer = rules.usableOnly ? evtchnPortPoll(d, port) : pollBit(d, port);
    if (answer !== 0) return answer;
  }
  return 0;
}

/** evtchn_port_poll: masked or not makes no difference. */
function evtchnPortPoll(d: EvtchnDomain, port: number): number {
  const chn = d.ports[port];
  if (!chn || !d.usable(chn)) return -EINVAL;
  return d.isPending(chn) ? 1 : 0;
}

/** Xen 3.4 looks at the bit alone. */
function pollBit(d: EvtchnDomain, port: number): number {
  if (port >= d.portOps.maxEvtchns) return -EINVAL;
  return d.shared.evtchnPending.has(port) ? 1 : 0;
}
