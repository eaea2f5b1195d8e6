/** The schema of scenarios as JSON Schema (draft 2020-12), which editors complete and check by. */
import * as z from 'zod';
import { armSchema } from './arm-schema.ts';
import type { Platform } from './kinds.ts';
import { kvmSchema } from './kvm-schema.ts';
import { xenSchema } from './xen-schema.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

const SCHEMAS: Readonly<Record<Platform, { schema: z.ZodType; description: string }>> = {
  xen: { schema: xenSchema, description: 'a Xen host on x86' },
  kvm: { schema: kvmSchema, description: 'a KVM host' },
  arm: { schema: armSchema, description: 'a Xen host on ARM' },
};

interface Shape {
  [key: string]: unknown;
  description?: string;
  expected?: string;
  required?: string[];
  properties?: { [key: string]: Shape };
  items?: Shape;
  oneOf?: Shape[];
  anyOf?: Shape[];
}

/** Of one platform, or of a scenario of any, which its keys tell. */
export function jsonSchema(platform?: Platform): object {
  const title = 'virqtop scenario';
  if (platform) return { $schema: DRAFT, title, ...shapeOf(platform) };
  return {
    $schema: DRAFT,
    title,
    description: 'a host, its hypervisor and its guests, and what goes on in them',
    if: { required: ['kvm'] },
    // biome-ignore lint/suspicious/noThenProperty: so JSON Schema calls it
    then: { $ref: '#/$defs/kvm' },
    else: {
      if: { required: ['gic'] },
      // biome-ignore lint/suspicious/noThenProperty: so JSON Schema calls it
      then: { $ref: '#/$defs/arm' },
      else: { $ref: '#/$defs/xen' },
    },
    $defs: { xen: shapeOf('xen'), kvm: shapeOf('kvm'), arm: shapeOf('arm') },
  };
}

function shapeOf(platform: Platform): Shape {
  const { schema, description } = SCHEMAS[platform];
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: 'input' }) as Shape;
  tidy(shape);
  // the key that tells the platform has a default, but must be there
  if (platform === 'kvm') shape.required = [...(shape.required ?? []), 'kvm'];
  return { description, ...shape };
}

/** Takes out what only zod and our own messages make use of, down through all parts. */
function tidy(shape: Shape): void {
  if (shape.expected !== undefined) {
    shape.description =
      shape.description === undefined ? shape.expected : `${shape.description}; ${shape.expected}`;
    delete shape.expected;
  }
  if (shape.minimum === Number.MIN_SAFE_INTEGER) delete shape.minimum;
  if (shape.maximum === Number.MAX_SAFE_INTEGER) delete shape.maximum;
  for (const inner of [
    ...Object.values(shape.properties ?? {}),
    ...(shape.oneOf ?? []),
    ...(shape.anyOf ?? []),
  ]) {
    tidy(inner);
  }
  if (shape.items) tidy(shape.items);
}
