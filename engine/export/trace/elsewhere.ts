/**
 * A writer that is not where the machine runs: what it is given goes there in pieces, plain data that can be sent. What it
 * asks the machine for is sent before the record that it will ask for.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, ROW_WIDTH, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { InOrder } from './in-order.ts';
import type { TraceWriter } from './writer.ts';

/** records in a piece */
const RECORDS = 4096;
/** and what comes between them, at most */
const MARKS = 4096;

/** A host as plain data. */
export type ToldHost = Omit<TraceHost, 'action' | 'signals'>;

/** What comes before the record that begins at `before`. */
type Mark = { readonly before: number } & (
  | { readonly kind: 'action'; readonly domain: number; readonly irq: number; readonly action: string }
  | { readonly kind: 'release' | 'flush' | 'end'; readonly now: Ns }
);

/** Records as they came and what comes between them. */
export interface Piece {
  readonly rows: Float64Array;
  /** numbers in use there */
  readonly length: number;
  readonly marks: readonly Mark[];
}

/** Records that tell of a domain's interrupt: then a writer may ask for the names of its drivers. */
const HANDLERS: ReadonlySet<string> = new Set(['irq_handler_entry', 'irq_handler_exit']);

/** Stands for the writer where the machine is. */
export class WriterElsewhere implements TraceWriter {
  private rows: Float64Array;
  private length = 0;
  private marks: Mark[] = [];
  /** by tracepoint */
  private readonly asks: readonly boolean[];
  /** by domain: interrupts whose drivers have been told */
  private readonly told: readonly Set<number>[];
  /** records that a writer will ask for, until they are released */
  private asking: { readonly time: Ns; readonly domain: number; readonly irq: number }[] = [];

  /**
   * @param blank what the next piece may be put into, if something is at hand
   * @param send takes a piece, which is its own from then on
   */
  constructor(
    private readonly host: TraceHost,
    private readonly blank: () => Float64Array | undefined,
    private readonly send: (piece: Piece) => void,
  ) {
    this.asks = host.points.map(({ name }) => host.kind !== 'imported' && HANDLERS.has(name));
    this.told = host.domains.map(() => new Set());
    this.rows = this.room();
  }

  readonly record: TakeRow = (rows, at) => {
    if (this.asks[rows[at + ROW.point]!]) this.ask(rows[at]!, rows[at + ROW.args]!, rows[at + ROW.args + 1]!);
    const { rows: to, length } = this;
    for (let i = 0; i < ROW_WIDTH; i++) to[length + i] = rows[at + i]!;
    this.length = length + ROW_WIDTH;
    if (this.length === to.length) this.go();
  };

  private ask(time: Ns, domain: number, irq: number): void {
    if (!this.told[domain]!.has(irq)) this.asking.push({ time, domain, irq });
  }

  /** What a writer here would ask for now, it is told there before. */
  readonly release = (before: Ns): void => {
    if (this.asking.length > 0) {
      for (const { time, domain, irq } of this.asking) if (time < before) this.tell(domain, irq);
      this.asking = this.asking.filter(({ time }) => time >= before);
    }
    this.mark({ before: this.length, kind: 'release', now: before });
  };

  /** Once there are any: drivers come while a kernel boots. */
  private tell(domain: number, irq: number): void {
    const told = this.told[domain]!;
    if (told.has(irq)) return;
    const action = this.host.action(domain, irq);
    if (action === '') return;
    told.add(irq);
    this.mark({ before: this.length, kind: 'action', domain, irq, action });
  }

  flush(now: Ns): void {
    this.mark({ before: this.length, kind: 'flush', now });
  }

  private mark(mark: Mark): void {
    this.marks.push(mark);
    if (this.marks.length >= MARKS) this.go();
  }

  end(now: Ns): void {
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
    return this.blank() ?? new Float64Array(RECORDS * ROW_WIDTH);
  }
}

/** What can be sent of a host. */
export function toldHost({ action, signals, ...data }: TraceHost): ToldHost {
  const points = data.points.map(({ name, args }) => ({ name, args }));
  return { ...data, points };
}

/** Gives a writer that is here what comes from the other side, in order. */
export class PieceReader {
  private readonly order = new InOrder();
  private readonly actions: readonly Map<number, string>[];
  private readonly writer: TraceWriter;

  constructor(host: ToldHost, make: (host: TraceHost) => TraceWriter) {
    this.actions = host.domains.map(() => new Map());
    const action = (domain: number, irq: number) => this.actions[domain]?.get(irq) ?? '';
    this.writer = make({ ...host, action, signals: () => [] });
  }

  take({ rows, length, marks }: Piece): void {
    const { order } = this;
    let at = 0;
    for (const mark of marks) {
      for (; at < mark.before; at += ROW_WIDTH) order.push(rows, at);
      this.pass(mark);
    }
    for (; at < length; at += ROW_WIDTH) order.push(rows, at);
  }

  private pass(mark: Mark): void {
    const { writer, order } = this;
    if (mark.kind === 'action') this.actions[mark.domain]!.set(mark.irq, mark.action);
    else if (mark.kind !== 'release') writer[mark.kind](mark.now);
    else if (writer.record) order.release(mark.now, writer.record);
  }
}
