/** Numbers and names written as bytes are what JavaScript prints. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Label } from '../../../engine/export/trace/bytes.ts';
import { decimal, hex, hexOf, named, oneOf, Phrase, Printer } from '../../../engine/export/trace/phrase.ts';
import { Text } from '../../../engine/export/trace/text.ts';

const DECODER = new TextDecoder();

/** @param capacity so little that it has to grow */
function said(write: (to: Text) => void, capacity = 1): string {
  const to = new Text(capacity);
  write(to);
  return DECODER.decode(to.written());
}

const integers = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    -1,
    -999,
    -1000,
    9999,
    10_000,
    99_999_999,
    100_000_000,
    999_999_999,
    1e9,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    2 ** 53 - 1,
    1e15,
  ),
);

test('decimal numbers, of any size and sign, alone and as part of a phrase', () => {
  const printer = new Printer(new Phrase(['', ''], [decimal(1)]));
  const writers: readonly ((to: Text, n: number) => void)[] = [
    (to, n) => to.decimal(n),
    (to, n) => printer.print(to, Float64Array.of(0, 0, n), 1, []),
  ];
  for (const write of writers) {
    fc.assert(
      fc.property(integers, (n) => {
        expect(said((to) => write(to, n))).toBe(String(n));
      }),
    );
    for (const n of [0.5, -1.25, 2 ** 53, 1e300, Infinity])
      expect(said((to) => write(to, n))).toBe(String(n));
    const all = Array.from({ length: 11_200 }, (_, i) => i - 1100);
    const written = said((to) => {
      for (const n of all) {
        write(to, n);
        to.u8(0x20);
      }
    });
    expect(written).toBe(all.map((n) => `${n} `).join(''));
  }
});

test('hexadecimal and binary ones, with zeros before them', () => {
  const words = fc.array(fc.nat(0xffffffff), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.nat(0xffffffff), words, fc.nat(16), (n, list, digits) => {
      expect(said((to) => to.hex(n, digits))).toBe(n.toString(16).padStart(digits, '0'));
      const whole = list.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
      expect(said((to) => to.binary(Uint32Array.from(list)))).toBe(whole.toString(2));
    }),
  );
});

test('the lowest digits, and thousandths', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 12 }), (n, digits) => {
      expect(said((to) => to.padded(n, digits))).toBe(String(n).padStart(digits, '0').slice(-digits));
      expect(said((to) => to.thousandths(n * 64))).toBe(((n * 64) / 1000).toFixed(3));
    }),
  );
});

test('names of any characters and length, none of which a copy of eight bytes changes', () => {
  const names = fc.oneof(
    fc.array(fc.nat(0xd7ff), { maxLength: 12 }).map((codes) => String.fromCodePoint(...codes)),
    fc.constantFrom('', '\u007f\u{10ffff}', '\u{10ffff}\u007f'),
  );
  fc.assert(
    fc.property(fc.array(names, { maxLength: 6 }), (list) => {
      const written = said((to) => {
        for (const name of list) to.put(new Label(name));
      });
      expect(written).toBe(DECODER.decode(new TextEncoder().encode(list.join(''))));
    }),
    { numRuns: 20 },
  );
});

test('a phrase prints its text and its operands', () => {
  const states = oneOf(['clear', 'set'], (v) => v[0]! > 0);
  const parts = [
    decimal(0),
    hex(1, 4),
    named(0, [[3, 'three']]),
    named(1, []),
    hexOf((v) => v[0]! + 1),
    states,
  ];
  const printer = new Printer(new Phrase(['<', ' ', ' ', ' ', ' ', ' ', '>'], parts).within('[', ']'));
  const values = Float64Array.of(99, 3, 10);
  expect(said((to) => printer.print(to, values, 1, []))).toBe('[<3 000a three 0xa 64 set>]');
});
