/** Virtual time and its tasks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Clock, ms, Priority, seconds, us } from '../../engine/core/clock.ts';
import { Rng } from '../../engine/core/rng.ts';
import type { Plain } from '../../engine/core/state.ts';

/** What a machine's state goes through when it is written to a file. */
function throughJson(state: Plain): Plain {
  return JSON.parse(JSON.stringify(state)) as Plain;
}

test('units are whole nanoseconds', () => {
  expect([us(1.5), ms(2), seconds(0.1)]).toEqual([1_500, 2_000_000, 100_000_000]);
});

test('time stands still while a task runs and equals the time it was due', () => {
  const clock = new Clock();
  const seen: number[] = [];
  const task = clock.task('a', Priority.guest, () => seen.push(clock.now));
  task.at(25);
  clock.runUntil(100);
  expect(seen).toEqual([25]);
  expect(clock.now).toBe(100);
  expect(clock.events).toBe(1);
});

test('a task gets the numbers it was queued with last', () => {
  const clock = new Clock();
  const seen: number[][] = [];
  const task = clock.task('a', Priority.guest, (a, b) => seen.push([a, b]));
  task.at(10, 1, 2);
  task.after(5, 3, 4);
  clock.runUntil(20);
  task.after(1);
  clock.runUntil(30);
  expect(seen).toEqual([
    [3, 4],
    [0, 0],
  ]);
});

test('a task is off the queue before it runs', () => {
  const clock = new Clock();
  let seen: unknown;
  const task = clock.task('a', Priority.guest, () => {
    seen = { queued: task.queued, when: task.when, pending: clock.pending };
  });
  task.at(10);
  expect([task.queued, task.when, clock.pending]).toEqual([true, 10, 1]);
  clock.step();
  expect(seen).toEqual({ queued: false, when: undefined, pending: 0 });
});

test('a task may queue itself again from inside its run', () => {
  const clock = new Clock();
  const seen: number[] = [];
  const task = clock.task('tick', Priority.hypervisor, (n) => {
    seen.push(clock.now);
    task.after(10, n + 1);
    expect(task.when).toBe(clock.now + 10);
  });
  task.at(10);
  clock.runUntil(45);
  expect(seen).toEqual([10, 20, 30, 40]);
  expect(clock.next).toBe(50);
});

test('a task queued for this very instant runs in it, in its place by priority', () => {
  const clock = new Clock();
  const seen: string[] = [];
  const wire = clock.task('wire', Priority.hardware, () => seen.push('wire'));
  const late = clock.task('late', Priority.outside, () => seen.push('late'));
  clock
    .task('guest', Priority.guest, () => {
      seen.push('guest');
      late.after(0);
      wire.after(0);
    })
    .at(10);
  clock.task('user', Priority.outside, () => seen.push('user')).at(10);
  clock.runUntil(10);
  expect(seen).toEqual(['guest', 'wire', 'user', 'late']);
});

test('a moment in the past means now', () => {
  const clock = new Clock();
  const seen: number[] = [];
  const task = clock.task('a', Priority.guest, () => seen.push(clock.now));
  clock.runUntil(100);
  task.at(40);
  expect(task.when).toBe(100);
  clock.step();
  task.after(-1);
  clock.step();
  expect(seen).toEqual([100, 100]);
});

test('a run may cancel another task of the same instant', () => {
  const clock = new Clock();
  const victim = clock.task('victim', Priority.outside, () => expect.unreachable());
  clock.task('killer', Priority.guest, () => victim.cancel()).at(10);
  victim.at(10);
  clock.runUntil(20);
  expect(clock.events).toBe(1);
  expect(victim.queued).toBe(false);
});

test('a run that cancels itself loses nobody else', () => {
  const clock = new Clock();
  const seen: string[] = [];
  const self = clock.task('self', Priority.guest, () => self.cancel());
  clock.task('other', Priority.guest, () => seen.push('other')).at(10);
  self.at(5);
  clock.runUntil(20);
  expect(seen).toEqual(['other']);
});

test('a run may queue and cancel itself again', () => {
  const clock = new Clock();
  const task = clock.task('a', Priority.guest, () => {
    task.after(5);
    task.cancel();
  });
  task.at(1);
  clock.runUntil(100);
  expect([clock.events, clock.pending]).toEqual([1, 0]);
});

