/** Machines made from captures: where they start, where they come to, and that they can be put away. */
import { describe, expect, test } from 'vitest';
import { importHost } from '../../engine/exchange.ts';
import { type Machine, printInterrupts, takeSnapshot } from '../../engine/index.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import type { ArchRow, Interrupts, IrqRow } from '../../engine/proc/types.ts';
import { timing } from '../../engine/timing.ts';
import { capture, INTERRUPTS } from '../support/captures.ts';

const X86 = 'xen-x86/';
const ARM = 'xen-arm64/';

/** A, B, seconds between them. */
const PAIRS: readonly (readonly [string, string, number])[] = [
  [`${X86}dom0-q35-load.interrupts.1.txt`, `${X86}dom0-q35-load.interrupts.3.txt`, 15.11],
  [`${X86}bare-q35-load.interrupts.1.txt`, `${X86}bare-q35-load.interrupts.3.txt`, 10.67],
  [`${X86}domU-hvm-pc.interrupts.1.txt`, `${X86}domU-hvm-pc.interrupts.4.txt`, 6],
  [`${X86}domU-pv-q35.interrupts.1.txt`, `${X86}domU-pv-q35.interrupts.5.txt`, 6],
  [`${X86}domU-pvh-q35.interrupts.1.txt`, `${X86}domU-pvh-q35.interrupts.4.txt`, 6],
  ...INTERRUPTS.filter((f) => /\.0\.txt$/.test(f)).map((f) => [f, f.replace('.0.txt', '.2.txt'), 5] as const),
];

function machineOf([a, b, seconds]: readonly [string, string, number], seed: number): Machine {
  const files = [a, b].map((name) => ({ name, text: capture(name) }));
  return importHost({ files, intervalSeconds: seconds, seed });
}

function shown(machine: Machine): Interrupts {
  return takeSnapshot(machine).domains[0]!.interrupts;
}

/** Rows without their counts. */
function shape(i: Interrupts): unknown {
  const bare = (r: IrqRow | ArchRow) => ({ ...r, counts: r.counts.length });
  return { ...i, rows: i.rows.map(bare), arch: i.arch.map(bare) };
}

function expectBooksClosed(machine: Machine): void {
  for (const a of takeSnapshot(machine).books) {
    const ignored = Object.values(a.ignored).reduce((x, y) => x + y, 0);
    expect(a.raised).toBe(a.delivered + a.coalesced + ignored + a.pending);
  }
}

describe.each(PAIRS)('%s to %s in %d s', (...pair) => {
  const [nameA, nameB, seconds] = pair;
  const a = parseInterrupts(capture(nameA), nameA);
  const b = parseInterrupts(capture(nameB), nameB);

  test('at 0 s it is the first capture byte for byte', () => {
    const machine = machineOf(pair, 1);
    machine.runUntil(0);
    expect(printInterrupts(shown(machine))).toBe(capture(nameA));
  });

  test.each([1, 2, 42, 2026])('seed %d: every counter comes to the second capture', (seed) => {
    const machine = machineOf(pair, seed);
    machine.runUntil(seconds * 1e9);
    const got = parseInterrupts(printInterrupts(shown(machine)), 'got');
    expect(shape(got)).toEqual(shape(a));
    const rows = (i: Interrupts) => [...i.rows, ...i.arch];
    for (const [r, row] of rows(got).entries()) {
      row.counts.forEach((count, n) => {
        const [from, to] = [rows(a)[r]!.counts[n]!, rows(b)[r]!.counts[n]!];
        const off = Math.abs(count - to);
        const label = 'irq' in row ? row.irq : row.label;
        expect(off, `${label} ${n}: ${count}, not ${to}`).toBeLessThanOrEqual(
          Math.max(3, 4 * Math.sqrt(to - from)),
        );
      });
    }
    expectBooksClosed(machine);
  });
});

test('on Xen RES and CAL stay what the rows of reschedulings and function calls add up to', () => {
  for (const pair of PAIRS.slice(0, 5)) {
    const a = parseInterrupts(capture(pair[0]), 'a');
    if (!a.rows.some((r) => r.actions[0] === 'resched0')) continue;
    const machine = machineOf(pair, 7);
    const ahead = (i: Interrupts, label: string, rows: RegExp) =>
      i.arch
        .find((r) => r.label === label)!
        .counts.map((count, n) =>
          i.rows.filter((r) => rows.test(r.actions[0] ?? '')).reduce((left, r) => left - r.counts[n]!, count),
        );
    for (const at of [0, 1.5, 3, pair[2], 60]) {
      machine.runUntil(at * 1e9);
      const now = shown(machine);
      for (const [label, rows] of [
        ['RES', /^resched\d/],
        ['CAL', /^callfunc/],
      ] as const) {
        expect(ahead(now, label, rows)).toEqual(ahead(a, label, rows));
        expect(Math.max(...ahead(now, label, rows))).toBeLessThan(5);
      }
    }
  }
});

