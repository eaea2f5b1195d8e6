/**
 * Rows on their way from one thread to another, through a ring that both have in memory: no message is sent for them, which
 * costs more than to write them.
 */
import { ROW_WIDTH, type TakeRows } from '../../core/trace.ts';

/** of the ring: few, so that they stay in the processors' caches */
const ROWS = 16_384;
/** the other side is woken for such a part of them */
const WORTH = 1 / 4;
/** they are taken so many at a time, and there is room for others */
const TAKEN = 2048;

/** Numbers that both sides look at: rows ever written and read, of which 32 bits count, and how often somebody has been woken. */
const STATE = { written: 0, read: 1, woken: 2 } as const;

/** What both have. */
export interface LaneMemory {
  readonly rows: Float64Array;
  readonly state: Int32Array;
}

/** @param rows that it has room for, a power of two */
export function laneMemory(rows = ROWS): LaneMemory {
  return {
    rows: new Float64Array(new SharedArrayBuffer(rows * ROW_WIDTH * 8)),
    state: new Int32Array(new SharedArrayBuffer(Object.keys(STATE).length * 4)),
  };
}

function sizeOf({ rows }: LaneMemory): number {
  return rows.length / ROW_WIDTH;
}

/** Where rows come from. It never waits: what has no room is kept aside. */
export class LaneStart {
  private readonly size: number;
  private written = 0;
  /** what follows the rows in the ring, in order */
  private readonly aside: Float64Array[] = [];
  private asideRows = 0;
  /** written since the other side was woken */
  private fresh = 0;

  constructor(private readonly memory: LaneMemory) {
    this.size = sizeOf(memory);
  }

  readonly put: TakeRows = (rows, at, end) => {
    if (this.aside.length > 0) this.settle();
    const from = this.aside.length > 0 ? at : this.write(rows, at, end);
    if (from === end) return;
    this.aside.push(rows.slice(from, end));
    this.asideRows += (end - from) / ROW_WIDTH;
  };

  /** As much of it as there is room for. @returns where the rest begins */
  private write(rows: Float64Array, at: number, end: number): number {
    const { memory } = this;
    const last = at + Math.min(end - at, (this.size - this.unread) * ROW_WIDTH);
    for (let from = at; from < last; ) {
      const to = (this.written & (this.size - 1)) * ROW_WIDTH;
      const until = Math.min(last, from + memory.rows.length - to);
      memory.rows.set(rows.subarray(from, until), to);
      const count = (until - from) / ROW_WIDTH;
      this.written = (this.written + count) | 0;
      this.fresh += count;
      from = until;
    }
    Atomics.store(memory.state, STATE.written, this.written);
    if (this.fresh >= this.size * WORTH) this.wake();
    return last;
  }

  private get unread(): number {
    return (this.written - Atomics.load(this.memory.state, STATE.read)) | 0;
  }

  private settle(): void {
    const { aside } = this;
    while (aside.length > 0) {
      const rows = aside[0]!;
      const from = this.write(rows, 0, rows.length);
      this.asideRows -= from / ROW_WIDTH;
      if (from < rows.length) {
        aside[0] = rows.subarray(from);
        return;
      }
      aside.shift();
    }
  }

  /** The other side looks whether there is something to do. */
  wake(): void {
    const { state } = this.memory;
    this.fresh = 0;
    Atomics.add(state, STATE.woken, 1);
    Atomics.notify(state, STATE.woken);
  }

  /** Whether the other side has more rows to take than so many; then it is told to go on. */
  behind(most: number): boolean {
    this.settle();
    if (this.unread + this.asideRows <= most) return false;
    this.wake();
    return true;
  }
}

/** Where they go to. */
export class LaneEnd {
  private readonly size: number;
  private read = 0;

  constructor(private readonly memory: LaneMemory) {
    this.size = sizeOf(memory);
  }

  /** All that has come; what is given is overwritten once it returns. */
  take(to: TakeRows): void {
    const { rows, state } = this.memory;
    for (;;) {
      const unread = (Atomics.load(state, STATE.written) - this.read) | 0;
      if (unread === 0) return;
      const first = this.read & (this.size - 1);
      const count = Math.min(unread, this.size - first, TAKEN);
      to(rows, first * ROW_WIDTH, (first + count) * ROW_WIDTH);
      this.read = (this.read + count) | 0;
      Atomics.store(state, STATE.read, this.read);
    }
  }

  /** How often it has been woken: to be asked before looking what there is to do, and waited for if there is nothing. */
  get woken(): number {
    return Atomics.load(this.memory.state, STATE.woken);
  }

  wait(woken: number): void {
    Atomics.wait(this.memory.state, STATE.woken, woken);
  }
}
