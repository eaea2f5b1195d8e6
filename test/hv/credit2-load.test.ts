/** Load averages of credit2, in fixed point: 2^18 is one virtual CPU all the time, the window 2^30 ns. */
import { describe, expect, test } from 'vitest';
import { us } from '../../engine/core/clock.ts';
import { Credit2 } from '../../engine/hv/credit2.ts';
import { Credit2Load, loadPercent } from '../../engine/hv/credit2-load.ts';
import { SchedulerRig } from '../support/scheduler-rig.ts';

const WINDOW = 2 ** 30;
const ONE = 2 ** 18;

describe('averages', () => {
  test('a virtual CPU begins with half a load, the queue with none', () => {
    const load = new Credit2Load(2);
    expect([load.of(0), load.of(1), load.ofQueue, load.now]).toEqual([ONE / 2, ONE / 2, 0, 0]);
  });

  test('a change moves them by the part of the window that has gone by', () => {
    const load = new Credit2Load(1);
    load.update(WINDOW / 4, 0, 1);
    // a quarter of a window without load
    expect(load.of(0)).toBe((ONE / 2) * 0.75);
    expect([load.ofQueue, load.now]).toEqual([0, 1]);
    load.update(WINDOW / 2, 0, -1);
    expect(load.of(0)).toBe((ONE / 2) * 0.75 * 0.75 + ONE / 4);
    expect([load.ofQueue, load.now]).toEqual([ONE / 4, 0]);
  });

  test('longer ago than a window, nothing of before is left', () => {
    const load = new Credit2Load(2);
    load.update(0, 0, 1);
    load.update(0, 1, 1);
    load.update(WINDOW + 1024, 0, 0);
    expect([load.of(0), load.ofQueue]).toEqual([ONE, 2 * ONE]);
    load.update(3 * WINDOW, 1, -1);
    expect([load.of(1), load.ofQueue, load.now]).toEqual([ONE, 2 * ONE, 1]);
    load.update(5 * WINDOW, 1, 1);
    expect(load.of(1)).toBe(0);
  });

  test('time counts in steps of 1024 ns; products are rounded down', () => {
    const load = new Credit2Load(1);
    load.update(1023, 0, 1);
    expect(load.of(0)).toBe(ONE / 2);
    load.update(3 * 1024, 0, 0);
    // 3 steps of load 1 are 0.75, of the average 0.375
    expect(load.of(0)).toBe(ONE / 2);
    load.update(8 * 1024, 0, 0);
    expect(load.of(0)).toBe(ONE / 2 + 1);
  });

  test('an idle CPU that looks brings the queue up to date, nobody else', () => {
    const load = new Credit2Load(1);
    load.update(0, 0, 1);
    load.update(WINDOW / 2, -1, 0);
    expect([load.of(0), load.ofQueue, load.now]).toEqual([ONE / 2, ONE / 2, 1]);
  });

  test('saved and restored they go on the same', () => {
    const load = new Credit2Load(2);
    load.update(us(300), 1, 1);
    const other = new Credit2Load(2);
    other.restore(load.save());
    for (const l of [load, other]) l.update(us(900_000), 1, -1);
    expect(other.save()).toEqual(load.save());
  });

  test('percent are of one virtual CPU, rounded down', () => {
    expect([loadPercent(ONE), loadPercent(ONE / 2), loadPercent(1071719), loadPercent(213179)]).toEqual([
      100, 50, 408, 81,
    ]);
  });
});

describe('the scheduler counts', () => {
  const rig = () => {
    const vcpus = [0, 1, 2].map((domain) => ({ domain, on: [0, 1] }));
    return new SchedulerRig(2, vcpus, (host) => new Credit2(host));
  };

  test('who wakes until it has left its CPU', () => {
    const r = rig();
    const { load } = r.scheduler;
    r.wake(0, 1, 2);
    expect(load.now).toBe(3);
    r.look(0);
    r.look(1);
    expect(load.now).toBe(3);
    const there = r.running(0);
    r.block(there);
    expect(load.now).toBe(3);
    r.look(0);
    expect(load.now).toBe(2);
  });

  test('who blocks and is woken before its CPU has looked once', () => {
    const r = rig();
    r.wake(0);
    r.look(0);
    r.block(0);
    r.wake(0);
    expect(r.look(0)).toBe(0);
    expect(r.scheduler.load.now).toBe(1);
  });

  test('the running time of one that stays and of an idle CPU', () => {
    const r = rig();
    r.wake(0);
    r.look(0);
    r.now = WINDOW / 2;
    r.look(0);
    expect(r.scheduler.load.of(0)).toBe(ONE * 0.75);
    r.now = WINDOW;
    r.look(1);
    expect(r.scheduler.load.of(0)).toBe(ONE * 0.75);
    expect(r.scheduler.load.ofQueue).toBe(ONE * 0.75);
  });
});
