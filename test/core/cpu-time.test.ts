/** A processor's own time, which runs ahead of the clock, and where it went. */
import { expect, test } from 'vitest';
import { Clock } from '../../engine/core/clock.ts';
import { CpuTime } from '../../engine/core/cpu-time.ts';

/** In guests, in the host's code, idle. */
const spent = (time: CpuTime) => [time.inGuest(false), time.inHost(false, false), time.inIdle(false)];

test('what is charged is ahead of the clock, and counts as that passes it', () => {
  const clock = new Clock();
  const time = new CpuTime(clock);
  time.charge(100);
  expect([time.now, time.ahead]).toEqual([100, true]);
  clock.runUntil(30);
  expect(spent(time)).toEqual([0, 30, 0]);
  clock.runUntil(100);
  expect([time.now, time.ahead]).toEqual([100, false]);
  expect(spent(time)).toEqual([0, 100, 0]);
});

test("a guest's code within that counts as the guest's as the clock passes it, and not before it begins", () => {
  const clock = new Clock();
  const time = new CpuTime(clock);
  time.charge(100);
  time.spendInGuest(50);
  const at = (ns: number) => {
    clock.runUntil(ns);
    return spent(time);
  };
  expect([0, 100, 120, 149, 150, 1_000].map((ns) => at(ns).slice(0, 2))).toEqual([
    [0, 0],
    [0, 100],
    [20, 100],
    [49, 100],
    [50, 100],
    [50, 100],
  ]);
});

test('a stretch begins at its own time; one that is stopped before that is left whole', () => {
  const clock = new Clock();
  const time = new CpuTime(clock);
  time.charge(100);
  expect(time.begin()).toBe(100);
  clock.runUntil(40);
  expect(time.end(true)).toBe(100);
  time.begin();
  clock.runUntil(130);
  expect(time.inGuest(true)).toBe(30);
  expect(time.end(true)).toBe(130);
  expect(spent(time)).toEqual([30, 100, 0]);
});

test('who waits for others spends the time himself, whoever is idle does not', () => {
  const clock = new Clock();
  const time = new CpuTime(clock);
  clock.runUntil(10);
  time.wait();
  clock.runUntil(25);
  expect(time.inHost(false, true)).toBe(15);
  expect(time.waited(30)).toBe(30);
  clock.runUntil(70);
  time.idled();
  expect(spent(time)).toEqual([0, 20, 40]);
});

test('it is restored as it was saved', () => {
  const clock = new Clock();
  const time = new CpuTime(clock);
  time.charge(100);
  time.spendInGuest(50);
  time.begin();
  clock.runUntil(110);
  const other = new CpuTime(clock);
  other.restore(time.save());
  expect(spent(other)).toEqual(spent(time));
  expect(other.save()).toEqual(time.save());
});
