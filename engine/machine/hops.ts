/**
 * The way of one interrupt as hops. A platform describes its tracepoints in tables of `HopRow`s, one row each: in
 * which mode of the processor it is passed, the function's name, what it says of its arguments. A new platform adds
 * rows; nothing else knows what a tracepoint means.
 */
import type { Ns } from '../core/clock.ts';
import type { Trace, TraceRecord } from '../core/trace.ts';
import type { HopMode, HopSnapshot } from './inspect.ts';

type Args = readonly number[];

/** How sure a hop is to be the end: 0 not at all, the higher the more; the highest of a journey counts. */
export type EndGrade = 0 | 1 | 2;

/** What one tracepoint means; `H` is what its words are looked up in. */
export interface HopRow<H> {
  readonly mode: HopMode | ((host: H, args: Args, cpu: number) => HopMode);
  /** the function; where that differs by version, by what runs */
  readonly name: string | ((host: H, args: Args, cpu: number) => string);
  /** what it was called for */
  readonly detail: (host: H, args: Args) => string;
  /** the same for one crowded line; without it only the path shows the hop */
  readonly brief?: (host: H, args: Args) => string;
  /** one sentence for who sees it for the first time */
  readonly about: string;
  /** what the table of costs charges for it */
  readonly charged?: Ns | ((host: H, args: Args) => Ns | null);
  /** called by the function above it */
  readonly nested?: boolean;
  /** a handler runs here */
  readonly end?: (host: H, args: Args) => EndGrade;
  /** the row of /proc/interrupts whose handler runs here */
  readonly row?: (host: H, args: Args) => HandlerRow | null;
  /** the vector, or on ARM the INTID, that the hypervisor takes here */
  readonly vector?: (host: H, args: Args) => number;
}

/** Rows by the name of their tracepoint. */
export type HopTable<H> = Readonly<Record<string, HopRow<H>>>;

/** A row of a domain's /proc/interrupts. */
export interface HandlerRow {
  readonly domain: number;
  readonly irq: number;
}

/** A vector that Xen takes; on ARM an INTID. */
export interface TakenVector {
  readonly vector: number;
}

/** What journeys are looked up by. */
export type Passage = HandlerRow | TakenVector;

/** What a platform says of one record. */
export interface Hop {
  readonly mode: HopMode;
  readonly name: string;
  readonly detail: string;
  readonly text: string;
  readonly about: string;
  readonly charged: Ns | null;
  readonly nested: boolean;
  readonly end: EndGrade;
  readonly row: HandlerRow | null;
  readonly vector: number | null;
}

/** A record in the words of a table; one that the table lacks is named by its tracepoint. */
export function hopOf<H>(table: HopTable<H>, host: H, { point, args, cpu }: TraceRecord): Hop {
  const row = table[point.name];
  if (!row) return { ...UNKNOWN, name: point.name, text: point.name };
  const { mode, name, charged = null, nested = false } = row;
  return {
    mode: typeof mode === 'function' ? mode(host, args, cpu) : mode,
    name: typeof name === 'function' ? name(host, args, cpu) : name,
    detail: row.detail(host, args),
    text: row.brief?.(host, args) ?? '',
    about: row.about,
    charged: typeof charged === 'function' ? charged(host, args) : charged,
    nested,
    end: row.end?.(host, args) ?? 0,
    row: row.row?.(host, args) ?? null,
    vector: row.vector?.(host, args) ?? null,
  };
}

const UNKNOWN: Hop = {
  mode: 'device',
  name: '',
  detail: '',
  text: '',
  about: '',
  charged: null,
  nested: false,
  end: 0,
  row: null,
  vector: null,
};

/** A record with its words, and what waited where once its event was over. */
export interface Passed {
  readonly record: TraceRecord;
  readonly hop: Hop;
  readonly pending: string;
}

/** At the same moment a guest is entered before it does anything: who simulates it may write that down later. */
function rank({ hop }: Omit<Passed, 'pending'>): number {
  return hop.mode === 'guest' || hop.mode === 'el1' ? 1 : 0;
}

export function inOrder(a: Omit<Passed, 'pending'>, b: Omit<Passed, 'pending'>): number {
  const later = a.record.time - b.record.time;
  if (later !== 0) return later;
  const entered = a.hop.mode === 'entry' || b.hop.mode === 'entry';
  return (entered ? rank(a) - rank(b) : 0) || a.record.seq - b.record.seq;
}

/** Records of one journey as hops in the order of their times. */
export function lineUp(passed: readonly Passed[], start: Ns): HopSnapshot[] {
  const sorted = [...passed].sort(inOrder);
  const grade = sorted.reduce<EndGrade>((most, { hop }) => (hop.end > most ? hop.end : most), 0);
  return sorted.map(({ record, hop, pending }, i) => {
    const { cpu, time } = record;
    const next = sorted.find((p, k) => k > i && (cpu < 0 || p.record.cpu === cpu));
    const { row: _, vector: _vector, end, ...words } = hop;
    return {
      ...words,
      at: time - start,
      cpu,
      next: next ? next.record.time - time : null,
      end: end > 0 && end === grade,
      pending,
    };
  });
}

/** Tracepoints where a handler runs, and where Xen takes a vector. */
const HANDLED: ReadonlySet<string> = new Set(['irq_handler_entry']);
const TAKEN: ReadonlySet<string> = new Set(['do_IRQ', 'event_check_interrupt']);

/**
 * The last journeys whose handler ran for a row of /proc/interrupts, or that Xen took by a vector, as far as the trace
 * goes back, oldest first.
 */
export function journeysTo(
  platform: { hop(record: TraceRecord): Hop },
  trace: Trace,
  by: Passage,
  most: number,
  until = trace.written,
): number[] {
  const points = 'vector' in by ? TAKEN : HANDLED;
  const out = new Set<number>();
  for (let seq = until; seq >= trace.oldest && out.size < most; seq--) {
    const record = trace.record(seq);
    if (record.journey === 0 || !points.has(record.point.name)) continue;
    const { row, vector } = platform.hop(record);
    const hit = 'vector' in by ? vector === by.vector : row?.domain === by.domain && row.irq === by.irq;
    if (hit) out.add(record.journey);
  }
  return [...out].reverse();
}
