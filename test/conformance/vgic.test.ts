/** The suites of the virtual GIC: what of a case is compared, and what makes no sense. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { vectorLines } from '../../cli/vectors/read.ts';
import type { Suite, Vector } from '../../cli/vectors/suite.ts';
import { vgicCore, vgicQuirk, vgicV3 } from '../../cli/vectors/vgic.ts';

interface Op {
  readonly o: string;
  s: (string | number | number[])[][];
  [name: string]: unknown;
}

function casesOf(suite: Suite): Vector[] {
  const file = join(import.meta.dirname, `../vectors/${suite.name}.jsonl.gz`);
  return [...vectorLines(file)].map(({ vector }) => vector);
}

const CASES = new Map([vgicCore, vgicQuirk, vgicV3].map((suite) => [suite, casesOf(suite)] as const));

/** The first operation that answers a description, in its case cut short after it. */
function first(suite: Suite, wanted: (op: Op) => boolean): { vector: Vector; at: number; op: Op } {
  for (const vector of CASES.get(suite)!) {
    const at = (vector.ops as Op[]).findIndex(wanted);
    if (at < 0) continue;
    const ops = structuredClone(vector.ops.slice(0, at + 1)) as Op[];
    return { vector: { ...vector, ops }, at, op: ops[at]! };
  }
  throw new Error(`no such operation in ${suite.name}`);
}

function named(name: string): Suite {
  return [...CASES.keys()].find((suite) => suite.name === name)!;
}

const RESULTS: [suite: string, name: string, result: string][] = [
  ['vgic-core', 'ack', 'r'],
  ['vgic-core', 'pirq', 'r'],
  ['vgic-core', 'needs', 'r'],
  ['vgic-core', 'w', 'ok'],
  ['vgic-core', 'w', 'k'],
  ['vgic-core', 'inj', 'k'],
  ['vgic-core', 'r', 'ok'],
  ['vgic-core', 'r', 'val'],
  ['vgic-quirk', 'pirq', 'k'],
  ['vgic-v3', 'r', 'hi'],
  ['vgic-v3', 'sgi', 'ok'],
  ['vgic-v3', 'sgi', 'k'],
];

test.each(RESULTS)('%s: a wrong result of %s, %s, is found', (of, name, result) => {
  const suite = named(of);
  const { vector, at, op } = first(suite, (o) => o.o === name && o[result] !== undefined);
  expect(suite.replay(vector, undefined)).toBeUndefined();
  op[result] = 'another';
  expect(suite.replay(vector, undefined)).toMatchObject({ op: at, name, key: result, expected: 'another' });
});

test('kicks that a case does not tell of are found', () => {
  const { vector, at, op } = first(vgicCore, (o) => o.k !== undefined);
  delete op.k;
  expect(vgicCore.replay(vector, undefined)).toMatchObject({ op: at, key: 'k', expected: null });
});

const ELEMENTS: [suite: string, keys: readonly string[]][] = [
  ['vgic-core', ['lr', 'ap', 'vm', 'hc', 'lm', 'st', 'en', 'rp', 'tg', 'cf', 'ct', 'hw', 'cu', 'md', 'pc']],
  ['vgic-quirk', ['dn']],
  ['vgic-v3', ['lr', 'ap', 'vm', 'hc', 'c1', 'tg', 'ct', 'hw']],
];

describe.each(ELEMENTS)('%s', (of, keys) => {
  const suite = named(of);
  test.each(keys)('a wrong element %s is found, and one that the case does not tell of', (key) => {
    const { vector, at, op } = first(suite, (o) => o.s.some(([k]) => k === key));
    expect(suite.replay(vector, undefined)).toBeUndefined();
    const told = op.s.findIndex(([k]) => k === key);
    const [entry] = op.s.splice(told, 1);
    const shown = `["${key}"`;
    expect(suite.replay(vector, undefined)).toMatchObject({ op: at, key: expect.stringContaining(shown) });
    const last = entry!.length - 1;
    op.s.push([...entry!.slice(0, last), (entry![last] as number) ^ 1]);
    expect(suite.replay(vector, undefined)).toMatchObject({ op: at, key: expect.stringContaining(shown) });
  });
});

