/** The credit2 scheduler: credit, epochs, the ratelimit, and which CPU is told to look. */
import { describe, expect, test } from 'vitest';
import { ms, seconds, us } from '../../engine/core/clock.ts';
import { Credit2 } from '../../engine/hv/credit2.ts';
import { HvRig, on, type ShareOf, sharedRig, wakeToRun } from '../support/hv-rig.ts';
import { type RigVcpu, SchedulerRig } from '../support/scheduler-rig.ts';

const rigOf = (...args: ShareOf) => sharedRig('4.17', ...args);

const credit = (rig: HvRig, domain: number) =>
  (rig.xen.sched.scheduler as Credit2).creditOf(rig.guest(domain).v);

describe('credit', () => {
  test('everybody begins with 10 ms', () => {
    const rig = new HvRig({ domains: [on(0), on(1)] });
    expect([credit(rig, 0), credit(rig, 1)]).toEqual([ms(10), ms(10)]);
  });

  test('running burns it, sleeping does not', () => {
    const rig = rigOf([on(0), on(1)], 1);
    rig.run(ms(9));
    rig.xen.wake(1, 0);
    rig.run(ms(0.5));
    expect(credit(rig, 1)).toBeGreaterThan(ms(9.9));
    rig.run(ms(1));
    expect(credit(rig, 0)).toBeGreaterThan(0);
  });

  test('it stays between -10 ms and 10.5 ms, plus 50 us for a migration', () => {
    const rig = rigOf([on(0, 1), on(0, 1), on(0, 1), on(0), on(1)], 4);
    const seen: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      rig.run(us(337));
      if (i % 10 === 0) rig.xen.wake(4, 0);
      for (let id = 0; id < 5; id++) seen.push(credit(rig, id));
    }
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(-ms(10));
    expect(Math.max(...seen)).toBeLessThanOrEqual(ms(10.55));
  });

  test('an epoch ends when the best of those who run or wait has none: everybody gets 10 ms, up to 10.5', () => {
    const rig = rigOf([on(0), on(1)], 1);
    rig.run(ms(10.2));
    // the one that slept keeps half a millisecond at most
    expect(credit(rig, 1)).toBe(ms(10.5));
    expect(credit(rig, 0)).toBeGreaterThan(ms(9.4));
    expect(credit(rig, 0)).toBeLessThanOrEqual(ms(10));
  });

  test('a waiting one with credit keeps the epoch going, whoever has run out', () => {
    const rig = rigOf([on(0), on(0)], 2, 1);
    rig.run(ms(15));
    // what has been used up is counted when the scheduler looks
    rig.xen.sched.scheduler.schedule(rig.cpus[0]!);
    const [a, b] = [credit(rig, 0), credit(rig, 1)];
    expect(a + b).toBeGreaterThan(ms(4.9));
    expect(a + b).toBeLessThan(ms(5.1));
  });

  test('the lighter of two burns four times as fast', () => {
    const rig = new HvRig({
      cpus: 2,
      domains: [
        { vcpus: [[0]], weight: 1024 },
        { vcpus: [[1]], weight: 256 },
      ],
    });
    for (const id of [0, 1]) rig.guest(id).next = () => rig.guest(id).v.run(us(500));
    rig.start();
    rig.run(ms(2));
    // burnt when somebody looks: both are told to, by one that wakes on each CPU
    for (const cpu of rig.cpus) rig.xen.sched.scheduler.schedule(cpu);
    const [heavy, light] = [ms(10) - credit(rig, 0), ms(10) - credit(rig, 1)];
    expect(light / heavy).toBeGreaterThan(3.9);
    expect(light / heavy).toBeLessThan(4.1);
  });
});

