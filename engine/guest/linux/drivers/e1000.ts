/**
 * The driver of the 82540EM (drivers/net/ethernet/intel/e1000/e1000_main.c): the handler reads ICR, masks everything
 * and schedules NAPI, which handles both directions and unmasks when it is done. The throttle rate stays as it is set.
 */
import { DescriptorRing } from '../../../abi/descriptor-ring.ts';
import type { DmaMemory } from '../../../abi/dma.ts';
import { CAUSE, E1000, ENABLE } from '../../../abi/e1000.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { Napi } from '../napi.ts';
import type { NativeKernel } from '../native.ts';
import { type Io, ioOf } from './io.ts';
import { PciConfig } from './pci.ts';

const PACKET = 700;
/** descriptors of each ring (E1000_DEFAULT_RXD, TXD) */
const RING = 256;
/** receive buffers are given back in lots (E1000_RX_BUFFER_WRITE) */
const RX_LOT = 16;
/** packets that wait in front of the ring (txqueuelen) */
const TX_QUEUE_LEN = 1_000;
/** IMS_ENABLE_MASK */
const ENABLE_MASK = CAUSE.rxt0 | CAUSE.txdw | CAUSE.rxdmt0 | CAUSE.rxseq | CAUSE.lsc;
const ALL = 0xffff_ffff;
/** interrupts a second at most, in units of 256 ns: 20,000 */
const ITR = Math.floor(1e9 / (20_000 * 256));

export interface E1000Place {
  readonly devfn: number;
  readonly memory: DmaMemory;
  readonly gsi: number;
}

export class E1000Driver implements Part {
  readonly id: string;
  delivered = 0;
  dropped = 0;
  /** times the link was looked at */
  linkChecks = 0;
  private base = 0;
  private readonly rx: DescriptorRing;
  private readonly tx: DescriptorRing;
  private readonly rxAddress: number;
  private readonly txAddress: number;
  private readonly napi: Napi;
  /** receive: next to look at, next to give back; send: next to use, next to free */
  private rxClean = 0;
  private rxUse = 0;
  private txUse = 0;
  private txClean = 0;
  private queue: number[] = [];

  /** @param deliver what becomes of a packet */
  constructor(
    private readonly kernel: NativeKernel,
    readonly name: string,
    private readonly place: E1000Place,
    private readonly deliver: (cpu: LinuxCpu, packet: number) => void,
  ) {
    this.id = `${kernel.id}.net.${name}`;
    const { parts } = kernel.init;
    this.rx = parts.add(new DescriptorRing(`${kernel.id}.${name}.rx`, RING));
    this.tx = parts.add(new DescriptorRing(`${kernel.id}.${name}.tx`, RING));
    this.rxAddress = place.memory.allocate(this.rx.bytes, this.rx);
    this.txAddress = place.memory.allocate(this.tx.bytes, this.tx);
    this.napi = kernel.napi.add({
      cost: (packets) => PACKET * (1 + packets),
      waiting: () => this.received,
      poll: (cpu, budget) => this.poll(cpu, budget),
      complete: (cpu) => {
        this.irqEnable(ioOf(cpu));
        return false;
      },
    });
    parts.add(this);
  }

  /** e1000_probe and e1000_open. */
  probe(): void {
    const io = ioOf(this.kernel.cpus[0]!);
    const config = new PciConfig(io, this.place.devfn);
    config.enable();
    this.base = config.base(0);
    this.set(io, E1000.imc, ALL);
    this.get(io, E1000.icr);
    for (const [low, high, length, head, tail, address] of [
      [E1000.tdbal, E1000.tdbah, E1000.tdlen, E1000.tdh, E1000.tdt, this.txAddress],
      [E1000.rdbal, E1000.rdbah, E1000.rdlen, E1000.rdh, E1000.rdt, this.rxAddress],
    ] as const) {
      this.set(io, length, RING * 16);
      this.set(io, high, 0);
      this.set(io, low, address);
      this.set(io, tail, 0);
      this.set(io, head, 0);
    }
    this.set(io, E1000.tctl, ENABLE);
    this.set(io, E1000.itr, ITR);
    this.set(io, E1000.rctl, ENABLE);
    this.rxUse = RING - 1;
    this.set(io, E1000.rdt, this.rxUse);
    this.kernel.requestGsi(this.place.gsi, { level: true, name: this.name, work: this.interrupt });
    this.irqEnable(io);
  }

