/** From a scenario to a machine. */
import type { Scenario } from '../scenario/schema.ts';
import { buildXenPv } from './build-xen-pv.ts';
import type { Machine } from './machine.ts';

/** @throws UserError if the machine that the scenario asks for cannot boot */
export function buildMachine(scenario: Scenario, seed: number): Machine {
  return buildXenPv(scenario, seed);
}
