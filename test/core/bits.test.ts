/** Bit fields and bitmaps. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap, bit, Field, lowestBit } from '../../engine/core/bits.ts';

test('a field reads what was written into it and touches no other bit', () => {
  fc.assert(
    fc.property(
      fc.nat(31).chain((shift) => fc.tuple(fc.constant(shift), fc.integer({ min: 1, max: 32 - shift }))),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      ([shift, width], reg, value) => {
        const field = new Field(shift, width);
        const written = field.set(reg, value);
        expect(written).toBeGreaterThanOrEqual(0);
        expect(field.get(written)).toBe(value % 2 ** width);
        expect((written ^ reg) & ~field.mask).toBe(0);
        expect(field.has(written)).toBe(field.get(written) !== 0);
      },
    ),
  );
});

test('masks are unsigned, bit 31 and the whole word included', () => {
  expect([bit(31).mask, new Field(0, 32).mask, new Field(24, 8).mask]).toEqual([
    0x80000000, 0xffffffff, 0xff000000,
  ]);
});

test('the lowest bit of a word is found, bit 31 included', () => {
  for (let i = 0; i < 32; i++) expect(lowestBit((1 << i) | (1 << 31))).toBe(i);
});

test('a bitmap is a set', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(255), fc.boolean())), (ops) => {
      const map = new Bitmap(256);
      const set = new Set<number>();
      for (const [n, add] of ops) {
        if (add) {
          expect(map.set(n)).toBe(!set.has(n));
          set.add(n);
        } else {
          expect(map.clear(n)).toBe(set.delete(n));
        }
        expect(map.has(n)).toBe(add);
      }
      const members = [...set].sort((a, b) => a - b);
      expect(map.members()).toEqual(members);
      expect([map.lowest(), map.highest(), map.empty]).toEqual([
        members[0] ?? -1,
        members.at(-1) ?? -1,
        members.length === 0,
      ]);
    }),
  );
});
