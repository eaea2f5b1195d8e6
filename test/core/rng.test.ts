/** Random numbers by name: the same on every machine, and what they claim to be. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rng, Stream } from '../../engine/core/rng.ts';

function draw<T>(count: number, next: () => T): T[] {
  return Array.from({ length: count }, next);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

function share(values: readonly number[], holds: (v: number) => boolean): number {
  return values.filter(holds).length / values.length;
}

/** Five standard deviations of a share p among n draws. */
function slack(p: number, n: number): number {
  return 5 * Math.sqrt((p * (1 - p)) / n);
}

describe('golden numbers: a change of these changes every recorded run', () => {
  test.each([
    [1, 'nic0.arrivals', [2439145609, 1542428243, 4248259633, 2942713784]],
    [1, 'disk0', [2454830977, 1613904120, 3724030604, 1227149827]],
    [2 ** 53 - 1, '', [660354990, 2698640189, 4065528699, 1603278616]],
  ])('seed %d, stream %j', (seed, name, first) => {
    const stream = new Stream(seed, name);
    expect(draw(first.length, () => stream.u32())).toEqual(first);
  });

  test('the distributions', () => {
    const stream = new Stream(7, 'distributions');
    expect([stream.exponential(1000), stream.exponential(1000), stream.exponential(1000)]).toEqual([
      763.0370247643441, 384.884359780699, 3740.539422724396,
    ]);
    expect([stream.pareto(100, 1.5), stream.pareto(100, 1.5)]).toEqual([
      154.18913716636666, 139.49393226492688,
    ]);
  });
});

describe('streams are independent', () => {
  test('of the order they are made in', () => {
    const forth = new Rng(5);
    const back = new Rng(5);
    const names = ['a', 'b', 'c', 'nic0', 'nic1'];
    const streams = names.map((name) => forth.stream(name));
    for (const name of [...names].reverse()) back.stream(name);
    names.forEach((name, i) => {
      expect(draw(10, () => back.stream(name).u32())).toEqual(draw(10, () => streams[i]!.u32()));
    });
  });

  test('of what others draw', () => {
    const quiet = new Rng(5);
    const busy = new Rng(5);
    const noise = busy.stream('noise');
    const expected = draw(20, () => quiet.stream('a').u32());
    expect(
      draw(20, () => {
        noise.exponential(3);
        return busy.stream('a').u32();
      }),
    ).toEqual(expected);
  });

  test('of each other: streams of neighbouring names and seeds are not correlated', () => {
    const n = 20_000;
    const pairs: [Stream, Stream][] = [
      [new Stream(1, 'nic0'), new Stream(1, 'nic1')],
      [new Stream(1, 'nic0'), new Stream(2, 'nic0')],
      [new Stream(1, 'nic0'), new Stream(1 + 2 ** 32, 'nic0')],
    ];
    for (const [a, b] of pairs) {
      const products = draw(n, () => (a.unit() - 0.5) * (b.unit() - 0.5) * 12);
      expect(Math.abs(mean(products))).toBeLessThan(5 / Math.sqrt(n));
    }
  });

  test('ten thousand names give ten thousand sequences', () => {
    const firsts = draw(10_000, () => 0).map((_, i) => {
      const stream = new Stream(1, `task${i}`);
      return `${stream.u32()} ${stream.u32()}`;
    });
    expect(new Set(firsts).size).toBe(10_000);
  });
});

test('a name always gives the same stream, and every stream is announced once', () => {
  const announced: string[] = [];
  const rng = new Rng(1, (stream) => announced.push(stream.id));
  expect(rng.stream('a')).toBe(rng.stream('a'));
  rng.stream('b');
  expect(announced).toEqual(['rng.a', 'rng.b']);
});

test('all 53 bits of the seed count', () => {
  const seeds = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 52, 2 ** 53 - 1];
  const firsts = seeds.map((seed) => new Stream(seed, 'a').u32());
  expect(new Set(firsts).size).toBe(seeds.length);
});

test('unit numbers fill [0, 1) evenly', () => {
  const n = 64_000;
  const stream = new Stream(11, 'unit');
  const bins = new Array<number>(64).fill(0);
  for (let i = 0; i < n; i++) {
    const u = stream.unit();
    expect(u >= 0 && u < 1).toBe(true);
    bins[Math.floor(u * 64)]!++;
  }
  const chi2 = bins.reduce((sum, got) => sum + (got - n / 64) ** 2 / (n / 64), 0);
  // 63 degrees of freedom: 99.99 % of true samples are between 26 and 111
  expect(chi2).toBeGreaterThan(26);
  expect(chi2).toBeLessThan(111);
});

