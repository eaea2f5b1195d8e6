/**
 * Network by virtio (drivers/net/virtio_net.c): NAPI on each receive queue, with callbacks off while it polls; sent
 * packets are freed by NAPI of their own where each CPU has its pair of queues, otherwise when the next one is sent.
 */
import { CTRL_MQ_PAIRS_SET, control, NET_F_CTRL_VQ, NET_F_MQ, NET_F_STATUS } from '../../../abi/virtio.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Napi } from '../napi.ts';
import type { NativeKernel } from '../native.ts';
import type { Thread } from '../threads.ts';
import { type Io, ioOf } from './io.ts';
import { type QueueSpec, type VirtioPlace, VirtioTransport } from './virtio.ts';

const PACKET = 700;
const WEIGHT = 64;
/** descriptors that a packet may take (2 + MAX_SKB_FRAGS); with fewer the queue stops */
const ROOM = 19;
/** packets that wait in front of a queue (txqueuelen) */
const TX_QUEUE_LEN = 1_000;
const STATUS_OFFSET = 6;
const CONFIG_WORK = 2_000;

export class VirtioNetDriver implements Part {
  readonly id: string;
  delivered = 0;
  dropped = 0;
  linkChecks = 0;
  private readonly transport: VirtioTransport;
  private readonly rx: Napi[];
  private readonly tx: Napi[];
  /** per pair: packets in front of the send queue, which is stopped while there are some */
  private readonly backlog: number[][];
  private readonly configWork: Thread;

  /** @param deliver what becomes of a packet */
  constructor(
    private readonly kernel: NativeKernel,
    name: string,
    place: VirtioPlace,
    private readonly pairs: number,
    private readonly deliver: (cpu: LinuxCpu, packet: number) => void,
  ) {
    this.id = `${kernel.id}.net.${name}`;
    const specs: QueueSpec[] = [];
    for (let n = 0; n < pairs; n++) {
      specs.push({ name: `input.${n}`, callback: (cpu) => this.receiveDone(cpu, n) });
      specs.push({ name: `output.${n}`, callback: (cpu) => this.transmitDone(cpu, n) });
    }
    specs.push({ name: null, callback: () => {} });
    this.transport = new VirtioTransport(kernel, name, place, specs, (cpu) =>
      kernel.wake(this.configWork, cpu),
    );
    this.backlog = Array.from({ length: pairs }, () => []);
    this.rx = this.backlog.map((_, n) => this.rxNapi(n));
    this.tx = this.backlog.map((_, n) => this.txNapi(n));
    this.configWork = kernel.thread(`kworker/0:${name}`, 0, {
      cost: () => CONFIG_WORK,
      run: (cpu) => {
        this.transport.readConfig(ioOf(cpu), STATUS_OFFSET, 2);
        this.linkChecks++;
        return false;
      },
    });
    kernel.init.parts.add(this);
  }

  /** Sent packets are freed by NAPI where each CPU has its own queue (affinity_hint_set). */
  private get txByNapi(): boolean {
    return this.pairs === this.kernel.cpuCount && !this.kernel.old;
  }

  /** virtnet_probe and virtnet_open. */
  probe(): void {
    const io = ioOf(this.kernel.cpus[0]!);
    this.transport.probe([NET_F_STATUS, NET_F_CTRL_VQ, ...(this.pairs > 1 ? [NET_F_MQ] : [])]);
    this.transport.readConfig(io, STATUS_OFFSET, 2);
    if (this.pairs > 1) this.command(io, control(CTRL_MQ_PAIRS_SET, this.pairs));
    for (let n = 0; n < this.pairs; n++) this.fill(io, n);
  }

  /** virtnet_send_command: the answer is waited for. */
  private command(io: Io, content: number): void {
    const queue = 2 * this.pairs;
    this.transport.queues[queue]!.add(content);
    this.transport.kick(io, queue);
    while (this.transport.take(queue) === undefined);
  }

  // receiving

  private rxNapi(n: number): Napi {
    const { napi } = this.kernel;
    const queue = () => this.transport.queues[2 * n]!;
    return napi.add({
      cost: (packets) => PACKET * (1 + packets),
      waiting: () => queue().waiting,
      poll: (cpu, budget) => this.poll(cpu, n, budget),
      complete: () => {
        if (queue().enableCallbacks()) return false;
        queue().disableCallbacks();
        return true;
      },
    });
  }

