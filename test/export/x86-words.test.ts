import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { highestOf, interruption, isMember, membersOf, redirection } from '../../engine/export/x86-words.ts';
import { vectorSet } from '../support/kvm-snapshots.ts';

describe('a redirection entry', () => {
  test('a masked one after reset', () => {
    expect(redirection(0x10000, 0)).toEqual({
      vector: 0,
      mode: 0,
      logical: false,
      sendPending: false,
      activeLow: false,
      remoteIrr: false,
      level: false,
      masked: true,
      destination: 0,
    });
  });

  test('each bit has its place', () => {
    const set = (low: number) =>
      Object.entries(redirection(low, 0))
        .filter(([, value]) => value !== false && value !== 0)
        .map(([name]) => name);
    const bits = [11, 12, 13, 14, 15, 16].map((n) => set(1 << n));
    expect(bits).toEqual([['logical'], ['sendPending'], ['activeLow'], ['remoteIrr'], ['level'], ['masked']]);
    expect(redirection(0x7ff, 0xff000000)).toMatchObject({ vector: 0xff, mode: 7, destination: 0xff });
  });
});

test('interruption information counts only when it is valid', () => {
  expect(interruption(0x51)).toBeNull();
  expect(interruption(0x80000051)).toEqual({ vector: 0x51, type: 'external interrupt', errorCode: false });
  expect(interruption(0x80000b0e)).toEqual({ vector: 14, type: 'hardware exception', errorCode: true });
});

test('members of a set of vectors, in order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(255)), (vectors) => {
      const sorted = [...vectors].sort((a, b) => a - b);
      const words = vectorSet(...vectors);
      expect(membersOf(words)).toEqual(sorted);
      expect(highestOf(words)).toBe(sorted.at(-1) ?? -1);
      expect(Array.from({ length: 256 }, (_, v) => v).filter((v) => isMember(words, v))).toEqual(sorted);
    }),
  );
});
