/** Xen's timers: deadlines of the local APIC's timer, what is due, what was stopped. */
import { describe, expect, test } from 'vitest';
import { ms, type Ns, us } from '../../../engine/core/clock.ts';
import type { XenTimer } from '../../../engine/hv/xen/timer.ts';
import { HvRig } from '../../support/hv-rig.ts';

/** A host whose CPUs idle, and timers that note when they ran. */
function timers(profile: '3.4' | '4.17' = '4.17') {
  const rig = new HvRig({ profile });
  const ran: { name: string; at: Ns; cpu: number }[] = [];
  const make = (name: string): XenTimer =>
    rig.xen.timers.timer((on) => ran.push({ name, at: rig.clock.now, cpu: on.cpu }));
  rig.start();
  rig.run(ms(1));
  const counts = rig.countInterrupts();
  const interrupts = (cpu: number) => counts.get(`${cpu}:${profile === '3.4' ? 'f9' : 'fa'}`) ?? 0;
  return { rig, ran, make, interrupts, cpus: rig.cpus };
}

describe('a timer that is due', () => {
  test('runs on its CPU, once, soon after the time it was set to', () => {
    const { rig, ran, make, cpus } = timers();
    make('a').set(cpus[1]!, ms(3));
    rig.run(ms(10));
    expect(ran.map(({ name, cpu }) => [name, cpu])).toEqual([['a', 1]]);
    expect(ran[0]!.at).toBeGreaterThan(ms(3));
    expect(ran[0]!.at).toBeLessThan(ms(3) + us(5));
  });

  test('is off when it runs, and may set itself again', () => {
    const { rig, ran, cpus } = timers();
    const again: XenTimer = rig.xen.timers.timer((on) => {
      expect(again.expires).toBeUndefined();
      ran.push({ name: 'again', at: rig.clock.now, cpu: on.cpu });
      if (ran.length < 3) again.set(on, rig.clock.now + ms(1));
    });
    again.set(cpus[0]!, ms(2));
    rig.run(ms(10));
    expect(ran).toHaveLength(3);
  });

  test('several of one CPU run in the order of their times, those of one time in the order they were set', () => {
    const { rig, ran, make, cpus } = timers();
    make('late').set(cpus[0]!, ms(3) + 20);
    make('first').set(cpus[0]!, ms(3));
    make('second').set(cpus[0]!, ms(3));
    rig.run(ms(10));
    expect(ran.map((r) => r.name)).toEqual(['first', 'second', 'late']);
  });

  test('one interrupt serves all that are due', () => {
    const { rig, ran, make, cpus, interrupts } = timers();
    for (let i = 0; i < 10; i++) make(`t${i}`).set(cpus[0]!, ms(3) + i);
    rig.run(ms(10));
    expect([ran.length, interrupts(0), interrupts(1)]).toEqual([10, 1, 0]);
  });

  test('each of those that are far apart has an interrupt', () => {
    const { rig, make, cpus, interrupts } = timers();
    for (let i = 0; i < 5; i++) make(`t${i}`).set(cpus[0]!, ms(3 + i));
    rig.run(ms(20));
    expect(interrupts(0)).toBe(5);
  });

  test('one set in the past runs at once, without a timer interrupt', () => {
    const { rig, ran, make, cpus, interrupts } = timers();
    make('past').set(cpus[1]!, us(3));
    rig.run(us(10));
    expect(ran.map((r) => r.name)).toEqual(['past']);
    expect(interrupts(1)).toBe(0);
  });
});

test.each([
  ['4.17', us(50)],
  ['3.4', 1],
] as const)(
  'on %s one due this very instant is not past yet: the softirq leaves it for %i ns',
  (profile, later) => {
    const { rig, ran, make, cpus } = timers(profile);
    make('now').set(cpus[0]!, rig.clock.now);
    rig.xen.timers.softirq(cpus[0]!);
    expect(ran).toEqual([]);
    expect(rig.xen.timers.deadlineOf(cpus[0]!)).toBe(rig.clock.now + later);
  },
);

