/** One CPU of a Linux guest: upcalls, softirqs, ksoftirqd and threads, and who gives way to whom. */
import { describe, expect, test } from 'vitest';
import { KERNELS } from '../../engine/guest/linux/profiles.ts';
import { KernelRig } from '../support/kernel-rig.ts';

const BLOCK = 4;
const TASKLET = 6;
const SCHED = 7;

const modern = KERNELS['linux-6.1'];
const old = KERNELS['linux-2.6.18-xen'];
const forward = KERNELS['linux-2.6.3x-xen'];

/** A thread that computes for `cost` each step, `steps` times, and then sleeps. */
function computing(rig: KernelRig, name: string, cost: number, steps = 1, cpu = 0) {
  let left = 0;
  const thread = rig.kernel.thread(name, cpu, {
    cost: () => cost,
    run: () => {
      rig.log.push(name);
      return --left > 0;
    },
  });
  return () => {
    left = steps;
    rig.kernel.wake(thread, rig.kernel.cpus[cpu]!);
  };
}

describe('softirqs', () => {
  test.each([modern, forward])(
    '$title: run after the last interrupt of the upcall, lowest number first',
    (p) => {
      const rig = new KernelRig(p);
      rig.softirq(SCHED, 'sched', 1_000);
      rig.softirq(BLOCK, 'block', 1_000);
      const a = rig.channel('a', 1_000, (cpu) => cpu.raiseSoftirq(SCHED));
      const b = rig.channel('b', 1_000, (cpu) => cpu.raiseSoftirq(BLOCK));
      rig.run(1e6, [[1e5, () => rig.send(a, b)]]);
      expect(rig.log).toEqual(['a', 'b', 'block', 'sched']);
    },
  );

  test('2.6.18: run after each interrupt of the upcall', () => {
    const rig = new KernelRig(old);
    rig.softirq(SCHED, 'sched', 1_000);
    rig.softirq(BLOCK, 'block', 1_000);
    const a = rig.channel('a', 1_000, (cpu) => cpu.raiseSoftirq(SCHED));
    const b = rig.channel('b', 1_000, (cpu) => cpu.raiseSoftirq(BLOCK));
    rig.run(1e6, [[1e5, () => rig.send(a, b)]]);
    expect(rig.log).toEqual(['a', 'sched', 'b', 'block']);
  });

  test('an event that comes while softirqs run is handled at once', () => {
    const rig = new KernelRig(modern);
    rig.softirq(SCHED, 'sched', 100_000);
    const a = rig.channel('a', 1_000, (cpu) => cpu.raiseSoftirq(SCHED));
    const b = rig.channel('b', 1_000);
    rig.run(1e6, [
      [1e5, () => rig.send(a)],
      [1.5e5, () => rig.send(b)],
    ]);
    expect(rig.log).toEqual(['a', 'b', 'sched']);
    expect(rig.upcalls).toBe(2);
  });

  test('2.6.18: it makes an upcall that bails out; the outer one handles it after the softirqs', () => {
    const rig = new KernelRig(old);
    rig.softirq(SCHED, 'sched', 100_000);
    const a = rig.channel('a', 1_000, (cpu) => cpu.raiseSoftirq(SCHED));
    const b = rig.channel('b', 1_000);
    rig.run(1e6, [
      [1e5, () => rig.send(a)],
      [1.5e5, () => rig.send(b)],
    ]);
    expect(rig.log).toEqual(['a', 'sched', 'b']);
    expect(rig.upcalls).toBe(2);
    expect(rig.irqCount('b')).toBe(1);
  });

  test('one that is raised while it runs comes again in the next round, after the others of this one', () => {
    const rig = new KernelRig(modern);
    let again = true;
    rig.softirq(BLOCK, 'block', 1_000, (cpu) => {
      if (again) cpu.raiseSoftirq(BLOCK);
      again = false;
    });
    rig.softirq(SCHED, 'sched', 1_000);
    const a = rig.channel('a', 1_000, (cpu) => {
      cpu.raiseSoftirq(BLOCK);
      cpu.raiseSoftirq(SCHED);
    });
    rig.run(1e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'block', 'sched', 'block']);
  });

  /** A softirq that raises itself `times` times; the answer tells which of its runs were ksoftirqd's. */
  function selfRaising(p: typeof modern, cost: number, times: number): boolean[] {
    const rig = new KernelRig(p);
    const daemon: boolean[] = [];
    rig.softirq(TASKLET, 'tasklet', cost, (cpu) => {
      // frames: idle loop, then the thread if there is one
      daemon.push((cpu.save() as { frames: number[][] }).frames[1]![0] === 2);
      if (daemon.length < times) cpu.raiseSoftirq(TASKLET);
    });
    const a = rig.channel('a', 1_000, (cpu) => cpu.raiseSoftirq(TASKLET));
    rig.run(1e9, [[1e5, () => rig.send(a)]]);
    expect(rig.softirqCount('TASKLET')).toBe(times);
    return daemon;
  }

  test.each([modern, forward, old])('$title: ten rounds, then ksoftirqd goes on', (p) => {
    const daemon = selfRaising(p, 2_000, 35);
    expect(daemon.slice(0, 10)).toEqual(new Array(10).fill(false));
    expect(daemon.slice(10)).toEqual(new Array(25).fill(true));
  });

  test('on a modern kernel they stop after 2 ms, which is the next tick; on an old one they do not', () => {
    // 0.1 ms to 4 ms: 1.6 ms each, the third one ends behind the tick
    expect(selfRaising(modern, 1_600_000, 8).indexOf(true)).toBe(3);
    expect(selfRaising(old, 1_600_000, 12).indexOf(true)).toBe(10);
  });

  test('on a modern kernel a thread that waits ends them after the round', () => {
    for (const [p, expected] of [
      [modern, ['a', 'tasklet', 'thread', 'tasklet', 'tasklet']],
      [old, ['a', 'tasklet', 'tasklet', 'tasklet', 'thread']],
    ] as const) {
      const rig = new KernelRig(p);
      const wake = computing(rig, 'thread', 1_000);
      let n = 0;
      rig.softirq(TASKLET, 'tasklet', 1_000, (cpu) => {
        if (++n < 3) cpu.raiseSoftirq(TASKLET);
      });
      const a = rig.channel('a', 1_000, (cpu) => {
        cpu.raiseSoftirq(TASKLET);
        wake();
      });
      rig.run(1e6, [[1e5, () => rig.send(a)]]);
      expect(rig.log).toEqual(expected);
    }
  });

  test('Linux 6.1: while ksoftirqd waits for the CPU interrupts leave softirqs to it', () => {
    const rig = new KernelRig(modern);
    const wake = computing(rig, 'thread', 300_000);
    let n = 0;
    rig.softirq(TASKLET, 'tasklet', 1_000, (cpu) => {
      if (++n === 1) cpu.raiseSoftirq(TASKLET);
    });
    rig.softirq(BLOCK, 'block', 1_000);
    const a = rig.channel('a', 1_000, (cpu) => {
      cpu.raiseSoftirq(TASKLET);
      wake();
    });
    const b = rig.channel('b', 1_000, (cpu) => cpu.raiseSoftirq(BLOCK));
    rig.run(1e6, [
      [1e5, () => rig.send(a)],
      [1.5e5, () => rig.send(b)],
    ]);
    expect(rig.log).toEqual(['a', 'tasklet', 'b', 'thread', 'block', 'tasklet']);
  });

  test('a softirq raised by a thread runs when its step is over', () => {
    const rig = new KernelRig(modern);
    rig.softirq(BLOCK, 'block', 1_000);
    const thread = rig.kernel.thread('thread', 0, {
      cost: () => 1_000,
      run: (cpu) => {
        rig.log.push('thread');
        cpu.raiseSoftirq(BLOCK);
        return false;
      },
    });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(1e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'thread', 'block']);
  });

  test.each([modern, old])('$title: in a storm of upcalls softirqs and threads still get on', (p) => {
    const rig = new KernelRig(p);
    let softirqs = 0;
    let steps = 0;
    rig.softirq(SCHED, 'sched', 5_000, () => softirqs++);
    const wake = computing(rig, 'thread', 20_000, 1_000_000);
    const a = rig.channel('a', 1_000, (cpu) => {
      cpu.raiseSoftirq(SCHED);
      if (steps++ === 0) wake();
    });
    // an event every 8 us: the handler and its way take about 2 us, the softirq 5
    const storm = Array.from({ length: 5_000 }, (_, i) => [1e5 + i * 8_000, () => rig.send(a)] as const);
    rig.run(4e7, storm);
    expect(rig.irqCount('a')).toBeGreaterThan(4_900);
    expect(softirqs).toBeGreaterThan(1_000);
    expect(rig.log.filter((l) => l === 'thread').length).toBeGreaterThan(10);
  });
});

