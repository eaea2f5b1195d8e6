/** A scenario of any platform; the keys `kvm` and `gic` tell them apart. */
import { type ArmScenario, armSchema } from './arm-schema.ts';
import { type KvmScenario, kvmSchema } from './kvm-schema.ts';
import { type XenScenario, xenSchema } from './xen-schema.ts';

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

/** The schema that a document asks for. */
export function schemaFor(data: unknown): typeof kvmSchema | typeof xenSchema | typeof armSchema {
  if (typeof data !== 'object' || data === null) return xenSchema;
  return 'kvm' in data ? kvmSchema : 'gic' in data ? armSchema : xenSchema;
}
