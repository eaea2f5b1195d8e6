import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clockTime,
  compact,
  count,
  displayWidth,
  duration,
  grouped,
  microseconds,
  pad,
  padLeft,
  percent,
  rate,
  sanitize,
  speed,
  truncate,
} from '../../tui/format.ts';

describe('numbers', () => {
  test('have thousands separators', () => {
    expect([0, 7, 999, 1000, 75_204, 1_234_567].map(grouped)).toEqual([
      '0',
      '7',
      '999',
      '1,000',
      '75,204',
      '1,234,567',
    ]);
    expect(grouped(-1234)).toBe('-1,234');
  });

  test('are shortened to three digits and a unit', () => {
    expect([0, 999, 1000, 12_345, 999_499, 999_600, 4_294_967_295].map(compact)).toEqual([
      '0',
      '999',
      '1.00k',
      '12.3k',
      '999k',
      '1.00M',
      '4.29G',
    ]);
  });

  test('a count is written in the best way that fits', () => {
    expect(count(4_294_967_295, 13)).toBe('4,294,967,295');
    expect(count(4_294_967_295, 10)).toBe('4294967295');
    expect(count(4_294_967_295, 8)).toBe('4.29G');
  });

  test('a count never needs more than six cells', () => {
    fc.assert(fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (n) => count(n, 6).length <= 6));
  });

  test('rates: a decimal below ten, a dash while unknown', () => {
    expect([Number.NaN, 0, 0.01, 0.5, 9.9, 9.96, 250.4, 12_345].map((n) => rate(n))).toEqual([
      '-',
      '0',
      '<0.1',
      '0.5',
      '9.9',
      '10',
      '250',
      '12,345',
    ]);
    expect(rate(123_456_789, 6)).toBe('123M');
  });

  test('shares in percent', () => {
    expect([0, 0.474, 1, Number.NaN].map(percent)).toEqual(['0%', '47%', '100%', '-']);
  });
});

describe('times', () => {
  test('the clock groups what is behind the point and rounds down', () => {
    expect(clockTime(12_345_678_901, 6)).toBe('12.345 678 s');
    expect(clockTime(12_345_678_901, 9)).toBe('12.345 678 901 s');
    expect(clockTime(999_999_999, 3)).toBe('0.999 s');
    expect(clockTime(86_400_000_000_000, 3)).toBe('86,400.000 s');
  });

  test('durations take the unit that suits them', () => {
    expect([0, 850, 1000, 4100, 999_960, 12_340_000, 1.5e9, 30e9, 300e9, 8000e9].map(duration)).toEqual([
      '0 ns',
      '850 ns',
      '1 us',
      '4.1 us',
      '1 ms',
      '12.3 ms',
      '1.5 s',
      '30 s',
      '5 min',
      '2.2 h',
    ]);
  });

  test('hops in microseconds', () => {
    expect([0, 200, 4100, 999_949, 3_210_400].map(microseconds)).toEqual([
      '0.0',
      '0.2',
      '4.1',
      '999.9',
      '3,210',
    ]);
  });

  test('speeds', () => {
    expect([1e-6, 0.001, 0.5, 1, 9.96, 41.3, 1000, Number.POSITIVE_INFINITY].map(speed)).toEqual([
      '1e-6x',
      '0.001x',
      '0.5x',
      '1x',
      '10x',
      '41x',
      '1,000x',
      'max',
    ]);
  });
});

describe('text', () => {
  test('control bytes, direction marks and halves of characters become question marks', () => {
    expect(sanitize('eth0')).toBe('eth0');
    expect(sanitize('a\x1b[2Jb\r\nc\x07\x9bd\x7f')).toBe('a?[2Jb??c??d?');
    expect(sanitize('a\u202eb\u200bc\u2066d\ufeff')).toBe('a?b?c?d?');
    expect(sanitize('x\ud800y')).toBe('x?y');
    expect(sanitize('größe')).toBe('größe');
    expect(sanitize('größe', true)).toBe('gr??e');
  });

  test('no text keeps a control byte', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (s) => !/[\x00-\x1f\x7f-\x9f]/.test(sanitize(s))));
  });

  test('wide characters take two cells, combining ones none', () => {
    expect(displayWidth('abc')).toBe(3);
    expect(displayWidth('漢字')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('▁█─→▲…')).toBe(6);
  });

  test('cutting leaves a mark and never half of a wide character', () => {
    expect(truncate('interrupt', 5)).toBe('inte…');
    expect(truncate('interrupt', 5, '~')).toBe('inte~');
    expect(truncate('漢字漢字', 4)).toBe('漢…');
    expect(truncate('漢字', 4)).toBe('漢字');
    expect(truncate('abc', 0)).toBe('');
  });

  test('padding gives exactly the width', () => {
    expect(pad('ab', 4)).toBe('ab  ');
    expect(padLeft('ab', 4)).toBe('  ab');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (s, width) => {
        const text = sanitize(s);
        return displayWidth(pad(text, width)) === width && displayWidth(padLeft(text, width)) === width;
      }),
    );
  });
});
