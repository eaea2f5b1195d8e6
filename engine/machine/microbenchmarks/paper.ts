/**
 * The scenarios that the microbenchmarks of Dall et al. are measured in, and what each row is made of: the entries of the
 * table of costs on its path.
 *
 * A path is not traced by hand. An entry that is one nanosecond dearer makes a row dearer by as many nanoseconds as the entry
 * stands on its path; the sum over all entries, so many times each, is the row.
 */

import type { Ns } from '../../core/clock.ts';
import { builtinScenario } from '../../scenario/builtin.ts';
import { MICROBENCHMARKS, type MicrobenchmarkName } from '../../scenario/microbenchmarks.ts';
import { COST_NAMES, type CostName, type Costs, timing, withCosts } from '../../timing.ts';
import { buildMachine } from '../build.ts';
import { type Measured, measure } from './measure.ts';
import { KVM_ROWS, type Rows, XEN_ARM_ROWS, XEN_X86_ROWS } from './rows.ts';

export interface PaperSystem {
  readonly name: string;
  readonly scenario: string;
  /** clock of its processors there */
  readonly ghz: number;
  readonly rows: Rows;
}

export const PAPER_SYSTEMS: readonly PaperSystem[] = [
  { name: 'KVM x86', scenario: 'paper-kvm', ghz: 2.1, rows: KVM_ROWS },
  { name: 'Xen x86', scenario: 'paper-xen', ghz: 2.1, rows: XEN_X86_ROWS },
  { name: 'Xen ARM', scenario: 'paper-xen-arm', ghz: 2.4, rows: XEN_ARM_ROWS },
];

/** An entry of the table on a row's path, so many times. */
export interface CostOnPath {
  readonly name: CostName;
  readonly count: number;
  /** of one */
  readonly ns: Ns;
}

/** Builds a system and runs it. @param changes entries of the table of costs that are different in this run */
export function measureSystem(system: PaperSystem, seed: number, changes: Partial<Costs> = {}): Measured[] {
  return withCosts(changes, () =>
    measure(buildMachine(builtinScenario(system.scenario)!, seed), system.rows),
  );
}

/** By row. @throws Error if what is on a path does not add up to what was measured */
export function costsOf(
  system: PaperSystem,
  seed: number,
  measured: readonly Measured[],
): ReadonlyMap<MicrobenchmarkName, readonly CostOnPath[]> {
  const costs = new Map<MicrobenchmarkName, CostOnPath[]>(MICROBENCHMARKS.map((run) => [run, []]));
  for (const name of COST_NAMES) {
    const ns = timing[name];
    const dearer = measureSystem(system, seed, { [name]: ns + 1 });
    measured.forEach((row, i) => {
      const count = dearer[i]!.ns - row.ns;
      if (count !== 0) costs.get(row.run)!.push({ name, count, ns });
    });
  }
  for (const { run, ns } of measured) {
    const sum = costs.get(run)!.reduce((n, cost) => n + cost.count * cost.ns, 0);
    if (sum !== ns)
      throw new Error(`${system.name}, ${run}: ${ns} ns, of which ${sum} are in the table of costs`);
  }
  return costs;
}
