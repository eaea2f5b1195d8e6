/** The view of latencies: the table, the histogram of the selected row, and what both do with little room. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LatencyTable } from '../../engine/core/latency.ts';
import type { DomainSnapshot, LatencySnapshot } from '../../engine/machine/inspect.ts';
import { rangesOf } from '../../tui/components/histogram.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

/** Row, name, and times in ns: so often each. */
const ROWS: readonly (readonly [
  irq: number,
  row: number | string,
  name: string,
  times: [number, number][],
])[] = [
  [1, 1, 'i8042', [[5353, 9]]],
  [
    25,
    25,
    'virtio0-input.0',
    [
      [3073, 950],
      [5400, 44],
      [290_000, 6],
    ],
  ],
  [
    29,
    29,
    'virtio1-req.0',
    [
      [3073, 9_000],
      [4100, 900],
      [6_400, 80],
      [1_206_971, 2],
      [2_500_000_000, 1],
    ],
  ],
  [
    -0xec,
    'LOC',
    'timer',
    [
      [3193, 4000],
      [700_000, 3],
    ],
  ],
  [-0xfc, 'CAL', 'callfunc', [[900, 1]]],
  [-0xfb, 'CAL', 'callfuncsingle', [[6_655, 40]]],
];

function latency(seconds: number): LatencySnapshot[] {
  return ROWS.map(([irq, row, name, times]) => {
    const table = new LatencyTable('fake');
    let journey = 0;
    for (const [ns, n] of times)
      for (let i = 0; i < n * Math.max(1, Math.floor(seconds)); i++) table.add(irq, ++journey, 0, ns);
    return { irq, row, name, ...table.totals()[0]!.totals };
  });
}

let screen: FakeScreen;
afterEach(() => screen.close());

/** The first guest with F6, after so many ms. */
async function show(
  keys: readonly string[],
  options: ScreenOptions = {},
  change = (guest: DomainSnapshot): DomainSnapshot => ({ ...guest, latency: latency(2) }),
): Promise<string[]> {
  screen = new FakeScreen(fakeKvmMachine({ change }), { delay: 0.5, ...options });
  screen.press('right', 'f6', ...keys);
  screen.driver.run();
  screen.host.pass(2000);
  screen.driver.pause();
  return screen.lines();
}

test.each([
  [80, 24],
  [120, 40],
  [200, 60],
] as const)('at %ix%i it is drawn as in the golden text', async (columns, rows) => {
  const lines = await show(['j', 'j'], { columns, rows, ascii: true });
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
    join(import.meta.dirname, `golden/latency-${columns}x${rows}.txt`),
  );
});

test('the arrows choose whose histogram it is, s whose time orders the rows', async () => {
  const lines = await show([]);
  expect(lines.find((l) => l.includes('from raise to handler'))).toMatch(/^ 1 i8042 {2}18 from raise/);
  screen.press('end');
  expect(await screen.text()).toMatch(/^ LOC timer {2}8,006 from raise to handler/m);
  screen.press('s', 's', 's', 's', 's', 's', 's');
  expect(screen.session.tableState?.sort.column).toBe('max');
  screen.press('home');
  const first = (await screen.lines()).find((l) => l.startsWith('>'));
  expect(first).toMatch(/^> +29 +virtio1-req\.0 .* 2\.5 s/);
});

test('a host whose latencies nobody measures has no such view', async () => {
  const lines = await show([], {}, (guest) => guest);
  expect(lines.join('\n')).toContain('vm1 has no view Latency');
});

test('before the first interrupt it says so', async () => {
  const lines = await show([], {}, (guest) => ({ ...guest, latency: [] }));
  expect(lines.join('\n')).toContain('no raise has come to its handler yet');
});

test('whole lines and the keys at the bottom at any size', async () => {
  for (const [columns, rows] of [
    [60, 15],
    [61, 20],
    [100, 30],
    [160, 50],
    [250, 80],
  ] as const) {
    const change = (guest: DomainSnapshot) => ({
      ...guest,
      latency: latency(1).map((row) => ({ ...row, name: '漢字'.repeat(60) })),
    });
    const lines = await show(['j'], { columns, rows }, change);
    expect(lines, `${columns}x${rows}`).toHaveLength(rows);
    expect(lines.at(-1)).toMatch(/q quit$/);
    expect(lines.filter((l) => l.includes('nothing fired yet'))).toHaveLength(1);
    screen.close();
  }
  await show([]);
});

describe('ranges', () => {
  const of = (...times: number[]) => {
    const table = new LatencyTable('t');
    for (const [i, ns] of times.entries()) table.add(1, i + 1, 0, ns);
    return table.totals()[0]!.totals.buckets;
  };

  test('every time is counted once, in a range that it lies in, however few there are', () => {
    const times = [0, 1, 15, 16, 700, 2806, 2806, 4095, 4096, 1_206_971, 3e9, 2 ** 33];
    for (let most = 1; most <= 60; most++) {
      const ranges = rangesOf(of(...times), most);
      expect(ranges.length).toBeLessThanOrEqual(most);
      expect(ranges.reduce((n, r) => n + r.count, 0)).toBe(times.length);
      for (const { from, to, count } of ranges) {
        const low = from === 1 ? 0 : from;
        expect(count, `${from} to ${to} of ${most}`).toBe(times.filter((t) => t >= low && t < to).length);
      }
    }
  });

  test('they are as fine as there is room, and follow each other', () => {
    const ranges = rangesOf(of(2806, 4718), 5);
    expect(ranges.map((r) => r.from)).toEqual([2560, 3072, 3584, 4096]);
    expect(ranges.map((r) => r.to)).toEqual([3072, 3584, 4096, 5120]);
    expect(rangesOf(of(2806), 8)).toEqual([{ from: 2688, to: 2816, count: 1 }]);
  });
});
