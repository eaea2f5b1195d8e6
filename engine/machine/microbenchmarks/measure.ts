/**
 * Measures microbenchmarks: a machine runs their scenario, and each is the time between two records of its trace, the median
 * of so many turns.
 */
import { ms, type Ns } from '../../core/clock.ts';
import type { TraceRecord } from '../../core/trace.ts';
import { MICROBENCHMARKS, type MicrobenchmarkName } from '../../scenario/microbenchmarks.ts';
import type { Machine, Platform } from '../machine.ts';
import { BEGIN, numberOf } from './program.ts';
import type { Between, Match, Rows } from './rows.ts';

/** One row, and the two records that it is between. */
export interface Measured {
  readonly run: MicrobenchmarkName;
  readonly ns: Ns;
  readonly from: TraceRecord;
  readonly to: TraceRecord;
  /** how many turns it is the median of */
  readonly turns: number;
}

/** Each does it so often within this time. */
const LONG: Ns = ms(24);

/** Lets a machine that has just been built run, and measures what its programs did. */
export function measure(machine: Machine, rows: Rows): Measured[] {
  machine.runUntil(machine.clock.now + LONG);
  const { trace } = machine.shop;
  const records = [...trace.records()];
  return MICROBENCHMARKS.map((run) => median(run, turnsOf(machine, run, records, rows[run])));
}

function median(run: MicrobenchmarkName, turns: readonly Omit<Measured, 'run' | 'turns'>[]): Measured {
  if (turns.length === 0) throw new Error(`no turn of ${run}`);
  const sorted = [...turns].sort((a, b) => a.ns - b.ns);
  return { run, turns: turns.length, ...sorted[(sorted.length - 1) >> 1]! };
}

/** From each beginning up to the next one. */
function turnsOf(
  { platform }: Machine,
  run: MicrobenchmarkName,
  records: readonly TraceRecord[],
  { via, from, to }: Between,
): Omit<Measured, 'run' | 'turns'>[] {
  const number = numberOf(run);
  const begins = records.flatMap(({ point, args }, at) =>
    point.name === BEGIN && args[2] === number ? [at] : [],
  );
  return begins.flatMap((first, n) => {
    const turn = records.slice(first, begins[n + 1]);
    const behind = via ? turn.findIndex((record) => is(platform, record, via)) : -1;
    if (via && behind < 0) return [];
    const start = turn.findIndex((record, i) => i > behind && is(platform, record, from));
    const end = turn.findIndex((record, i) => i > start && is(platform, record, to));
    if (start < 0 || end < 0) return [];
    return [{ ns: turn[end]!.time - turn[start]!.time, from: turn[start]!, to: turn[end]! }];
  });
}

function is(platform: Platform, record: TraceRecord, match: Match): boolean {
  const { point, args } = record;
  if (point.name !== match.point) return false;
  const same = Object.entries(match.args ?? {}).every(([name, n]) => args[point.args.indexOf(name)] === n);
  return same && (!match.action || platform.hop(record).detail.endsWith(` ${match.action}`));
}