describe('stopping', () => {
  test('one that is stopped in time never runs, and its interrupt is taken back', () => {
    const { rig, ran, make, cpus, interrupts } = timers();
    const timer = make('a');
    timer.set(cpus[0]!, ms(3));
    rig.run(ms(1));
    timer.stop();
    expect(timer.expires).toBeUndefined();
    rig.run(ms(10));
    expect([ran, interrupts(0)]).toEqual([[], 0]);
  });

  test('one whose interrupt has come but not its softirq never runs either', () => {
    const { rig, ran, make, cpus, interrupts } = timers();
    const timer = make('a');
    timer.set(cpus[0]!, ms(3));
    // the interrupt is on its way to the handler
    rig.clock.runUntil(ms(3));
    expect(cpus[0]!.idle).toBe(false);
    timer.stop();
    rig.run(ms(1));
    expect([ran, interrupts(0)]).toEqual([[], 1]);
  });

  test('the next one gets the deadline', () => {
    const { rig, ran, make, cpus } = timers();
    const first = make('first');
    first.set(cpus[0]!, ms(3));
    make('next').set(cpus[0]!, ms(4));
    rig.run(us(10));
    expect(rig.xen.timers.deadlineOf(cpus[0]!)).toBe(ms(3));
    first.stop();
    rig.run(us(10));
    expect(rig.xen.timers.deadlineOf(cpus[0]!)).toBe(ms(4));
    rig.run(ms(5));
    expect(ran.map((r) => r.name)).toEqual(['next']);
  });

  test('setting it anew moves it, to another CPU too', () => {
    const { rig, ran, make, cpus } = timers();
    const timer = make('a');
    timer.set(cpus[0]!, ms(3));
    timer.set(cpus[1]!, ms(5));
    rig.run(ms(10));
    expect(ran.map(({ at, cpu }) => [Math.floor(at / ms(1)), cpu])).toEqual([[5, 1]]);
    // that of Xen's own calibration is left
    expect(rig.xen.timers.deadlineOf(cpus[0]!)).toBe(ms(1000));
  });

  test('with none set the timer of the local APIC is off', () => {
    const { rig, make, cpus } = timers();
    make('a').set(cpus[1]!, ms(3));
    rig.run(ms(10));
    expect(rig.xen.timers.deadlineOf(cpus[1]!)).toBeUndefined();
  });
});

describe('the slop of 50 us', () => {
  test('4.17 sets no deadline nearer than that', () => {
    const { rig, ran, make, cpus } = timers();
    const from = rig.clock.now;
    make('soon').set(cpus[0]!, from + us(20));
    rig.run(ms(1));
    expect(ran[0]!.at - from).toBeGreaterThan(us(50));
    expect(ran[0]!.at - from).toBeLessThan(us(55));
  });

  test('3.4 waits for those that come within it after the first', () => {
    const { rig, ran, make, cpus, interrupts } = timers('3.4');
    const from = rig.clock.now;
    make('first').set(cpus[1]!, from + us(100));
    make('within').set(cpus[1]!, from + us(140));
    make('beyond').set(cpus[1]!, from + us(160));
    rig.run(us(155));
    expect(ran.map((r) => r.name)).toEqual(['first', 'within']);
    expect(ran[0]!.at - from).toBeGreaterThan(us(140));
    rig.run(ms(1));
    expect([ran.length, interrupts(1)]).toEqual([3, 2]);
  });
});

test('a guest sets its timer, is woken by it, and stops it', () => {
  const rig = new HvRig();
  const guest = rig.guest();
  guest.calls.bindVirq(0, 0);
  rig.start();
  rig.run(ms(1));
  guest.calls.setTimer(ms(5));
  rig.run(ms(3));
  expect(guest.times('upcall')).toEqual([]);
  rig.run(ms(3));
  expect(guest.times('upcall')).toHaveLength(1);
  expect(guest.times('upcall')[0]! - ms(5)).toBeLessThan(us(5));
  guest.calls.setTimer(ms(9));
  guest.calls.setTimer(undefined);
  rig.run(ms(10));
  expect(guest.times('upcall')).toHaveLength(1);
});

test('its state travels as plain data', () => {
  const { rig, make, cpus } = timers();
  make('a').set(cpus[1]!, ms(30));
  make('b').set(cpus[1]!, ms(20));
  const saved = JSON.parse(JSON.stringify(rig.xen.timers.save()));
  const other = timers();
  const [a, b] = [other.make('a'), other.make('b')];
  other.make('c').set(other.cpus[1]!, ms(7));
  other.rig.xen.timers.restore({ ...saved, cpus: [...saved.cpus, 0] });
  expect([a.expires, b.expires]).toEqual([ms(30), ms(20)]);
  b.stop();
  expect(other.rig.xen.timers.save()).toMatchObject({
    queues: [
      [
        [expect.any(Number), ms(1000)],
        [expect.any(Number), ms(8000)],
      ],
      [[expect.any(Number), ms(30)]],
    ],
  });
});