describe('the ratelimit', () => {
  test('in the first millisecond of a turn nobody is disturbed, by whoever wakes', () => {
    const rig = rigOf([on(0), on(0)], 1, 1);
    rig.run(ms(7));
    wakeToRun(rig, 1);
    // dom0 has been put back on the CPU just now
    while (rig.guest(0).v.state !== 'running') rig.clock.step();
    const since = rig.guest(0).v.since;
    rig.clock.runUntil(since + us(300));
    rig.xen.wake(1, 0);
    while (rig.guest(1).v.state !== 'running') rig.clock.step();
    expect(rig.clock.now - since).toBeGreaterThanOrEqual(us(1_000));
    // it was not told: the turn takes its full length
    expect(rig.clock.now - since).toBeLessThan(ms(10.1));
  });

  test('after it, who has more credit preempts within microseconds', () => {
    const rig = rigOf([on(0), on(0)], 1, 1);
    rig.run(ms(7));
    expect(wakeToRun(rig, 1)).toBeLessThan(us(5));
  });

  test('there is no boost: who has less credit waits until the runner is down to it', () => {
    const rig = rigOf([on(0), on(0)], 1, 1, ms(9));
    rig.run(ms(2));
    wakeToRun(rig, 1);
    while (rig.guest(1).v.state !== 'blocked') rig.clock.step();
    const spent = credit(rig, 1);
    rig.run(us(100));
    const richer = credit(rig, 0);
    expect(richer).toBeGreaterThan(spent + ms(1));
    expect(wakeToRun(rig, 1)).toBeGreaterThan(ms(1));
  });

  test('one that blocks gives its CPU up at once', () => {
    const rig = rigOf([on(0), on(0)], 0, 1, us(50));
    rig.run(ms(1));
    rig.xen.wake(0, 0);
    rig.xen.wake(1, 0);
    rig.run(us(130));
    expect(rig.ran(0)).toBeGreaterThan(us(50));
    expect(rig.ran(1)).toBeGreaterThan(us(50));
  });
});

describe('turns', () => {
  test('alone, a turn is as long as the credit lasts, 10 ms at most', () => {
    const rig = rigOf([on(0)], 1, 1);
    const schedules: number[] = [];
    const { schedule } = rig.xen.sched.scheduler;
    rig.xen.sched.scheduler.schedule = (cpu) => {
      schedules.push(rig.clock.now);
      schedule.call(rig.xen.sched.scheduler, cpu);
    };
    rig.run(ms(100));
    const turns = schedules.slice(1).map((at, i) => at - schedules[i]!);
    expect(Math.max(...turns)).toBeLessThan(ms(10.1));
    expect(Math.min(...turns)).toBeGreaterThan(ms(0.5));
    expect(schedules.length).toBeLessThan(30);
  });

  test('with somebody waiting it ends when the credit is down to that one, after a millisecond at least', () => {
    const rig = rigOf([on(0), on(0)], 2, 1);
    rig.run(seconds(1));
    const starts: number[] = [];
    for (const { point, time } of rig.shop.trace.records())
      if (point.name === 'sched_switch') starts.push(time);
    const turns = starts.slice(1).map((at, i) => at - starts[i]!);
    expect(Math.min(...turns)).toBeGreaterThanOrEqual(us(1_000));
    expect(Math.max(...turns)).toBeLessThan(ms(11));
  });
});

