/**
 * The split network driver (drivers/net/xen-netfront.c, drivers/net/xen-netback): one queue of each end.
 *
 * Sending goes through the tx ring: the frontend's request, a notification, the backend's NAPI poll, the
 * response. Receiving goes through the rx ring, where requests are empty buffers: a thread of the backend
 * fills them and notifies, the frontend polls and gives new buffers. With split event channels each ring has
 * its own; older kernels use one for both.
 */
import { BackRing, FrontRing, type SharedRing } from '../../../abi/ring.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import type { Napi } from '../napi.ts';
import type { Thread } from '../threads.ts';

/** A packet as a number: the domain at the guest's side of the wire, its flow, and flags. */
export const WANTS_REPLY = 1;
export const FROM_GUEST = 2;
/** flows of a domain, by which its queues are chosen */
export const FLOWS = 16;

export function packetOf(domain: number, flow: number, flags: number): number {
  return (domain * FLOWS + (flow % FLOWS)) * 4 + flags;
}

export function domainOf(packet: number): number {
  return Math.floor(packet / (4 * FLOWS));
}

/** The flow's hash: the queue is this modulo the number of queues. */
export function flowOf(packet: number): number {
  return (packet >> 2) % FLOWS;
}

export interface NetRings {
  readonly tx: SharedRing;
  readonly rx: SharedRing;
}

/** What a frontend does with packets that arrive. */
export type Receiver = (cpu: LinuxCpu, packet: number) => void;

const PACKET = { front: 900, back: 1_100 } as const;

export class NetFront implements Part {
  readonly id: string;
  txPort = 0;
  rxPort = 0;
  private readonly tx: FrontRing;
  private readonly rx: FrontRing;
  private readonly napi: Napi;
  received = 0;
  sent = 0;
  dropped = 0;
  receiver: Receiver = () => {};

  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    rings: NetRings,
  ) {
    this.id = `${kernel.id}.netfront.${name}`;
    const { parts } = kernel.init;
    this.tx = parts.add(new FrontRing(rings.tx));
    this.rx = parts.add(new FrontRing(rings.rx));
    this.napi = kernel.napi.add({
      cost: (n) => PACKET.front * (1 + n),
      waiting: () => this.rx.waiting,
      poll: (cpu, budget) => this.poll(cpu, budget),
      complete: () => this.rx.finalCheck(),
    });
    parts.add(this);
  }

  /** xennet_tx_interrupt: sent buffers come back. */
  readonly txInterrupt: Work = {
    cost: () => PACKET.front,
    run: (cpu) => {
      const spurious = !this.collect();
      this.kernel.events.late.eoi(this.txPort, spurious, cpu.cpu);
    },
  };

  /** xennet_rx_interrupt. */
  readonly rxInterrupt: Work = {
    cost: () => PACKET.front,
    run: (cpu) => {
      const spurious = this.rx.waiting === 0;
      if (!spurious) this.kernel.napi.schedule(cpu, this.napi);
      this.kernel.events.late.eoi(this.rxPort, spurious, cpu.cpu);
    },
  };

  /** Both rings behind one event channel. */
  readonly interrupt: Work = {
    cost: () => PACKET.front,
    run: (cpu) => {
      this.collect();
      if (this.rx.waiting > 0) this.kernel.napi.schedule(cpu, this.napi);
    },
  };

  /** xennet_start_xmit. */
  xmit(cpu: LinuxCpu, packet: number): void {
    if (this.tx.full) this.collect();
    if (this.tx.full) {
      this.dropped++;
      return;
    }
    this.tx.request(packet);
    this.sent++;
    if (this.tx.push()) this.kernel.hypercalls(cpu.cpu).send(this.txPort);
  }

  /** xennet_alloc_rx_buffers: every free slot of the rx ring becomes a buffer to fill. */
  fill(cpu: LinuxCpu | undefined): void {
    while (!this.rx.full) this.rx.request(0);
    if (this.rx.push() && cpu) this.kernel.hypercalls(cpu.cpu).send(this.rxPort);
  }

  private poll(cpu: LinuxCpu, budget: number): number {
    let n = 0;
    for (; n < budget && this.rx.waiting > 0; n++) {
      this.received++;
      this.receiver(cpu, this.rx.response());
    }
    this.fill(cpu);
    return n;
  }

  private collect(): boolean {
    let any = false;
    for (; this.tx.waiting > 0; any = true) this.tx.response();
    this.tx.askForHalf();
    return any;
  }

  save(): Plain {
    return [this.received, this.sent, this.dropped];
  }

  restore(state: Plain): void {
    [this.received, this.sent, this.dropped] = state as [number, number, number];
  }
}

