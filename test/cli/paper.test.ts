/** `virqtop paper`: ours beside the published cycles. */
import { expect, test } from 'vitest';
import { virqtop } from './run.ts';

/** Dall et al., ISCA 2016, table II: KVM x86, Xen x86, Xen ARM. */
const PUBLISHED = {
  hypercall: [1_300, 1_228, 376],
  trap: [2_384, 1_734, 1_356],
  ipi: [5_230, 5_562, 5_978],
  completion: [1_556, 1_464, 71],
  switch: [4_812, 10_534, 8_799],
  'io-out': [560, 11_262, 16_491],
  'io-in': [18_923, 10_050, 15_650],
} as const;
const SYSTEMS = ['KVM x86', 'Xen x86', 'Xen ARM'];
const GHZ = [2.1, 2.1, 2.4];

interface Row {
  readonly system: string;
  readonly row: keyof typeof PUBLISHED;
  readonly ns: number;
  readonly cycles: number;
  readonly published: number;
  readonly error: number;
  readonly costs?: readonly { readonly name: string; readonly count: number; readonly ns: number }[];
}

test('every row is within 10 % of what was published, and the JSON says what both are', async () => {
  const { code, stdout, stderr } = await virqtop('paper', '-J');
  expect([code, stderr]).toEqual([0, '']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  const want = SYSTEMS.flatMap((system, i) =>
    Object.entries(PUBLISHED).map(([row, cycles]) => [system, row, cycles[i]]),
  );
  expect(rows.map(({ system, row, published }) => [system, row, published])).toEqual(want);
  for (const { system, row, ns, cycles, published, error } of rows) {
    expect([system, row, cycles]).toEqual([system, row, Math.round(ns * GHZ[SYSTEMS.indexOf(system)]!)]);
    const exact = ((ns * GHZ[SYSTEMS.indexOf(system)]!) / published - 1) * 100;
    expect(error).toBeCloseTo(exact, 1);
    expect(Math.abs(exact)).toBeLessThanOrEqual(10);
  }
});

test('the text has a line for each row, says where the figures are from, and fits 80 columns', async () => {
  const { code, stdout } = await virqtop('paper');
  expect(code).toBe(0);
  expect(stdout).toContain('transcribed from memory');
  expect(stdout.match(/^Hypercall +\d/gm)).toHaveLength(3);
  expect(stdout).toMatch(/^I\/O latency in +[\d,]+ +18,923 +[+-][\d.]+ % +[\d,]+$/m);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('--why lists the costs of the rows asked for, which add up', async () => {
  const { code, stdout } = await virqtop('paper', '--why', 'completion');
  expect(code).toBe(0);
  const blocks = stdout.split('\n\n').slice(1);
  expect(blocks.map((block) => block.split(':')[0])).toEqual(
    SYSTEMS.map((s) => `Virtual IRQ completion, ${s}`),
  );
  for (const block of blocks) {
    const costs = [...block.matchAll(/^ {2}(\w+) +(\d+) x +([\d,]+) +([\d,]+)$/gm)];
    expect(costs.length).toBeGreaterThan(0);
    const sum = costs.reduce((n, [, , count, ns]) => n + Number(count) * Number(ns!.replace(',', '')), 0);
    expect(block).toMatch(new RegExp(`^  ns +${sum}$`, 'm'));
  }
  expect(blocks[0]).toMatch(/^ {2}vmExit +1 x +267 +267$/m);
});

test('a row that there is not is named, exit status 2', async () => {
  const { code, stdout, stderr } = await virqtop('paper', 'hypercal');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe("virqtop: paper 'hypercal': must be a row; did you mean 'hypercall'?\n");
});
