/** A KVM host, from a scenario. */
import { UserError } from '../core/errors.ts';
import type { KvmScenario } from '../scenario/kvm-schema.ts';
import type { Machine } from './machine.ts';

/** @throws UserError if the machine that the scenario asks for cannot boot */
export function buildKvm(scenario: KvmScenario, _seed: number): Machine {
  throw new UserError(`${scenario.name}: KVM hosts cannot be built yet`);
}
