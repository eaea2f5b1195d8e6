/**
 * Hops through what is the same in every Xen: event channels, and telling a virtual CPU (xen/common/{event_channel,
 * event_2l,event_fifo}.c, vcpu_kick, xen/common/sched).
 */
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import { KICK_ASLEEP, KICK_ELSEWHERE, KICK_HERE, KICK_QUEUED } from '../../hv/xen/kicks.ts';
import type { XenProfile } from '../../hv/xen/softirq.ts';
import { timing } from '../../timing.ts';
import type { HopRow } from '../hops.ts';
import type { HopMode } from '../inspect.ts';

/** What the rows look names up in. */
export interface EventNames {
  readonly xen: { readonly profile: XenProfile; readonly channels: EventChannels };
}

type Names = (host: EventNames, args: readonly number[]) => string;

const old = ({ xen }: EventNames) => xen.profile === '3.4';
const vcpu: Names = (_, [domain, n]) => `dom${domain}.${n}`;
const port: Names = (_, [domain, n]) => `dom${domain} port ${n}`;

/** What vcpu_kick does about a virtual CPU, by where it finds it. */
const KICKED: Readonly<Record<number, (cpu: number) => string>> = {
  [KICK_ASLEEP]: () => 'is blocked',
  [KICK_QUEUED]: () => 'waits for a CPU',
  [KICK_HERE]: () => 'runs here',
  [KICK_ELSEWHERE]: (cpu) => `runs on CPU${cpu}`,
};

/**
 * @param mode of Xen's own code
 * @param send what the trip of a hypercall is charged as
 */
export function eventRows<H extends EventNames>(
  mode: HopMode,
  send: HopRow<H>['charged'],
): Record<string, HopRow<H>> {
  return {
    evtchn_send: {
      mode,
      name: 'evtchn_send',
      detail: port,
      brief: (_, [domain, n]) => `evtchn_send dom${domain}:${n}`,
      about: 'hypercall EVTCHNOP_send: the other end of the channel is told',
      ...(send !== undefined && { charged: send }),
    },
    evtchn_set_pending: {
      mode,
      name: (host, [domain]) => {
        if (old(host)) return 'evtchn_set_pending';
        const fifo = host.xen.channels.abiOf(domain!) === 'fifo';
        return fifo ? 'evtchn_fifo_set_pending' : 'evtchn_2l_set_pending';
      },
      detail: port,
      brief: (_, [domain, n]) => `dom${domain}:${n} pending`,
      about: "the port's pending bit is set in memory that the guest shares",
      charged: timing.evtchnSetPending,
      nested: true,
    },
    evtchn_already_pending: {
      mode,
      name: (host) => (old(host) ? 'evtchn_set_pending' : 'evtchn_port_set_pending'),
      detail: (host, args) => `${port(host, args)}, pending already`,
      brief: (_, [domain, n]) => `dom${domain}:${n} pending already`,
      about: 'the guest has not seen the last one yet: both are one from here on',
      nested: true,
    },
    vcpu_kick: {
      mode,
      name: 'vcpu_kick',
      detail: (host, args) => `${vcpu(host, args)} ${KICKED[args[3]!]!(args[2]!)}`,
      brief: (host, args) => (args[3] === KICK_ELSEWHERE ? `kick ${vcpu(host, args)} on CPU${args[2]}` : ''),
      about: 'vcpu_mark_events_pending has set the upcall flag: its virtual CPU is told',
      nested: true,
    },
    vcpu_wake: {
      mode,
      name: 'vcpu_wake',
      detail: vcpu,
      brief: (host, args) => `wake ${vcpu(host, args)}`,
      about: 'it was blocked: the scheduler finds it a CPU',
      nested: true,
    },
  };
}
