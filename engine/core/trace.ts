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
  /** index of the virtual CPU that had it; -1: none */
  readonly vcpu: number;
  readonly args: readonly number[];
}

/** CPU and virtual CPU share a number of 31 bits: cpu + (vcpu + 1) * CPUS */
const CPUS = 4096;

/** Where the numbers of a record are in its row of the ring, its CPU as `cpuOf` reads it; the arguments come last. */
export const ROW = { time: 0, point: 1, journey: 2, cpu: 3, args: 4 } as const;

const FIXED = ROW.args;
/** who follows the trace is given so many records at a time */
const BATCH = 1024;
/** numbers in a row */
export const ROW_WIDTH = FIXED + 4;
const WIDTH = ROW_WIDTH;

/** Takes a record as its row in `rows`, which begins at `at`; the row is overwritten later. */
export type TakeRow = (rows: Float64Array, at: number) => void;

/** Takes records as their rows from `at` up to `end`. */
export type TakeRows = (rows: Float64Array, at: number, end: number) => void;

interface Saved {
  readonly enabled: boolean;
  readonly written: number;
  readonly points: readonly (readonly [name: string, ...args: string[]])[];
  readonly rows: readonly number[];
}

export class Trace implements Part {
  readonly id = 'trace';
  enabled = true;
  /** records that only who follows the trace wants are written too: what the schedulers do */
  detailed = false;
  /** records written since the machine was made */
  written = 0;
  /** Index of the virtual CPU that has a physical one; -1: none. The hypervisor says. */
  runs: (cpu: number) => number = () => -1;
  /** of them so many, the first, are not known: a brief state was restored after them, or who followed has read them */
  private unknown = 0;
  private readonly points: Tracepoint[] = [];
  private readonly ring: Float64Array;
  /** Told of each record before it is written; who watches is not saved. */
  watch: ((time: Ns) => void) | undefined;
  /** so many may be written before the follower has to read */
  private limit = Infinity;
  /** of the records that are kept, so many less one; who follows reads them at once, so that a few are enough */
  private mask: number;
  private read: () => void = () => {};

