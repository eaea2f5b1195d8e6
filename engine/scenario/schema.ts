/** A scenario of any platform; the key `kvm` tells them apart. */
import { type KvmScenario, kvmSchema } from './kvm-schema.ts';
import { type XenScenario, xenSchema } from './xen-schema.ts';

export type Scenario = XenScenario | KvmScenario;

export function isKvm(scenario: Scenario): scenario is KvmScenario {
  return 'kvm' in scenario;
}

/** The schema that a document asks for. */
export function schemaFor(data: unknown): typeof kvmSchema | typeof xenSchema {
  return typeof data === 'object' && data !== null && 'kvm' in data ? kvmSchema : xenSchema;
}
