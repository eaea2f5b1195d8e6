/** The credit scheduler of Xen 3.4: boost, ticks, accounting, and who takes what from whom. */
import { describe, expect, test } from 'vitest';
import { ms, seconds, us } from '../../engine/core/clock.ts';
import { Credit } from '../../engine/hv/credit.ts';
import { type HvRig, on, type ShareOf, sharedRig, wakeToRun } from '../support/hv-rig.ts';
import { type RigVcpu, SchedulerRig } from '../support/scheduler-rig.ts';

const BOOST = 0;
const UNDER = -1;
const OVER = -2;
const TIMER_VECTOR = 'f9';

const rigOf = (...args: ShareOf) => sharedRig('3.4', ...args);

const scheduler = (rig: HvRig) => rig.xen.sched.scheduler as Credit;
const priority = (rig: HvRig, domain: number) => scheduler(rig).priorityOf(rig.guest(domain).v);
const credit = (rig: HvRig, domain: number) => scheduler(rig).creditOf(rig.guest(domain).v);

/** One that has used far more than its share, and shares in the next accounting. */
function overdraw(rig: HvRig, domain: number): void {
  const state = scheduler(rig).save() as { credit: number[]; priority: number[]; active: number[][] };
  const { index } = rig.guest(domain).v;
  const credit = state.credit.with(index, -280);
  const priority = state.priority.with(index, OVER);
  const active = [[domain, index], ...state.active.filter(([id]) => id !== domain)];
  scheduler(rig).restore({ ...state, credit, priority, active });
}

describe('boost', () => {
  test('who wakes with credit left preempts a computing one within microseconds', () => {
    const rig = rigOf([on(0), on(0)], 1, 1);
    // both have had their first turn
    rig.run(ms(45));
    for (let i = 0; i < 20; i++) {
      rig.run(ms(7));
      expect(wakeToRun(rig, 1)).toBeLessThan(us(5));
    }
  });

  test('it is boosted while it waits and runs', () => {
    const rig = rigOf([on(0), on(0)], 1, 1);
    rig.run(ms(17));
    rig.xen.wake(1, 0);
    expect(priority(rig, 1)).toBe(BOOST);
    expect(priority(rig, 0)).toBeLessThan(BOOST);
  });

  test('a tick that finds it running ends the boost and takes 100 credits', () => {
    const rig = rigOf([on(0), on(0)], 1, 1, ms(12));
    rig.run(ms(31));
    wakeToRun(rig, 1);
    const before = credit(rig, 1);
    expect(priority(rig, 1)).toBe(BOOST);
    rig.clock.runUntil(ms(40.5));
    expect([priority(rig, 1), credit(rig, 1)]).toEqual([UNDER, before - 100]);
  });

  test('who is over its share is not boosted: it waits behind those with credit', () => {
    const rig = rigOf([on(0), on(0)], 1, 1);
    rig.run(ms(35));
    overdraw(rig, 1);
    expect(wakeToRun(rig, 1)).toBeGreaterThan(ms(5));
  });

  test('two that are boosted do not disturb one another', () => {
    const rig = rigOf([on(0), on(0)], 0, 1, ms(2));
    rig.run(ms(5));
    rig.xen.wake(0, 0);
    rig.run(us(100));
    const from = rig.clock.now;
    rig.xen.wake(1, 0);
    while (rig.guest(1).v.state !== 'running') rig.clock.step();
    expect(rig.clock.now - from).toBeGreaterThan(ms(1.8));
  });
});

describe('turns and ticks', () => {
  test('a turn lasts 30 ms', () => {
    const rig = rigOf([on(0), on(0)], 2, 1);
    rig.run(seconds(1));
    const starts: number[] = [];
    for (const { point, time } of rig.shop.trace.records())
      if (point.name === 'sched_switch') starts.push(time);
    const turns = starts.slice(2).map((at, i) => at - starts[i + 1]!);
    for (const turn of turns) expect(Math.abs(turn - ms(30))).toBeLessThan(us(60));
  });

  test('every CPU that is busy ticks every 10 ms, an idle one does not tick', () => {
    const rig = rigOf([on(1)], 1);
    const counts = rig.countInterrupts();
    rig.run(seconds(1));
    expect(counts.get(`1:${TIMER_VECTOR}`)).toBeGreaterThan(95);
    // the accounting's timer, every 30 ms
    expect(counts.get(`0:${TIMER_VECTOR}`)).toBeLessThan(40);
    expect(rig.cpus[0]!.idleTime()).toBeGreaterThan(seconds(0.999));
  });
});