describe('threads', () => {
  test('woken more than once before it runs, a thread runs once', () => {
    const rig = new KernelRig();
    const thread = rig.kernel.thread('thread', 0, {
      cost: () => 50_000,
      run: () => {
        rig.log.push('thread');
        return false;
      },
    });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(1e6, [
      [1e5, () => rig.send(a)],
      [1.2e5, () => rig.send(a)],
    ]);
    expect(rig.log).toEqual(['a', 'a', 'thread']);
  });

  test('woken by its own step, it runs again', () => {
    const rig = new KernelRig();
    let n = 0;
    const thread = rig.kernel.thread('thread', 0, {
      cost: () => 1_000,
      run: (cpu) => {
        rig.log.push('thread');
        if (++n < 3) rig.kernel.wake(thread, cpu);
        return false;
      },
    });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(1e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'thread', 'thread', 'thread']);
  });

  test('one that is woken preempts one that computes, which goes on where it was', () => {
    const rig = new KernelRig();
    const compute = computing(rig, 'compute', 5e6);
    const sleeper = computing(rig, 'sleeper', 1_000);
    const times: number[] = [];
    const a = rig.channel('a', 1_000, () => compute());
    const b = rig.channel('b', 1_000, () => sleeper());
    rig.run(2e7, [
      [1e5, () => rig.send(a)],
      [1e6, () => rig.send(b)],
      [1.02e6, () => times.push(rig.log.length)],
    ]);
    expect(times).toEqual([3]);
    expect(rig.log).toEqual(['a', 'b', 'sleeper', 'compute']);
  });

  test('saved and restored at any moment, a preempted thread goes on where it was', () => {
    const ends = [false, true].map((restoring) => {
      const rig = new KernelRig();
      const compute = computing(rig, 'compute', 1e6);
      const sleeper = computing(rig, 'sleeper', 1_000);
      const a = rig.channel('a', 1_000, () => compute());
      const b = rig.channel('b', 1_000, () => sleeper());
      const [cpu] = rig.kernel.cpus as [(typeof rig.kernel.cpus)[0]];
      let end = 0;
      const look = () => {
        if (restoring) cpu.restore(JSON.parse(JSON.stringify(cpu.save())));
        if (end === 0 && rig.log.includes('compute')) end = cpu.now;
      };
      const looks = Array.from({ length: 30_000 }, (_, i) => [1e5 + i * 50, look] as const);
      const sends = [[1e5, () => rig.send(a)] as const, [5e5, () => rig.send(b)] as const];
      rig.run(
        2e6,
        [...looks, ...sends].sort((x, y) => x[0] - y[0]),
      );
      expect(rig.log).toEqual(['a', 'b', 'sleeper', 'compute']);
      return end;
    });
    expect(ends[1]).toBe(ends[0]);
  });

  test('threads that compute take turns', () => {
    const rig = new KernelRig();
    const [x, y] = ['x', 'y'].map((name) => computing(rig, name, 100_000, 3));
    const a = rig.channel('a', 1_000, () => {
      x!();
      y!();
    });
    rig.run(2e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'x', 'y', 'x', 'y', 'x', 'y']);
  });

  test('a thread woken on an idle CPU elsewhere is told by IPI', () => {
    const rig = new KernelRig(modern, 2);
    const thread = rig.kernel.thread('thread', 1, {
      cost: () => 1_000,
      run: () => {
        rig.log.push('thread');
        return false;
      },
    });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(1e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'thread']);
    expect(rig.irqCount('resched1', 1)).toBe(1);
  });
});

describe('the idle loop', () => {
  test('an event that is pending when it blocks is handled without sleeping', () => {
    const rig = new KernelRig();
    const b = rig.channel('b', 1_000);
    const thread = rig.kernel.thread('thread', 0, {
      cost: () => 1_000,
      run: () => {
        // as Xen raises it during the hypercalls on the way to sleep
        rig.send(b);
        rig.log.push('thread');
        return false;
      },
    });
    const a = rig.channel('a', 1_000, (cpu) => rig.kernel.wake(thread, cpu));
    rig.run(1e6, [[1e5, () => rig.send(a)]]);
    expect(rig.log).toEqual(['a', 'thread', 'b']);
  });
});
