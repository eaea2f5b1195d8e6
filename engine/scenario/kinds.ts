/** Of which platform a scenario is; the keys `kvm` and `gic` tell them apart. Read by whoever has no need of the schema. */
import type { ArmScenario } from './arm-schema.ts';
import type { KvmScenario } from './kvm-schema.ts';
import type { XenScenario } from './xen-schema.ts';

export type Scenario = XenScenario | KvmScenario | ArmScenario;

/** What a schema is of. */
export const PLATFORMS = ['xen', 'kvm', 'arm'] as const;
export type Platform = (typeof PLATFORMS)[number];

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

/** Hypervisor, version and board in a few words. */
export function systemOf(scenario: Scenario): string {
  if (isKvm(scenario)) return `KVM on Linux ${scenario.kvm} x86_64`;
  if (isArm(scenario)) return `Xen ${scenario.xen} arm64, GICv${scenario.gic}`;
  return `Xen ${scenario.xen} x86_64`;
}

/** The same for a narrow column. */
export function shortSystemOf(scenario: Scenario): string {
  if (isKvm(scenario)) return `KVM ${scenario.kvm}`;
  return isArm(scenario) ? `Xen ${scenario.xen} GICv${scenario.gic}` : `Xen ${scenario.xen} x86`;
}
