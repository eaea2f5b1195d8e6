/** The suite xen in part: what of it is run on the chips, and what is taken from its cases. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { vectorLines } from '../../cli/vectors/read.ts';
import type { Fields, Vector } from '../../cli/vectors/suite.ts';
import { xen } from '../../cli/vectors/xen.ts';

type Op = [name: string, ...rest: unknown[]];

const cases = [...vectorLines(join(import.meta.dirname, '../vectors/xen.jsonl.gz'))];

/** The first operation of a kind whose expectation has this member, in its case cut short after it. */
function first(name: string, member: 'r' | 's'): { vector: Vector; meta: Fields | undefined; op: number } {
  for (const { vector, meta } of cases) {
    const op = (vector.ops as Op[]).findIndex((o) => o[0] === name && has((o.at(-1) as Fields)[member]));
    if (op < 0) continue;
    const ops = structuredClone(vector.ops.slice(0, op + 1));
    return { vector: { ...vector, ops }, meta, op };
  }
  throw new Error(`no ${name} with ${member}`);
}

function has(value: unknown): boolean {
  return typeof value === 'object' ? value !== null && Object.keys(value).length > 0 : value !== undefined;
}

function expectation({ vector, op }: { vector: Vector; op: number }): Record<string, unknown> {
  return (vector.ops[op] as Op).at(-1) as Record<string, unknown>;
}

test.each(['in', 'r', 'wrmsr', 'rdmsr', 'ior'])('a wrong result of %s is found', (name) => {
  const found = first(name, 'r');
  expect(xen.replay(found.vector, found.meta)).toBeUndefined();
  expectation(found).r = 'another';
  expect(xen.replay(found.vector, found.meta)).toMatchObject({
    op: found.op,
    name,
    key: 'r',
    expected: 'another',
  });
});

test.each(['out', 'w', 'wrmsr', 'iow'])('a change by %s that the case does not tell is found', (name) => {
  const found = first(name, 's');
  const keys = Object.keys(expectation(found).s as Fields);
  expect(xen.replay(found.vector, found.meta)).toBeUndefined();
  expectation(found).s = {};
  const mismatch = xen.replay(found.vector, found.meta);
  expect(mismatch).toMatchObject({ op: found.op, name });
  expect(keys).toContain(mismatch!.key);
});

test.each(['isa', 'pci', 'ioassert', 'msi', 'intack'])('what %s changes is loaded into the chips', (name) => {
  const found = first(name, 's');
  const { vector, meta } = found;
  const change = expectation(found).s as Record<string, unknown>;
  change.rt23 = '0x0600000000010055';
  const ops = [
    ...vector.ops,
    ['iow', 0, 0x10 + 2 * 23, { s: { 'io.sel': 0x3e } }],
    ['ior', 0x10, { r: 0x1_0055 }],
  ];
  expect(xen.replay({ ...vector, ops }, meta)).toBeUndefined();
  change.rt23 = '0x0600000000010056';
  expect(xen.replay({ ...vector, ops }, meta)).toMatchObject({ name: 'ior', got: 0x1_0056 });
});

test('seven operations of ten are on registers', () => {
  const counts: Record<string, number> = {};
  for (const { vector } of cases) {
    for (const [name] of vector.ops as Op[]) counts[name] = (counts[name] ?? 0) + 1;
  }
  const { out, in: reads, w, r, wrmsr, rdmsr, iow, ior, ...others } = counts;
  expect({ out, in: reads, w, r, wrmsr, rdmsr, iow, ior }).toEqual({
    out: 5701,
    in: 608,
    w: 7569,
    r: 632,
    wrmsr: 1280,
    rdmsr: 121,
    iow: 14_818,
    ior: 172,
  });
  expect(Object.values(others).reduce((sum, n) => sum + n)).toBe(12_362);
});

test('a case for a virtual CPU that is not there, or with an unknown operation, makes no sense', () => {
  const { vector, meta } = cases[0]!;
  const bad = (op: Op) => () => xen.replay({ ...vector, ops: [op] }, meta);
  expect(bad(['w', 9, 0x80, 0, {}])).toThrow('there is no virtual CPU 9');
  expect(bad(['frob', {}])).toThrow('unknown operation "frob"');
  expect(() => xen.replay({ ...vector, init: { vcpus: 3 } }, meta)).toThrow('"vcpus" must be 1, 2 or 4');
});
