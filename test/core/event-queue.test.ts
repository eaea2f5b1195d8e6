/** The order of events: (when, priority, seq), whatever was queued, moved or cancelled before. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventQueue, Priority } from '../../engine/core/event-queue.ts';

const PRIORITIES = Object.values(Priority);

function queueOf(tasks: number): EventQueue {
  const queue = new EventQueue();
  for (let i = 0; i < tasks; i++) expect(queue.addTask()).toBe(i);
  return queue;
}

function drain(queue: EventQueue): number[] {
  const out: number[] = [];
  for (let task = queue.pop(); task >= 0; task = queue.pop()) out.push(task);
  return out;
}

test('the earliest event comes first', () => {
  const queue = queueOf(4);
  [30, 10, 40, 20].forEach((when, task) => {
    queue.schedule(task, when, Priority.guest);
  });
  expect(queue.nextWhen()).toBe(10);
  expect(drain(queue)).toEqual([1, 3, 0, 2]);
  expect(queue.when).toBe(40);
});

test('in one instant the named priorities decide, in the order they are listed', () => {
  const queue = queueOf(PRIORITIES.length);
  [...PRIORITIES].reverse().forEach((priority, task) => {
    queue.schedule(task, 5, priority);
  });
  expect(drain(queue)).toEqual([4, 3, 2, 1, 0]);
  expect(PRIORITIES).toEqual([0, 1, 2, 3, 4]);
});

test('in one instant and priority, first queued is first out', () => {
  const queue = queueOf(100);
  for (let task = 0; task < 100; task++) queue.schedule(task, 5, Priority.guest);
  expect(drain(queue)).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test('a task that is queued again counts as queued anew', () => {
  const queue = queueOf(3);
  for (const task of [0, 1, 2, 0]) queue.schedule(task, 5, Priority.guest);
  expect(queue.size).toBe(3);
  expect(drain(queue)).toEqual([1, 2, 0]);
});

test('a popped task is off the queue at once', () => {
  const queue = queueOf(2);
  queue.schedule(0, 1, Priority.guest);
  queue.schedule(1, 2, Priority.guest);
  expect(queue.pop()).toBe(0);
  expect(queue.isQueued(0)).toBe(false);
  expect(queue.whenOf(0)).toBeUndefined();
  expect(queue.size).toBe(1);
  expect(queue.nextWhen()).toBe(2);
});

test('cancelling the popped task changes nothing', () => {
  const queue = queueOf(2);
  queue.schedule(0, 1, Priority.guest);
  queue.schedule(1, 2, Priority.guest);
  queue.pop();
  queue.cancel(0);
  expect(queue.size).toBe(1);
  expect(drain(queue)).toEqual([1]);
});

test('pop leaves alone what is due later than asked', () => {
  const queue = queueOf(1);
  queue.schedule(0, 10, Priority.guest);
  expect(queue.pop(9)).toBe(-1);
  expect(queue.isQueued(0)).toBe(true);
  expect(queue.pop(10)).toBe(0);
  expect(queue.pop()).toBe(-1);
  expect(queue.nextWhen()).toBe(Infinity);
});

test('the earliest of an instant is found among entries that came into it one by one', () => {
  const queue = queueOf(6);
  queue.schedule(0, 5, Priority.outside);
  expect(queue.pop()).toBe(0);
  queue.schedule(1, 5, Priority.outside); // fills the hole
  queue.schedule(2, 5, Priority.hardware);
  queue.schedule(3, 5, Priority.command);
  expect(queue.pop()).toBe(3);
  queue.schedule(4, 5, Priority.hypervisor);
  queue.schedule(5, 4, Priority.outside); // earlier than the instant under way
  expect(drain(queue)).toEqual([5, 2, 4, 1]);
});

test('a time that is not a finite number is refused', () => {
  const queue = queueOf(1);
  expect(() => queue.schedule(0, Number.NaN, Priority.guest)).toThrow('due at NaN');
  expect(() => queue.schedule(0, Infinity, Priority.guest)).toThrow('due at Infinity');
  expect(queue.size).toBe(0);
});

test('entries are listed in the order they would run, and listing changes nothing', () => {
  const queue = queueOf(4);
  queue.schedule(0, 7, Priority.guest);
  queue.schedule(1, 7, Priority.hardware);
  queue.schedule(2, 3, Priority.outside);
  queue.schedule(3, 7, Priority.hardware);
  const listed = queue.entries();
  expect(listed).toEqual([
    { task: 2, when: 3, priority: Priority.outside },
    { task: 1, when: 7, priority: Priority.hardware },
    { task: 3, when: 7, priority: Priority.hardware },
    { task: 0, when: 7, priority: Priority.guest },
  ]);
  expect(drain(queue)).toEqual(listed.map((entry) => entry.task));
});

test('a cleared queue starts over', () => {
  const queue = queueOf(10);
  for (let task = 0; task < 10; task++) queue.schedule(task, 5, Priority.guest);
  queue.pop();
  queue.clear();
  expect(queue.size).toBe(0);
  expect(queue.nextWhen()).toBe(Infinity);
  queue.schedule(3, 1, Priority.guest);
  expect(drain(queue)).toEqual([3]);
});

interface ModelEntry {
  task: number;
  when: number;
  priority: number;
  seq: number;
}

/** The same queue as a list that is searched from end to end. */
class Model {
  when = 0;
  private list: ModelEntry[] = [];
  private seq = 0;