test.each(['if', 'lp'])('the order of a list %s counts', (key) => {
  const long = (entry: Op['s'][number]) => entry[0] === key && (entry[2] as number[]).length > 1;
  const { vector, at, op } = first(vgicCore, (o) => o.s.some(long));
  expect(vgicCore.replay(vector, undefined)).toBeUndefined();
  (op.s.find(long)![2] as number[]).reverse();
  expect(vgicCore.replay(vector, undefined)).toMatchObject({
    op: at,
    key: expect.stringContaining(`["${key}"`),
  });
});

const init = { vcpus: 2, pcpus: 1, spis: 32, lrs: 4, hwdom: 0, hw: [[40, 40, 0]] };
const v3 = { ...init, rdist: [128], idbits: 10 };
const NONSENSE: [suite: string, what: string, init: object, op: object, message: string][] = [
  ['vgic-core', 'no virtual CPUs', { ...init, vcpus: 0 }, {}, '"vcpus"'],
  ['vgic-core', 'more CPUs than virtual ones', { ...init, pcpus: 3 }, {}, '"pcpus"'],
  ['vgic-core', 'no list of physical interrupts', { ...init, hw: 7 }, {}, '"init.hw" must be a list'],
  ['vgic-core', 'half a physical interrupt', { ...init, hw: [[40]] }, {}, 'each of "init.hw"'],
  ['vgic-core', 'one for no SPI', { ...init, hw: [[64, 40, 0]] }, {}, 'there is no virtual SPI 64'],
  ['vgic-v3', 'no redistributors', init, {}, '"rdist" must be a list of integers'],
  ['vgic-core', 'an unknown operation', init, { o: 'frob', c: 0 }, 'unknown operation "frob"'],
  ['vgic-core', "an operation of the other version's", init, { o: 'sgi', c: 0 }, 'unknown operation "sgi"'],
  ['vgic-v3', "an operation of the other version's", v3, { o: 'up', c: 0 }, 'unknown operation "up"'],
  ['vgic-core', 'a CPU that is not there', init, { o: 'enter', c: 1 }, '"c"'],
  ['vgic-core', 'a virtual CPU that is not there', init, { o: 'sw', c: 0, v: 2 }, '"v"'],
  ['vgic-core', 'an SPI that is not there', init, { o: 'inj', c: 0, v: -1, irq: 64 }, '"irq"'],
  ['vgic-core', 'a private interrupt for nobody', init, { o: 'inj', c: 0, v: -1, irq: 31 }, '"irq"'],
  ['vgic-core', 'a physical interrupt that is not there', init, { o: 'pirq', c: 0, irq: 41 }, 'interrupt 41'],
  ['vgic-core', 'a size that is not there', init, { o: 'r', c: 0, off: 0, sz: 4 }, '"sz"'],
  ['vgic-core', 'an unknown element', init, { o: 'enter', c: 0, s: [['q', 1]] }, 'each of "s"'],
  ['vgic-core', 'an element without numbers', init, { o: 'enter', c: 0, s: [['lr']] }, 'each of "s"'],
  ['vgic-core', "nobody's element", init, { o: 'enter', c: 0, s: [['lr', 7, 0, 0]] }, 'no virtual CPU'],
  ['vgic-core', 'no state', init, { o: 'enter', c: 0, s: 1 }, '"s" must be a list'],
];

test.each(NONSENSE)('%s: %s is nonsense', (of, _, start, op, message) => {
  const vector = { id: 'x/00000', init: start as Vector['init'], ops: [{ s: [], ...op }] };
  expect(() => named(of).replay(vector, undefined)).toThrow(message);
});

test('an access by a CPU without a virtual one is nonsense', () => {
  const idle = {
    o: 'sw',
    c: 0,
    v: -1,
    s: [
      ['cu', 0, -1],
      ['hc', 0, 0],
      ['md', 0, 1],
    ],
  };
  const read = { o: 'r', c: 0, off: 0, sz: 2, s: [] };
  const vector = { id: 'x/00000', init: { ...init, vcpus: 1 }, ops: [idle, read] };
  expect(() => vgicCore.replay(vector, undefined)).toThrow('no virtual CPU runs on CPU 0');
});
