/** The suite xen: what of a case is compared, and what makes no sense. */
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

const RESULTS = ['in', 'r', 'wrmsr', 'rdmsr', 'ior', 'link', 'ioassert', 'msi', 'intack'];

test.each(RESULTS)('a wrong result of %s is found', (name) => {
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

const CHANGES = [
  ...['out', 'w', 'wrmsr', 'iow'],
  ...['isa', 'pci', 'link', 'ioassert', 'iodeassert', 'msi', 'via', 'upcall', 'intack'],
];

test.each(CHANGES)('a change by %s that the case does not tell is found', (name) => {
  const found = first(name, 's');
  const keys = Object.keys(expectation(found).s as Fields);
  expect(xen.replay(found.vector, found.meta)).toBeUndefined();
  expectation(found).s = {};
  const mismatch = xen.replay(found.vector, found.meta);
  expect(mismatch).toMatchObject({ op: found.op, name });
  expect(keys).toContain(mismatch!.key);
});

test('every kind of operation is among the cases, and every one is run', () => {
  const counts: Record<string, number> = {};
  for (const { vector } of cases) {
    for (const [name] of vector.ops as Op[]) counts[name] = (counts[name] ?? 0) + 1;
  }
  expect(counts).toEqual({
    ...{ out: 5701, in: 608, w: 7569, r: 632, wrmsr: 1280, rdmsr: 121, iow: 14_818, ior: 172 },
    ...{ isa: 4439, pci: 1559, link: 375, ioassert: 289, iodeassert: 17, msi: 1025 },
    ...{ via: 110, upcall: 462, upvec: 56, intack: 4030 },
  });
  expect(Object.keys(counts).sort()).toEqual([...new Set([...RESULTS, ...CHANGES, 'upvec'])].sort());
});

test('a case for a virtual CPU that is not there, or with an unknown operation, makes no sense', () => {
  const { vector, meta } = cases[0]!;
  const bad = (op: Op) => () => xen.replay({ ...vector, ops: [op] }, meta);
  for (const op of ['w', 'intack', 'upcall', 'upvec']) {
    expect(bad([op, 9, 0x80, 0, {}])).toThrow('there is no virtual CPU 9');
  }
  expect(bad(['frob', {}])).toThrow('unknown operation "frob"');
  expect(bad(['via', 'x', {}])).toThrow('argument 1 must be a number of up to 64 bits');
  expect(() => xen.replay({ ...vector, init: { vcpus: 3 } }, meta)).toThrow('"vcpus" must be 1, 2 or 4');
});
