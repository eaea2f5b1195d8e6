/** Which part of the screen gets how many lines. */
import type { Size } from './session.ts';

export interface Geometry {
  /** most lines for the CPUs */
  readonly cpuLines: number;
  /** the rule and the hops below it */
  readonly journeyLines: number;
  /** hops one below the other, with what each cost */
  readonly tallJourney: boolean;
}

export function geometryOf({ rows }: Size): Geometry {
  const tallJourney = rows >= 50;
  return {
    cpuLines: rows < 30 ? 2 : rows < 50 ? 4 : 8,
    journeyLines: tallJourney ? 13 : rows < 20 ? 2 : rows < 36 ? 3 : 4,
    tallJourney,
  };
}
