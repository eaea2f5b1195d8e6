/** The published schema is that of the program, says what every key is for, and takes what the program takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { builtinScenarios, builtinText, isArm, isKvm, PLATFORMS, type Platform } from '../../engine/index.ts';
import { jsonSchema } from '../../engine/scenario/json-schema.ts';
import { checkScenario } from '../../engine/scenario/load.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Shape {
  readonly description?: string;
  readonly expected?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly maximum?: number;
  readonly properties?: { readonly [key: string]: Shape };
  readonly items?: Shape;
  readonly oneOf?: readonly Shape[];
}

test('the file in docs/ is current: virqtop scenario schema > docs/scenario.schema.json', () => {
  const published = readFileSync(join(ROOT, 'docs/scenario.schema.json'), 'utf8');
  expect(published).toBe(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
});

/** Every part with its place. */
function* parts(shape: Shape, place = ''): Generator<[place: string, shape: Shape]> {
  yield [place, shape];
  for (const [key, inner] of Object.entries(shape.properties ?? {})) yield* parts(inner, `${place}.${key}`);
  for (const inner of shape.oneOf ?? []) yield* parts(inner, `${place}|`);
  if (shape.items) yield* parts(shape.items, `${place}[]`);
}

test.each(PLATFORMS)('every key and every variant of %s says what it is for', (platform) => {
  const all = [...parts(jsonSchema(platform) as Shape)];
  expect(all.length).toBeGreaterThan(100);
  const mute = all.filter(([place, s]) => !place.endsWith('[]') && s.const === undefined && !s.description);
  expect(mute.map(([place]) => place)).toEqual([]);
  expect(all.filter(([, s]) => s.expected !== undefined || s.maximum === Number.MAX_SAFE_INTEGER)).toEqual(
    [],
  );
});

test('keys with defaults need not be there, and the defaults are told', () => {
  const { required, properties } = jsonSchema('xen') as Shape;
  expect(required).toEqual(['name', 'title', 'dom0']);
  expect(properties!.cpus).toMatchObject({ type: 'integer', minimum: 1, maximum: 256, default: 4 });
  expect((jsonSchema('kvm') as Shape).required).toContain('kvm');
  expect((jsonSchema('arm') as Shape).required).toContain('gic');
});

const PARSERS = Object.fromEntries(
  PLATFORMS.map((p) => [p, z.fromJSONSchema(jsonSchema(p) as Parameters<typeof z.fromJSONSchema>[0])]),
) as Record<Platform, z.ZodType>;

test.each(builtinScenarios().map((s) => [s.name, s] as const))(
  '%s fits the schema of its platform',
  (name, s) => {
    const own = isKvm(s) ? 'kvm' : isArm(s) ? 'arm' : 'xen';
    const data: unknown = parse(builtinText(name)!);
    for (const platform of PLATFORMS) {
      expect([platform, PARSERS[platform].safeParse(data).success]).toEqual([platform, platform === own]);
    }
  },
);

test.each([
  ['dom0: {vcpus: 1}', true],
  ['dom0: {}', false],
  ['dom0: {vcpus: 1, vcpu: 1}', false],
  ['dom0: {vcpus: 257}', false],
  ['dom0: {vcpus: 1, devices: [{driver: i8042}]}', true],
  ['dom0: {vcpus: 1, devices: [{driver: floppy}]}', false],
  ['dom0: {vcpus: 1, devices: [{driver: i8042, queues: 1}]}', false],
  ['dom0: {vcpus: 1}\nxen: 4.17', false],
  ["dom0: {vcpus: 1}\nxen: '3.4'\nguests: 3", false],
  ['dom0: {vcpus: 1}\nworkloads: [{what: compute, domain: 0, share: 0.5}]', true],
  ['dom0: {vcpus: 1}\nworkloads: [{what: compute, domain: 0, share: 2}]', false],
  ['dom0: {vcpus: 1}\nkeys: [{device: "no such\\tname"}]', false],
])('%j: schema and program agree', (rest, right) => {
  const text = `name: x\ntitle: t\n${rest}\n`;
  expect(PARSERS.xen.safeParse(parse(text)).success).toBe(right);
  expect(checkScenario(text, 'x.yaml').scenario !== undefined).toBe(right);
});
