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

describe('the long span', () => {
  test('covers 5 minutes in as many columns as the short one 30 seconds', () => {
    const history = new History();
    let total = 0;
    for (let s = 0; s <= 330; s++) {
      if (s === 100) total += 500;
      history.sample(s * S, s * 1000);
      history.count('a', total);
    }
    expect([...history.levels('a', 30)].every((n) => n === 0)).toBe(true);
    // a column is 10 seconds, the last one that under way at 330 s
    const levels = [...history.levels('a', 30, 'long')];
    expect(levels.indexOf(1)).toBe(29 - 23);
    expect(levels.filter((n) => n > 0)).toHaveLength(1);
  });
});

describe('looking back', () => {
  const KEYS = ['a', 'b'];
  const picture = (history: History) =>
    JSON.stringify(
      KEYS.map((key) => [
        history.rate(key),
        history.idle(key),
        [...history.levels(key, 15)].map((n) => n.toFixed(9)),
        [...history.levels(key, 10, 'long')].map((n) => n.toFixed(9)),
      ]),
    );

  /** Samples of uneven length, each with what was shown then. */
  function watched() {
    const history = new History();
    const seen: { sim: number; position: number; counts: number[]; shown: string }[] = [];
    const counts = [0, 0];
    for (let i = 0, ms = 0, sim = 0; i < 500; i++) {
      ms += i % 7 === 0 ? 0 : 90 + ((i * 37) % 700);
      sim += i % 5 === 0 ? 1000 : ms * 3e5;
      counts[0]! += (i * 13) % 40;
      if (i > 100 && i < 130) counts[1]! += 2;
      if (i === 250) history.reset();
      history.sample(sim, ms);
      KEYS.forEach((key, k) => void history.count(key, counts[k]!));
      seen.push({ sim, position: history.position, counts: [...counts], shown: picture(history) });
    }
    return { history, seen };
  }

  test('shows what was shown then, before a reset too', () => {
    const { history, seen } = watched();
    for (const i of [499, 20, 251, 249, 130, 480, 7]) {
      const { sim, position, counts, shown } = seen[i]!;
      history.lookAt(sim, position);
      KEYS.forEach((key, k) => void history.count(key, counts[k]!));
      expect([i, picture(history)]).toEqual([i, shown]);
    }
  });

  test('what comes after can be forgotten, and the counters go on from there', () => {
    const { history, seen } = watched();
    const { sim, position, counts } = seen[300]!;
    history.lookAt(sim, position);
    KEYS.forEach((key, k) => void history.count(key, counts[k]!));
    history.forgetLater();
    // the watcher's time has gone on meanwhile, his history has not
    const last = 10 * 60_000;
    history.sample(sim, last);
    KEYS.forEach((key, k) => void history.count(key, counts[k]!));
    const from = history.position;
    history.sample(sim + 2 * S, last + 1000);
    KEYS.forEach((key, k) => void history.count(key, counts[k]! + 140));
    expect(history.position - from).toBe(1000);
    expect(Math.abs(history.rate('a') - 70)).toBeLessThan(1);
    expect(history.delta('b')).toBe(140);
  });
});
