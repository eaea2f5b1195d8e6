import { describe, expect, test } from 'vitest';
import type { Machine } from '../../engine/machine/machine.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';
import { Driver, type DriverOptions } from '../../tui/driver.ts';
import { type Frame, rowKey } from '../../tui/frame.ts';
import { DELAYS, SPEEDS } from '../../tui/speeds.ts';
import { type FakeOptions, fakeMachine } from '../support/fake-machine.ts';
import { ManualHost } from '../support/manual-host.ts';

const MAX = Number.POSITIVE_INFINITY;

function setUp(options: DriverOptions = {}, fake: FakeOptions = {}) {
  const host = new ManualHost();
  const machine: Machine = fakeMachine(fake);
  const errors: Error[] = [];
  const driver = new Driver(machine, host, { onError: (e) => errors.push(e), ...options });
  const frames: Frame[] = [];
  driver.subscribe(() => frames.push(driver.get()));
  return { host, machine, driver, frames, errors };
}

const total = (frame: Frame, irq: number) =>
  frame.snapshot.domains[0]!.interrupts.rows.find((r) => r.irq === irq)!.counts.reduce((a, b) => a + b, 0);

const hops = (frame: Frame) => frame.snapshot.lastFired?.hops.map((h) => h.text) ?? [];

describe('time', () => {
  test.each([1e-6, 0.01, 1, 5])('passes at %f of real time', (speed) => {
    const { host, machine, driver } = setUp({ speed });
    driver.run();
    host.pass(2000);
    expect(machine.clock.now / (2e9 * speed)).toBeCloseTo(1, 1);
    expect(machine.clock.now).toBeLessThanOrEqual(2e9 * speed);
  });

  test('passes in many small slices', () => {
    const { host, machine, driver } = setUp();
    driver.run();
    let last = 0;
    for (let i = 0; i < 100; i++) {
      host.pass(25);
      expect(machine.clock.now - last).toBeLessThanOrEqual(50e6);
      last = machine.clock.now;
    }
  });

  test('stands still when paused and goes on from there', () => {
    const { host, machine, driver } = setUp();
    driver.run();
    host.pass(500);
    driver.togglePause();
    const { now } = machine.clock;
    expect(driver.get().state).toBe('paused');
    expect(driver.get().snapshot.time).toBe(now);
    host.pass(60_000);
    expect(machine.clock.now).toBe(now);
    expect(host.waiting).toBe(0);
    driver.togglePause();
    host.pass(100);
    expect(machine.clock.now - now).toBeLessThanOrEqual(100e6);
    expect(machine.clock.now).toBeGreaterThan(now);
  });

  test('does not catch up after a standstill of the process', () => {
    const { host, machine, driver } = setUp();
    driver.run();
    host.pass(1000);
    const before = machine.clock.now;
    host.stall(3_600_000);
    host.pass(20);
    expect(machine.clock.now - before).toBeLessThan(400e6);
  });

  test('falls behind rather than taking long slices when the machine is too slow', () => {
    const { host, driver, frames } = setUp({ speed: 1000, delay: 1 });
    host.cost = 0.5;
    driver.run();
    host.pass(5000);
    const { achieved, speed } = frames.at(-1)!;
    expect(speed).toBe(1000);
    expect(achieved).toBeGreaterThan(0);
    expect(achieved).toBeLessThan(900);
  });

  test('at full speed a slice ends after its budget', () => {
    const { host, machine, driver } = setUp({ speed: MAX });
    host.cost = 0.05;
    driver.run();
    const slices: number[] = [];
    for (let i = 0; i < 20; i++) {
      const start = host.now();
      host.pass(0.01);
      slices.push(host.now() - start);
    }
    expect(Math.max(...slices)).toBeLessThan(20);
    expect(machine.clock.events).toBeGreaterThan(1000);
  });

  test('ends where nothing is left to happen', () => {
    const { host, driver } = setUp({ speed: MAX }, { quiet: true });
    driver.run();
    host.pass(100);
    expect(driver.get().ended).toBe(true);
    driver.do({ do: 'fire', device: 'kbd' });
    host.pass(1000);
    expect(hops(driver.get()).at(-1)).toBe('irq 1 handler');
  });

  test('the same run comes out whatever the slices were', () => {
    const one = setUp();
    const two = setUp({ speed: 0.5, delay: 0.1 });
    one.driver.run();
    one.host.pass(1500);
    two.driver.run();
    for (let i = 0; i < 300; i++) two.host.pass(7);
    two.driver.pause();
    const until = Math.max(one.machine.clock.now, two.machine.clock.now);
    for (const { machine } of [one, two]) machine.runUntil(until);
    expect(takeSnapshot(two.machine)).toEqual(takeSnapshot(one.machine));
  });
});

