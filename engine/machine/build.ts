/** From a scenario to a machine. */
import { isKvm, type Scenario } from '../scenario/schema.ts';
import { buildKvm } from './build-kvm.ts';
import { buildXen } from './build-xen.ts';
import type { Machine } from './machine.ts';

/** @throws UserError if the machine that the scenario asks for cannot boot */
export function buildMachine(scenario: Scenario, seed: number): Machine {
  return isKvm(scenario) ? buildKvm(scenario, seed) : buildXen(scenario, seed);
}
