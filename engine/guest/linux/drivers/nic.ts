/**
 * The driver of a real network card (drivers/net/ethernet/intel/e1000e) and the bridge behind it: packets
 * from the wire go to the guest they are for, those of guests go to the wire.
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import type { Napi } from '../napi.ts';

/** What the driver sees of the card. */
export interface NicHardware {
  /** packets received and not taken */
  readonly received: number;
  /** takes the oldest */
  take(): number;
  /** interrupts for received packets again */
  unmaskRx(): void;
  maskRx(): void;
  send(packet: number): void;
  /** sent packets whose buffers come back */
  reapSent(): number;
  readonly sentWaiting: number;
}

const PACKET = 700;
/** descriptors of the send ring (E1000_DEFAULT_TXD), and packets that wait in front of it (txqueuelen) */
const TX_RING = 256;
const TX_QUEUE_LEN = 1_000;

export class NicDriver implements Part {
  readonly id: string;
  private readonly napi: Napi;
  delivered = 0;
  dropped = 0;
  /** in the card's ring, and in front of it */
  private inRing = 0;
  private queue: number[] = [];

  /** @param deliver the bridge's decision for a packet from the wire */
  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    private readonly card: NicHardware,
    private readonly deliver: (cpu: LinuxCpu, packet: number) => void,
  ) {
    this.id = `${kernel.id}.nic.${name}`;
    this.napi = kernel.napi.add({
      cost: (n) => PACKET * (1 + n),
      waiting: () => card.received,
      poll: (cpu, budget) => this.poll(cpu, budget),
      complete: () => {
        card.unmaskRx();
        return false;
      },
    });
    kernel.init.parts.add(this);
  }

  readonly rxInterrupt: Work = {
    cost: () => PACKET,
    run: (cpu) => {
      this.card.maskRx();
      this.kernel.napi.schedule(cpu, this.napi);
    },
  };

  readonly txInterrupt: Work = {
    cost: () => PACKET * (1 + this.card.sentWaiting),
    run: () => this.cleanTx(),
  };

  /** One interrupt for both directions. */
  readonly interrupt: Work = {
    cost: () => PACKET,
    run: (cpu) => {
      this.cleanTx();
      if (this.card.received > 0) this.rxInterrupt.run(cpu);
    },
  };

  xmit(packet: number): void {
    if (this.inRing < TX_RING) this.send(packet);
    else if (this.queue.length < TX_QUEUE_LEN) this.queue.push(packet);
    else this.dropped++;
  }

  private send(packet: number): void {
    this.inRing++;
    this.card.send(packet);
  }

  /** e1000_clean_tx_irq: room in the ring for those that wait. */
  private cleanTx(): void {
    this.inRing -= this.card.reapSent();
    while (this.queue.length > 0 && this.inRing < TX_RING) this.send(this.queue.shift()!);
  }

  private poll(cpu: LinuxCpu, budget: number): number {
    let n = 0;
    for (; n < budget && this.card.received > 0; n++) {
      this.delivered++;
      this.deliver(cpu, this.card.take());
    }
    return n;
  }

  save(): Plain {
    return { numbers: [this.delivered, this.dropped, this.inRing], queue: this.queue };
  }

  restore(state: Plain): void {
    const s = state as { numbers: [number, number, number]; queue: number[] };
    [this.delivered, this.dropped, this.inRing] = s.numbers;
    this.queue = [...s.queue];
  }
}
