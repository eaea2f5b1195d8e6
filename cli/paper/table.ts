/** Our microbenchmarks beside the published ones. */
import {
  type CostOnPath,
  costsOf,
  type Measured,
  measureSystem,
  type PaperSystem,
} from '../../engine/index.ts';
import { PUBLISHED } from './published.ts';

export interface PaperRow extends Measured {
  readonly cycles: number;
  readonly published: number;
  /** of ours, in percent of the published */
  readonly error: number;
  /** what it is made of, if anybody asked */
  readonly costs?: readonly CostOnPath[];
}

export interface PaperTable {
  readonly system: PaperSystem;
  readonly rows: readonly PaperRow[];
}

/** How far off a row may be, in percent. */
export const MOST_OFF = 10;

export function tableOf(
  system: PaperSystem,
  seed: number,
  asked: { readonly rows: readonly string[]; readonly why: boolean },
): PaperTable {
  const measured = measureSystem(system, seed);
  const costs = asked.why ? costsOf(system, seed, measured) : undefined;
  const wanted = measured.filter(({ run }) => asked.rows.length === 0 || asked.rows.includes(run));
  const rows = wanted.map((row) => {
    const exact = row.ns * system.ghz;
    const published = PUBLISHED[system.name]![row.run];
    const error = (exact / published - 1) * 100;
    return {
      ...row,
      cycles: Math.round(exact),
      published,
      error,
      ...(costs && { costs: costs.get(row.run)! }),
    };
  });
  return { system, rows };
}
