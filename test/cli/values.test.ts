/** The values of the options. */
import { expect, test } from 'vitest';
import * as usage from '../../cli/usage.ts';
import * as values from '../../cli/values.ts';

test.each([
  ['5', 5e9],
  ['5s', 5e9],
  ['0.5s', 5e8],
  ['.5', 5e8],
  ['5.', 5e9],
  ['1.5 s', 15e8],
  ['250ms', 25e7],
  ['10us', 10_000],
  ['10µs', 10_000],
  ['7ns', 7],
  ['2m', 120e9],
  ['2min', 120e9],
  ['1h', 3600e9],
  ['0', 0],
  ['0.1', 1e8],
  ['9007199.254740991', Number.MAX_SAFE_INTEGER],
])('the time %s is %d ns', (text, ns) => {
  expect(values.time('--at', text)).toBe(ns);
});

test.each([
  '',
  ' ',
  '-1',
  '+1',
  '5x',
  'NaN',
  'Infinity',
  '1e3',
  '0x10',
  '1,5',
  '1.2.3',
  '.',
  's',
  '5 5',
  '٣',
])('the time %j is refused with what would be right', (text) => {
  expect(() => values.time('--at', text)).toThrow(
    new usage.UsageError(`--at '${text}': must be a time as 5, 0.5s, 250ms or 10us`),
  );
});

test('a time beyond the exact integers is refused', () => {
  expect(() => values.time('--at', '9007199.254740993')).toThrow("--at '9007199.254740993': too long");
  expect(() => values.time('--at', `1${'0'.repeat(400)}`)).toThrow('too long');
});

test('a duration is above zero, also after rounding to nanoseconds', () => {
  expect(values.duration('-d', '1ns')).toBe(1);
  expect(() => values.duration('-d', '0')).toThrow('must be above zero');
  expect(() => values.duration('-d', '0.1ns')).toThrow('must be above zero');
});

test.each(['-1', '0', '1.5', 'x', '', '0x5', '1e3', ' 1', 'NaN'])('the count %j is refused', (text) => {
  expect(() => values.whole('-n', text, 1)).toThrow(`-n '${text}': must be a whole number, 1 or more`);
});

test('a count beyond the exact integers is refused', () => {
  expect(values.seed('--seed', '9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => values.seed('--seed', '9007199254740992')).toThrow('too large, at most 9007199254740991');
});

test.each([
  ['1', 1],
  ['0.5x', 0.5],
  ['1e-6', 1e-6],
  ['1E3x', 1000],
  ['max', Number.POSITIVE_INFINITY],
])('the speed %s is %d', (text, x) => {
  expect(values.speed('--speed', text)).toBe(x);
});

test.each(['0', '-1', '1e-7', '1e7', '1e999', 'fast', 'NaN', 'Infinity', '', 'x'])(
  'the speed %j is refused',
  (text) => {
    expect(() => values.speed('--speed', text)).toThrow('must be simulated seconds per second');
  },
);

test.each([
  ['kbd@1.5', { device: 'kbd', at: 15e8, times: 1 }],
  ['disk@2sx10', { device: 'disk', at: 2e9, times: 10 }],
  ['disk@2x10', { device: 'disk', at: 2e9, times: 10 }],
  ['disk@2s x10', { device: 'disk', at: 2e9, times: 10 }],
  ['nic@0', { device: 'nic', at: 0, times: 1 }],
  ['nic@10usx3', { device: 'nic', at: 10_000, times: 3 }],
])('--fire %s', (text, fire) => {
  expect(values.fire('--fire', text)).toEqual(fire);
});

test.each([
  ['kbd', 'must be DEVICE@TIME'],
  ['@1', 'must be DEVICE@TIME'],
  ['kbd@', 'must be a time'],
  ['kbd@1@2', 'must be DEVICE@TIME'],
  ['kbd@-1', 'must be a time'],
  ['kbd@1x', 'must be DEVICE@TIME'],
  ['kbd@1x-2', 'must be DEVICE@TIME'],
  ['kbd@1x0', 'must fire 1 to 1000000 times'],
  ['kbd@1x1000001', 'must fire 1 to 1000000 times'],
  ['kbd@1e3', 'must be a time'],
])('--fire %s is refused: %s', (text, why) => {
  expect(() => values.fire('--fire', text)).toThrow(`--fire '${text}': ${why}`);
});

test('foreign text stays text: no control byte, line break or direction mark gets through', () => {
  const all = Array.from({ length: 0x2100 }, (_, i) => String.fromCharCode(i)).join('');
  const safe = usage.printable(`${all}\u{1f600}\ud800`);
  expect(safe).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/);
  expect(usage.printable('a\x1b[31m\n\t\u009b\u202ex')).toBe('a\\x1b[31m\\n\\t\\x9b\\u202ex');
  expect(usage.printable('GIC-0 µ é \u{1f600}')).toBe('GIC-0 µ é \u{1f600}');
});

test('a word is quoted printable and at a bearable length', () => {
  expect(usage.quoted('a\x1bb')).toBe("'a\\x1bb'");
  expect(usage.quoted('x'.repeat(1000)).length).toBeLessThan(70);
});

test.each([
  ['xen-vp', 'xen-pv'],
  ['xenpv', 'xen-pv'],
  ['Xen-PV', 'xen-pv'],
  ['xen-pv-2.6.81', 'xen-pv-2.6.18'],
  ['completely-else', undefined],
  ['q', undefined],
  ['', undefined],
])('the scenario nearest to %j is %j', (word, near) => {
  expect(usage.nearest(word, ['xen-pv', 'xen-pv-2.6.18'])).toBe(near);
});

test('a hint proposes the near word, else lists what there is', () => {
  expect(usage.hint('kdb', ['kbd', 'disk'])).toBe("; did you mean 'kbd'?");
  expect(usage.hint('zzzz', ['kbd', 'disk'])).toBe('; there is kbd, disk');
  expect(usage.hint('zzzz', [])).toBe('; there are none');
  expect(
    usage.hint(
      'zzzz',
      Array.from({ length: 40 }, (_, i) => `d${i}`),
    ),
  ).toMatch(/d11, \.\.\.$/);
});
