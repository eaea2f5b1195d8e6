/**
 * The event channels of one domain as they stand: what is pending or masked, the selector words of the 2-level ABI,
 * the queues of the FIFO ABI. Asked for by who shows them; snapshots have the list of ports alone.
 */
import {
  ECS_FREE,
  EVTCHN_FIFO_BUSY,
  EVTCHN_FIFO_LINK_MASK,
  EVTCHN_FIFO_LINKED,
  EVTCHN_FIFO_MAX_QUEUES,
  FIFO_CONTROL_HEAD,
  FIFO_CONTROL_READY,
  PAGE_WORDS,
} from '../../abi/xen.ts';
import type { EvtchnDomain } from '../../hv/xen/evtchn-domain.ts';
import { EvtchnFifo } from '../../hv/xen/evtchn-fifo.ts';
import { channelInfo } from '../../hv/xen/evtchn-inspect.ts';
import type { ChannelInfo } from '../../hv/xen/evtchn-types.ts';
import { peer } from './domain-snapshot.ts';

export interface EventChannelsSnapshot {
  readonly abi: '2-level' | 'fifo';
  /** bits of a word of the 2-level bitmap, of a long of the guest */
  readonly wordBits: 32 | 64;
  /** the highest port that may be used */
  readonly limit: number;
  /** ports that there are bits or event words for */
  readonly ports: number;
  /** in use, and those of them that Xen itself consumes */
  readonly active: number;
  readonly ofXen: number;
  /** FIFO: closed, and their event words still in a queue: not to be given out */
  readonly closedBusy: readonly number[];
  /** in use, by number */
  readonly channels: readonly EventChannelSnapshot[];
  readonly vcpus: readonly EventVcpuSnapshot[];
}

export interface EventChannelSnapshot {
  readonly port: number;
  /** the vCPU that is notified */
  readonly vcpu: number;
  /** e.g. `interdomain dom1:15` */
  readonly what: string;
  readonly pending: boolean;
  readonly masked: boolean;
  /** FIFO: the queue it goes to; linked: the next port of its queue, 0 at the end; null: in no queue */
  readonly priority: number;
  readonly link: number | null;
  /** FIFO: Xen is about to change its link */
  readonly busy: boolean;
  /** FIFO: there is no event word for it yet, and it has been raised all the same */
  readonly kept: boolean;
}

export interface EventVcpuSnapshot {
  /** evtchn_upcall_pending, evtchn_upcall_mask */
  readonly upcallPending: number;
  readonly upcallMask: number;
  /** evtchn_pending_sel: the words that are to be looked at */
  readonly sel: readonly number[];
  /** FIFO: the ready word; null before the control block is there */
  readonly ready: number | null;
  /** FIFO: the queues that are not empty, the most urgent first */
  readonly queues: readonly EventQueueSnapshot[];
}

export interface EventQueueSnapshot {
  readonly priority: number;
  /** as the control block has it, and as Xen knows the tail */
  readonly head: number;
  readonly tail: number;
  /** linked, from the head on */
  readonly ports: readonly number[];
}

export function eventChannels(d: EvtchnDomain): EventChannelsSnapshot {
  const { portOps, shared, init, activeEvtchns, xenEvtchns } = d;
  const fifo = portOps instanceof EvtchnFifo ? portOps : undefined;
  const wordOf = (port: number) => fifo?.eventPage(port)?.[port % PAGE_WORDS];
  const channels = d.ports.flatMap((chn): EventChannelSnapshot[] => {
    if (chn.port === 0 || chn.state === ECS_FREE) return [];
    const info = channelInfo(d, chn);
    const word = wordOf(chn.port) ?? 0;
    return [
      {
        port: chn.port,
        vcpu: chn.notifyVcpu,
        what: whatIs(chn.xenConsumer !== 0, info),
        pending: info.pending,
        masked: info.masked,
        priority: chn.priority,
        link: word & EVTCHN_FIFO_LINKED ? word & EVTCHN_FIFO_LINK_MASK : null,
        busy: (word & EVTCHN_FIFO_BUSY) !== 0,
        kept: info.kept,
      },
    ];
  });
  return {
    abi: portOps.abi,
    wordBits: shared.wordBits,
    limit: Math.min(init.maxPort, portOps.maxEvtchns - 1),
    ports: fifo ? fifo.numEvtchns : portOps.maxEvtchns,
    active: activeEvtchns,
    ofXen: xenEvtchns,
    closedBusy: d.closedBusy(),
    channels,
    vcpus: d.vcpus.map(({ id, info }) => ({
      upcallPending: info.upcallPending,
      upcallMask: info.upcallMask,
      sel: info.pendingSel.members(),
      ready: fifo?.controlBlock(id)?.[FIFO_CONTROL_READY] ?? null,
      queues: fifo ? queuesOf(d, fifo, id, wordOf) : [],
    })),
  };
}

/** Its kind, where the other end does not tell that already. */
function whatIs(ofXen: boolean, info: ChannelInfo): string {
  if (ofXen) return 'Xen consumes it';
  const end = peer(info);
  return end.startsWith(info.kind) ? end : `${info.kind} ${end}`.trimEnd();
}

/** The queues of a vCPU with something linked. The guest keeps heads of its own, so a queue may begin behind that. */
function queuesOf(
  d: EvtchnDomain,
  fifo: EvtchnFifo,
  vcpu: number,
  wordOf: (port: number) => number | undefined,
): EventQueueSnapshot[] {
  const control = fifo.controlBlock(vcpu);
  if (!control) return [];
  const linked = d.ports.filter((chn) => {
    return chn.lastVcpu === vcpu && ((wordOf(chn.port) ?? 0) & EVTCHN_FIFO_LINKED) !== 0;
  });
  return Array.from({ length: EVTCHN_FIFO_MAX_QUEUES }, (_, priority) => {
    const ports = linked.filter((chn) => chn.lastPriority === priority).map((chn) => chn.port);
    const head = control[FIFO_CONTROL_HEAD + priority]!;
    return { priority, head, tail: fifo.tailOf(vcpu, priority), ports: inOrder(ports, wordOf) };
  }).filter(({ ports }) => ports.length > 0);
}

/** From the port that no other links to. */
function inOrder(ports: readonly number[], wordOf: (port: number) => number | undefined): number[] {
  const next = new Map(ports.map((port) => [port, wordOf(port)! & EVTCHN_FIFO_LINK_MASK]));
  const linkedTo = new Set(next.values());
  const out: number[] = [];
  for (const first of ports) {
    if (linkedTo.has(first)) continue;
    for (let port = first; next.has(port) && !out.includes(port); port = next.get(port)!) out.push(port);
  }
  return out;
}
