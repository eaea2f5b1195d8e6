/** Timers and ticks of a paravirtual kernel, and what its Xen timers are set to. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KERNELS } from '../../engine/guest/linux/profiles.ts';
import { KernelRig } from '../support/kernel-rig.ts';

const TICK = 4_000_000;

describe('an idle CPU', () => {
  test('sets its timer to what comes first, and has no ticks', () => {
    const rig = new KernelRig();
    const { time, cpus } = rig.kernel;
    const fired: number[] = [];
    for (const at of [30e6, 10e6, 50e6]) time.timer(0, (cpu) => fired.push(cpu.now)).expires = at;
    rig.run(60e6);
    expect(fired.map((t) => Math.floor(t / 1e6))).toEqual([10, 30, 50]);
    expect(rig.irqCount('timer0')).toBe(3);
    expect(rig.timers[0]).toEqual([10e6, 30e6, 50e6]);
    expect(cpus[0]!.idle).toBe(true);
  });

  test('does not set it anew when nothing has changed', () => {
    const rig = new KernelRig();
    rig.kernel.time.timer(0, () => {}).expires = 30e6;
    const a = rig.channel('a', 1_000);
    rig.run(20e6, [
      [1e6, () => rig.send(a)],
      [2e6, () => rig.send(a)],
    ]);
    expect(rig.timers[0]).toEqual([30e6]);
  });

  test('is woken by IPI to look at a timer that another CPU set for it', () => {
    const rig = new KernelRig(KERNELS['linux-6.1'], 2);
    const fired: number[] = [];
    const timer = rig.kernel.time.timer(1, (cpu) => fired.push(cpu.cpu, Math.floor(cpu.now / 1e6)));
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.time.set(timer, 20e6, cpu));
    rig.run(30e6, [[1e6, () => rig.send(a)]]);
    expect(rig.irqCount('resched1', 1)).toBe(1);
    expect(fired).toEqual([1, 20]);
  });
});

describe('a busy CPU', () => {
  test.each([KERNELS['linux-6.1'], KERNELS['linux-2.6.18-xen']])(
    '$title: ticks while a thread runs',
    (profile) => {
      const rig = new KernelRig(profile);
      const tick = 1e9 / profile.hz;
      const thread = rig.kernel.thread('compute', 0, { cost: () => 10.5 * tick, run: () => false });
      const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
      rig.run(30 * tick, [[tick / 2, () => rig.send(a)]]);
      // from half a tick to eleven ticks and the time of the ticks themselves
      expect(rig.irqCount('timer0')).toBe(11);
      expect(rig.softirqCount('SCHED')).toBe(11);
      expect(rig.timers[0]!.slice(0, 3)).toEqual([tick, 2 * tick, 3 * tick]);
      expect(rig.timers[0]!.at(-1)).toBeUndefined();
    },
  );

  test('takes its timers in between, at their own times', () => {
    const rig = new KernelRig();
    const fired: number[] = [];
    rig.kernel.time.timer(0, (cpu) => fired.push(cpu.now)).expires = 5_500_000;
    const thread = rig.kernel.thread('compute', 0, { cost: () => 3 * TICK, run: () => false });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(30e6, [[1e6, () => rig.send(a)]]);
    expect(fired[0]! - 5_500_000).toBeLessThan(10_000);
    expect(rig.softirqCount('TIMER')).toBe(1);
  });
});

test('whatever hypercalls cost: no timer is lost, none is early, and none waits for another', () => {
  const timers = fc.array(
    fc.record({ first: fc.integer({ min: 1, max: 50_000 }), gap: fc.integer({ min: 1, max: 40_000 }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(timers, fc.integer({ min: 0, max: 5_000 }), (list, hypercall) => {
      const rig = new KernelRig();
      rig.hypercall = hypercall;
      const late: number[] = [];
      const left = list.map(() => 20);
      list.forEach(({ first, gap }, i) => {
        const timer = rig.kernel.time.timer(0, (cpu) => {
          late.push(cpu.now - due);
          if (--left[i]! === 0) return;
          due = cpu.now + gap;
          rig.kernel.time.set(timer, due, cpu);
        });
        let due = 1e6 + first;
        timer.expires = due;
      });
      rig.run(1e9);
      expect(left.every((n) => n === 0)).toBe(true);
      expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
      // six timers at once, each with its hypercalls
      expect(Math.max(...late)).toBeLessThan(100_000 + 40 * hypercall);
    }),
    { numRuns: 200 },
  );
});
