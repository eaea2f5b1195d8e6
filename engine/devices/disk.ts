/** A disk with one or more queues: each command takes its time, several at once, then the queue interrupts. */
import type { Clock, Ns, Task } from '../core/clock.ts';
import { Priority } from '../core/event-queue.ts';
import type { Stream } from '../core/rng.ts';
import type { Part, Plain } from '../core/state.ts';
import type { Raise } from './pulse.ts';

/** Command that belongs to nobody: the user asked for an interrupt. */
const NOBODY = 0;

interface Running {
  readonly queue: number;
  readonly command: number;
  readonly due: Ns;
}

export class Disk implements Part {
  readonly id: string;
  events = 0;
  private running: Running[] = [];
  private finished: number[][];
  private readonly task: Task;

  /**
   * @param raises the interrupt of each queue
   * @param service least and mean extra time of a command in ns
   */
  constructor(
    readonly name: string,
    private readonly clock: Clock,
    private readonly rng: Stream,
    private readonly raises: readonly Raise[],
    private readonly service: { readonly least: Ns; readonly extra: Ns },
  ) {
    this.id = `device.${name}`;
    this.finished = raises.map(() => []);
    this.task = clock.task(`${this.id}.command`, Priority.outside, () => this.complete());
  }

  get queues(): number {
    return this.raises.length;
  }

  start(queue: number, command: number): void {
    const due = this.clock.now + this.service.least + Math.round(this.rng.exponential(this.service.extra));
    let at = this.running.length;
    while (at > 0 && this.running[at - 1]!.due > due) at--;
    this.running.splice(at, 0, { queue, command, due });
    if (at === 0) this.task.at(due);
  }

  done(queue: number): number {
    return this.finished[queue]!.length;
  }

  reap(queue: number): number[] {
    const commands = this.finished[queue]!.filter((c) => c !== NOBODY);
    this.finished[queue] = [];
    return commands;
  }

  /** An interrupt of the first queue that nobody waits for. */
  fire(): number {
    this.finished[0]!.push(NOBODY);
    this.events++;
    return this.raises[0]!();
  }

  private complete(): void {
    const { queue, command } = this.running.shift()!;
    this.finished[queue]!.push(command);
    this.events++;
    this.raises[queue]!();
    if (this.running.length > 0) this.task.at(this.running[0]!.due);
  }

  save(): Plain {
    return {
      events: this.events,
      running: this.running.map((r) => [r.queue, r.command, r.due]),
      finished: this.finished,
    };
  }

  restore(state: Plain): void {
    const s = state as { events: number; running: [number, number, number][]; finished: number[][] };
    this.events = s.events;
    this.running = s.running.map(([queue, command, due]) => ({ queue, command, due }));
    this.finished = s.finished.map((f) => [...f]);
  }
}