describe('steps', () => {
  test('one event at a time', () => {
    const { machine, driver } = setUp();
    for (let n = 1; n <= 5; n++) {
      driver.step();
      expect(machine.clock.events).toBe(n);
      expect(driver.get().snapshot.events).toBe(n);
      expect(driver.get().state).toBe('paused');
    }
  });

  test('a step while running pauses', () => {
    const { host, driver, machine } = setUp();
    driver.run();
    host.pass(100);
    driver.step();
    const { events } = machine.clock;
    host.pass(1000);
    expect(machine.clock.events).toBe(events);
  });

  test('what the step changed differs from the frame before', () => {
    const { driver } = setUp();
    driver.step();
    const { snapshot, base } = driver.get();
    const changed = snapshot.domains.flatMap((d, i) =>
      d.interrupts.rows.filter((r, j) => `${r.counts}` !== `${base.domains[i]!.interrupts.rows[j]!.counts}`),
    );
    expect(changed).toHaveLength(1);
  });

  test('to the next interrupt: past events that are none', () => {
    const { host, machine, driver } = setUp({}, { quiet: true });
    driver.do({ do: 'fire', device: 'disk' });
    driver.seek();
    expect(driver.get().state).toBe('seeking');
    host.pass(50);
    expect(driver.get().state).toBe('paused');
    expect(machine.clock.events).toBe(5);
    expect(total(driver.get(), 53)).toBe(1);
  });

  test('to the next interrupt gives up where there will be none, and a pause ends it', () => {
    const quiet = setUp({}, { quiet: true });
    quiet.driver.seek();
    quiet.host.pass(50);
    expect(quiet.driver.get()).toMatchObject({ state: 'paused', ended: true });
    const { host, driver } = setUp();
    driver.seek();
    driver.togglePause();
    host.pass(100);
    expect(driver.get().snapshot.events).toBe(0);
  });
});

describe('frames', () => {
  test('are published once per delay, and never otherwise', () => {
    const { host, driver, frames } = setUp({ delay: 0.5 });
    driver.run();
    frames.length = 0;
    host.pass(10_000);
    expect(frames.length).toBe(20);
    expect(new Set(frames.map((f) => f.number)).size).toBe(20);
  });

  test('the same object is seen until the next is published', () => {
    const { host, driver } = setUp({ delay: 1 });
    driver.run();
    const frame = driver.get();
    host.pass(500);
    expect(driver.get()).toBe(frame);
    host.pass(600);
    expect(driver.get()).not.toBe(frame);
  });

  test('the delay can be set and stepped within bounds', () => {
    const { host, driver, frames } = setUp({ delay: 5 });
    driver.run();
    driver.setDelay(0.1);
    frames.length = 0;
    host.pass(1000);
    expect(frames.length).toBeGreaterThanOrEqual(9);
    driver.setDelay(0);
    expect(driver.get().delay).toBeGreaterThan(0);
    for (let i = 0; i < 20; i++) driver.slower(1);
    expect(driver.get().delay).toBe(DELAYS.at(-1));
    for (let i = 0; i < 20; i++) driver.slower(-1);
    expect(driver.get().delay).toBe(DELAYS[0]);
  });

  test('the speed goes through its steps to the ends of the list', () => {
    const { driver } = setUp();
    const seen: number[] = [];
    for (let i = 0; i < SPEEDS.length; i++) {
      driver.faster(1);
      seen.push(driver.get().speed);
    }
    expect(seen.at(-1)).toBe(MAX);
    for (let i = 0; i < 2 * SPEEDS.length; i++) driver.faster(-1);
    expect(driver.get().speed).toBe(1e-6);
  });

  test('rates are per second of simulated time', () => {
    const { host, driver } = setUp({ speed: 0.1, delay: 1 });
    driver.run();
    host.pass(15_000);
    expect(driver.history.rate(rowKey('dom0', 24))).toBeCloseTo(250, -1);
    driver.resetRates();
    expect(driver.history.rate(rowKey('dom0', 24))).toBeNaN();
    expect(driver.get().base).toBe(driver.get().snapshot);
  });

  test('memory does not grow with time', () => {
    const { host, driver } = setUp({ delay: 0.1 });
    driver.run();
    host.pass(2000);
    const { size } = driver.history;
    host.pass(70_000);
    expect(driver.history.size).toBe(size);
  });
});

