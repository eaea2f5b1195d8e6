/**
 * A writer that is not where the machine runs: what it is given goes there as rows (lane.ts). What it asks the machine for is
 * told before the record that it will ask for.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, ROW_WIDTH, type TakeRows } from '../../core/trace.ts';
import type { SignalAbout, TraceHost, TraceSignal } from '../../snapshot.ts';
import type { TraceFollower } from './exporter.ts';
import { InOrder } from './in-order.ts';
import type { LaneStart } from './lane.ts';
import type { TraceWriter } from './writer.ts';

/** A signal as it was in the beginning. */
type ToldSignal = SignalAbout & { readonly value: number | Uint32Array };

/** A host as plain data. */
export type ToldHost = Omit<TraceHost, 'action' | 'signals'> & { readonly signals: readonly ToldSignal[] };

/**
 * Rows between those of records and of changes, told by their second number: what is released and flushed, with its time, and
 * a driver's name, with its domain, its interrupt and its length; the characters follow, one a number.
 */
const MARK = { release: -2, flush: -3, end: -4, action: -5 } as const;

/** Numbers in the row of a name. */
const NAME = { domain: 2, irq: 3, length: 4 } as const;

/** Stands for the writer where the machine is. */
export class WriterElsewhere implements TraceFollower {
  private readonly row = new Float64Array(ROW_WIDTH);

  /** @param names what a writer of records will ask for; left out: nothing */
  constructor(
    private readonly lane: LaneStart,
    private readonly names?: DriverNames,
  ) {}

  readonly records: TakeRows = (rows, at, end) => {
    this.names?.look(rows, at, end);
    this.lane.put(rows, at, end);
  };

  /** What a writer here would ask for now, it is told there before. */
  release(before: Ns): void {
    for (const { domain, irq, action } of this.names?.before(before) ?? []) {
      this.mark(MARK.action, 0, domain, irq, action.length);
      const rows = new Float64Array(Math.ceil(action.length / ROW_WIDTH) * ROW_WIDTH);
      rows.set(Array.from(action, (_, i) => action.charCodeAt(i)));
      this.lane.put(rows, 0, rows.length);
    }
    this.mark(MARK.release, before);
  }

  flush(now: Ns): void {
    this.mark(MARK.flush, now);
    this.lane.wake();
  }

  end(now: Ns): void {
    this.release(Infinity);
    this.mark(MARK.end, now);
    this.lane.wake();
  }

  private mark(kind: number, now: Ns, ...rest: number[]): void {
    this.row.set([now, kind, ...rest]);
    this.lane.put(this.row, 0, ROW_WIDTH);
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

function copyOf(value: number | Uint32Array): number | Uint32Array {
  return typeof value === 'number' ? value : value.slice();
}

/** What can be sent of a host, with its signals if somebody writes those. */
export function toldHost({ action, signals, ...data }: TraceHost, looks: boolean): ToldHost {
  const points = data.points.map(({ name, args }) => ({ name, args }));
  const told = looks
    ? signals().map(({ read, of, ...about }): ToldSignal => ({ ...about, value: copyOf(read()) }))
    : [];
  return { ...data, points, signals: told };
}

/** Gives a writer that is here what comes from the other side, in order. */
export class WriterHere {
  /** Nothing comes any more. */
  ended = false;
  private readonly actions: readonly Map<number, string>[];
  private readonly writer: InOrder;
  /** the name that is being told, and its characters so far */
  private naming: { domain: number; irq: number; length: number; action: string } | undefined;

  constructor({ signals, ...host }: ToldHost, make: (host: TraceHost) => TraceWriter) {
    this.actions = host.domains.map(() => new Map());
    const action = (domain: number, irq: number) => this.actions[domain]?.get(irq) ?? '';
    const asTold = signals.map(
      ({ value, ...about }) => ({ ...about, read: () => value, of: [] }) as TraceSignal,
    );
    this.writer = new InOrder(make({ ...host, action, signals: () => asTold }));
  }

  readonly take: TakeRows = (rows, from, end) => {
    for (let at = from; at < end; at += ROW_WIDTH) {
      if (this.naming) {
        this.spell(this.naming, rows.subarray(at, at + ROW_WIDTH));
        continue;
      }
      const first = at;
      while (at < end && rows[at + ROW.point]! > MARK.release) at += ROW_WIDTH;
      if (at > first) this.writer.records(rows, first, at);
      if (at < end) this.pass(rows, at);
    }
  };

  private pass(rows: Float64Array, at: number): void {
    const { writer } = this;
    const now = rows[at]!;
    switch (rows[at + ROW.point]) {
      case MARK.release:
        writer.release(now);
        break;
      case MARK.flush:
        writer.flush(now);
        break;
      case MARK.end:
        writer.end(now);
        this.ended = true;
        break;
      case MARK.action:
        this.naming = {
          domain: rows[at + NAME.domain]!,
          irq: rows[at + NAME.irq]!,
          length: rows[at + NAME.length]!,
          action: '',
        };
    }
  }

  private spell(naming: NonNullable<typeof this.naming>, letters: Float64Array): void {
    const { domain, irq, length } = naming;
    naming.action += String.fromCharCode(...letters.subarray(0, length - naming.action.length));
    if (naming.action.length < length) return;
    this.actions[domain]!.set(irq, naming.action);
    this.naming = undefined;
  }
}