/** Decisions one at a time: a wake-up, a look, the credit that everybody has in microseconds. */
describe('a decision', () => {
  const anywhere: RigVcpu = { domain: 0, on: [0, 1] };
  const pinned = (cpu: number): RigVcpu => ({ domain: 0, on: [cpu] });

  /** The first two run on CPU 0 and 1 since time 0, and it is `now`. */
  function rig(vcpus: readonly RigVcpu[], creditsUs: readonly number[], now = us(2_000)) {
    const r = new SchedulerRig(2, vcpus, (host) => new Credit2(host));
    r.wake(0, 1);
    r.look(0);
    r.look(1);
    expect([r.running(0), r.running(1)]).toEqual([0, 1]);
    r.now = now;
    // as if they had been credited up to now
    r.patch({ credit: creditsUs.map(us), start: vcpus.map(() => now) });
    r.tickled = [];
    return r;
  }

  const credits = (r: SchedulerRig<Credit2>) => r.vcpus.map((v) => r.scheduler.creditOf(v) / 1_000);

  test('one that another CPU was told to take is left to it until that has looked', () => {
    const r = rig([anywhere, anywhere, anywhere], [1_000, 3_000, 9_000]);
    r.wake(2);
    expect(r.tickled).toEqual([0]);
    expect(r.look(1)).toBe(1);
    expect(r.look(0)).toBe(2);
  });

  test('once that has looked and not taken it, anybody may', () => {
    const r = rig([anywhere, anywhere, anywhere, pinned(0)], [1_000, 3_000, 8_000, 9_000]);
    r.wake(2, 3);
    // it was told already, and the other one cannot run elsewhere
    expect(r.tickled).toEqual([0]);
    expect(r.look(0)).toBe(3);
    expect(r.look(1)).toBe(2);
  });

  test('a runner within its first millisecond stays, whoever waits', () => {
    const r = rig([anywhere, anywhere, anywhere], [1_000, 1_000, 9_000], us(990));
    r.wake(2);
    expect(r.tickled).toEqual([0]);
    expect(r.look(0)).toBe(0);
    // the rest of the millisecond is less than the least turn
    expect(r.turns[0]).toBe(us(500));
    r.now = us(1_000);
    expect(r.look(0)).toBe(2);
  });

  test('up to 50 us before that it is not told', () => {
    const r = rig([anywhere, anywhere, anywhere], [1_000, 1_000, 9_000], us(950));
    r.wake(2);
    expect(r.tickled).toEqual([]);
  });

  test('one of another CPU must be better by half a millisecond', () => {
    for (const [ahead, next] of [
      [499, 0],
      [500, 2],
    ] as const) {
      const r = rig([pinned(0), pinned(1), { domain: 0, on: [1, 0] }], [5_000, 9_000, 5_000 + ahead]);
      r.vcpus[2]!.blocked = false;
      Object.assign(r.vcpus[2]!, { state: 'runnable' });
      r.patch({ runq: [2] });
      expect(r.look(0)).toBe(next);
    }
  });

  test('one of this CPU need only be better', () => {
    const r = rig([pinned(0), pinned(1), anywhere], [5_000, 9_000, 5_001]);
    r.wake(2);
    expect(r.tickled).toEqual([0]);
    expect(r.look(0)).toBe(2);
  });

  test('the runner with least credit is told', () => {
    const r = rig([pinned(0), pinned(1), { domain: 0, on: [0, 1] }], [8_000, 1_000, 5_000]);
    r.wake(2);
    expect(r.tickled).toEqual([1]);
  });

  test('who is chosen without credit does not end the epoch while the best of the waiting has some', () => {
    const r = rig([pinned(0), anywhere, pinned(1)], [-100, 9_500, 4_000]);
    r.wake(2);
    r.look(0);
    expect(credits(r)).toEqual([-100, 9_500, 4_000]);
  });

  test('when nobody has any left all get 10 ms', () => {
    const r = rig([pinned(0), anywhere, pinned(1)], [-100, 9_500, -200]);
    r.wake(2);
    r.look(0);
    expect(credits(r)).toEqual([9_900, 10_500, 9_800]);
  });

  test('one that has sunk to the bottom gets as much more as brings it above nothing', () => {
    const r = rig([anywhere, anywhere], [1_000, 1_000]);
    r.now += ms(40);
    r.look(0);
    expect(credits(r)).toEqual([10_000, 10_000]);
  });

  test('a turn is no shorter than the ratelimit at its beginning, and half a millisecond later on', () => {
    const r = rig([pinned(0), pinned(1), pinned(0), pinned(0)], [5_000, 9_000, 5_300, 5_200]);
    r.wake(2, 3);
    expect([r.look(0), r.turns[0]]).toEqual([2, us(1_000)]);
    r.now += us(1_100);
    r.patch({ credit: [4_000, 9_000, 4_300, 4_200].map(us), start: [r.now, r.now, r.now, r.now] });
    expect([r.look(0), r.turns[0]]).toEqual([2, us(500)]);
  });

  test('a turn lasts until the credit is down to the first in the queue', () => {
    const r = rig([pinned(0), pinned(1), pinned(0)], [8_000, 9_000, 3_000]);
    r.wake(2);
    r.look(0);
    expect(r.turns[0]).toBe(us(5_000));
  });

  test('the idle loop has no turn, and takes whoever is allowed there', () => {
    const r = rig([pinned(0), pinned(1), pinned(1)], [8_000, 9_000, 3_000]);
    r.block(0);
    r.wake(2);
    expect([r.look(0), r.turns[0]]).toEqual([-1, undefined]);
    r.block(1);
    expect(r.look(1)).toBe(2);
  });
});

