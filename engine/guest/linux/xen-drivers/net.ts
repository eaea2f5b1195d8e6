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
import type { Napi } from '../napi.ts';
import type { Thread } from '../threads.ts';
import type { XenGuest } from '../xen-side.ts';

/** A packet as a number: the domain at the guest's side of the wire, its flow, and flags. */
export const WANTS_REPLY = 1;
export const FROM_GUEST = 2;
/** both, which no guest sends: for the process that a domain's devices live in */
export const FOR_DEVICE_MODEL = WANTS_REPLY | FROM_GUEST;
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
/** a sent packet's buffer is given back */
const FREE_BUFFER = 120;

/** Slots that the tx ring keeps free for a packet in pieces: XEN_NETIF_NR_SLOTS_MIN and one more. */
const TX_RESERVE = 19;
/** txqueuelen of an Ethernet device: packets that wait in front of a full ring */
const TX_QUEUE_LEN = 1_000;

export class NetFront implements Part {
  readonly id: string;
  txPort = 0;
  rxPort = 0;
  private readonly tx: FrontRing;
  private readonly rx: FrontRing;
  private readonly napi: Napi;
  /** until 4.10: notified only when half of the packets under way have been sent */
  private readonly asksForHalf: boolean;
  /** responses that were seen and not yet taken: an event that brings no more is spurious */
  private unconsumed = 0;
  /** packets that found the tx ring full */
  private queue: number[] = [];
  received = 0;
  sent = 0;
  dropped = 0;
  receiver: Receiver = () => {};

  constructor(
    private readonly kernel: XenGuest,
    name: string,
    rings: NetRings,
  ) {
    this.id = `${kernel.id}.netfront.${name}`;
    this.asksForHalf = kernel.profile.numbering === 'bindcount';
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
    cost: () => PACKET.front + FREE_BUFFER * this.tx.waiting,
    run: (cpu) => {
      const work = this.handleTx(cpu);
      this.kernel.events.late.eoi(this.txPort, !work, cpu.cpu);
    },
  };

  /** xennet_rx_interrupt. */
  readonly rxInterrupt: Work = {
    cost: () => PACKET.front,
    run: (cpu) => {
      const work = this.handleRx(cpu);
      this.kernel.events.late.eoi(this.rxPort, !work, cpu.cpu);
    },
  };

  /** xennet_interrupt: both rings behind one event channel. */
  readonly interrupt: Work = {
    cost: () => PACKET.front + FREE_BUFFER * this.tx.waiting,
    run: (cpu) => {
      const sent = this.handleTx(cpu);
      const received = this.handleRx(cpu);
      this.kernel.events.late.eoi(this.txPort, !sent && !received, cpu.cpu);
    },
  };

  /** xennet_start_xmit, behind the queue of the device. */
  xmit(cpu: LinuxCpu, packet: number): void {
    if (this.queue.length === 0 && this.slotAvailable) this.send(cpu, packet);
    else if (this.queue.length < TX_QUEUE_LEN) this.queue.push(packet);
    else this.dropped++;
  }

  /** xennet_alloc_rx_buffers: every free slot of the rx ring becomes a buffer to fill. */
  fill(cpu: LinuxCpu | undefined): void {
    while (!this.rx.full) this.rx.request(0);
    if (this.rx.push() && cpu) this.kernel.hypercalls(cpu.cpu).send(this.rxPort);
  }

  /** netfront_tx_slot_available. */
  private get slotAvailable(): boolean {
    return this.tx.free > TX_RESERVE;
  }

  /** An event for the backend, whatever is on the ring. */
  notify(cpu: LinuxCpu): void {
    this.kernel.hypercalls(cpu.cpu).send(this.txPort);
  }

  private send(cpu: LinuxCpu, packet: number): void {
    this.tx.request(packet);
    this.sent++;
    if (this.tx.push()) this.kernel.hypercalls(cpu.cpu).send(this.txPort);
    this.collect();
  }

  private handleTx(cpu: LinuxCpu): boolean {
    const work = this.collect();
    // netif_tx_wake_queue
    while (this.queue.length > 0 && this.slotAvailable) this.send(cpu, this.queue.shift()!);
    return work;
  }

  private handleRx(cpu: LinuxCpu): boolean {
    const { waiting } = this.rx;
    const more = waiting > this.unconsumed;
    this.unconsumed = waiting;
    if (waiting > 0) this.kernel.napi.schedule(cpu, this.napi);
    return more;
  }

  /** xennet_poll. */
  private poll(cpu: LinuxCpu, budget: number): number {
    let n = 0;
    for (; n < budget && this.rx.waiting > 0; n++) {
      this.received++;
      this.receiver(cpu, this.rx.response());
    }
    this.unconsumed = this.rx.waiting;
    this.fill(cpu);
    return n;
  }

  /** xennet_tx_buf_gc: true if any buffer came back. */
  private collect(): boolean {
    let any = false;
    do {
      for (; this.tx.waiting > 0; any = true) this.tx.response();
    } while (this.asksForHalf ? this.tx.askForHalf() : this.tx.finalCheck());
    return any;
  }

  save(): Plain {
    return { counts: [this.received, this.sent, this.dropped, this.unconsumed], queue: this.queue };
  }