test('running until a moment includes it, and never turns time back', () => {
  const clock = new Clock();
  let runs = 0;
  const task = clock.task('a', Priority.guest, () => runs++);
  task.at(10);
  clock.runUntil(9);
  expect([runs, clock.now]).toEqual([0, 9]);
  clock.runUntil(10);
  expect([runs, clock.now]).toEqual([1, 10]);
  clock.runUntil(5);
  expect(clock.now).toBe(10);
});

test('running until the end of time stops at the last event', () => {
  const clock = new Clock();
  clock.task('a', Priority.guest, () => {}).at(10);
  clock.runUntil(Infinity);
  expect(clock.now).toBe(10);
  expect(clock.step()).toBe(false);
  expect(clock.next).toBe(Infinity);
});

test('a task that throws leaves the rest of the queue as it was', () => {
  const clock = new Clock();
  const seen: string[] = [];
  clock
    .task('bad', Priority.guest, () => {
      throw new Error('bad');
    })
    .at(10);
  clock.task('good', Priority.guest, () => seen.push('good')).at(10);
  expect(() => clock.runUntil(20)).toThrow('bad');
  clock.runUntil(20);
  expect(seen).toEqual(['good']);
});

test('two tasks of one name are refused', () => {
  const clock = new Clock();
  clock.task('a.tick', Priority.guest, () => {});
  expect(() => clock.task('a.tick', Priority.guest, () => {})).toThrow('a.tick exists already');
});

test('a time that is not a number is refused', () => {
  const clock = new Clock();
  const task = clock.task('a', Priority.guest, () => {});
  expect(() => task.after(Number.NaN)).toThrow('NaN');
  expect(clock.pending).toBe(0);
});

test('a saved queue is data: names, times and numbers, in the order they would run', () => {
  const clock = new Clock();
  clock.task('b', Priority.outside, () => {}).at(10, 1, 2);
  clock.task('a', Priority.hardware, () => {}).at(10);
  clock.task('never', Priority.guest, () => {});
  clock.runUntil(3);
  expect(clock.save()).toEqual({
    now: 3,
    events: 0,
    queue: [
      ['a', 10, 0, 0],
      ['b', 10, 1, 2],
    ],
  });
});

test('restoring drops what was queued before', () => {
  const build = () => {
    const clock = new Clock();
    const tasks = ['a', 'b'].map((name) => clock.task(name, Priority.guest, () => {}));
    return { clock, tasks };
  };
  const from = build();
  from.tasks[0]!.at(10);
  const into = build();
  into.tasks[1]!.at(5);
  into.clock.runUntil(3);
  into.clock.restore(from.clock.save());
  expect(into.clock.save()).toEqual(from.clock.save());
  expect(into.tasks[1]!.queued).toBe(false);
});

test('a saved task that the machine lacks is named', () => {
  const clock = new Clock();
  clock.task('dom7.timer', Priority.guest, () => {}).at(10);
  expect(() => new Clock().restore(clock.save())).toThrow('dom7.timer');
});

/** Tasks that queue, move and cancel each other as a random stream says, all in few instants. */
function crowd(seed: number) {
  const clock = new Clock();
  const stream = new Rng(seed).stream('crowd');
  const log: string[] = [];
  const tasks = Array.from({ length: 30 }, (_, i) =>
    clock.task(`t${i}`, (i % 5) as Priority, (a, b) => {
      log.push(`${clock.now} ${i} ${a} ${b}`);
      for (let k = 0; k < 2; k++) tasks[stream.below(30)]!.after(stream.below(4), a + 1, i);
      if (stream.chance(0.3)) tasks[stream.below(30)]!.cancel();
      if (clock.pending === 0) tasks[i]!.after(1);
    }),
  );
  return { clock, stream, log, start: () => tasks[0]!.at(1) };
}

test('saved at any event and restored into a fresh build, the run goes on the same', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 500 }), (seed, events) => {
      const first = crowd(seed);
      first.start();
      for (let i = 0; i < events; i++) first.clock.step();
      const second = crowd(seed);
      second.clock.restore(throughJson(first.clock.save()));
      second.stream.restore(throughJson(first.stream.save()));
      first.log.length = 0;
      for (let i = 0; i < 300; i++) {
        first.clock.step();
        second.clock.step();
      }
      expect(second.log).toEqual(first.log);
      expect(second.clock.save()).toEqual(first.clock.save());
    }),
    { numRuns: 50 },
  );
});
