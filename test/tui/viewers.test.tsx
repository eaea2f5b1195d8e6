/** Many who look at one machine: what a frame costs the line, who may do what, and screens that do not keep up. */
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { Driver } from '../../tui/driver.ts';
import { Gate, Turns } from '../../tui/gate.ts';
import { ASCII, SLOW } from '../../tui/glyphs.ts';
import { KEYMAP } from '../../tui/keymap.ts';
import { screenLines } from '../../tui/screen.ts';
import { Session, type SessionOptions } from '../../tui/session.ts';
import { subjectsOf } from '../../tui/subject.ts';
import { viewsOf } from '../../tui/views.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen } from '../support/fake-screen.tsx';
import { ManualHost } from '../support/manual-host.ts';

/** of each scenario, on two screens */
const FRAMES = 100;

const OPTIONS: SessionOptions = {
  domain: 'dom0',
  theme: 'default',
  depth: 0,
  glyphs: ASCII,
  size: { columns: 120, rows: 40 },
  quit: () => {},
  suspend: () => {},
};

test.each(['xen-mixed', 'kvm'])(
  'a frame of %s at 120x40, ten a second: at most 3 kB for a slow line, 8 kB with everything on',
  async (name) => {
    const machine = buildMachine(builtinScenario(name)!, 42);
    const full = new FakeScreen(machine, { delay: 0.1, depth: 3, blind: true });
    const slow = new FakeScreen(machine, { slow: true, blind: true, beside: full });
    const screens = [full, slow];
    await Promise.all(screens.map((screen) => screen.drawn()));
    full.press('1');
    full.driver.run();
    const sizes: number[][] = [[], []];
    for (let frame = 0; frame < FRAMES; frame++) {
      const before = screens.map(({ output }) => output.bytes);
      full.host.pass(100);
      await Promise.all(screens.map((screen) => screen.drawn()));
      screens.forEach(({ output }, i) => void sizes[i]!.push(output.bytes - before[i]!));
    }
    for (const screen of screens) screen.close();
    const [ofFull, ofSlow] = sizes.map((list) => list.sort((a, b) => a - b)[FRAMES / 2]!);
    expect(ofFull).toBeLessThan(8000);
    expect(ofSlow).toBeLessThan(Math.min(3000, ofFull!));
    // busy: where nothing changes this would tell nothing
    expect(ofSlow).toBeGreaterThan(500);
  },
);

test.each(['xen-mixed', 'kvm', 'xen-arm-v3'])(
  'no view of %s has sparklines for a slow line, nor more than ASCII',
  (name) => {
    const host = new ManualHost();
    const driver = new Driver(buildMachine(builtinScenario(name)!, 42), host);
    driver.run();
    host.pass(2000);
    driver.pause();
    const session = new Session(driver, { ...OPTIONS, glyphs: SLOW, domain: '' });
    for (const { name: domain } of subjectsOf(session.frame.snapshot)) {
      session.update({ domain });
      for (const view of viewsOf(session.subject, session.frame.snapshot)) {
        for (const overlay of [null, { kind: 'help' }] as const) {
          session.update({ view: view.name, overlay });
          const text = screenLines(session)
            .join('\n')
            .replace(/\x1b\[\d+m/g, '');
          expect(text).toMatch(/^[ -~\n]*$/);
          expect(text).not.toMatch(/undefined| {2}30 s|own scale/);
        }
      }
    }
  },
);

describe('who only watches', () => {
  /** What a session may ask of the driver without changing anything. */
  const LOOKS = ['get', 'subscribe', 'look', 'history', 'machine'];

  function watch(name: string) {
    const driver = new Driver(buildMachine(builtinScenario(name)!, 42), new ManualHost());
    driver.seek();
    const asked = new Set<string>();
    const spied = new Proxy(driver, {
      get(target, key) {
        if (!LOOKS.includes(String(key))) asked.add(String(key));
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { asked, session: new Session(spied, { ...OPTIONS, domain: '', watches: true }) };
  }

  test.each(['xen-pv', 'kvm', 'xen-arm-v3'])('has no key that acts on the machine: %s', (name) => {
    const { asked, session } = watch(name);
    for (const { name: domain } of subjectsOf(session.frame.snapshot)) {
      for (const view of viewsOf(session.subject, session.frame.snapshot)) {
        for (const key of KEYMAP.flatMap((binding) => binding.keys)) {
          session.update({ domain, view: view.name, overlay: null, prompt: null });
          session.press(key);
          session.press('5');
          session.press('enter');
        }
      }
    }
    expect([...asked]).toEqual([]);
  });

  test('is told so', () => {
    const { session } = watch('xen-pv');
    session.press('1');
    expect(session.ui.notice).toBe('you watch: others control the machine');
    session.press('s');
    expect(session.ui.notice).toBe('');
  });
});

/** Takes nothing until it is told to. */
class StuckScreen extends Writable {
  private done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    this.done = done;
  }

  take(): void {
    this.done?.();
  }
}

test('a screen that takes nothing misses frames, and then shows the present; another is not held up', async () => {
  const driver = new Driver(fakeMachine(), new ManualHost());
  const turns = new Turns();
  const drawn = { stuck: [] as number[], other: [] as number[] };
  const viewer = (screen: Writable, frames: number[]) => {
    const session = new Session(driver, OPTIONS);
    const gate = new Gate(session, screen, turns);
    gate.subscribe(() => {
      frames.push(gate.get().frame.number);
      screen.write('a frame');
    });
    return gate;
  };
  const stuck = new StuckScreen();
  const gates = [
    viewer(stuck, drawn.stuck),
    viewer(new Writable({ write: (_c, _e, d) => d() }), drawn.other),
  ];
  const next = async () => {
    driver.step();
    await vi.waitFor(() => expect(drawn.other.at(-1)).toBe(driver.get().number), { interval: 5 });
  };
  await next();
  const first = driver.get().number;
  for (let i = 0; i < 5; i++) await next();
  expect(drawn.stuck).toEqual([first]);
  expect(stuck.writableLength).toBe('a frame'.length);
  stuck.take();
  await vi.waitFor(() => expect(drawn.stuck).toEqual([first, driver.get().number]));
  for (const gate of gates) gate.close();
  const before = drawn.other.length;
  driver.step();
  await sleep(50);
  expect(drawn.other.length).toBe(before);
});

test('drawing takes turns, half of the time at most', async () => {
  const turns = new Turns();
  const busy = 8;
  let drawings = 0;
  const start = performance.now();
  const viewers = Array.from({ length: 10 }, () => {
    const draw = () => {
      drawings++;
      for (const end = performance.now() + busy; performance.now() < end; );
      turns.take(draw);
    };
    return draw;
  });
  for (const _ of viewers) turns.join();
  for (const draw of viewers) turns.take(draw);
  await sleep(300);
  for (const draw of viewers) turns.leave(draw);
  const share = (drawings * busy) / (performance.now() - start);
  expect(drawings).toBeGreaterThan(1);
  expect(share).toBeLessThan(0.6);
});
