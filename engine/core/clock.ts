/**
 * Virtual time. One integer of nanoseconds and one queue; nothing here knows what an interrupt is.
 *
 * Time passes only between events. A task is made once, when the machine is built, under a name that is
 * the same in every build of the scenario; what is queued is (part, name, a, b), so the queue can be saved
 * as data and put back into a new machine.
 */
import { EventQueue, Priority } from './event-queue.ts';
import type { Part, Plain } from './state.ts';

/** Nanoseconds of virtual time, an integer; 2^53 of them are 104 days. */
export type Ns = number;

export const us = (n: number): Ns => Math.round(n * 1_000);
export const ms = (n: number): Ns => Math.round(n * 1_000_000);
export const seconds = (n: number): Ns => Math.round(n * 1_000_000_000);

/** Called when the task is due; a and b are the numbers it was queued with. */
export type Action = (a: number, b: number) => void;

export class Task {
  /** arguments of the queued run */
  a = 0;
  b = 0;

  constructor(
    private readonly clock: Clock,
    private readonly queue: EventQueue,
    readonly id: number,
    readonly name: string,
    readonly priority: Priority,
    readonly run: Action,
  ) {}

  /** Queues the task for a moment, moving it if it was queued; a moment in the past means now. */
  at(when: Ns, a = 0, b = 0): void {
    this.a = a;
    this.b = b;
    const now = this.clock.now;
    this.queue.schedule(this.id, when < now ? now : when, this.priority);
  }

  after(delay: Ns, a = 0, b = 0): void {
    this.at(this.clock.now + delay, a, b);
  }

  cancel(): void {
    this.queue.cancel(this.id);
  }

  get queued(): boolean {
    return this.queue.isQueued(this.id);
  }

  /** When it is due; undefined while not queued. */
  get when(): Ns | undefined {
    return this.queue.whenOf(this.id);
  }
}

interface SavedClock {
  readonly now: number;
  readonly events: number;
  readonly queue: readonly (readonly [name: string, when: number, a: number, b: number])[];
}

export class Clock implements Part {
  readonly id = 'clock';
  /** current virtual time */
  now: Ns = 0;
  /** events run since the machine was made */
  events = 0;
  /** Told after each event; who watches is not saved. */
  watch: (() => void) | undefined;
  private readonly queue = new EventQueue();
  private readonly tasks: Task[] = [];
  private readonly byName = new Map<string, Task>();

  /**
   * Makes a task.
   * @param name unique in the machine, as `part.task`
   */
  task(name: string, priority: Priority, run: Action): Task {
    if (this.byName.has(name)) throw new Error(`task ${name} exists already`);
    const task = new Task(this, this.queue, this.queue.addTask(), name, priority, run);
    this.tasks.push(task);
    this.byName.set(name, task);
    return task;
  }

  /** Time of the next event; Infinity when nothing is queued. */
  get next(): Ns {
    return this.queue.nextWhen();
  }

  /** Number of queued tasks. */
  get pending(): number {
    return this.queue.size;
  }

  /** Runs the next event; false when there is none. */
  step(): boolean {
    const id = this.queue.pop();
    if (id < 0) return false;
    this.run(id);
    return true;
  }

  /** Runs every event due up to and including `until`, then sets the time to it. */
  runUntil(until: Ns): void {
    for (let id = this.queue.pop(until); id >= 0; id = this.queue.pop(until)) this.run(id);
    if (until > this.now && until < Infinity) this.now = until;
  }

  private run(id: number): void {
    const task = this.tasks[id]!;
    this.now = this.queue.when;
    this.events++;
    task.run(task.a, task.b);
    if (this.watch) this.watch();
  }

  save(): Plain {
    const queue = this.queue.entries().map(({ task, when }) => {
      const t = this.tasks[task]!;
      return [t.name, when, t.a, t.b] as const;
    });
    return { now: this.now, events: this.events, queue };
  }

  restore(state: Plain): void {
    const saved = state as unknown as SavedClock;
    this.queue.clear();
    this.now = saved.now;
    this.events = saved.events;
    for (const [name, when, a, b] of saved.queue) {
      const task = this.byName.get(name);
      if (!task) throw new Error(`saved state queues a task ${name} that this machine lacks`);
      task.at(when, a, b);
    }
  }
}

export { Priority };
