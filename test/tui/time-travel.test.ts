/** Time goes both ways: what is shown of the past is what was shown then, and what follows is the same run. */
import { describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenarios,
  type Done,
  type Machine,
  type Place,
  type Scenario,
  takeSnapshot,
} from '../../engine/index.ts';
import { Driver } from '../../tui/driver.ts';
import type { Frame } from '../../tui/frame.ts';
import type { Moment } from '../../tui/journal.ts';
import { ManualHost } from '../support/manual-host.ts';

const bytes = (machine: Machine) => JSON.stringify(takeSnapshot(machine));

/** A run that is written down as `--record` would. */
function setUp(scenario: Scenario, seed = 7, delay = 0.05) {
  const host = new ManualHost();
  const machine = buildMachine(scenario, seed);
  const errors: Error[] = [];
  let commands: Done[] = [];
  const scribe = {
    did: (done: Done) => void commands.push(done),
    wentBack: (to: Moment) => {
      commands = commands.slice(0, to.done);
    },
  };
  const driver = new Driver(machine, host, { delay, scribe, onError: (e) => errors.push(e) });
  return { host, machine, driver, errors, commands: () => commands };
}

/** The same commands at the same places of a machine that nobody watches. */
function straight(scenario: Scenario, seed: number, commands: readonly Done[], end: Place): Machine {
  const machine = buildMachine(scenario, seed);
  const reach = ({ events, at }: Place) => {
    while (machine.clock.events < events) machine.step();
    // at the same time more may be due
    if (machine.clock.now < at) machine.runUntil(at);
    expect(machine.place).toEqual({ events, at });
  };
  for (const done of commands) {
    reach(done);
    machine.do(done.command);
  }
  reach(end);
  return machine;
}

/** All that a frame shows, as text. */
function shown({ snapshot, base, journeys, history }: Frame): string {
  const keys = ['interrupts', 'upcalls', 'guest 0', 'xen 1'];
  for (const { name, interrupts } of snapshot.domains) {
    for (const row of interrupts.rows) keys.push(`${name} ${row.irq}`);
  }
  const lines = keys.map((key) => [
    key,
    history.rate(key).toFixed(3),
    history.idle(key),
    [...history.levels(key, 12)].map((n) => n.toFixed(6)).join(),
    [...history.levels(key, 10, 'long')].map((n) => n.toFixed(6)).join(),
  ]);
  return JSON.stringify({ snapshot, base, journeys, lines });
}

/** Which moment a frame shows. */
function momentOf({ snapshot }: Frame): string {
  const fired = snapshot.devices.reduce((n, d) => n + d.fired, 0);
  return `${snapshot.events} ${snapshot.time} ${fired}`;
}

/** Chance that is the same every day. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

describe.each(builtinScenarios())('$name', (scenario) => {
  test('scrubbed back and forth it shows what it showed, and goes on as if nobody had', () => {
    const { host, machine, driver, errors, commands } = setUp(scenario);
    const devices = machine.devices().map((d) => d.name);
    const pick = chance(scenario.name.length);
    /** what was shown of each moment; of some more than once */
    const seen = new Map<string, Set<string>>();
    const note = () => {
      const frame = driver.get();
      const known = seen.get(momentOf(frame)) ?? new Set();
      seen.set(momentOf(frame), known.add(shown(frame)));
    };
    note();
    const stop = driver.subscribe(note);
    driver.run();
    for (let i = 0; i < 7; i++) {
      host.pass(30 + pick(60));
      driver.do({ do: 'fire', device: devices[pick(devices.length)]!, times: 1 + pick(3) });
      if (i === 3 && machine.platform.hook) driver.do({ do: 'hook', on: true });
      if (i === 2 || i === 4) driver.do({ do: 'storm', device: devices[0]!, on: i === 2, rate: 2000 });
      const { name, interrupts } = driver.get().snapshot.domains[pick(2)]!;
      const { irq } = interrupts.rows[pick(interrupts.rows.length)]!;
      // some are refused, and leave everything as it was
      if (i === 1) driver.do({ do: 'nmi', domain: name, vcpu: 0 });
      if (i === 5) driver.do({ do: 'mask', domain: name, irq: irq as number, masked: true });
      if (i === 6) driver.do({ do: 'raise', domain: name, irq });
    }
    driver.pause();
    for (let i = 0; i < 3; i++) driver.step();
    stop();
    const end = machine.place;
    const latest = driver.get();

    let moved = 0;
    for (let n = 0; n < 5; n++) {
      const direction = pick(2) === 0 ? -1 : 1;
      const { time } = driver.get().snapshot;
      for (let i = pick(6); i >= 0; i--) driver.scrub(direction);
      host.pass(1000);
      const frame = driver.get();
      expect(frame.state).toBe('paused');
      expect(frame.past === null).toBe(momentOf(frame) === momentOf(latest));
      expect((frame.snapshot.time - time) * direction).toBeGreaterThanOrEqual(0);
      expect([...seen.get(momentOf(frame))!]).toContain(shown(frame));
      if (frame.snapshot.time !== time) moved++;
    }
    expect(moved).toBeGreaterThan(1);
    driver.toEnd();
    host.pass(1000);
    expect(machine.place).toEqual(end);
    expect([...seen.get(momentOf(latest))!]).toContain(shown(driver.get()));

    // on from the middle of the past through the recorded part into what is new
    for (let i = 0; i < 4; i++) driver.scrub(-1);
    driver.run();
    expect(driver.get().past).not.toBeNull();
    host.pass(350);
    driver.pause();
    expect(driver.get().past).toBeNull();
    expect(machine.clock.now).toBeGreaterThan(end.at);
    expect(bytes(straight(scenario, 7, commands(), machine.place))).toBe(bytes(machine));

    // something else is done in the past: what came after is discarded
    const before = commands().length;
    for (let i = 0; i < 20; i++) driver.scrub(-1);
    driver.do({ do: 'fire', device: devices[0]! });
    expect(driver.get().past).toBeNull();
    expect(commands().length).toBeLessThan(before);
    driver.run();
    host.pass(200);
    driver.pause();
    expect(driver.scrub(1)).toBe(false);
    expect(bytes(straight(scenario, 7, commands(), machine.place))).toBe(bytes(machine));
    expect(errors).toEqual([]);
  });
});