describe('firing', () => {
  test('while running: the whole journey is on the very next frame', () => {
    const { host, driver, frames } = setUp({ delay: 10 });
    driver.run();
    host.pass(1010);
    frames.length = 0;
    driver.do({ do: 'fire', device: '3' });
    expect(frames).toHaveLength(1);
    expect(hops(frames[0]!)[0]).toBe('line 53 up');
    host.pass(20);
    expect(hops(frames.at(-1)!).at(-1)).toBe('irq 53 handler');
    expect(frames.at(-1)!.snapshot.lastFired!.latency).toBe(4000);
    expect(frames.length).toBeLessThanOrEqual(2);
  });

  test('while paused: the hops so far, and one more with each step', () => {
    const { driver } = setUp({}, { quiet: true });
    driver.do({ do: 'fire', device: 'disk' });
    expect(hops(driver.get())).toEqual(['line 53 up']);
    expect(driver.get().snapshot.lastFired!.latency).toBeNull();
    for (let n = 2; n <= 6; n++) {
      driver.step();
      expect(hops(driver.get())).toHaveLength(n);
    }
    expect(driver.get().snapshot.lastFired!.latency).toBe(4000);
  });

  test('in slow motion every hop is published when it happens, not a delay later', () => {
    const { host, driver, frames } = setUp({ speed: 1e-6, delay: 10 }, { quiet: true });
    driver.run();
    host.pass(100);
    driver.do({ do: 'fire', device: 'disk' });
    frames.length = 0;
    host.pass(5000);
    expect(frames.map((f) => hops(f).length)).toEqual([2, 3, 4, 5, 6]);
  });

  test('at full speed the journey is caught before the trace forgets it, and stays', () => {
    const { host, driver, machine } = setUp({ speed: MAX, delay: 0.5 }, { everyRow: 1000 });
    host.cost = 0.01;
    driver.run();
    host.pass(50);
    driver.do({ do: 'fire', device: 'disk' });
    const first = machine.lastFired!.journey;
    host.pass(400);
    expect(machine.shop.trace.journey(first)).toEqual([]);
    expect(hops(driver.get())).toHaveLength(6);
    expect(driver.get().snapshot.lastFired!.journey).toBe(first);
    driver.do({ do: 'fire', device: 'kbd' });
    host.pass(50);
    expect(hops(driver.get()).at(-1)).toBe('irq 1 handler');
  });

  test('a burst counts every time and shows the last', () => {
    const { host, driver } = setUp({}, { quiet: true });
    driver.run();
    driver.do({ do: 'fire', device: 'disk', times: 10 });
    host.pass(20);
    const disk = driver.get().snapshot.devices.find((d) => d.name === 'disk')!;
    expect(disk.fired).toBe(10);
  });

  test('the script fires at its simulated times, whatever the slices', () => {
    const fires = [
      { device: 'nic', at: 1.5e9, times: 2 },
      { device: 'kbd', at: 0.25e9, times: 1 },
    ];
    const { host, driver, machine } = setUp({ fires }, { quiet: true });
    driver.run();
    host.pass(1000);
    expect(driver.get().snapshot.lastFired).toMatchObject({ device: 'kbd', start: 0.25e9, latency: 4000 });
    host.pass(1000);
    expect(driver.get().snapshot.lastFired).toMatchObject({ device: 'nic', start: 1.5e9 });
    expect(machine.devices().find((d) => d.name === 'nic')!.fired).toBe(2);
  });

  test('a step may be the script firing', () => {
    const { driver } = setUp({ fires: [{ device: 'kbd', at: 5e6, times: 1 }] }, { quiet: true });
    driver.step();
    expect(driver.get().snapshot).toMatchObject({ time: 5e6, events: 0 });
    expect(hops(driver.get())).toEqual(['line 1 up']);
  });
});

describe('an error of the machine', () => {
  test('stops the driver and is told once', () => {
    const { host, driver, errors } = setUp({}, { failAt: 0.3e9 });
    driver.run();
    host.pass(2000);
    expect(errors.map((e) => e.message)).toEqual(['assertion failed: in-flight > 0']);
    expect(host.waiting).toBe(0);
  });

  test('a command that the machine refuses is none', () => {
    const { driver, errors } = setUp();
    expect(driver.do({ do: 'fire', device: 'toaster' })).toEqual({ refused: 'no device toaster in xen-pv' });
    expect(errors).toEqual([]);
  });
});
