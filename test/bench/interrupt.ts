/**
 * Whole simulated interrupts: the default scenario run on, everything that happens between two interrupts
 * included (workloads, scheduling, timers, rings), for each one delivered to a handler.
 */
import { buildMachine, builtinScenarios } from '../../engine/index.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';

const WARM = 1e9;
const RUN = 5e9;
const ROUNDS = 3;

export const interrupt: Bench = {
  name: 'interrupt',
  run() {
    return builtinScenarios().flatMap((scenario) =>
      [true, false].map((tracing): Result => {
        const measure = () => {
          const machine = buildMachine(scenario, 42);
          machine.shop.trace.enabled = tracing;
          machine.runUntil(WARM);
          const before = machine.platform.totals().interrupts;
          const ns = nsPer(1, () => machine.runUntil(WARM + RUN));
          return ns / (machine.platform.totals().interrupts - before);
        };
        return {
          title: `${scenario.name}, tracing ${tracing ? 'on' : 'off'}, per interrupt`,
          measured: inUnit(best(Array.from({ length: ROUNDS }, measure)), 'ns'),
        };
      }),
    );
  },
};