describe('who is told to look', () => {
  test('its own CPU, if that idles', () => {
    const rig = rigOf([on(0, 1, 2, 3)], 0, 4);
    rig.run(ms(1));
    const { cpu } = rig.guest(0).v;
    wakeToRun(rig, 0);
    expect(rig.guest(0).v.cpu).toBe(cpu);
  });

  test('else the next idle one round that it may run on', () => {
    const rig = rigOf([on(1), on(0, 1, 3)], 1, 4);
    rig.run(ms(3));
    const { v } = rig.guest(1);
    v.cpu = rig.cpus[1]!;
    wakeToRun(rig, 1);
    expect(v.cpu.cpu).toBe(3);
  });

  test('two that wake together go to two CPUs', () => {
    const rig = rigOf([on(0, 1), on(0, 1)], 0, 2, us(500));
    rig.run(ms(1));
    const [a, b] = [rig.guest(0).v, rig.guest(1).v];
    a.cpu = rig.cpus[0]!;
    b.cpu = rig.cpus[0]!;
    rig.xen.wake(0, 0);
    rig.xen.wake(1, 0);
    rig.run(us(10));
    expect([a.state, b.state]).toEqual(['running', 'running']);
    expect(a.cpu).not.toBe(b.cpu);
  });

  test('with none idle the CPU whose runner has least credit, if that is worth the migration', () => {
    const rig = rigOf([on(0), on(1), on(0, 1)], 2);
    rig.run(ms(3));
    const { v } = rig.guest(2);
    v.cpu = rig.cpus[1]!;
    wakeToRun(rig, 2);
    // both have run as long as one another: the own CPU needs no migration
    expect(v.cpu.cpu).toBe(1);
  });

  test('a preempted one looks for an idle CPU itself', () => {
    const rig = rigOf([on(0, 1), on(0), on(1)], 1, 2, us(400));
    const moving = rig.guest(0).v;
    rig.run(ms(3));
    const { cpu } = moving.cpu;
    wakeToRun(rig, 1 + cpu);
    rig.run(us(5));
    expect([moving.state, moving.cpu.cpu]).toEqual(['running', 1 - cpu]);
  });

  test('moving to another CPU is told to Xen and rewarded with 50 us', () => {
    const rig = rigOf([on(1), on(0, 1)], 1);
    rig.run(ms(3));
    const { v } = rig.guest(1);
    const before = credit(rig, 1);
    v.cpu = rig.cpus[1]!;
    rig.xen.wake(1, 0);
    while (v.state !== 'running') rig.clock.step();
    expect([v.cpu.cpu, credit(rig, 1) - before]).toEqual([0, us(50)]);
  });

  test('one that is still on its CPU, about to block, goes on there', () => {
    const rig = rigOf([on(0, 1)], 0, 2, us(50));
    rig.run(ms(1));
    rig.xen.wake(0, 0);
    const { v } = rig.guest(0);
    while (!v.blocked || v.state !== 'running') rig.clock.step();
    const before = rig.shop.trace.written;
    rig.xen.wake(0, 0);
    rig.run(us(20));
    expect([v.state, v.blocked]).toEqual(['running', false]);
    const switches = [...rig.shop.trace.records(before + 1)].filter((r) => r.point.name === 'sched_switch');
    expect(switches).toEqual([]);
  });
});

test('its state travels as plain data', () => {
  const rig = rigOf([on(0, 1), on(0, 1), on(0, 1)], 3);
  rig.run(ms(33));
  const saved = JSON.parse(JSON.stringify(rig.xen.sched.scheduler.save()));
  const copy = rigOf([on(0, 1), on(0, 1), on(0, 1)], 3);
  copy.xen.sched.scheduler.restore(saved);
  expect(copy.xen.sched.scheduler.save()).toEqual(saved);
  rig.run(ms(5));
  expect(copy.xen.sched.scheduler.save()).toEqual(saved);
});