test('every bit of a word is set half of the time', () => {
  const n = 20_000;
  const stream = new Stream(12, 'bits');
  const words = draw(n, () => stream.u32());
  for (let bit = 0; bit < 32; bit++) {
    expect(Math.abs(share(words, (w) => ((w >>> bit) & 1) === 1) - 0.5)).toBeLessThan(slack(0.5, n));
  }
});

test('below gives integers in range, each as often', () => {
  const n = 60_000;
  const stream = new Stream(13, 'below');
  const drawn = draw(n, () => stream.below(6));
  for (let face = 0; face < 6; face++) {
    expect(Math.abs(share(drawn, (v) => v === face) - 1 / 6)).toBeLessThan(slack(1 / 6, n));
  }
  expect(stream.below(1)).toBe(0);
});

test('between stays in its bounds', () => {
  const stream = new Stream(14, 'between');
  const drawn = draw(10_000, () => stream.between(-5, 15));
  expect(drawn.every((v) => v >= -5 && v < 15)).toBe(true);
  expect(Math.abs(mean(drawn) - 5)).toBeLessThan(0.5);
});

test('chance is true as often as asked, never at 0, always at 1', () => {
  const n = 50_000;
  const stream = new Stream(15, 'chance');
  expect(
    Math.abs(
      share(
        draw(n, () => Number(stream.chance(0.2))),
        Boolean,
      ) - 0.2,
    ),
  ).toBeLessThan(slack(0.2, n));
  expect(draw(1000, () => stream.chance(0))).not.toContain(true);
  expect(draw(1000, () => stream.chance(1))).not.toContain(false);
});

test('choice picks every member', () => {
  const stream = new Stream(16, 'choice');
  expect(new Set(draw(200, () => stream.choice(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']));
});

test('exponential numbers have the mean, the variance and the tail of their distribution', () => {
  const n = 200_000;
  const stream = new Stream(17, 'exponential');
  const drawn = draw(n, () => stream.exponential(250));
  const m = mean(drawn);
  expect(Math.abs(m / 250 - 1)).toBeLessThan(5 / Math.sqrt(n));
  // the variance of the sample variance of an exponential is 8/n of its square
  expect(Math.abs(mean(drawn.map((v) => (v - m) ** 2)) / 250 ** 2 - 1)).toBeLessThan(5 * Math.sqrt(8 / n));
  for (const k of [0.1, 0.5, 1, 2, 4, 7]) {
    const p = Math.exp(-k);
    expect(Math.abs(share(drawn, (v) => v > 250 * k) - p)).toBeLessThan(slack(p, n));
  }
  expect(Math.min(...drawn.slice(0, 1000))).toBeGreaterThanOrEqual(0);
});

test('gaps of an exponential are not correlated with the next', () => {
  const n = 50_000;
  const stream = new Stream(18, 'gaps');
  const drawn = draw(n, () => stream.exponential(1) - 1);
  expect(Math.abs(mean(drawn.slice(1).map((v, i) => v * drawn[i]!)))).toBeLessThan(5 / Math.sqrt(n));
});

test.each([0.8, 1.5, 3])('pareto numbers of alpha %d have the tail of their distribution', (alpha) => {
  const n = 100_000;
  const stream = new Stream(19, `pareto${alpha}`);
  const drawn = draw(n, () => stream.pareto(40, alpha));
  expect(drawn.every((v) => v >= 40 && Number.isFinite(v))).toBe(true);
  for (const k of [1.1, 2, 5, 20]) {
    const p = k ** -alpha;
    expect(Math.abs(share(drawn, (v) => v > 40 * k) - p)).toBeLessThan(slack(p, n) + 1 / n);
  }
});

test('the power inside pareto is exact to twelve digits', () => {
  for (let i = 0; i < 1000; i++) {
    const name = `power${i}`;
    const e = new Stream(20, name).exponential(1);
    expect(Math.abs(new Stream(20, name).pareto(1, 0.5) / Math.exp(e / 0.5) - 1)).toBeLessThan(1e-12);
  }
});

test('a restored stream goes on where the saved one was', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.string(), fc.nat(50), (seed, name, skip) => {
      const stream = new Stream(seed, name);
      draw(skip, () => stream.exponential(1));
      const copy = new Stream(0, 'another');
      copy.restore(JSON.parse(JSON.stringify(stream.save())));
      expect(draw(10, () => copy.u32())).toEqual(draw(10, () => stream.u32()));
    }),
  );
});
