/** The schemas of all platforms. */
import { armSchema } from './arm-schema.ts';
import { kvmSchema } from './kvm-schema.ts';
import { xenSchema } from './xen-schema.ts';

/** The schema that a document asks for. */
export function schemaFor(data: unknown): typeof kvmSchema | typeof xenSchema | typeof armSchema {
  if (typeof data !== 'object' || data === null) return xenSchema;
  return 'kvm' in data ? kvmSchema : 'gic' in data ? armSchema : xenSchema;
}
