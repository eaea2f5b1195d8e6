import { describe, expect, test } from 'vitest';
import { BUCKET_MS, History, KEPT, SPARK_WIDTHS } from '../../tui/history.ts';

const S = 1e9;

/** Feeds a counter of so many a second, every `step` ms, with the machine at `speed`. */
function fed(perSecond: number, seconds: number, step = 100, speed = 1): History {
  const history = new History();
  for (let ms = 0; ms <= seconds * 1000; ms += step) {
    const sim = ms * 1e6 * speed;
    history.sample(sim, ms);
    history.count('a', Math.floor((sim / S) * perSecond));
    history.count('still', 5);
  }
  return history;
}

describe('rates', () => {
  test('are unknown before time passes', () => {
    const history = new History();
    history.sample(0, 0);
    history.count('a', 17);
    expect(history.rate('a')).toBeNaN();
    expect(history.rate('unknown')).toBeNaN();
  });

  test.each([0.1, 1, 50])('are per second of simulated time at %fx', (speed) => {
    expect(fed(200, 20, 100, speed).rate('a')).toBeCloseTo(200, -1);
  });

  test('look back one simulated second', () => {
    const history = fed(100, 10);
    history.sample(11 * S, 11_000);
    history.count('a', 1000);
    expect(history.rate('a')).toBe(0);
    expect(history.delta('a')).toBe(0);
  });

  test('go on through a wrap at 2^32 and start anew when a counter does', () => {
    const history = new History();
    history.sample(0, 0);
    history.count('a', 2 ** 32 - 10);
    history.count('b', 500);
    history.sample(S, 1000);
    history.count('a', 20);
    history.count('b', 3);
    expect(history.rate('a')).toBe(30);
    expect(history.rate('b')).toBe(0);
  });

  test('count steps of a paused machine, for which no time is watched', () => {
    const history = fed(100, 5);
    history.sample(5 * S + 1000, 5000);
    history.count('a', 501);
    expect(history.delta('a')).toBe(1);
    history.sample(5 * S + 2000, 5000);
    history.count('a', 501);
    expect(history.delta('a')).toBe(0);
  });

  test('begin anew when reset', () => {
    const history = fed(100, 5);
    history.reset();
    expect(history.rate('a')).toBeNaN();
    history.sample(6 * S, 6000);
    history.count('a', 600);
    history.sample(7 * S, 7000);
    history.count('a', 640);
    expect(history.rate('a')).toBe(40);
  });
});

describe('sparklines', () => {
  test('show a steady counter as a flat line, a still one as nothing', () => {
    const history = fed(100, 31);
    for (const width of SPARK_WIDTHS) {
      const levels = [...history.levels('a', width)];
      expect(levels).toHaveLength(width);
      expect(Math.min(...levels.slice(1))).toBeGreaterThan(0.9);
      expect([...history.levels('still', width)].every((l) => l <= 0)).toBe(true);
    }
  });

  test('leave blank what was not watched', () => {
    const levels = [...fed(100, 10).levels('a', 30)];
    expect(levels.slice(0, 19).every((l) => l === -1)).toBe(true);
    expect(levels.at(-1)).toBeGreaterThan(0.9);
  });

  test('a burst moves left and is gone after 30 seconds', () => {
    const history = new History();
    let total = 0;
    const tops: number[] = [];
    for (let s = 0; s <= 40; s++) {
      history.sample(s * S, s * 1000);
      if (s === 5) total = 1000;
      history.count('a', total);
      tops.push([...history.levels('a', 30)].indexOf(1));
    }
    const seen = tops.filter((at) => at >= 0);
    expect(seen).toEqual([...seen].sort((a, b) => b - a));
    expect(seen.length).toBeGreaterThan(25);
    expect(tops.at(-1)).toBe(-1);
    expect(history.idle('a')).toBe(true);
  });

  test('are the same object until a bucket is complete', () => {
    const history = fed(100, 10);
    const before = history.levels('a', 15);
    history.sample(10.2 * S, 10_200);
    history.count('a', 1020);
    expect(history.levels('a', 15)).toBe(before);
    history.sample(10.6 * S, 10_600);
    history.count('a', 1060);
    expect(history.levels('a', 15)).not.toBe(before);
  });

  test('a sample that covers many buckets is spread over them', () => {
    const levels = [...fed(100, 30, 3000).levels('a', 60)];
    expect(Math.min(...levels.slice(2))).toBeGreaterThan(0.9);
  });
});

test('counters that are no longer fed are forgotten', () => {
  const history = new History();
  for (let ms = 0; ms < 3 * KEPT * BUCKET_MS; ms += BUCKET_MS) {
    history.sample(ms * 1e6, ms);
    history.count(`row ${Math.floor(ms / BUCKET_MS)}`, 1);
  }
  expect(history.size).toBeLessThanOrEqual(2 * KEPT + 1);
});