/** Packets that may wait for the guest (rx_queue_max of netback, in packets). */
const QUEUE_MAX = 256;

export class NetBack implements Part {
  readonly id: string;
  txPort = 0;
  rxPort = 0;
  private readonly tx: BackRing;
  private readonly rx: BackRing;
  private readonly napi: Napi;
  private readonly thread: Thread;
  private queue: number[] = [];
  private eoiPending = false;
  dropped = 0;

  /** @param forward what the bridge does with a packet that the guest sent */
  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    rings: NetRings,
    threadCpu: number,
    private readonly forward: (cpu: LinuxCpu, packet: number) => void,
  ) {
    this.id = `${kernel.id}.netback.${name}`;
    const { parts } = kernel.init;
    this.tx = parts.add(new BackRing(rings.tx));
    this.rx = parts.add(new BackRing(rings.rx));
    this.napi = kernel.napi.add({
      cost: (n) => PACKET.back * (1 + n),
      waiting: () => this.tx.waiting,
      poll: (cpu, budget) => this.poll(cpu, budget),
      complete: (cpu) => this.complete(cpu),
    });
    this.thread = kernel.thread(`${name}-guest-rx`, threadCpu, {
      cost: () => PACKET.back * (1 + Math.min(this.queue.length, this.rx.waiting)),
      run: (cpu) => this.feed(cpu),
    });
    parts.add(this);
  }

  /** xenvif_tx_interrupt: the guest has sent. */
  readonly txInterrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      if (this.tx.waiting === 0) {
        this.kernel.events.late.eoi(this.txPort, true, cpu.cpu);
        return;
      }
      this.eoiPending = true;
      this.kernel.napi.schedule(cpu, this.napi);
    },
  };

  /** xenvif_rx_interrupt: the guest has given buffers. */
  readonly rxInterrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      const spurious = this.rx.waiting === 0;
      if (!spurious) this.kernel.wake(this.thread, cpu);
      this.kernel.events.late.eoi(this.rxPort, spurious, cpu.cpu);
    },
  };

  /** xenvif_interrupt: one event channel for both. */
  readonly interrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      if (this.tx.waiting > 0) this.kernel.napi.schedule(cpu, this.napi);
      if (this.queue.length > 0) this.kernel.wake(this.thread, cpu);
    },
  };

  /** xenvif_start_xmit: a packet for the guest. */
  xmit(cpu: LinuxCpu, packet: number): void {
    if (this.queue.length >= QUEUE_MAX) {
      this.dropped++;
      return;
    }
    this.queue.push(packet);
    this.kernel.wake(this.thread, cpu);
  }

  /** xenvif_rx_action, in the queue's own thread. */
  private feed(cpu: LinuxCpu): boolean {
    while (this.queue.length > 0 && this.rx.waiting > 0) {
      this.rx.request();
      this.rx.response(this.queue.shift()!);
    }
    if (this.rx.push()) this.kernel.hypercalls(cpu.cpu).send(this.rxPort);
    // without buffers left it waits for the guest's notification
    return this.queue.length > 0 && this.rx.finalCheck();
  }

  /** xenvif_tx_action. */
  private poll(cpu: LinuxCpu, budget: number): number {
    let n = 0;
    for (; n < budget && this.tx.waiting > 0; n++) {
      const packet = this.tx.request();
      this.tx.response(0);
      this.forward(cpu, packet);
    }
    if (this.tx.push()) this.kernel.hypercalls(cpu.cpu).send(this.txPort);
    return n;
  }

  /** xenvif_napi_schedule_or_enable_events. */
  private complete(cpu: LinuxCpu): boolean {
    if (this.tx.finalCheck()) return true;
    if (this.eoiPending) {
      this.eoiPending = false;
      this.kernel.events.late.eoi(this.txPort, false, cpu.cpu);
    }
    return false;
  }

  save(): Plain {
    return { queue: this.queue, eoiPending: this.eoiPending, dropped: this.dropped };
  }

  restore(state: Plain): void {
    const s = state as { queue: number[]; eoiPending: boolean; dropped: number };
    this.queue = [...s.queue];
    this.eoiPending = s.eoiPending;
    this.dropped = s.dropped;
  }
}
