/** Two machines side by side: same time, same devices fired, and the numbers of the report. */
import { beforeAll, describe, expect, test } from 'vitest';
import { contestOf } from '../../cli/compare/contest.ts';
import { buildMachine, builtinScenario, takeSnapshot } from '../../engine/index.ts';
import { PairDriver } from '../../tui/compare/pair-driver.ts';
import { PairSession } from '../../tui/compare/pair-session.ts';
import { displayWidth } from '../../tui/format.ts';
import { ASCII, BLOCKS } from '../../tui/glyphs.ts';
import { ManualHost } from '../support/manual-host.ts';

function setUp(a = 'kvm', b = 'kvm-apicv') {
  const scenarios = [builtinScenario(a)!, builtinScenario(b)!] as const;
  const machines = [buildMachine(scenarios[0], 42), buildMachine(scenarios[1], 42)] as const;
  const contest = contestOf(machines, scenarios, [a, b], [[], []]);
  const host = new ManualHost();
  const errors: Error[] = [];
  const driver = new PairDriver(contest, host, { onError: (e) => errors.push(e) });
  let quit = 0;
  const session = new PairSession(driver, contest, {
    theme: 'mono', depth: 0, glyphs: BLOCKS, size: { columns: 120, rows: 40 },
    quit: () => quit++, suspend: () => {},
  }); // biome-ignore format: a list of options
  const press = (...keys: string[]) => {
    for (const key of keys) session.press(key);
  };
  const text = () =>
    session
      .lines()
      .map((l) => l.replace(/\x1b\[[0-9;]*m/g, '').trimEnd())
      .join('\n');
  return { machines, host, driver, session, press, text, errors, quits: () => quit };
}

describe('KVM without and with APICv', () => {
  const rig = setUp();
  const exitsOf = () => rig.machines.map((m) => takeSnapshot(m).domains[1]!.exits!.rows);
  const booted = exitsOf();
  beforeAll(() => {
    rig.driver.run();
    rig.host.pass(2500);
    rig.press('space', '1');
  });

  test('both have come to the same moment', () => {
    const [a, b] = rig.machines;
    expect(a.clock.now).toBe(b.clock.now);
    expect(a.clock.now).toBeGreaterThan(2.4e9);
    expect(rig.errors).toEqual([]);
  });

  test('the rates are those of the snapshots', () => {
    const exits = rig.session.subjects
      .find((s) => s.name === 'vm1')!
      .tables.find((t) => t.title === 'VM EXITS/s')!;
    const seconds = rig.machines[0].clock.now / 1e9;
    const now = exitsOf();
    for (const row of exits.rows) {
      const rate = (side: 0 | 1) => {
        const count = (rows: (typeof now)[0]) => {
          const found = rows.find((r) => r.name === row.name);
          return found ? found.counts.reduce((x, y) => x + y, 0) : 0;
        };
        return (count(now[side]!) - count(booted[side]!)) / seconds;
      };
      expect([row.name, row.a ?? 0, row.b ?? 0]).toEqual([
        row.name,
        expect.closeTo(rate(0)),
        expect.closeTo(rate(1)),
      ]);
    }
    expect(exits.rows.some((r) => (r.difference ?? 0) !== 0)).toBe(true);
  });

  test.each([
    [80, 24],
    [120, 40],
    [200, 60],
  ])('at %dx%d', async (columns, rows) => {
    rig.session.resize({ columns, rows });
    const lines = rig.session.lines();
    expect(lines.length).toBe(rows);
    expect(rig.text()).not.toContain('\x1b');
    for (const line of rig.text().split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    await expect(`${rig.text()}\n`).toMatchFileSnapshot(`golden/compare-${columns}x${rows}.txt`);
  });

  test('a device was fired on both, and the way of its interrupt is told hop by hop', () => {
    const { journeys, comparison } = rig.driver.get();
    expect(journeys.map((j) => j?.device)).toEqual([
      rig.machines[0].devices()[0]!.name,
      rig.machines[1].devices()[0]!.name,
    ]);
    expect(comparison.steps.length).toBeGreaterThan(0);
    expect(rig.machines.map((m) => m.devices()[0]!.fired)).toEqual([1, 1]);
  });

  test('a step runs the next event of either, and both stay together', () => {
    const [a, b] = rig.machines;
    const events = a.clock.events + b.clock.events;
    const next = Math.min(a.clock.next, b.clock.next);
    rig.press('.');
    expect(a.clock.events + b.clock.events).toBeGreaterThan(events);
    expect([a.clock.now, b.clock.now]).toEqual([next, next]);
  });

  test('left and right go through the host, the domains and the books', () => {
    const names = rig.session.subjects.map((s) => s.name);
    expect(names).toEqual(['Host', 'host', 'vm1', 'vm2', 'Books']);
    const seen = names.map(() => {
      rig.press('right');
      return rig.session.subject.name;
    });
    expect([...seen].sort()).toEqual([...names].sort());
    rig.press('left', 'right');
    expect(rig.session.subject.name).toBe('vm1');
  });

  test('z hides what is equal and says how much', () => {
    rig.session.resize({ columns: 80, rows: 60 });
    rig.press('z');
    expect(rig.text()).toMatch(/^ {3}\d+ rows equal$/m);
    expect(rig.text()).not.toMatch(/ = *$/m);
    rig.press('z');
  });

  test('scrolling stops at both ends', () => {
    rig.session.resize({ columns: 80, rows: 24 });
    rig.press('end', 'down', 'down');
    const end = rig.session.ui.top;
    rig.press('up');
    expect(rig.session.ui.top).toBe(end - 1);
    rig.press('home', 'up');
    expect(rig.session.ui.top).toBe(0);
  });

  test('the help has the keys that do something, the others say that they do not', () => {
    rig.press('?');
    expect(rig.text()).toContain('fire that device on both');
    expect(rig.text()).not.toContain('regular expression');
    rig.press('esc', '/');
    expect(rig.text()).toContain('/ f does nothing in a comparison');
    rig.press('q');
    expect(rig.quits()).toBe(1);
  });

  test('r begins the averages anew', () => {
    rig.press('r');
    expect(rig.driver.get().since).toBe(rig.machines[0].clock.now);
    expect(rig.text()).toContain('nothing to compare yet');
  });
});

test('the same scenario twice: every row is equal, and so is the way of an interrupt', () => {
  const rig = setUp('xen-pv', 'xen-pv');
  rig.driver.run();
  rig.host.pass(500);
  rig.press('space', '3');
  for (const { tables } of rig.session.subjects) {
    for (const { rows } of tables) expect(rows.filter((r) => r.a !== r.b)).toEqual([]);
  }
  expect(rig.text()).toContain(' the same scenario');
  const { steps } = rig.driver.get().comparison;
  expect(steps.every(({ a, b }) => a?.at === b?.at)).toBe(true);
});

test('a device that one side lacks is said to be missing there', () => {
  const machine = (name: string) => buildMachine(builtinScenario(name)!, 1);
  const contest = contestOf(
    [machine('xen-pv'), machine('kvm')],
    [builtinScenario('xen-pv')!, builtinScenario('kvm')!],
    ['xen-pv', 'kvm'],
    [[], []],
  );
  const driver = new PairDriver(contest, new ManualHost());
  const [a, b] = driver.do({ do: 'fire', device: 'mouse' });
  expect([a.refused, b.refused]).toEqual([undefined, 'no device mouse in kvm']);
});

test('ASCII alone is drawn where nothing else can be', () => {
  const rig = setUp();
  const session = new PairSession(rig.driver, rig.session.contest, { ...rig.session.options, glyphs: ASCII });
  rig.driver.run();
  rig.host.pass(300);
  expect(session.lines().join('\n')).toMatch(/^[\x20-\x7e\n\x1b]*$/);
});
