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
  /** places in `rows` that are free, the first so many */
  private free = new Int32Array(1024);
  private unused = 0;
  private used = 0;
  private released: Ns = -Infinity;

  /** @throws Error if records after it have been released already */
  readonly push: TakeRow = (rows, at) => {
    const time = rows[at]!;
    if (time < this.released) throw new Error(`a trace record of ${time} ns comes after ${this.released} ns`);
    const place = this.unused > 0 ? this.free[--this.unused]! : this.place();
    const own = this.rows;
    own[place] = time;
    own[place + 1] = rows[at + 1]!;
    own[place + 2] = rows[at + 2]!;
    own[place + ROW.cpu] = cpuOf(rows[at + ROW.cpu]!);
    own[place + 4] = rows[at + 4]!;
    own[place + 5] = rows[at + 5]!;
    own[place + 6] = rows[at + 6]!;
    own[place + 7] = rows[at + 7]!;
    if (this.last === this.order.length) this.makeRoom();
    const { order, first } = this;
    let i = this.last++;
    for (; i > first && own[order[i - 1]!]! > time; i--) order[i] = order[i - 1]!;
    order[i] = place;
  };

  /** Hands over all records before a time, in order; their CPUs are plain numbers. */
  release(before: Ns, to: TakeRow): void {
    const { rows, order, last, free } = this;
    let { first, unused } = this;
    for (; first < last; first++) {
      const place = order[first]!;
      if (rows[place]! >= before) break;
      to(rows, place);
      free[unused++] = place;
    }
    this.first = first;
    this.unused = unused;
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
      const { free } = this;
      this.free = new Int32Array(free.length * 2);
      this.free.set(free);
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
