/**
 * Records in the order of their times. Code that runs ahead of the clock writes records whose time is still to come, and a
 * handler's record may tell of when it began: so what the ring gives is nearly in order, never quite.
 */
import type { Ns } from '../../core/clock.ts';
import { cpuOf, ROW, ROW_WIDTH, type TakeRow } from '../../core/trace.ts';

/** No record is written later than this after its time. */
export const LATEST: Ns = 1_000_000;

export class InOrder {
  private rows = new Float64Array(1024 * ROW_WIDTH);
  /** where in `rows` each waiting record is, by time, then as it came; from `first` to `last` */
  private order = new Int32Array(1024);
  private first = 0;
  private last = 0;
  /** places in `rows` that are free */
  private free: number[] = [];
  private used = 0;
  private released: Ns = -Infinity;

  /** @throws Error if records after it have been released already */
  readonly push: TakeRow = (rows, at) => {
    const time = rows[at]!;
    if (time < this.released) throw new Error(`a trace record of ${time} ns comes after ${this.released} ns`);
    const place = this.free.pop() ?? this.place();
    for (let i = 0; i < ROW_WIDTH; i++) this.rows[place + i] = rows[at + i]!;
    this.rows[place + ROW.cpu] = cpuOf(rows[at + ROW.cpu]!);
    if (this.last === this.order.length) this.makeRoom();
    let i = this.last++;
    for (; i > this.first && this.rows[this.order[i - 1]! + ROW.time]! > time; i--) {
      this.order[i] = this.order[i - 1]!;
    }
    this.order[i] = place;
  };

  /** Hands over all records before a time, in order; their CPUs are plain numbers. */
  release(before: Ns, to: TakeRow): void {
    const { rows, order } = this;
    for (; this.first < this.last; this.first++) {
      const place = order[this.first]!;
      if (rows[place + ROW.time]! >= before) break;
      to(rows, place);
      this.free.push(place);
    }
    this.released = before;
    if (this.first === this.last) {
      this.first = 0;
      this.last = 0;
    }
  }

  private place(): number {
    const place = this.used;
    this.used += ROW_WIDTH;
    if (this.used > this.rows.length) {
      const { rows } = this;
      this.rows = new Float64Array(rows.length * 2);
      this.rows.set(rows);
    }
    return place;
  }

  /** At the end of the order: what is left moves to the front of one that is large enough. */
  private makeRoom(): void {
    const waiting = this.order.subarray(this.first, this.last);
    const larger = waiting.length * 2 > this.order.length ? this.order.length * 2 : this.order.length;
    const order = new Int32Array(larger);
    order.set(waiting);
    this.order = order;
    this.last -= this.first;
    this.first = 0;
  }
}