test('a CPU that goes idle stops ticking; busy again, it ticks at the same tens of milliseconds', () => {
  const rig = rigOf([on(0)], 0, 1, ms(25));
  const ticks: number[] = [];
  const { tick } = scheduler(rig);
  scheduler(rig).tick = (cpu) => {
    ticks.push(rig.clock.now);
    tick.call(scheduler(rig), cpu);
  };
  rig.run(ms(63.7));
  ticks.length = 0;
  rig.run(ms(30));
  expect(ticks).toEqual([]);
  rig.xen.wake(0, 0);
  rig.run(ms(30));
  expect(ticks.map((at) => Math.floor(at / ms(10)))).toEqual([10, 11]);
  for (const at of ticks) expect(at % ms(10)).toBeLessThan(us(60));
});

describe('accounting', () => {
  test('credits stay within a turn of 300 below nothing and above', () => {
    const rig = rigOf([on(0, 1), on(0, 1), on(0, 1), on(0), on(1)], 4);
    for (let i = 0; i < 1_000; i++) {
      rig.run(us(3_370));
      if (i % 3 === 0) rig.xen.wake(4, 0);
      for (let id = 0; id < 5; id++) {
        // between two accountings a runner pays three ticks more
        expect(credit(rig, id)).toBeGreaterThanOrEqual(-600);
        expect(credit(rig, id)).toBeLessThanOrEqual(300);
      }
    }
  });

  test('who was never seen running gets none', () => {
    const rig = rigOf([on(0), on(1)], 1);
    rig.run(seconds(1));
    expect(credit(rig, 1)).toBe(0);
  });

  test('with the CPU for itself a computing one keeps its credit', () => {
    const rig = rigOf([on(0)], 1, 1);
    rig.run(seconds(2));
    expect(priority(rig, 0)).toBe(UNDER);
  });

  test('whose share is less than it uses goes over it', () => {
    const rig = rigOf([on(0), on(0)], 2, 1);
    const seen = new Set<number>();
    rig.run(ms(100));
    for (let i = 0; i < 300; i++) {
      rig.run(ms(3.3));
      seen.add(priority(rig, 0)).add(priority(rig, 1));
    }
    expect([...seen].sort()).toEqual([UNDER, OVER].sort());
  });
});

