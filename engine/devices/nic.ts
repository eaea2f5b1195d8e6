/**
 * A network card: packets come from the wire into its receive ring and leave it through the send ring. It
 * interrupts for received packets unless masked by its driver's polling, and no more often than its
 * moderation allows (EITR of the Intel 82574 datasheet, section 7.4.4).
 */
import type { Clock, Ns, Task } from '../core/clock.ts';
import { Priority } from '../core/event-queue.ts';
import type { Part, Plain } from '../core/state.ts';
import type { Raise } from './pulse.ts';

const RING = 256;
/** time of a packet on the wire, 1 Gbit/s and 1,500 bytes */
const WIRE: Ns = 12_000;

export class Nic implements Part {
  readonly id: string;
  events = 0;
  dropped = 0;
  sent = 0;
  private rx: number[] = [];
  private tx = 0;
  private sentDone = 0;
  private masked = false;
  private lastRx: Ns = -Infinity;
  private lastTx: Ns = -Infinity;
  private readonly rxTask: Task;
  private readonly txTask: Task;
  private readonly wireTask: Task;

  /** @param moderation least time between two interrupts of one kind */
  constructor(
    readonly name: string,
    private readonly clock: Clock,
    private readonly raiseRx: Raise,
    private readonly raiseTx: Raise,
    private readonly moderation: Ns,
  ) {
    this.id = `device.${name}`;
    this.rxTask = clock.task(`${this.id}.rx`, Priority.outside, () => this.interruptRx());
    this.txTask = clock.task(`${this.id}.tx`, Priority.outside, () => this.interruptTx());
    this.wireTask = clock.task(`${this.id}.wire`, Priority.outside, () => this.left());
  }

  /** A packet from the wire; the answer is the journey of the interrupt it raised, 0 for none. */
  receive(packet: number): number {
    this.events++;
    if (this.full) {
      this.dropped++;
      return 0;
    }
    this.rx.push(packet);
    return this.requestRx();
  }

  /** A packet, and its interrupt at once: as software sets a cause itself (ICS), moderation or not. */
  fire(packet: number): number {
    const journey = this.receive(packet);
    if (journey !== 0) return journey;
    this.lastRx = this.clock.now;
    return this.raiseRx();
  }

  /** The next packet from the wire is lost. */
  get full(): boolean {
    return this.rx.length >= RING;
  }

  // the driver's side

  get received(): number {
    return this.rx.length;
  }

  take(): number {
    return this.rx.shift()!;
  }

  maskRx(): void {
    this.masked = true;
  }

  unmaskRx(): void {
    this.masked = false;
    if (this.rx.length > 0) this.requestRx();
  }

  send(_packet: number): void {
    this.tx++;
    if (!this.wireTask.queued) this.wireTask.after(WIRE);
  }

  get sentWaiting(): number {
    return this.sentDone;
  }

  reapSent(): number {
    const n = this.sentDone;
    this.sentDone = 0;
    return n;
  }

  private requestRx(): number {
    if (this.masked || this.rxTask.queued) return 0;
    const due = this.lastRx + this.moderation;
    if (due <= this.clock.now) return this.interruptRx();
    this.rxTask.at(due);
    return 0;
  }

  private interruptRx(): number {
    if (this.masked || this.rx.length === 0) return 0;
    this.lastRx = this.clock.now;
    return this.raiseRx();
  }

  private left(): void {
    this.tx--;
    this.sent++;
    this.sentDone++;
    if (this.tx > 0) this.wireTask.after(WIRE);
    if (this.txTask.queued) return;
    this.txTask.at(Math.max(this.clock.now, this.lastTx + this.moderation));
  }

  private interruptTx(): void {
    this.lastTx = this.clock.now;
    this.raiseTx();
  }

  save(): Plain {
    const finite = (n: number) => (n === -Infinity ? -1 : n);
    return {
      counts: [this.events, this.dropped, this.sent, this.tx, this.sentDone, Number(this.masked)],
      last: [finite(this.lastRx), finite(this.lastTx)],
      rx: this.rx,
    };
  }

  restore(state: Plain): void {
    const s = state as {
      counts: [number, number, number, number, number, number];
      last: [number, number];
      rx: number[];
    };
    [this.events, this.dropped, this.sent, this.tx, this.sentDone] = s.counts;
    this.masked = s.counts[5] === 1;
    [this.lastRx, this.lastTx] = s.last.map((n) => (n < 0 ? -Infinity : n)) as [number, number];
    this.rx = [...s.rx];
  }
}
