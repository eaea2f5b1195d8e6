/** What kinds of scenario there are. Apart from the schemas, so that a built-in one starts without them. */
import type { ArmScenario } from './arm-schema.ts';
import type { KvmScenario } from './kvm-schema.ts';
import type { XenScenario } from './xen-schema.ts';

export type Scenario = XenScenario | KvmScenario | ArmScenario;

export function isKvm(scenario: Scenario): scenario is KvmScenario {
  return 'kvm' in scenario;
}

export function isArm(scenario: Scenario): scenario is ArmScenario {
  return 'gic' in scenario;
}

/** A Xen host on x86. */
export function isXenX86(scenario: Scenario): scenario is XenScenario {
  return !isKvm(scenario) && !isArm(scenario);
}
