/** Named counters with dense indices. */
import { expect, test } from 'vitest';
import { asU32, Counters } from '../../engine/core/counters.ts';

test('a name has one index, counted from 0 in the order the names came', () => {
  const counters = new Counters('dom0');
  expect([counters.id, counters.counter('a'), counters.counter('b'), counters.counter('a')]).toEqual([
    'counters.dom0',
    0,
    1,
    0,
  ]);
});

test('a counter begins at 0 and adds up', () => {
  const counters = new Counters('dom0');
  const a = counters.counter('a');
  expect(counters.get(a)).toBe(0);
  counters.add(a);
  counters.add(a, 41);
  expect(counters.get(a)).toBe(42);
});

test('counts survive the growth of the table', () => {
  const counters = new Counters('dom0');
  for (let i = 0; i < 100; i++) counters.add(counters.counter(`c${i}`), i);
  expect(counters.list()).toEqual(Array.from({ length: 100 }, (_, i) => ({ name: `c${i}`, value: i })));
});

test('counting goes on beyond 32 bits and wraps only when printed', () => {
  const counters = new Counters('dom0');
  const a = counters.counter('a');
  counters.add(a, 2 ** 32 - 1);
  expect(asU32(counters.get(a))).toBe(4294967295);
  counters.add(a, 2);
  expect(counters.get(a)).toBe(2 ** 32 + 1);
  expect(asU32(counters.get(a))).toBe(1);
});

test('restored counts belong to their names, in whatever order this machine made its counters', () => {
  const from = new Counters('dom0');
  for (const [i, name] of ['a', 'b', 'c'].entries()) from.add(from.counter(name), i + 1);
  const into = new Counters('dom0');
  const b = into.counter('b');
  into.add(into.counter('extra'), 7);
  into.restore(JSON.parse(JSON.stringify(from.save())));
  expect(into.get(b)).toBe(2);
  expect(Object.fromEntries(into.list().map(({ name, value }) => [name, value]))).toEqual({
    a: 1,
    b: 2,
    c: 3,
    extra: 0,
  });
});

test('what was saved does not change with the machine', () => {
  const counters = new Counters('dom0');
  const a = counters.counter('a');
  const saved = counters.save();
  counters.add(a);
  counters.counter('b');
  expect(saved).toEqual({ names: ['a'], values: [0] });
});