  get size(): number {
    return this.list.length;
  }

  find(task: number): ModelEntry | undefined {
    return this.list.find((entry) => entry.task === task);
  }

  schedule(task: number, when: number, priority: number): void {
    this.cancel(task);
    this.list.push({ task, when, priority, seq: this.seq++ });
  }

  cancel(task: number): void {
    this.list = this.list.filter((entry) => entry.task !== task);
  }

  sorted(): ModelEntry[] {
    return [...this.list].sort((a, b) => a.when - b.when || a.priority - b.priority || a.seq - b.seq);
  }

  pop(until: number): number {
    const first = this.sorted()[0];
    if (!first || first.when > until) return -1;
    this.cancel(first.task);
    this.when = first.when;
    return first.task;
  }
}

type Op =
  | { readonly op: 'schedule'; readonly task: number; readonly when: number; readonly priority: Priority }
  | { readonly op: 'cancel' | 'look'; readonly task: number }
  | { readonly op: 'pop'; readonly until: number }
  | { readonly op: 'next' | 'entries' };

function opsOf(tasks: number, times: fc.Arbitrary<number>): fc.Arbitrary<Op[]> {
  const task = fc.nat(tasks - 1);
  const op: fc.Arbitrary<Op> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        op: fc.constant('schedule' as const),
        task,
        when: times,
        priority: fc.constantFrom(...PRIORITIES),
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('cancel' as const), task }) },
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('pop' as const),
        until: fc.oneof(fc.constant(Infinity), times),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('next' as const, 'entries' as const) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('look' as const), task }) },
  );
  return fc.array(op, { minLength: 1, maxLength: 400, size: 'max' });
}

/** Applies one operation to both and compares their answers; what does not look does not close the hole. */
function apply(queue: EventQueue, model: Model, op: Op): void {
  switch (op.op) {
    case 'schedule':
      queue.schedule(op.task, op.when, op.priority);
      model.schedule(op.task, op.when, op.priority);
      break;
    case 'cancel':
      queue.cancel(op.task);
      model.cancel(op.task);
      break;
    case 'pop':
      expect(queue.pop(op.until)).toBe(model.pop(op.until));
      expect(queue.when).toBe(model.when);
      break;
    case 'next':
      expect(queue.nextWhen()).toBe(model.sorted()[0]?.when ?? Infinity);
      break;
    case 'entries':
      expect(queue.entries()).toEqual(
        model.sorted().map(({ task, when, priority }) => ({ task, when, priority })),
      );
      break;
    case 'look':
      expect(queue.isQueued(op.task)).toBe(model.find(op.task) !== undefined);
      expect(queue.whenOf(op.task)).toBe(model.find(op.task)?.when);
  }
  expect(queue.size).toBe(model.size);
}

describe('any sequence of operations answers as a sorted list would', () => {
  test.each([
    ['few tasks in very few instants', 8, fc.nat(2)],
    ['many tasks in few instants', 150, fc.nat(6)],
    ['many tasks at scattered times', 150, fc.nat(1_000_000)],
    ['times that need all 53 bits', 40, fc.integer({ min: 2 ** 53 - 40, max: 2 ** 53 - 1 })],
  ])('%s', (_, tasks, times) => {
    fc.assert(
      fc.property(opsOf(tasks, times), (ops) => {
        const queue = queueOf(tasks);
        const model = new Model();
        for (const op of ops) apply(queue, model, op);
        while (model.size > 0) apply(queue, model, { op: 'pop', until: Infinity });
        expect(queue.pop()).toBe(-1);
      }),
      { numRuns: 200 },
    );
  });

  test('a crowd in one instant, each running task queueing others into it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(99), { minLength: 100, maxLength: 300, size: 'max' }), (picks) => {
        const queue = queueOf(100);
        const model = new Model();
        const at = (task: number, when: number) =>
          apply(queue, model, { op: 'schedule', task, when, priority: PRIORITIES[task % 5]! });
        for (let task = 0; task < 100; task++) at(task, 1);
        for (const pick of picks) {
          apply(queue, model, { op: 'pop', until: Infinity });
          at(pick, pick % 3 === 0 ? 2 : 1);
        }
        while (model.size > 0) apply(queue, model, { op: 'pop', until: Infinity });
      }),
      { numRuns: 50 },
    );
  });
});