  /** skb_recv_done. */
  private receiveDone(cpu: LinuxCpu, n: number): void {
    if (this.kernel.napi.schedule(cpu, this.rx[n]!)) this.transport.queues[2 * n]!.disableCallbacks();
  }

  /** virtnet_poll. */
  private poll(cpu: LinuxCpu, n: number, budget: number): number {
    const queue = this.transport.queues[2 * n]!;
    if (this.txByNapi) this.pollCleanTx(cpu, n);
    let received = 0;
    for (; received < budget; received++) {
      const packet = this.transport.take(2 * n);
      if (packet === undefined) break;
      this.delivered++;
      this.deliver(cpu, packet);
    }
    if (queue.free.length > WEIGHT / 2) this.fill(ioOf(cpu), n);
    return received;
  }

  /** try_fill_recv. */
  private fill(io: Io, n: number): void {
    const queue = this.transport.queues[2 * n]!;
    while (queue.free.length > 0) queue.add(0);
    this.transport.kick(io, 2 * n);
  }

  // sending

  /** start_xmit, on the queue of the CPU. */
  xmit(cpu: LinuxCpu, packet: number): void {
    const n = cpu.cpu % this.pairs;
    const backlog = this.backlog[n]!;
    if (backlog.length === 0) this.send(cpu, n, packet);
    else if (backlog.length < TX_QUEUE_LEN) backlog.push(packet);
    else this.dropped++;
  }

  private send(cpu: LinuxCpu, n: number, packet: number): void {
    const queue = this.transport.queues[2 * n + 1]!;
    do {
      if (this.txByNapi) queue.disableCallbacks();
      this.freeOld(n);
    } while (this.txByNapi && !queue.enableCallbacksDelayed());
    if (queue.free.length < ROOM && !this.makeRoom(n)) {
      this.backlog[n]!.push(packet);
      return;
    }
    queue.add(packet);
    this.transport.kick(ioOf(cpu), 2 * n + 1);
  }

  /** The queue stops until enough has been sent, unless that is so already. */
  private makeRoom(n: number): boolean {
    const queue = this.transport.queues[2 * n + 1]!;
    if (this.txByNapi || queue.enableCallbacksDelayed()) return false;
    this.freeOld(n);
    if (queue.free.length < ROOM) return false;
    queue.disableCallbacks();
    return true;
  }

  /** free_old_xmit_skbs. */
  private freeOld(n: number): void {
    while (this.transport.take(2 * n + 1) !== undefined);
  }

  /** netif_tx_wake_queue: those that wait are sent. */
  private wakeQueue(cpu: LinuxCpu, n: number): void {
    const waiting = this.backlog[n]!.splice(0);
    for (const packet of waiting) this.xmit(cpu, packet);
  }

  /** skb_xmit_done. */
  private transmitDone(cpu: LinuxCpu, n: number): void {
    const queue = this.transport.queues[2 * n + 1]!;
    queue.disableCallbacks();
    if (this.txByNapi) this.kernel.napi.schedule(cpu, this.tx[n]!);
    else this.wakeQueue(cpu, n);
  }

  private txNapi(n: number): Napi {
    const queue = () => this.transport.queues[2 * n + 1]!;
    return this.kernel.napi.add({
      cost: () => PACKET * (1 + queue().waiting),
      waiting: () => 0,
      // virtnet_poll_tx
      poll: (cpu) => {
        queue().disableCallbacks();
        this.freeOld(n);
        this.wakeQueue(cpu, n);
        return 0;
      },
      complete: () => {
        if (queue().enableCallbacks()) return false;
        queue().disableCallbacks();
        return true;
      },
    });
  }

  /** virtnet_poll_cleantx: who receives frees what was sent as well. */
  private pollCleanTx(cpu: LinuxCpu, n: number): void {
    const queue = this.transport.queues[2 * n + 1]!;
    do {
      queue.disableCallbacks();
      this.freeOld(n);
    } while (!queue.enableCallbacksDelayed());
    this.wakeQueue(cpu, n);
  }

  save(): Plain {
    return [this.delivered, this.dropped, this.linkChecks, this.backlog];
  }

  restore(state: Plain): void {
    const [delivered, dropped, linkChecks, backlog] = state as [number, number, number, number[][]];
    this.delivered = delivered;
    this.dropped = dropped;
    this.linkChecks = linkChecks;
    backlog.forEach((packets, n) => {
      this.backlog[n] = [...packets];
    });
  }
}
