/** What a comparison shows of two machines: numbers with names, side by side. Who measures them is the caller's. */
import type { HopSnapshot, JourneySnapshot, Machine, Snapshot } from '../../engine/index.ts';

/** Something of A and of B. */
export type Both<T> = readonly [a: T, b: T];

/** One number on both sides; null where that side has nothing of the kind. */
export interface Pair {
  readonly name: string;
  readonly a: number | null;
  readonly b: number | null;
  /** null where there is nothing to compare */
  readonly difference: number | null;
  /** of A */
  readonly percent: number | null;
}

export interface PairTable {
  readonly title: string;
  /** places behind the point */
  readonly digits: number;
  readonly rows: readonly Pair[];
}

/** The host, Xen, a domain, the books. */
export interface PairSubject {
  readonly name: string;
  readonly tables: readonly PairTable[];
}

/** A hop of the way of an interrupt on both sides, or on one. */
export interface PairStep {
  readonly a?: HopSnapshot;
  readonly b?: HopSnapshot;
}

export interface Comparison {
  readonly subjects: readonly PairSubject[];
  /** of the interrupt that was fired last */
  readonly steps: readonly PairStep[];
}

/** Two machines, and how they are compared. */
export interface Contest {
  readonly machines: Both<Machine>;
  /** as they were asked for: scenario and settings */
  readonly labels: Both<string>;
  /** in what the scenarios differ: `apicv: false | true` */
  readonly settings: readonly string[];
  compare(before: Both<Snapshot>, now: Both<Snapshot>, fired: Both<JourneySnapshot> | null): Comparison;
}

/** Nothing and nought are the same. */
export function isEqual({ a, b, difference }: Pair): boolean {
  return difference === 0 || (a === null && b === null);
}
