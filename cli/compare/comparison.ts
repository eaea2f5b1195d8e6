/** Everything that a report of a comparison tells. */
import type { Snapshot } from '../../engine/index.ts';
import { balanced, type Fired, subjects } from './measure.ts';
import { type PairSubject, paired } from './pairs.ts';
import type { Difference } from './settings.ts';
import { type Way, waysOf } from './ways.ts';

/** One run. */
export interface Side {
  /** of the command line: the scenario's name or file, and what was set */
  readonly wanted: string;
  readonly settings: readonly string[];
  readonly before: Snapshot;
  readonly now: Snapshot;
  readonly fired: readonly Fired[];
}

export interface Comparison {
  readonly a: Side;
  readonly b: Side;
  readonly settings: readonly Difference[];
  readonly subjects: readonly PairSubject[];
  /** of each interrupt that was fired */
  readonly ways: readonly Way[];
  /** the books of either side */
  readonly balanced: readonly [boolean, boolean];
}

export function comparisonOf(a: Side, b: Side, settings: readonly Difference[]): Comparison {
  return {
    a,
    b,
    settings,
    subjects: paired(subjects(a.before, a.now, a.fired), subjects(b.before, b.now, b.fired)),
    ways: waysOf(a.fired, b.fired),
    balanced: [balanced(a.now), balanced(b.now)],
  };
}
