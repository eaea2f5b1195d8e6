/**
 * How long interrupts take from their raise to their handler: a histogram for each row of interrupts. A journey counts
 * once for a row, when its handler runs there first; raises that were coalesced into it are not counted, and the time
 * is that of the first of them.
 */
import type { Ns } from './clock.ts';
import { Histogram } from './histogram.ts';
import type { Part, Plain } from './state.ts';

/** One row, as plain data; times in ns. */
export interface LatencyTotals {
  readonly count: number;
  /** of all times */
  readonly sum: Ns;
  readonly last: Ns;
  readonly min: Ns;
  readonly max: Ns;
  readonly mean: number;
  /** at most 1/16 too high */
  readonly p50: Ns;
  readonly p99: Ns;
  readonly p999: Ns;
  /** the filled ones, ascending: the highest time that falls into it, and how many have */
  readonly buckets: readonly (readonly [upTo: Ns, count: number])[];
}

interface Row {
  readonly histogram: Histogram;
  last: Ns;
  journey: number;
  /** made when it was looked at; no longer true when its count differs */
  totals: LatencyTotals | undefined;
}

export class LatencyTable implements Part {
  /** by number, and by the number without its sign of those below 0 */
  private readonly rows: (Row | undefined)[] = [];
  private readonly below: (Row | undefined)[] = [];

  constructor(readonly id: string) {}

  /** The handler of a row runs at `now` for a raise that was made at `raised`; NaN: nobody knows when. */
  add(row: number, journey: number, raised: Ns, now: Ns): void {
    if (Number.isNaN(raised)) return;
    const known = (row >= 0 ? this.rows[row] : this.below[-row]) ?? this.open(row);
    if (known.journey === journey) return;
    const ns = now > raised ? now - raised : 0;
    known.journey = journey;
    known.last = ns;
    known.histogram.add(ns);
  }

  private open(row: number): Row {
    const fresh = { histogram: new Histogram(), last: 0, journey: 0, totals: undefined };
    if (row >= 0) this.rows[row] = fresh;
    else this.below[-row] = fresh;
    return fresh;
  }

  private all(): (readonly [row: number, known: Row])[] {
    const list = (rows: readonly (Row | undefined)[], sign: 1 | -1) =>
      rows.flatMap((known, n) => (known ? [[sign * n, known] as const] : []));
    return [...list(this.below, -1).reverse(), ...list(this.rows, 1)];
  }

  /** By ascending number. */
  totals(): { readonly row: number; readonly totals: LatencyTotals }[] {
    return this.all().map(([row, known]) => ({ row, totals: totalsOf(known) }));
  }

  save(): Plain {
    return this.all().map(([row, { histogram, last, journey }]) => [row, last, journey, histogram.save()]);
  }

  restore(state: Plain): void {
    this.rows.length = 0;
    this.below.length = 0;
    for (const [row, last, journey, saved] of state as [number, number, number, Plain][]) {
      const known = this.open(row);
      known.histogram.restore(saved);
      known.last = last;
      known.journey = journey;
    }
  }
}

function totalsOf(row: Row): LatencyTotals {
  const { histogram, last } = row;
  const { count, sum, min, max } = histogram;
  if (row.totals?.count !== count) {
    row.totals = {
      count,
      sum,
      last,
      min,
      max,
      mean: histogram.mean,
      p50: histogram.percentile(0.5),
      p99: histogram.percentile(0.99),
      p999: histogram.percentile(0.999),
      buckets: histogram.filled().map(({ upTo, count: n }) => [upTo, n]),
    };
  }
  return row.totals;
}