describe('a machine of captures', () => {
  const load = PAIRS[0]!;

  test('two runs with one seed are the same, and another seed is another run', () => {
    const run = (seed: number) => {
      const machine = machineOf(load, seed);
      machine.runUntil(3e9);
      return JSON.stringify(takeSnapshot(machine));
    };
    expect(run(5)).toBe(run(5));
    expect(run(5).replaceAll('"seed":5', '')).not.toBe(run(6).replaceAll('"seed":6', ''));
  });

  test('running in one go or in slices comes to the same', () => {
    const whole = machineOf(load, 5);
    whole.runUntil(2e9);
    const slices = machineOf(load, 5);
    for (let t = 0; t <= 2e9; t += 12_345_678) slices.runUntil(t);
    slices.runUntil(2e9);
    expect(takeSnapshot(slices)).toEqual(takeSnapshot(whole));
  });

  test.each([1, 137, 1000, 2771])('saved after %d events and put into a new machine it goes on', (events) => {
    const whole = machineOf(load, 11);
    for (let i = 0; i < events; i++) whole.step();
    whole.fire('1', 3);
    const saved = JSON.parse(JSON.stringify(whole.save()));
    const fresh = machineOf(load, 11);
    fresh.runUntil(1e9);
    fresh.restore(saved);
    expect(takeSnapshot(fresh)).toEqual(takeSnapshot(whole));
    whole.runUntil(5e9);
    fresh.runUntil(5e9);
    expect(JSON.stringify(takeSnapshot(fresh))).toBe(JSON.stringify(takeSnapshot(whole)));
    expect(JSON.stringify(fresh.save())).toBe(JSON.stringify(whole.save()));
  });

  test('its devices can be fired and the journey is seen', () => {
    const machine = machineOf(load, 3);
    const devices = machine.devices();
    expect(devices).toHaveLength(9);
    expect(devices.map((d) => d.key)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(new Set(devices.map((d) => d.name)).size).toBe(9);
    expect(devices.every((d) => !/timer|resched|callfunc|spinlock/.test(d.name))).toBe(true);
    machine.runUntil(1e9);
    const before = shown(machine);
    machine.fire('i8042.12');
    machine.runUntil(1e9 + 10_000);
    const row = before.rows.findIndex((r) => r.irq === 12);
    const sum = (i: Interrupts) => i.rows[row]!.counts.reduce((x, y) => x + y, 0);
    expect(sum(shown(machine))).toBe(sum(before) + 1);
    const { lastFired, domains } = takeSnapshot(machine);
    expect(lastFired!.device).toBe('i8042.12');
    expect(lastFired!.hops.map((h) => h.text)).toEqual(['irq 12 raised on CPU1', 'irq 12 handled: i8042']);
    expect(lastFired!.latency).toBe(timing.irqEntry);
    expect(domains[0]!.irqStates[row]!.pending).toBe(false);
    expectBooksClosed(machine);
  });

  test('what is fired while it is pending is coalesced', () => {
    const machine = machineOf(load, 3);
    machine.runUntil(1e9);
    machine.fire('i8042.12', 5);
    const sums = () => takeSnapshot(machine).books.find((a) => a.source === '12 i8042')!;
    expect(sums()).toMatchObject({ raised: 5, coalesced: 4, pending: 1 });
    expect(takeSnapshot(machine).domains[0]!.irqStates.some((s) => s.pending)).toBe(true);
    machine.runUntil(1e9 + 10_000);
    expect(sums()).toMatchObject({ raised: 5, coalesced: 4, pending: 0, delivered: 1 });
  });

  test('it is called dom0 on Xen and host without', () => {
    const name = (pair: (typeof PAIRS)[number]) => takeSnapshot(machineOf(pair, 1)).domains[0]!.name;
    expect(name(load)).toBe('dom0');
    expect(name(PAIRS[1]!)).toBe('host');
    expect(name([`${ARM}bare-gicv3.host.0.txt`, `${ARM}bare-gicv3.host.2.txt`, 5])).toBe('host');
  });

  test('the times of each CPU add up to the time', () => {
    const machine = machineOf(load, 1);
    for (const t of [0, 1e6, 1e9, 2e9]) {
      machine.runUntil(t);
      for (const c of takeSnapshot(machine).cpus) expect(c.guestNs + c.xenNs + c.idleNs).toBe(t);
    }
  });
});

describe('one capture', () => {
  const name = `${X86}bare-q35-load.interrupts.3.txt`;
  const files = [{ name, text: capture(name) }];

  test('with an uptime doubles in that time', () => {
    const machine = importHost({ files, uptimeSeconds: 20, seed: 1 });
    machine.runUntil(20e9);
    const a = parseInterrupts(capture(name), name);
    const now = shown(machine);
    now.rows.forEach((row, r) => {
      row.counts.forEach((count, n) => {
        const start = a.rows[r]!.counts[n]!;
        expect(Math.abs(count - 2 * start)).toBeLessThanOrEqual(Math.max(3, 4 * Math.sqrt(start)));
      });
    });
  });

  test('without one counts its timers at 250 Hz', () => {
    const machine = importHost({ files, seed: 1 });
    const ticks = () =>
      shown(machine)
        .arch.find((r) => r.label === 'LOC')!
        .counts.reduce((x, y) => x + y, 0);
    const before = ticks();
    machine.runUntil(10e9);
    const cpus = shown(machine).cpus.length;
    expect((ticks() - before) / 10 / cpus).toBeGreaterThan(245);
    expect((ticks() - before) / 10 / cpus).toBeLessThan(255);
  });
});

test('counters go on across 2^32', () => {
  const file = (count: number) =>
    printInterrupts({
      dialect: '4.13',
      cpus: [0],
      rows: [
        { irq: 1, counts: [count], chip: 'IO-APIC', hwirq: 1, trigger: null, name: 'edge', actions: ['nic'] },
      ],
      arch: [],
      precision: 3,
    });
  const files = [4294967000, 4294967296 + 704].map((n) => ({ name: `${n}`, text: file(n) }));
  const machine = importHost({ files, intervalSeconds: 1, seed: 1 });
  machine.runUntil(1e9);
  expect(Math.abs(shown(machine).rows[0]!.counts[0]! - 704)).toBeLessThan(130);
});
