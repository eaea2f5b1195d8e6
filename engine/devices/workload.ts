/**
 * When things happen outside the machine: at a fixed period, at random with a mean rate, or in bursts with
 * quiet times between. (Closed loops, where the next request waits for the last answer, are threads of the
 * guests.)
 */
import type { Clock, Ns, Task } from '../core/clock.ts';
import { Priority } from '../core/event-queue.ts';
import type { Stream } from '../core/rng.ts';
import type { Part, Plain } from '../core/state.ts';

export type Pattern =
  | { readonly kind: 'periodic'; readonly rate: number }
  | { readonly kind: 'poisson'; readonly rate: number }
  /** `rate` per second while on; on and off times in seconds, means of exponential distributions */
  | { readonly kind: 'bursts'; readonly rate: number; readonly on: number; readonly off: number };

export class Arrivals implements Part {
  readonly id: string;
  private readonly task: Task;
  /** bursts: end of the present one */
  private burstEnd: Ns = 0;

  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly rng: Stream,
    private readonly pattern: Pattern,
    /** how often now: it may change */
    private readonly rate: () => number,
    private readonly happen: () => void,
  ) {
    this.id = `workload.${name}`;
    this.task = clock.task(this.id, Priority.outside, () => this.arrive());
  }

  start(): void {
    if (this.rate() <= 0) return;
    if (this.pattern.kind === 'bursts') this.quiet(this.pattern.off, this.pattern.on);
    else this.task.after(Math.round(this.rng.unit() * this.gap(true)));
  }

  /** There is another rate: what was to come comes so much sooner or later; within a burst from its next event on. */
  changed(before: number): void {
    const rate = this.rate();
    const { pattern, task, clock } = this;
    if (rate <= 0) task.cancel();
    else if (before <= 0 && pattern.kind === 'bursts') this.quiet(pattern.off, pattern.on);
    else if (before <= 0) task.after(this.gap(false));
    else if (pattern.kind !== 'bursts') task.after(Math.round(((task.when! - clock.now) * before) / rate));
  }

  private arrive(): void {
    this.happen();
    const next = this.clock.now + this.gap(false);
    if (this.pattern.kind === 'bursts' && next > this.burstEnd) this.quiet(this.pattern.off, this.pattern.on);
    else this.task.at(next);
  }

  private quiet(off: number, on: number): void {
    const start = this.clock.now + Math.round(this.rng.exponential(off * 1e9));
    this.burstEnd = start + Math.round(this.rng.exponential(on * 1e9));
    this.task.at(start);
  }

  /** Time to the next one in ns; `first`: the mean, for a random start. */
  private gap(first: boolean): Ns {
    const mean = 1e9 / this.rate();
    return first || this.pattern.kind === 'periodic'
      ? Math.round(mean)
      : Math.round(this.rng.exponential(mean));
  }

  save(): Plain {
    return this.burstEnd;
  }

  restore(state: Plain): void {
    this.burstEnd = state as number;
  }
}
