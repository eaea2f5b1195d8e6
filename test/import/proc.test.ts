/** What two captures tell together, and what is said when they do not fit. */
import { describe, expect, test } from 'vitest';
import { UserError } from '../../engine/core/errors.ts';
import { type Import, type Interval, importProc } from '../../engine/import/proc.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import type { Interrupts } from '../../engine/proc/types.ts';
import { capture } from '../support/captures.ts';

const read = (name: string) => parseInterrupts(capture(name), name);
const A = read('xen-x86/dom0-q35-load.interrupts.1.txt');
const B = read('xen-x86/dom0-q35-load.interrupts.3.txt');

/** The table with the counts of one row changed. */
function withCounts(i: Interrupts, label: string, counts: number[]): Interrupts {
  return {
    ...i,
    rows: i.rows.map((r) => (String(r.irq) === label ? { ...r, counts } : r)),
    arch: i.arch.map((r) => (r.label === label ? { ...r, counts } : r)),
  };
}

function two(a: Interrupts, b: Interrupts, interval: Interval = { intervalSeconds: 10 }): Import {
  return importProc(
    [
      { name: 'A', interrupts: a },
      { name: 'B', interrupts: b },
    ],
    interval,
  );
}

function one(a: Interrupts, interval: Interval = {}): Import {
  return importProc([{ name: 'A', interrupts: a }], interval);
}

function message(run: () => unknown): string {
  try {
    run();
  } catch (e) {
    expect(e).toBeInstanceOf(UserError);
    return (e as Error).message;
  }
  return 'was taken';
}

const rowOf = (i: Import, label: string) => i.rows.find((r) => r.label === label)!;

describe('two captures', () => {
  test('every row starts where the first stands and grows by the difference', () => {
    const found = two(A, B);
    expect(found.seconds).toBe(10);
    expect(found.rows).toHaveLength(A.rows.length + A.arch.length);
    const timer = rowOf(found, '24');
    expect(timer.title).toBe('timer0');
    expect(timer.start).toEqual(A.rows.find((r) => r.irq === 24)!.counts);
    expect(timer.start.map((s, n) => s + timer.growth[n]!)).toEqual(B.rows.find((r) => r.irq === 24)!.counts);
    expect(rowOf(found, 'ERR').growth).toEqual([0]);
  });

  test('on Xen RES and CAL count what their rows count; elsewhere they count on their own', () => {
    const found = two(A, B);
    const parts = (label: string) => rowOf(found, label).sumOf.map((n) => found.rows[n]!.title);
    expect(parts('RES')).toEqual(['resched0', 'resched1', 'resched2', 'resched3']);
    expect(parts('CAL')).toHaveLength(8);
    expect(parts('MCP')).toEqual([]);
    const bare = one(read('xen-x86/bare-q35-load.interrupts.1.txt'));
    expect(rowOf(bare, 'RES').sumOf).toEqual([]);
  });

  test('RES that does not agree with its rows counts on its own', () => {
    const res = B.arch.find((r) => r.label === 'RES')!.counts.map((c) => c + 500);
    expect(rowOf(two(A, withCounts(B, 'RES', res)), 'RES').sumOf).toEqual([]);
  });

  test('a counter that wrapped at 2^32 has grown by what it counted', () => {
    const found = two(withCounts(A, '8', [4294967290, 0, 0, 0]), withCounts(B, '8', [5, 0, 0, 0]));
    expect(rowOf(found, '8').growth).toEqual([11, 0, 0, 0]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'a counter that went backwards',
      () => two(withCounts(A, '8', [0, 9, 0, 0]), withCounts(B, '8', [0, 4, 0, 0])),
      'B: row 8 of CPU1 goes back from 9 to 4; the later capture comes second',
    ],
    [
      'the captures in the wrong order',
      () => two(B, A),
      expect.stringMatching(
        /^A?B: row \d+ of CPU\d goes back from \d+ to \d+; the later capture comes second$/,
      ),
    ],
    [
      'another number of CPUs',
      () => two(A, read('xen-x86/domU-pv-q35.interrupts.1.txt')),
      'B: column 3 is missing, in A CPU2; they must be alike',
    ],
    [
      'a CPU that went offline',
      () => two(A, { ...B, cpus: [0, 1, 3, 4] }),
      'B: column 3 is CPU3, in A CPU2; they must be alike',
    ],
    [
      'a row that is new',
      () => two(A, { ...B, rows: [...B.rows, { ...B.rows[0]!, irq: 99 }] }),
      `B: row ${A.rows.length + 1} is 99 xen-pirq ioapic-edge i8042, in A NMI Non-maskable interrupts; they must be alike`,
    ],
    [
      'a row that is gone',
      () => two(A, { ...B, arch: B.arch.slice(0, -1) }),
      `B: row ${A.rows.length + A.arch.length} is missing, in A PIW Posted-interrupt wakeup event; they must be alike`,
    ],
    [
      'a row with another handler',
      () => two(A, { ...B, rows: B.rows.map((r) => (r.irq === 1 ? { ...r, actions: ['nic'] } : r)) }),
      'B: row 1 is 1 xen-pirq ioapic-edge nic, in A 1 xen-pirq ioapic-edge i8042; they must be alike',
    ],
    [
      'another kernel',
      () => two(A, { ...B, dialect: '6.14' }),
      'B: the layout is of Linux 6.14 and later, in A Linux 4.13 to 6.13; they must be alike',
    ],
    [
      'no interval',
      () => two(A, B, {}),
      'two captures without the interval between them; --interval, e.g. 5s, would be right',
    ],
    [
      'an interval of nothing',
      () => two(A, B, { intervalSeconds: 0 }),
      'interval of 0 s; more than 0 and less than 3153600000 s would be right',
    ],
    [
      'an interval that is no number',
      () => two(A, B, { intervalSeconds: Number.NaN }),
      'interval of NaN s; more than 0 and less than 3153600000 s would be right',
    ],
    [
      'an uptime',
      () => two(A, B, { intervalSeconds: 1, uptimeSeconds: 1 }),
      'two captures with an uptime; --uptime goes with one, --interval with two',
    ],
    [
      'an interval too short for what happened in it',
      () => two(A, B, { intervalSeconds: 1e-6 }),
      expect.stringMatching(
        /^CPU0 takes \d+ interrupts in 0\.000001 s; at most 1000000 a second would be right$/,
      ),
    ],
  ])('%s is told', (_what, run, wanted) => {
    expect(message(run)).toEqual(wanted);
  });
});

