/** From a scenario to a machine. */
import { isArm, isKvm, type Scenario } from '../scenario/kinds.ts';
import { buildKvm } from './build-kvm.ts';
import { buildXen } from './build-xen.ts';
import { buildXenArm } from './build-xen-arm.ts';
import type { Machine } from './machine.ts';

/** @throws UserError if the machine that the scenario asks for cannot boot */
export function buildMachine(scenario: Scenario, seed: number): Machine {
  if (isKvm(scenario)) return buildKvm(scenario, seed);
  return isArm(scenario) ? buildXenArm(scenario, seed) : buildXen(scenario, seed);
}
