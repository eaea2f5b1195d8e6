/** Latencies in log buckets: how far off a percentile may be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Histogram } from '../../engine/core/histogram.ts';

function of(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

/** The smallest value that the share p does not exceed. */
function exact(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]!;
}

/** Small and large values alike: as many between 2^k and 2^(k+1) for every k. */
const VALUE = fc
  .tuple(fc.integer({ min: 0, max: 52 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))
  .map(([power, within]) => Math.min(Number.MAX_SAFE_INTEGER, Math.floor(2 ** power * (1 + within))));

test('an empty histogram has no latency to tell of', () => {
  const histogram = new Histogram();
  expect([histogram.count, histogram.mean, histogram.percentile(0.5)]).toEqual([0, 0, 0]);
  expect(histogram.filled()).toEqual([]);
});

test('count, sum, mean, minimum and maximum are exact', () => {
  const histogram = of([30, 10, 1_000_000_007]);
  expect(histogram).toMatchObject({ count: 3, sum: 1_000_000_047, min: 10, max: 1_000_000_007 });
  expect(histogram.mean).toBe(1_000_000_047 / 3);
});

test('values below 32 are told apart exactly', () => {
  const histogram = of(Array.from({ length: 32 }, (_, i) => i));
  expect(histogram.filled()).toEqual(Array.from({ length: 32 }, (_, i) => ({ upTo: i, count: 1 })));
});

test('one value is every percentile of itself', () => {
  fc.assert(
    fc.property(VALUE, fc.double({ min: 0, max: 1, noNaN: true }), (value, p) => {
      expect(of([value]).percentile(p)).toBe(value);
    }),
  );
});

test('a percentile is never below the exact one, and at most a sixteenth above it', () => {
  fc.assert(
    fc.property(
      fc.array(VALUE, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, p) => {
        const truth = exact(values, p);
        const told = of(values).percentile(p);
        expect(told).toBeGreaterThanOrEqual(truth);
        expect(told).toBeLessThanOrEqual(truth + truth / 16);
      },
    ),
    { numRuns: 1000 },
  );
});

test('percentiles rise with the share and end at the maximum', () => {
  fc.assert(
    fc.property(fc.array(VALUE, { minLength: 1 }), (values) => {
      const histogram = of(values);
      const told = Array.from({ length: 21 }, (_, i) => histogram.percentile(i / 20));
      expect(told).toEqual([...told].sort((a, b) => a - b));
      expect(told.at(-1)).toBe(Math.max(...values));
    }),
  );
});

test('every power of two up to 2^52, and its neighbours, falls in a bucket that covers it', () => {
  for (let power = 0; power <= 52; power++) {
    for (const value of [2 ** power - 1, 2 ** power, 2 ** power + 1]) {
      const [bucket, ...others] = of([value]).filled();
      expect(others).toEqual([]);
      expect(bucket!.count).toBe(1);
      expect(bucket!.upTo).toBeGreaterThanOrEqual(value);
      expect(bucket!.upTo - value).toBeLessThanOrEqual(value / 16);
    }
  }
  expect(of([2 ** 53 - 1]).filled()).toEqual([{ upTo: 2 ** 53 - 1, count: 1 }]);
});

test('bucket edges rise and their counts add up', () => {
  fc.assert(
    fc.property(fc.array(VALUE), (values) => {
      const filled = of(values).filled();
      const edges = filled.map((bucket) => bucket.upTo);
      expect(edges).toEqual([...new Set(edges)].sort((a, b) => a - b));
      expect(filled.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(values.length);
    }),
  );
});

test('a restored histogram equals the saved one, whatever it held before', () => {
  fc.assert(
    fc.property(fc.array(VALUE), fc.array(VALUE), (values, before) => {
      const from = of(values);
      const into = of(before);
      into.restore(JSON.parse(JSON.stringify(from.save())));
      expect(into).toEqual(from);
    }),
  );
});
