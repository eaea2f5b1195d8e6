/** What was recorded of the outside, raised again: each source's raises at the times at which the recording has them. */
import { type Clock, ms, type Ns, Priority, type Task } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { RecordedSource } from '../../import/capture.ts';

/** The recording begins when everything has booted. */
export const BEGIN: Ns = ms(1);

/** One of them, and what it is in the machine. */
export interface Outsider {
  readonly source: RecordedSource;
  /** a line has changed to this; anything else has raised */
  readonly act: (high: boolean) => void;
}

export class Outside implements Part {
  readonly id = 'recorded';
  private readonly task: Task;
  /** by source: how many of its times have been */
  private readonly done: number[];

  constructor(
    clock: Clock,
    private readonly outsiders: readonly Outsider[],
    /** when the recording ends: lines that are still up go down then */
    private readonly end: Ns,
  ) {
    this.done = outsiders.map(() => 0);
    this.task = clock.task('recorded', Priority.outside, (n) => this.happen(n));
    this.next();
  }

  /** The earliest of what is to come; of several at one time the first source's. */
  private next(): void {
    let when = Infinity;
    let first = -1;
    this.outsiders.forEach(({ source }, n) => {
      const at = this.timeOf(source, this.done[n]!);
      if (at < when) {
        when = at;
        first = n;
      }
    });
    if (first >= 0) this.task.at(when, first);
  }

  private timeOf({ times, levels }: RecordedSource, n: number): Ns {
    if (n < times.length) return BEGIN + times[n]!;
    return n === times.length && levels.at(-1) === true ? BEGIN + this.end : Infinity;
  }

  private happen(n: number): void {
    const { source, act } = this.outsiders[n]!;
    const index = this.done[n]!++;
    act(source.levels[index] ?? index < source.times.length);
    this.next();
  }

  save(): Plain {
    return this.done;
  }

  restore(state: Plain): void {
    (state as number[]).forEach((n, i) => {
      this.done[i] = n;
    });
  }
}
