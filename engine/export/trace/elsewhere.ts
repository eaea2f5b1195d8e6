/**
 * A writer that is not where the machine runs: what it is given goes there in pieces, plain data that can be sent. What it
 * asks the machine for is sent before the record that it will ask for.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, ROW_WIDTH, type TakeRows } from '../../core/trace.ts';
import type { SignalAbout, TraceHost } from '../../snapshot.ts';
import type { TraceFollower } from './exporter.ts';
import { InOrder } from './in-order.ts';
import type { TraceWriter } from './writer.ts';

/** rows in a piece */
const ROWS = 4096;
/** and what comes between them, at most */
const MARKS = 4096;

/** A signal as it was in the beginning. */
type ToldSignal = SignalAbout & { readonly value: number | Uint32Array };

/** A host as plain data. */
export type ToldHost = Omit<TraceHost, 'action' | 'signals'> & { readonly signals: readonly ToldSignal[] };

/** What comes before the row that begins at `before`. */
type Mark = { readonly before: number } & (
  | { readonly kind: 'action'; readonly domain: number; readonly irq: number; readonly action: string }
  | { readonly kind: 'release' | 'flush' | 'end'; readonly now: Ns }
);

/** Rows as they came and what comes between them. */
export interface Piece {
  readonly rows: Float64Array;
  /** numbers in use there */
  readonly length: number;
  readonly marks: readonly Mark[];
}

/** Stands for the writer where the machine is. */
export class WriterElsewhere implements TraceFollower {
  private rows: Float64Array;
  private length = 0;
  private marks: Mark[] = [];

  /**
   * @param names what a writer of records will ask for; left out: nothing
   * @param blank what the next piece may be put into, if something is at hand
   * @param send takes a piece, which is its own from then on
   */
  constructor(
    private readonly names: DriverNames | undefined,
    private readonly blank: () => Float64Array | undefined,
    private readonly send: (piece: Piece) => void,
  ) {
    this.rows = this.room();
  }

  readonly records: TakeRows = (rows, at, end) => {
    this.names?.look(rows, at, end);
    for (let from = at; from < end; ) {
      const { rows: to, length } = this;
      const until = Math.min(end, from + to.length - length);
      to.set(rows.subarray(from, until), length);
      this.length = length + until - from;
      from = until;
      if (this.length === to.length) this.go();
    }
  };

  /** What a writer here would ask for now, it is told there before. */
  release(before: Ns): void {
    const told = this.names?.before(before) ?? [];
    for (const name of told) this.mark({ before: this.length, kind: 'action', ...name });
    this.mark({ before: this.length, kind: 'release', now: before });
  }

  flush(now: Ns): void {
    this.mark({ before: this.length, kind: 'flush', now });
  }

  private mark(mark: Mark): void {
    this.marks.push(mark);
    if (this.marks.length >= MARKS) this.go();
  }

  end(now: Ns): void {
    this.release(Infinity);
    this.marks.push({ before: this.length, kind: 'end', now });
    this.go();
  }

  private go(): void {
    const { rows, length, marks } = this;
    this.rows = this.room();
    this.length = 0;
    this.marks = [];
    this.send({ rows, length, marks });
  }

  private room(): Float64Array {
    return this.blank() ?? new Float64Array(ROWS * ROW_WIDTH);
  }
}

/** Records that tell of a domain's interrupt: then a writer may ask for the names of its drivers. */
const HANDLERS: ReadonlySet<string> = new Set(['irq_handler_entry', 'irq_handler_exit']);

interface DriverName {
  readonly domain: number;
  readonly irq: number;
  readonly action: string;
}

/** Names of drivers that records need, each once. */
export class DriverNames {
  /** by tracepoint: 1 if its records need one */
  private readonly needs: Uint8Array;
  /** by domain: interrupts whose drivers have been told */
  private readonly told: readonly Set<number>[];
  /** of records that have not been released */
  private needed: { readonly time: Ns; readonly domain: number; readonly irq: number }[] = [];

  constructor(private readonly host: TraceHost) {
    const { kind, points, domains } = host;
    this.needs = Uint8Array.from(points, ({ name }) => Number(kind !== 'imported' && HANDLERS.has(name)));
    this.told = domains.map(() => new Set());
  }

  look(rows: Float64Array, from: number, end: number): void {
    const { needs } = this;
    for (let at = from; at < end; at += ROW_WIDTH) {
      if (needs[rows[at + ROW.point]!] === 1)
        this.need(rows[at]!, rows[at + ROW.args]!, rows[at + ROW.args + 1]!);
    }
  }

  private need(time: Ns, domain: number, irq: number): void {
    if (!this.told[domain]!.has(irq)) this.needed.push({ time, domain, irq });
  }

  /** Those of records before a time, once there are any: drivers come while a kernel boots. */
  before(time: Ns): DriverName[] {
    if (this.needed.length === 0) return [];
    const names: DriverName[] = [];
    for (const { time: when, domain, irq } of this.needed) {
      if (when >= time || this.told[domain]!.has(irq)) continue;
      const action = this.host.action(domain, irq);
      if (action === '') continue;
      this.told[domain]!.add(irq);
      names.push({ domain, irq, action });
    }
    this.needed = this.needed.filter(({ time: when }) => when >= time);
    return names;
  }
}

/** What can be sent of a host, with its signals if somebody writes those. */
export function toldHost({ action, signals, ...data }: TraceHost, looks: boolean): ToldHost {
  const points = data.points.map(({ name, args }) => ({ name, args }));
  const told = looks
    ? signals().map(({ read, of, ...about }): ToldSignal => ({ ...about, value: read() }))
    : [];
  return { ...data, points, signals: told };
}

/** Gives a writer that is here what comes from the other side, in order. */
export class PieceReader {
  private readonly actions: readonly Map<number, string>[];
  private readonly writer: InOrder;

  constructor({ signals, ...host }: ToldHost, make: (host: TraceHost) => TraceWriter) {
    this.actions = host.domains.map(() => new Map());
    const action = (domain: number, irq: number) => this.actions[domain]?.get(irq) ?? '';
    const asTold = signals.map(({ value, ...about }) => ({ ...about, read: () => value, of: [] }));
    this.writer = new InOrder(make({ ...host, action, signals: () => asTold }));
  }

  take({ rows, length, marks }: Piece): void {
    let at = 0;
    for (const mark of marks) {
      if (mark.before > at) this.writer.records(rows, at, mark.before);
      at = mark.before;
      if (mark.kind === 'action') this.actions[mark.domain]!.set(mark.irq, mark.action);
      else this.writer[mark.kind](mark.now);
    }
    if (length > at) this.writer.records(rows, at, length);
  }
}
