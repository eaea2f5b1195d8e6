/** Guest code that a processor which runs ahead of the clock has been charged for. */
import { expect, test } from 'vitest';
import { PieceAhead } from '../../engine/core/ahead.ts';

test('what is left of a piece goes down as the clock passes it, and not before it begins', () => {
  const piece = new PieceAhead();
  expect(piece.left(0)).toBe(0);
  piece.add(100, 50);
  expect([0, 100, 120, 149, 150, 1_000].map((now) => piece.left(now))).toEqual([50, 50, 30, 1, 0, 0]);
});

test('it is restored as it was saved', () => {
  const piece = new PieceAhead();
  piece.add(100, 50);
  const other = new PieceAhead();
  other.restore(piece.save());
  expect(other.left(110)).toBe(40);
});
