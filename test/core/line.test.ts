/** A wire: many drivers, one sink. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Line } from '../../engine/core/line.ts';

function wire(drivers: number) {
  const seen: boolean[] = [];
  const line = new Line('irq9', (high) => seen.push(high));
  return { line, seen, ends: Array.from({ length: drivers }, () => line.driver()) };
}

test('the sink hears of changes only', () => {
  const { line, seen, ends } = wire(1);
  for (const level of [false, true, true, false, false, true]) ends[0]!.set(level);
  expect(seen).toEqual([true, false, true]);
  expect(line.high).toBe(true);
});

test('the wire is high as long as one driver holds it', () => {
  const { line, seen, ends } = wire(2);
  ends[0]!.set(true);
  ends[1]!.set(true);
  ends[0]!.set(false);
  expect([line.high, seen]).toEqual([true, [true]]);
  ends[1]!.set(false);
  expect([line.high, seen]).toEqual([false, [true, false]]);
});

test('a wire without drivers is low', () => {
  expect(wire(0).line.high).toBe(false);
});

test('the level is the OR of its drivers after any sequence, and every change alternates', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.boolean())), (sets) => {
      const { line, seen, ends } = wire(4);
      const levels = [false, false, false, false];
      for (const [end, high] of sets) {
        ends[end]!.set(high);
        levels[end] = high;
        expect(line.high).toBe(levels.some(Boolean));
      }
      expect(seen).toEqual(seen.map((_, i) => i % 2 === 0));
    }),
  );
});

test('a driver that changes the wire from inside the sink is heard', () => {
  const seen: boolean[] = [];
  const line: Line = new Line('irq9', (high) => {
    seen.push(high);
    if (high) end.set(false);
  });
  const end = line.driver();
  end.set(true);
  expect([seen, line.high]).toEqual([[true, false], false]);
});

test('a restored wire remembers each driver and tells nobody', () => {
  const from = wire(3);
  from.ends[1]!.set(true);
  from.ends[2]!.set(true);
  const into = wire(3);
  into.line.restore(JSON.parse(JSON.stringify(from.line.save())));
  expect([into.line.id, into.line.high, into.seen]).toEqual(['line.irq9', true, []]);
  into.ends[1]!.set(false);
  expect(into.line.high).toBe(true);
  into.ends[2]!.set(false);
  expect([into.line.high, into.seen]).toEqual([false, [false]]);
});