  /** @param capacity records kept, a power of two */
  constructor(readonly capacity = 65_536) {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) throw new Error(`a ring of ${capacity} records`);
    this.ring = new Float64Array(capacity * WIDTH);
    this.mask = capacity - 1;
  }

  /** The tracepoint of this name, declared on its first use. */
  point(name: string, ...args: string[]): Tracepoint {
    const known = this.points.find((p) => p.name === name);
    if (known) return known;
    if (args.length > WIDTH - FIXED) throw new Error(`tracepoint ${name} has more than four arguments`);
    const point = { id: this.points.length, name, args };
    this.points.push(point);
    return point;
  }

  emit(point: Tracepoint, time: Ns, journey: number, cpu: number, a = 0, b = 0, c = 0, d = 0): void {
    if (!this.enabled) return;
    if (this.written >= this.limit) this.read();
    if (this.watch) this.watch(time);
    const { ring } = this;
    const at = (this.written++ & this.mask) * WIDTH;
    ring[at] = time;
    ring[at + 1] = point.id;
    ring[at + 2] = journey;
    ring[at + 3] = cpu < 0 ? cpu : cpu + (this.runs(cpu) + 1) * CPUS;
    ring[at + 4] = a;
    ring[at + 5] = b;
    ring[at + 6] = c;
    ring[at + 7] = d;
  }

  /** All tracepoints by their ids. */
  get declared(): readonly Tracepoint[] {
    return this.points;
  }

  /**
   * From now on every record is handed over once, in the order written, and none is lost: when the answer is called, and
   * by itself as soon as some have come, while they are in the processor's cache: the ring keeps no more than those
   * meanwhile. Who follows is not saved. There is at most one at a time.
   * @param paused what is done after some
   */
  follow(take: TakeRows, paused: () => void = () => {}): () => void {
    const most = Math.min(BATCH, this.capacity);
    let next = this.written + 1;
    this.keep(most);
    this.limit = this.written + most;
    this.read = () => {
      while (next <= this.written) {
        const at = this.place(next);
        const end = Math.min(at + (this.written + 1 - next) * WIDTH, (this.mask + 1) * WIDTH);
        take(this.ring, at, end);
        next += (end - at) / WIDTH;
      }
      this.limit = this.written + most;
      paused();
    };
    return this.read;
  }

  /** Nobody follows it any more. */
  unfollow(): void {
    this.limit = Infinity;
    this.read = () => {};
    this.keep(this.capacity);
  }

  /** From now on so many, and none of before. */
  private keep(records: number): void {
    this.mask = records - 1;
    this.unknown = this.written;
  }

  /** The number of the oldest record still kept. */
  get oldest(): number {
    return Math.max(this.unknown, this.written - this.mask - 1) + 1;
  }

  /** @throws RangeError if the record is no longer kept, or not yet written */
  record(seq: number): TraceRecord {
    if (seq < this.oldest || seq > this.written) throw new RangeError(`no trace record ${seq}`);
    const at = this.place(seq);
    const point = this.points[this.ring[at + 1]!]!;
    return {
      seq,
      time: this.ring[at]!,
      point,
      journey: this.ring[at + 2]!,
      cpu: cpuOf(this.ring[at + 3]!),
      vcpu: vcpuOf(this.ring[at + 3]!),
      args: Array.from(this.ring.subarray(at + FIXED, at + FIXED + point.args.length)),
    };
  }

  /** The kept records from `since` on, oldest first. */
  *records(since = this.oldest): Generator<TraceRecord> {
    for (let seq = Math.max(since, this.oldest); seq <= this.written; seq++) yield this.record(seq);
  }

  /** The kept records of one journey from `since` on, oldest first. */
  journey(id: number, since = this.oldest): TraceRecord[] {
    const out: TraceRecord[] = [];
    for (let seq = Math.max(since, this.oldest); seq <= this.written; seq++) {
      if (this.ring[this.place(seq) + 2] === id) out.push(this.record(seq));
    }
    return out;
  }

  /**
   * Calls back for the kept records from `until` back to `since`, without making objects of them, until it
   * answers false. What it is given reads one argument of the record.
   */
  backwards(
    since: number,
    until: number,
    see: (seq: number, point: Tracepoint, vcpu: number, args: (i: number) => number) => boolean,
  ): void {
    const { ring, oldest } = this;
    let at = 0;
    const args = (i: number) => ring[at + FIXED + i]!;
    for (let seq = Math.min(until, this.written); seq >= Math.max(since, oldest); seq--) {
      at = this.place(seq);
      if (!see(seq, this.points[ring[at + 1]!]!, vcpuOf(ring[at + 3]!), args)) return;
    }
  }

  /** A record travels as time, point, journey, cpu with vcpu, and the arguments that its point declares. */
  save(): Plain {
    const { ring, oldest, written } = this;
    const widths = this.points.map(({ id }) => this.widthOf(id));
    let length = 0;
    for (let seq = oldest; seq <= written; seq++) length += widths[ring[this.place(seq) + 1]!]!;
    const rows = new Array<number>(length);
    let to = 0;
    for (let seq = oldest; seq <= written; seq++) {
      const at = this.place(seq);
      const end = at + widths[ring[at + 1]!]!;
      for (let i = at; i < end; i++) rows[to++] = ring[i]!;
    }
    return { ...this.brief(), rows };
  }

  /** Without the records. */
  brief(): { readonly [key: string]: Plain } {
    return {
      enabled: this.enabled,
      written: this.written,
      points: this.points.map(({ name, args }) => [name, ...args]),
      rows: [],
    };
  }

  /** Tracepoints are matched by name: those declared while running need not come in the same order again. */
  restore(state: Plain): void {
    const s = state as unknown as Saved;
    const points = s.points.map(([name, ...args]) => this.point(name, ...args).id);
    this.enabled = s.enabled;
    this.written = s.written;
    this.ring.fill(0);
    let kept = 0;
    for (let i = 0; i < s.rows.length; kept++) i += this.widthOf(points[s.rows[i + 1]!]!);
    this.unknown = s.written - kept;
    let seq = this.oldest;
    for (let i = 0; i < s.rows.length; seq++) {
      const point = points[s.rows[i + 1]!]!;
      const width = this.widthOf(point);
      const at = this.place(seq);
      for (let k = 0; k < width; k++) this.ring[at + k] = s.rows[i + k]!;
      this.ring[at + 1] = point;
      i += width;
    }
  }

  private widthOf(point: number): number {
    return FIXED + this.points[point]!.args.length;
  }

  /** Where a record sits in the ring. */
  private place(seq: number): number {
    return ((seq - 1) & this.mask) * WIDTH;
  }
}

/** The physical CPU in a row of the ring; -1: outside the CPUs. */
export function cpuOf(n: number): number {
  return n < 0 ? n : n & (CPUS - 1);
}

function vcpuOf(n: number): number {
  return n < 0 ? -1 : Math.floor(n / CPUS) - 1;
}
