/** Vectors as Xen hands them out, beside those of a real machine. */
import { describe, expect, test } from 'vitest';
import { ENOSPC } from '../../../../engine/abi/xen.ts';
import { Vectors } from '../../../../engine/hv/xen/x86/vectors.ts';

const hex = (vectors: readonly number[]) => vectors.map((v) => v.toString(16)).join(' ');
const many = (vectors: Vectors, irqs: readonly number[]) => irqs.map((irq) => vectors.assign(irq));
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const LEGACY = [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

describe('Xen 4.17', () => {
  test('the legacy interrupts get 30, 38 ... 98, past the gate of system calls at 80', () => {
    const assigned = many(new Vectors('4.17'), LEGACY);
    expect(hex(assigned)).toBe('30 38 40 48 50 58 60 68 70 78 88 90 98');
  });

  // debug key i of a q35 machine: interrupts in the order in which its dom0 came upon them
  test('what follows has the vectors of a real machine, across the end of the range', () => {
    const vectors = new Vectors('4.17');
    many(vectors, LEGACY);
    const order = [22, 23, 12, 1, 24, 16, 25];
    expect(hex(many(vectors, order))).toBe('a0 a8 b0 b8 c0 c8 d0');
    // a disk takes one message to begin with and gives it back for all of its queues
    expect(hex([vectors.assign(26)])).toBe('d8');
    vectors.release(0xd8);
    const rest = [26, 27, 28, 29, 30, 21, 31, 32, 33, 34, 35, 20, 36, 37, 38, 39, 40, 41];
    expect(hex(many(vectors, rest))).toBe('e0 e8 31 39 41 49 51 59 61 69 71 79 81 89 91 99 a1 a9');
  });

  test('a vector stands for its interrupt until it is released', () => {
    const vectors = new Vectors('4.17');
    const vector = vectors.assign(7);
    expect(vectors.irqOf(vector)).toBe(7);
    vectors.release(vector);
    expect(vectors.irqOf(vector)).toBeLessThan(0);
  });

  test('every vector from 30 to ef is handed out but for the two gates; then there is none: -ENOSPC', () => {
    const vectors = new Vectors('4.17');
    const assigned = many(vectors, range(1, 190));
    expect([...assigned].sort((a, b) => a - b)).toEqual(
      range(0x30, 0xef).filter((v) => v !== 0x80 && v !== 0x82),
    );
    expect(vectors.assign(191)).toBe(-ENOSPC);
    vectors.release(0x55);
    expect(vectors.assign(191)).toBe(0x55);
  });

  test('one round takes two of each class of sixteen', () => {
    const round = many(new Vectors('4.17'), range(1, 23));
    const perClass = new Map<number, number>();
    for (const v of round) perClass.set(v >> 4, (perClass.get(v >> 4) ?? 0) + 1);
    expect([...perClass]).toEqual(
      [3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe].map((c) => [c, c === 8 ? 1 : 2]),
    );
  });
});

describe('Xen 3.4', () => {
  test('the range is 20 to df, and the first interrupt gets the first of it', () => {
    const vectors = new Vectors('3.4');
    expect(hex(many(vectors, range(1, 25)))).toBe(
      '20 28 30 38 40 48 50 58 60 68 70 78 88 90 98 a0 a8 b0 b8 c0 c8 d0 d8 21 29',
    );
  });

  test('it has 190 of them', () => {
    const vectors = new Vectors('3.4');
    expect(new Set(many(vectors, range(1, 190))).size).toBe(190);
    expect(vectors.assign(191)).toBe(-ENOSPC);
  });
});

test('its state travels as plain data', () => {
  const vectors = new Vectors('4.17');
  many(vectors, LEGACY);
  vectors.release(0x40);
  const copy = new Vectors('4.17');
  many(copy, range(1, 30));
  copy.restore(JSON.parse(JSON.stringify(vectors.save())));
  expect([copy.irqOf(0x30), copy.irqOf(0x40), copy.assign(16)]).toEqual([1, vectors.irqOf(0x40), 0xa0]);
});