/** Decisions one at a time, with credits and priorities set by hand. */
describe('a decision', () => {
  const rigFor = (cpus: number, vcpus: readonly RigVcpu[]) =>
    new SchedulerRig(cpus, vcpus, (host) => new Credit(host));
  const any = (domain: number): RigVcpu => ({ domain, on: [0, 1, 2, 3] });
  const credits = (r: SchedulerRig<Credit>) => r.vcpus.map((v) => r.scheduler.creditOf(v));

  test('nothing is taken from the queue of an idle CPU: it is about to do that itself', () => {
    const r = rigFor(2, [any(0)]);
    r.wake(0);
    expect(r.tickled).toEqual([0]);
    expect(r.look(1)).toBe(-1);
    expect(r.look(0)).toBe(0);
  });

  test('the second one that wakes there is told to no other idle CPU', () => {
    const r = rigFor(2, [any(0), any(1)]);
    r.wake(0, 1);
    expect(r.tickled).toEqual([0, 0]);
  });

  test('one without credit stays behind those who got theirs, once its CPU has ticked', () => {
    const r = rigFor(1, [any(0), any(1), any(2)]);
    r.wake(0, 1, 2);
    r.look(0);
    r.patch({ priority: [UNDER, OVER, UNDER], accountings: 1, runq: [[1, 2]] });
    r.scheduler.tick(r.cpus[0]!);
    expect(r.scheduler.waiting()).toEqual([2, 1]);
  });

  test('a queue is sorted once after each accounting', () => {
    const r = rigFor(1, [any(0), any(1), any(2)]);
    r.wake(0, 1, 2);
    r.look(0);
    r.patch({ priority: [UNDER, OVER, UNDER], runq: [[1, 2]] });
    r.scheduler.tick(r.cpus[0]!);
    expect(r.scheduler.waiting()).toEqual([1, 2]);
  });

  test('a domain that cannot use its share leaves the rest to those after it', () => {
    const r = rigFor(4, [any(0), any(1), any(1), any(1), any(1)]);
    r.patch({
      active: [
        [0, 0],
        [1, 1, 2, 3, 4],
      ],
      credit: [-100, -100, -100, -100, -100],
    });
    r.scheduler.account();
    // 1,200 in all: half of it is more than the 300 that one virtual CPU can use
    expect(credits(r)).toEqual([200, 125, 125, 125, 125]);
  });

  test('one that comes after those who could use more is first the next time', () => {
    const r = rigFor(4, [any(0), any(1), any(1), any(1), any(1)]);
    const active = [
      [1, 1, 2, 3, 4],
      [0, 0],
    ];
    r.patch({ active, credit: [-100, -100, -100, -100, -100] });
    r.scheduler.account();
    expect(credits(r)).toEqual([200, 50, 50, 50, 50]);
    expect((r.scheduler.save() as { active: number[][] }).active.map(([id]) => id)).toEqual([0, 1]);
  });

  test('credit that was overdrawn in all comes on top', () => {
    const r = rigFor(1, [any(0), any(1)]);
    const active = [
      [0, 0],
      [1, 1],
    ];
    r.patch({ active, credit: [-200, -200], balance: -100 });
    r.scheduler.account();
    expect(credits(r)).toEqual([0, 0]);
    expect((r.scheduler.save() as { balance: number }).balance).toBe(0);
  });

  test('nobody sinks below a turn', () => {
    const r = rigFor(1, [any(0), any(1)]);
    const active = [
      [0, 0],
      [1, 1],
    ];
    r.patch({ active, credit: [-2_000, 100] });
    r.scheduler.account();
    expect(credits(r)).toEqual([-300, 250]);
    expect(r.vcpus.map((v) => r.scheduler.priorityOf(v))).toEqual([OVER, UNDER]);
  });

  test('who has earned more than a turn needs no more, and begins anew with nothing', () => {
    const r = rigFor(1, [any(0)]);
    r.patch({ active: [[0, 0]], credit: [200] });
    r.scheduler.account();
    expect(credits(r)).toEqual([0]);
    expect((r.scheduler.save() as { active: number[][] }).active).toEqual([]);
  });

  test('three times the weight is three times the credit', () => {
    const r = rigFor(1, [any(0), any(1)]);
    r.weights.set(0, 768);
    const active = [
      [0, 0],
      [1, 1],
    ];
    r.patch({ active, credit: [-100, -100] });
    r.scheduler.account();
    expect(credits(r)).toEqual([125, -25]);
  });
});

describe('balancing', () => {
  test('an idle CPU takes who waits on a busy one', () => {
    const rig = rigOf([on(0), on(0, 1)], 2);
    rig.run(ms(1));
    expect(rig.guest(1).v.cpu.cpu).toBe(1);
    rig.run(ms(100));
    expect(rig.ran(1)).toBeGreaterThan(ms(99));
  });

  test('one that wakes on a busy CPU without being better tells the idle ones', () => {
    const rig = rigOf([on(0), on(0, 1)], 1, 2, ms(1));
    rig.run(ms(1));
    const { v } = rig.guest(1);
    // as good as the runner: not boosted, since it is over its share
    overdraw(rig, 0);
    overdraw(rig, 1);
    v.cpu = rig.cpus[0]!;
    expect(wakeToRun(rig, 1)).toBeLessThan(us(5));
    expect(v.cpu.cpu).toBe(1);
  });

  test('a CPU about to run one without credit looks at its peers first', () => {
    const rig = rigOf([on(0), on(1), on(0, 1)], 3);
    rig.run(seconds(5));
    // the third one is taken to and fro, and gets its part of both
    expect(new Set(rig.guest(2).log.map((l) => l.cpu))).toEqual(new Set([0, 1]));
    expect(rig.ran(2) / rig.clock.now).toBeGreaterThan(0.6);
  });

  test('nothing is taken to a CPU that the affinity excludes', () => {
    const rig = rigOf([on(0), on(0)], 2);
    rig.run(seconds(1));
    expect(rig.cpus[1]!.idleTime()).toBeGreaterThan(seconds(0.999));
  });
});

test('its state travels as plain data', () => {
  const rig = rigOf([on(0, 1), on(0, 1), on(0, 1)], 3);
  rig.run(ms(333));
  const saved = JSON.parse(JSON.stringify(rig.xen.sched.scheduler.save()));
  const copy = rigOf([on(0, 1), on(0, 1), on(0, 1)], 3);
  copy.xen.sched.scheduler.restore(saved);
  expect(copy.xen.sched.scheduler.save()).toEqual(saved);
  rig.run(ms(50));
  expect(copy.xen.sched.scheduler.save()).toEqual(saved);
});