  private get(io: Io, register: number): number {
    return io.load(this.base + register, 4);
  }

  private set(io: Io, register: number, value: number): void {
    io.store(this.base + register, value, 4);
  }

  /** e1000_irq_enable; reading the status makes sure that it is there. */
  private irqEnable(io: Io): void {
    this.set(io, E1000.ims, ENABLE_MASK);
    this.get(io, E1000.status);
  }

  /** e1000_intr. */
  private readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const io = ioOf(cpu);
      const icr = this.get(io, E1000.icr);
      if (icr === 0) return false;
      if (icr & (CAUSE.rxseq | CAUSE.lsc)) this.linkChecks++;
      this.set(io, E1000.imc, ALL);
      this.get(io, E1000.status);
      if (!this.kernel.napi.schedule(cpu, this.napi)) this.irqEnable(io);
      return true;
    },
  };

  /** e1000_clean. */
  private poll(cpu: LinuxCpu, budget: number): number {
    const io = ioOf(cpu);
    this.cleanTx(io);
    let n = 0;
    for (; n < budget && this.rx.done[this.rxClean] === 1; n++) {
      this.rx.done[this.rxClean] = 0;
      const packet = this.rx.packet[this.rxClean]!;
      this.rxClean = (this.rxClean + 1) % RING;
      if (this.toGiveBack >= RX_LOT) this.giveBack(io);
      this.delivered++;
      this.deliver(cpu, packet);
    }
    if (n > 0 && this.toGiveBack > 0) this.giveBack(io);
    return n;
  }

  /** Packets in the ring. */
  private get received(): number {
    let n = 0;
    while (n < RING && this.rx.done[(this.rxClean + n) % RING] === 1) n++;
    return n;
  }

  private get toGiveBack(): number {
    return (this.rxClean - 1 - this.rxUse + 2 * RING) % RING;
  }

  /** e1000_alloc_rx_buffers. */
  private giveBack(io: Io): void {
    this.rxUse = (this.rxClean - 1 + RING) % RING;
    this.set(io, E1000.rdt, this.rxUse);
  }

  // sending

  /** e1000_xmit_frame. */
  xmit(cpu: LinuxCpu, packet: number): void {
    if (this.room > 0) this.send(ioOf(cpu), [packet]);
    else if (this.queue.length < TX_QUEUE_LEN) this.queue.push(packet);
    else this.dropped++;
  }

  private get room(): number {
    return (this.txClean - this.txUse - 1 + 2 * RING) % RING;
  }

  /** Packets that come together move the tail once. */
  private send(io: Io, packets: readonly number[]): void {
    for (const packet of packets) {
      this.tx.packet[this.txUse] = packet;
      this.tx.done[this.txUse] = 0;
      this.txUse = (this.txUse + 1) % RING;
    }
    this.set(io, E1000.tdt, this.txUse);
  }

  /** e1000_clean_tx_irq: room for those that wait. */
  private cleanTx(io: Io): void {
    while (this.txClean !== this.txUse && this.tx.done[this.txClean] === 1) {
      this.tx.done[this.txClean] = 0;
      this.txClean = (this.txClean + 1) % RING;
    }
    const next = this.queue.splice(0, this.room);
    if (next.length > 0) this.send(io, next);
  }

  save(): Plain {
    const { delivered, dropped, linkChecks, rxClean, rxUse, txUse, txClean } = this;
    return { numbers: [delivered, dropped, linkChecks, rxClean, rxUse, txUse, txClean], queue: this.queue };
  }

  restore(state: Plain): void {
    const s = state as { numbers: number[]; queue: number[] };
    const [delivered, dropped, linkChecks, rxClean, rxUse, txUse, txClean] = s.numbers;
    Object.assign(this, { delivered, dropped, linkChecks, rxClean, rxUse, txUse, txClean });
    this.queue = [...s.queue];
  }
}
