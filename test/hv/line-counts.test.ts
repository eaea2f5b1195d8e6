import { expect, test } from 'vitest';
import { LineCounts } from '../../engine/hv/kvm/line-counts.ts';

test('a line counts when it rises, not while it stays up or where there is no such line', () => {
  const lines = new LineCounts('vm1');
  for (const high of [true, true, false, false, true]) lines.set(11, high);
  lines.set(4, false);
  lines.set(300, true);
  expect(lines.rises[11]).toBe(2);
  expect(lines.rises.reduce((a, b) => a + b, 0)).toBe(2);
});

test('saved while it is up, it does not count again', () => {
  const lines = new LineCounts('vm1');
  lines.set(11, true);
  const copy = new LineCounts('vm1');
  copy.restore(structuredClone(lines.save()));
  copy.set(11, true);
  expect(copy.rises[11]).toBe(1);
  copy.set(11, false);
  copy.set(11, true);
  expect([copy.rises[11], lines.rises[11]]).toEqual([2, 1]);
});
