/** What the schema finds wrong with a scenario, in words: what is there and what would be right. */
import * as z from 'zod';
import { printable, quoted } from '../core/errors.ts';
import { near, oneOf } from './words.ts';

/** An issue of the schema, with the value it is about. */
export type Issue = z.core.$ZodIssue;

/** What a part of a scenario may be; the words of JSON Schema that the schema here comes out as. */
interface Shape {
  readonly type?: string;
  /** in words, where the rest says it badly */
  readonly expected?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly properties?: { readonly [key: string]: Shape };
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** What the issue is about: where it is, and the complaint. */
export interface Complaint {
  /** keys and indices from the top */
  readonly path: readonly (string | number)[];
  readonly text: string;
  /** about the key at this place rather than its value */
  readonly ofKey?: true;
}

/**
 * What an issue says, a complaint for each unknown key.
 * @param scenario the whole document
 */
export function complain(schema: z.ZodType, issue: Issue, scenario: unknown): Complaint[] {
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path, scenario);
    return issue.keys.map((key) => ({
      path: [...path, key],
      ofKey: true,
      text: `unknown key, expected ${near(key, known) ?? oneOf(known)}`,
    }));
  }
  return [{ path, text: problemOf(schema, issue, valueAt(scenario, path), scenario) }];
}

function problemOf(schema: z.ZodType, issue: Issue, value: unknown, scenario: unknown): string {
  if (issue.code === 'custom') return issue.message;
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
    const options = ((issue as { options?: readonly unknown[] }).options ?? []).map(String);
    return expected(near(value, options) ?? oneOf(options), value);
  }
  const shape = shapeAt(shapeOf(schema), issue.path as (string | number)[], scenario);
  // 4.17 and true are no text unless they are quoted
  if (shape?.enum?.includes(String(value)))
    return `expected "${value}" in quotes, got ${describeValue(value)}`;
  return expected(shape ? describe(shape) : 'something else', value);
}

/** The keys that may stand in the part of the document at this path. */
export function knownKeys(schema: z.ZodType, path: Complaint['path'], scenario: unknown): string[] {
  return Object.keys(shapeAt(shapeOf(schema), path, scenario)?.properties ?? {});
}

const shapes = new WeakMap<z.ZodType, Shape>();

function shapeOf(schema: z.ZodType): Shape {
  let shape = shapes.get(schema);
  if (!shape) {
    shape = z.toJSONSchema(schema, { io: 'input' }) as Shape;
    shapes.set(schema, shape);
  }
  return shape;
}

/** The place as a path: `guests[0].disk`; keys come from the file. */
export function placeOf(path: readonly (string | number)[]): string {
  return path
    .map((p, n) => (typeof p === 'number' ? `[${p}]` : `${n > 0 ? '.' : ''}${printable(p, 40)}`))
    .join('');
}

function expected(what: string, value: unknown): string {
  return value === undefined ? `missing, expected ${what}` : `expected ${what}, got ${describeValue(value)}`;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}

/** The shape of a place; where there are several it is the one that the value there says it is. */
function shapeAt(top: Shape, path: readonly (string | number)[], scenario: unknown): Shape | undefined {
  let shape: Shape | undefined = top;
  path.forEach((key, n) => {
    const whole = shape?.oneOf ? branch(shape.oneOf, valueAt(scenario, path.slice(0, n))) : shape;
    shape = typeof key === 'number' ? whole?.items : whole?.properties?.[key];
  });
  return shape?.oneOf ? (branch(shape.oneOf, valueAt(scenario, path)) ?? shape) : shape;
}

function branch(shapes: readonly Shape[], value: unknown): Shape | undefined {
  return shapes.find(({ properties = {} }) =>
    Object.entries(properties).some(([key, p]) => p.const !== undefined && p.const === valueAt(value, [key])),
  );
}

function describe(shape: Shape): string {
  if (shape.expected !== undefined) return shape.expected;
  if (shape.const !== undefined) return String(shape.const);
  if (shape.enum) return oneOf(shape.enum.map(String));
  if (shape.anyOf) return oneOf(shape.anyOf.map(describe));
  switch (shape.oneOf ? 'object' : shape.type) {
    case 'integer':
      return `a whole number${range(shape)}`;
    case 'number':
      return `a number${range(shape)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return shape.maxLength === undefined ? 'text' : `text of at most ${shape.maxLength} characters`;
    case 'array': {
      if (shape.maxItems !== undefined) return `a list of at most ${shape.maxItems}`;
      return shape.minItems === undefined ? 'a list' : `a list of at least ${shape.minItems}`;
    }
    default:
      return shape.properties
        ? `keys and values: ${Object.keys(shape.properties).join(', ')}`
        : 'keys and values';
  }
}

function range({ minimum, maximum, exclusiveMinimum }: Shape): string {
  const least = minimum === undefined || minimum <= -Number.MAX_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (exclusiveMinimum !== undefined) {
    return most === undefined ? ` above ${exclusiveMinimum}` : ` above ${exclusiveMinimum}, at most ${most}`;
  }
  if (least === undefined) return most === undefined ? '' : ` up to ${most}`;
  return most === undefined ? ` of at least ${least}` : ` from ${least} to ${most}`;
}

function describeValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string') return quoted(value, 40);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value !== 'object') return String(value);
  return Object.getPrototypeOf(value) === Object.prototype ? 'keys and values' : 'something of another kind';
}