describe('one capture', () => {
  test('grows by its counts in its uptime', () => {
    const found = one(A, { uptimeSeconds: 300 });
    expect(found.seconds).toBe(300);
    for (const row of found.rows) expect(row.growth).toEqual(row.start);
  });

  test.each([
    ['LOC', 'xen-x86/bare-q35-load.interrupts.1.txt'],
    ['timerN', 'xen-x86/dom0-q35-load.interrupts.1.txt'],
    ['arch_timer', 'xen-arm64/bare-gicv3.host.0.txt'],
  ])('tells its uptime by %s at 250 Hz on each CPU', (_row, name) => {
    const i = read(name);
    const ticks = [
      ...i.rows.filter((r) => /^(timer\d*|arch_timer)$/.test(r.actions[0] ?? '')),
      ...i.arch.filter((r) => r.label === 'LOC'),
    ].reduce((sum, r) => sum + r.counts.reduce((a, b) => a + b, 0), 0);
    expect(ticks).toBeGreaterThan(1000);
    expect(one(i).seconds).toBe(ticks / 250 / 4);
  });

  test('without a timer row the uptime must be given', () => {
    const none = { ...A, rows: A.rows.filter((r) => !/timer/.test(r.actions[0]!)) };
    expect(message(() => one(none))).toBe(
      'A: no timer row has counted, so the rates are unknown; --uptime would tell',
    );
    expect(one(none, { uptimeSeconds: 5 }).seconds).toBe(5);
  });

  test('has no interval', () => {
    expect(message(() => one(A, { intervalSeconds: 5 }))).toBe(
      'one capture with an interval; a second capture, or --uptime, would be right',
    );
  });

  test('three are too many, none too few', () => {
    const c = { name: 'A', interrupts: A };
    expect(message(() => importProc([c, c, c], {}))).toBe('3 captures; one or two would be right');
    expect(message(() => importProc([], {}))).toBe('0 captures; one or two would be right');
  });
});
