/**
 * Records in the order of their times, for a writer. Code that runs ahead of the clock writes records whose time is still to
 * come, and a handler's record may tell of when it began: so what the ring gives is nearly in order, never quite.
 */
import type { Ns } from '../../core/clock.ts';
import { cpuOf, ROW, ROW_WIDTH, type TakeRows } from '../../core/trace.ts';
import type { TraceFollower } from './exporter.ts';
import type { TraceWriter } from './writer.ts';

const ROWS = 8192;

export class InOrder implements TraceFollower {
  /** as they came, up to `used`; those before the first that waits are over */
  private rows = new Float64Array(ROWS * ROW_WIDTH);
  private used = 0;
  /** where in `rows` each waiting record is, by time, then as it came; from `first` to `last` */
  private order = new Int32Array(ROWS);
  private first = 0;
  private last = 0;
  private released: Ns = -Infinity;

  constructor(private readonly to: TraceWriter) {}

  /** @throws Error if records after one of them have been released already */
  readonly records: TakeRows = (rows, at, end) => {
    this.reserve(end - at);
    const { rows: own, order, first, released } = this;
    let { used, last } = this;
    own.set(rows.subarray(at, end), used);
    for (const all = used + end - at; used < all; used += ROW_WIDTH) {
      const time = own[used]!;
      if (time < released) throw new Error(`a trace record of ${time} ns comes after ${released} ns`);
      own[used + ROW.cpu] = cpuOf(own[used + ROW.cpu]!);
      let i = last++;
      for (; i > first && own[order[i - 1]!]! > time; i--) order[i] = order[i - 1]!;
      order[i] = used;
    }
    this.used = used;
    this.last = last;
  };

  /** There is room for numbers of so many more. */
  private reserve(more: number): void {
    if (this.used + more > this.rows.length) this.moveRows(more);
    if (this.last + more / ROW_WIDTH > this.order.length) this.moveOrder(more / ROW_WIDTH);
  }

  /** What is waiting begins at the front. */
  private moveRows(more: number): void {
    const { rows, order, first, last, used } = this;
    let oldest = used;
    for (let i = first; i < last; i++) if (order[i]! < oldest) oldest = order[i]!;
    this.used = used - oldest;
    this.rows = withRoom(rows, oldest, used, more);
    for (let i = first; i < last; i++) order[i]! -= oldest;
  }

  private moveOrder(more: number): void {
    const { order, first, last } = this;
    this.order = withRoom(order, first, last, more);
    this.last = last - first;
    this.first = 0;
  }

  release(before: Ns): void {
    const { rows, order, last } = this;
    const { record } = this.to;
    let { first } = this;
    for (; first < last; first++) {
      const at = order[first]!;
      if (rows[at]! >= before) break;
      record(rows, at);
    }
    this.first = first;
    this.released = before;
    if (first < last) return;
    this.first = 0;
    this.last = 0;
    this.used = 0;
  }

  flush(now: Ns): void {
    this.to.flush(now);
  }

  end(now: Ns): void {
    this.release(Infinity);
    this.to.end(now);
  }
}

/** A part of it at the front, with so much room behind; the same memory unless that would be mostly full. */
function withRoom<A extends Float64Array | Int32Array>(
  array: A,
  start: number,
  end: number,
  more: number,
): A {
  const needed = end - start + more;
  if (needed <= array.length / 2) {
    array.copyWithin(0, start, end);
    return array;
  }
  const larger = new (array.constructor as new (length: number) => A)(Math.max(needed, array.length) * 2);
  larger.set(array.subarray(start, end));
  return larger;
}
