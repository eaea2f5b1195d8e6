/** A demo in the monitor: its captions, whom it shows when, its pace, and what comes when it is over. */
import { afterEach, describe, expect, test } from 'vitest';
import type { DemoScript } from '../../tui/demo.ts';
import type { Cue } from '../../tui/frame.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen } from '../support/fake-screen.tsx';

let screen: FakeScreen;
afterEach(() => screen.close());

const SCENES: DemoScript['scenes'] = [
  { at: 0, caption: 'the first scene', domain: 'dom0' },
  { at: 1e9, caption: 'the second\n\u001b[2Jscene', domain: 'dom1', view: 'interrupts', row: '1' },
  { at: 2e9, domain: 'nobody', view: 'nothing' },
];

function give(cues: readonly Cue[] = [], script: Partial<DemoScript> = {}, size = { columns: 80, rows: 24 }) {
  screen = new FakeScreen(fakeMachine(), {
    ...size,
    delay: 0.5,
    cues: [...cues, { at: 3e9, commands: [], pause: true }],
    demo: { title: 'a demo', scenes: SCENES, end: 3e9, ...script },
  });
  screen.driver.run();
  const { host, driver, session } = screen;
  return { host, driver, session, machine: driver.machine };
}

/** The lines from the caption's rule on. */
async function caption(): Promise<string[]> {
  const lines = await screen.lines();
  return lines.slice(lines.findIndex((l) => l.includes('a demo')));
}

test('captions stand above the keys, each from its time on', async () => {
  const { host } = give();
  host.pass(900);
  expect(await caption()).toEqual([
    expect.stringMatching(/^─── a demo ─+$/),
    ' the first scene',
    '',
    expect.stringContaining('1 kbd'),
    expect.stringContaining('q quit'),
  ]);
  host.pass(1200);
  expect((await caption()).slice(1, 3)).toEqual([' the second', ' ?[2Jscene']);
});

test.each([
  [60, 15],
  [80, 24],
  [120, 40],
  [200, 60],
])('%ix%i: whole lines, and all of the monitor around it', async (columns, rows) => {
  const { host } = give([], {}, { columns, rows });
  host.pass(1500);
  const lines = await screen.lines();
  expect(lines).toHaveLength(rows);
  expect(lines[0]).toMatch(/xen-pv/);
  expect(lines.at(-1)).toMatch(/q quit$/);
  expect(lines.filter((l) => l.includes('the second'))).toHaveLength(1);
  screen.session.resize({ columns: 80, rows: 24 });
});

test('a scene shows whom it says; who is not there is not shown, and keys have the last word until the next', async () => {
  const { host, session } = give();
  host.pass(1100);
  expect(session.subject.name).toBe('dom1');
  expect(session.table!.rows[session.table!.selected]!.key).toBe('dom1 1');
  session.press('left');
  expect(session.subject.name).toBe('dom0');
  host.pass(1000);
  expect(session.subject.name).toBe('dom0');
});

describe('the pace', () => {
  test('a cue slows time down at its moment', () => {
    const { host, driver, machine } = give([{ at: 1e9, commands: [], speed: 0.01 }]);
    host.pass(2000);
    expect(driver.get().speed).toBe(0.01);
    expect(machine.clock.now / 1e9).toBeCloseTo(1.01, 2);
  });

  test('a cue pauses exactly there, and space goes on', async () => {
    const { host, driver, machine, session } = give([
      { at: 1e9, commands: [{ do: 'fire', device: 'kbd' }], pause: true },
    ]);
    host.pass(2000);
    expect([machine.clock.now, driver.get().state, machine.lastFired?.start]).toEqual([1e9, 'paused', 1e9]);
    expect((await caption())[0]).toContain('space goes on');
    session.press('space');
    host.pass(500);
    expect(machine.clock.now / 1e9).toBeCloseTo(1.5, 1);
  });

  test('pausing by key stops the script too', () => {
    const { host, session, machine } = give();
    host.pass(500);
    session.press('space');
    host.pass(5000);
    expect(machine.clock.now / 1e9).toBeCloseTo(0.5, 1);
    expect(session.subject.name).toBe('dom0');
  });
});

test('at its end time stands still; space begins the next run', async () => {
  let begun = 0;
  const { host, session, machine } = give([], { next: { name: 'on to the cure', begin: () => begun++ } });
  host.pass(9000);
  expect(machine.clock.now).toBe(3e9);
  expect((await caption())[0]).toContain('space: on to the cure');
  expect(begun).toBe(0);
  session.press('space');
  expect(begun).toBe(1);
});

test('the last one runs on', async () => {
  const { host, session, machine } = give();
  host.pass(9000);
  expect((await caption())[0]).toContain('over: space runs on');
  session.press('space');
  host.pass(1000);
  expect(machine.clock.now).toBeGreaterThan(3.5e9);
});
