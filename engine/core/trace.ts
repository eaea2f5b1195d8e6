/**
 * Typed tracepoints in a ring.
 *
 * A tracepoint is declared once, with the names of its arguments; emitting a record writes a few numbers
 * into flat arrays. Each record carries the journey id of the raise that caused it (0: none), so one
 * interrupt's way can be read back hop by hop. Tracing that is off costs one `if`.
 */
import type { Ns } from './clock.ts';
import type { Part, Plain } from './state.ts';

export interface Tracepoint {
  readonly id: number;
  /** as the original's trace event or function, e.g. `evtchn_set_pending` */
  readonly name: string;
  /** names of the arguments, four at most */
  readonly args: readonly string[];
}

export interface TraceRecord {
  /** position in the run: the first record is 1 */
  readonly seq: number;
  readonly time: Ns;
  readonly point: Tracepoint;
  readonly journey: number;
  /** physical CPU; -1 outside the CPUs */
  readonly cpu: number;
  readonly args: readonly number[];
}

const WIDTH = 8; // time, point, journey, cpu, four arguments

export class Trace implements Part {
  readonly id = 'trace';
  enabled = true;
  /** records written since the machine was made */
  written = 0;
  private readonly points: Tracepoint[] = [];
  private readonly ring: Float64Array;

  /** @param capacity records kept, a power of two */
  constructor(readonly capacity = 65_536) {
    this.ring = new Float64Array(capacity * WIDTH);
  }

  /** The tracepoint of this name, declared on its first use. */
  point(name: string, ...args: string[]): Tracepoint {
    const known = this.points.find((p) => p.name === name);
    if (known) return known;
    const point = { id: this.points.length, name, args };
    this.points.push(point);
    return point;
  }

  emit(point: Tracepoint, time: Ns, journey: number, cpu: number, a = 0, b = 0, c = 0, d = 0): void {
    if (!this.enabled) return;
    const { ring } = this;
    const at = (this.written++ & (this.capacity - 1)) * WIDTH;
    ring[at] = time;
    ring[at + 1] = point.id;
    ring[at + 2] = journey;
    ring[at + 3] = cpu;
    ring[at + 4] = a;
    ring[at + 5] = b;
    ring[at + 6] = c;
    ring[at + 7] = d;
  }

  /** The number of the oldest record still kept. */
  get oldest(): number {
    return Math.max(0, this.written - this.capacity) + 1;
  }

  record(seq: number): TraceRecord {
    const at = ((seq - 1) & (this.capacity - 1)) * WIDTH;
    const point = this.points[this.ring[at + 1]!]!;
    return {
      seq,
      time: this.ring[at]!,
      point,
      journey: this.ring[at + 2]!,
      cpu: this.ring[at + 3]!,
      args: Array.from(this.ring.subarray(at + 4, at + 4 + point.args.length)),
    };
  }

  /** The kept records from `since` on, oldest first. */
  *records(since = this.oldest): Generator<TraceRecord> {
    for (let seq = Math.max(since, this.oldest); seq <= this.written; seq++) yield this.record(seq);
  }

  /** The kept records of one journey, oldest first. */
  journey(id: number): TraceRecord[] {
    const out: TraceRecord[] = [];
    for (let seq = this.oldest; seq <= this.written; seq++) {
      if (this.ring[((seq - 1) & (this.capacity - 1)) * WIDTH + 2] === id) out.push(this.record(seq));
    }
    return out;
  }

  save(): Plain {
    const kept = Math.min(this.written, this.capacity);
    const from = this.oldest;
    const rows: number[] = [];
    for (let i = 0; i < kept; i++) {
      const at = ((from + i - 1) & (this.capacity - 1)) * WIDTH;
      for (let k = 0; k < WIDTH; k++) rows.push(this.ring[at + k]!);
    }
    return { written: this.written, rows };
  }

  restore(state: Plain): void {
    const { written, rows } = state as { written: number; rows: number[] };
    this.written = written;
    const kept = rows.length / WIDTH;
    for (let i = 0; i < kept; i++) {
      const at = ((written - kept + i) & (this.capacity - 1)) * WIDTH;
      for (let k = 0; k < WIDTH; k++) this.ring[at + k] = rows[i * WIDTH + k]!;
    }
  }
}
