/** The state elements of the event channel vectors, per domain: what is expected beside what the model has. */
import { type EvtchnDomain, xen } from '../../engine/index.ts';
import { BitBlock, ExpectedState, ValueBlock } from './blocks.ts';
import type { EvtchnGuest } from './evtchn-guest.ts';
import { BadVector } from './suite.ts';

/** ports from here on never occur in the vectors */
const PORTS = xen.EVTCHN_2L_NR_CHANNELS;
/** pages of guest memory the vectors use */
export const PAGES = 12;
const NO_PAGE = new Uint32Array(0);
const QUEUES = xen.EVTCHN_FIFO_MAX_QUEUES;

export class EvtchnState extends ExpectedState {
  constructor(
    private readonly d: EvtchnDomain,
    private readonly guest: EvtchnGuest,
  ) {
    super();
    this.addShared();
    this.addPorts();
    this.addVcpus();
    this.addMemory();
  }

  /** Applies a change the vector tells of. @throws BadVector */
  apply(key: string, numbers: readonly number[]): void {
    const apply = this.keys.get(key);
    if (!apply) throw new BadVector(`unknown state element "${key}"`);
    apply(numbers);
  }

  private addShared(): void {
    const { id, shared } = this.d;
    const pending = this.add(new BitBlock(['P', id], PORTS, () => shared.evtchnPending.words));
    this.keys.set('P', ([port, value]) => pending.set(port!, value!));
    const mask = this.add(new BitBlock(['M', id], PORTS, () => shared.evtchnMask.words));
    this.keys.set('M', ([port, value]) => mask.set(port!, value!));
    const sels = shared.vcpus.map((v, i) => {
      return this.add(new BitBlock(['S', id, i], 64, () => v.pendingSel.words));
    });
    this.keys.set('S', ([v, bit, value]) => pick(sels, v!).set(bit!, value!));
    this.perVcpu('U', 1, (v) => [shared.vcpus[v]!.upcallPending]);
    this.perVcpu('N', 1, (v) => [shared.vcpus[v]!.upcallMask]);
  }

  private addPorts(): void {
    const { d } = this;
    const table = (key: string, fill: (out: Int32Array, at: number, port: number) => void) => {
      const scratch = new Int32Array(PORTS * 4);
      const live = () => {
        const ports = Math.min(d.ports.length, PORTS);
        for (let port = 0; port < ports; port++) fill(scratch, port * 4, port);
        return scratch.subarray(0, ports * 4);
      };
      const block = this.add(new ValueBlock([key, d.id], PORTS, 4, live));
      this.keys.set(key, ([port, ...values]) => block.set(port!, values));
      return block;
    };
    const states = table('p', (out, at, port) => {
      const chn = d.ports[port]!;
      out[at] = chn.state + (chn.xenConsumer !== 0 ? 16 : 0);
      out[at + 1] = chn.notifyVcpu;
      out[at + 2] = chn.remoteDom + chn.pirq + chn.virq; // one of them: the others are 0
      out[at + 3] = chn.remotePort;
    });
    states.set(0, [xen.ECS_RESERVED, 0, 0, 0]);
    const fifo = table('f', (out, at, port) => {
      const chn = d.ports[port]!;
      out[at] = chn.priority;
      out[at + 1] = chn.lastVcpu;
      out[at + 2] = chn.lastPriority;
      out[at + 3] = chn.latched ? 1 : 0;
    });
    this.keys.set('F', ([first, last, priority]) => {
      for (let port = first!; port <= last!; port++) fifo.set(port, [priority!]);
    });
    const counts = this.single('C', 3, () => [d.ports.length, d.activeEvtchns, d.xenEvtchns]);
    counts.set(0, [64, 0, 0]);
    this.single('A', 2, () => (d.fifo ? [1, d.fifo.numEvtchns] : [0, 0]));
  }

  private addVcpus(): void {
    const { d, guest } = this;
    const table = (key: string, size: number, live: (v: number) => ArrayLike<number>) => {
      const blocks = d.vcpus.map((_, v) => this.add(new ValueBlock([key, d.id, v], size, 1, () => live(v))));
      this.keys.set(key, ([v, i, value]) => pick(blocks, v!).set(i!, [value!]));
    };
    table('V', xen.NR_VIRQS, (v) => d.vcpus[v]!.virqToEvtchn);
    table('q', QUEUES, (v) => Array.from({ length: QUEUES }, (_, i) => d.fifo?.tailOf(v, i) ?? 0));
    table('H', QUEUES, (v) => guest.heads[v]!);
    this.perVcpu('G', 1, (v) => [guest.ready[v]!]);
    const polls = this.perVcpu('B', 2, (v) => {
      const { blocked, polling, pollEvtchn } = d.vcpus[v]!;
      return [blocked ? 1 : 0, polling ? pollEvtchn : -2];
    });
    for (let v = 0; v < d.vcpus.length; v++) polls.set(v, [0, -2]);
  }

  private addMemory(): void {
    const { id, memory } = this.d;
    const pages = Array.from({ length: PAGES }, (_, gfn) => {
      const live = () => (memory.isTouched(gfn) ? memory.page(gfn)! : NO_PAGE);
      return this.add(new ValueBlock(['m', id, gfn], xen.PAGE_WORDS, 1, live, true));
    });
    this.keys.set('m', ([gfn, word, value]) => pick(pages, gfn!).set(word!, [value!]));
  }

  /** An element per vCPU. */
  private perVcpu(key: string, width: number, live: (v: number) => number[]): ValueBlock {
    const { id, vcpus } = this.d;
    const all = () => vcpus.flatMap((_, v) => live(v));
    const block = this.add(new ValueBlock([key, id], vcpus.length, width, all));
    this.keys.set(key, ([v, ...values]) => block.set(v!, values));
    return block;
  }

  /** One element of the domain. */
  private single(key: string, width: number, live: () => number[]): ValueBlock {
    const block = this.add(new ValueBlock([key, this.d.id], 1, width, live));
    this.keys.set(key, (values) => block.set(0, values));
    return block;
  }
}

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new BadVector(`no vCPU or page ${index}`);
  return item;
}