  restore(state: Plain): void {
    const s = state as { counts: [number, number, number, number]; queue: number[] };
    [this.received, this.sent, this.dropped, this.unconsumed] = s.counts;
    this.queue = [...s.queue];
  }
}

/** Packets of 1,500 bytes that may wait for the guest: XENVIF_RX_QUEUE_BYTES, half a ring of pages. */
const QUEUE_MAX = Math.ceil((128 * 4096) / 1500);
/** packets the guest's thread hands over before it notifies (RX_BATCH_SIZE) */
const RX_BATCH = 64;

/** EOIs that are owed (NETBK_*_EOI) */
const TX_EOI = 1;
const RX_EOI = 2;
const COMMON_EOI = 4;

export class NetBack implements Part {
  readonly id: string;
  txPort = 0;
  rxPort = 0;
  private readonly tx: BackRing;
  private readonly rx: BackRing;
  private readonly napi: Napi;
  private readonly thread: Thread;
  private queue: number[] = [];
  private eoiPending = 0;
  /** packets of the thread's step under way */
  private batch = 0;
  dropped = 0;
  /** packets from the guest, and to it */
  received = 0;
  sent = 0;

  /** @param forward what the bridge does with a packet that the guest sent */
  constructor(
    private readonly kernel: XenGuest,
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
      cost: () => {
        this.batch = Math.min(this.queue.length, this.rx.waiting, RX_BATCH);
        return PACKET.back * (1 + this.batch);
      },
      run: (cpu) => this.feed(cpu),
    });
    parts.add(this);
  }

  /** xenvif_tx_interrupt: the guest has sent. */
  readonly txInterrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      this.eoiPending |= TX_EOI;
      if (!this.handleTx(cpu)) this.spurious(TX_EOI, this.txPort, cpu);
    },
  };

  /** xenvif_rx_interrupt: the guest has given buffers. */
  readonly rxInterrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      this.eoiPending |= RX_EOI;
      if (!this.handleRx(cpu)) this.spurious(RX_EOI, this.rxPort, cpu);
    },
  };

  /** xenvif_interrupt: one event channel for both. */
  readonly interrupt: Work = {
    cost: () => PACKET.back,
    run: (cpu) => {
      this.eoiPending |= COMMON_EOI;
      const tx = this.handleTx(cpu);
      const rx = this.handleRx(cpu);
      if (!tx && !rx) this.spurious(COMMON_EOI, this.txPort, cpu);
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

  private handleTx(cpu: LinuxCpu): boolean {
    if (this.tx.waiting === 0) return false;
    this.kernel.napi.schedule(cpu, this.napi);
    return true;
  }

  private handleRx(cpu: LinuxCpu): boolean {
    if (!this.haveRxWork()) return false;
    this.kernel.wake(this.thread, cpu);
    return true;
  }

  /** xenvif_have_rx_work: a packet and a buffer for it; without a buffer the guest is asked to tell of the next. */
  private haveRxWork(): boolean {
    return this.queue.length > 0 && this.rx.finalCheck();
  }

  /** xenvif_rx_action, in the queue's own thread; before it sleeps, the EOI. */
  private feed(cpu: LinuxCpu): boolean {
    for (; this.batch > 0; this.batch--) {
      this.rx.request();
      this.sent++;
      this.rx.response(this.queue.shift()!);
    }
    if (this.rx.push()) this.kernel.hypercalls(cpu.cpu).send(this.rxPort);
    if (this.haveRxWork()) return true;
    this.eoi(RX_EOI | COMMON_EOI, this.rxPort, cpu);
    return false;
  }

  /** xenvif_tx_action. */
  private poll(cpu: LinuxCpu, budget: number): number {
    let n = 0;
    for (; n < budget && this.tx.waiting > 0; n++) {
      const packet = this.tx.request();
      this.received++;
      this.tx.response(0);
      this.forward(cpu, packet);
    }
    if (this.tx.push()) this.kernel.hypercalls(cpu.cpu).send(this.txPort);
    return n;
  }

  /** xenvif_napi_schedule_or_enable_events. */
  private complete(cpu: LinuxCpu): boolean {
    if (this.tx.finalCheck()) return true;
    this.eoi(TX_EOI | COMMON_EOI, this.txPort, cpu);
    return false;
  }

  private eoi(which: number, port: number, cpu: LinuxCpu): void {
    if ((this.eoiPending & which) === 0) return;
    this.eoiPending &= ~which;
    this.kernel.events.late.eoi(port, false, cpu.cpu);
  }

  private spurious(which: number, port: number, cpu: LinuxCpu): void {
    this.eoiPending &= ~which;
    this.kernel.events.late.eoi(port, true, cpu.cpu);
  }

  save(): Plain {
    const { queue, eoiPending, batch, dropped, received, sent } = this;
    return { queue, numbers: [eoiPending, batch, dropped, received, sent] };
  }

  restore(state: Plain): void {
    const s = state as { queue: number[]; numbers: [number, number, number, number, number] };
    this.queue = [...s.queue];
    [this.eoiPending, this.batch, this.dropped, this.received, this.sent] = s.numbers;
  }
}
