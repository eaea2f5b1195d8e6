/**
 * Runs two machines against the watcher's time, side by side: simulated time is the same on both, and whatever is done is
 * done to both. What is compared are averages since the start, or since the watcher asked to begin anew.
 */
import {
  type Command,
  type JourneySnapshot,
  type Machine,
  type Outcome,
  type Snapshot,
  takeSnapshot,
} from '../../engine/index.ts';
import { Beat, type Host } from '../beat.ts';
import { JourneyWatch } from '../journey-watch.ts';
import { BUDGET, Pace } from '../pace.ts';
import { Published } from '../published.ts';
import type { Both, Comparison, Contest } from './model.ts';

export interface PairFrame {
  readonly number: number;
  readonly snapshots: Both<Snapshot>;
  readonly comparison: Comparison;
  /** of the interrupt that was fired last; null before the first */
  readonly journeys: Both<JourneySnapshot | null>;
  readonly running: boolean;
  readonly speed: number;
  readonly achieved: number;
  /** seconds between frames */
  readonly delay: number;
  /** simulated time since which averages are */
  readonly since: number;
}

export interface PairDriverOptions {
  readonly speed?: number | undefined;
  readonly delay?: number | undefined;
  readonly onError?: ((error: Error) => void) | undefined;
}

/** simulated ns that one machine may be ahead of the other */
const LEAD = 100_000;

export class PairDriver {
  private readonly machines: Both<Machine>;
  private readonly watches: Both<JourneyWatch>;
  private readonly pace: Pace;
  private readonly beat: Beat;
  private before: Both<Snapshot>;
  /** commands so far */
  private given = 0;
  private readonly frames: Published<PairFrame>;
  private running = false;

  constructor(
    private readonly contest: Contest,
    private readonly host: Host,
    private readonly options: PairDriverOptions = {},
  ) {
    const { speed = 1, delay = 1 } = options;
    this.machines = contest.machines;
    const watch = (side: 0 | 1) => new JourneyWatch(this.machines[side], () => this.given);
    this.watches = [watch(0), watch(1)];
    this.pace = new Pace(this, speed);
    this.beat = new Beat(host, this.pace, () => this.slice(), delay);
    this.before = this.look();
    this.frames = new Published(this.makeFrame(1));
  }

  /** Where both have arrived. */
  get now(): number {
    const [a, b] = this.machines;
    return Math.min(a.clock.now, b.clock.now);
  }

  /** For `useSyncExternalStore`: the same object until something was published. */
  readonly get = (): PairFrame => this.frames.get();

  readonly subscribe = (listener: () => void): (() => void) => this.frames.subscribe(listener);

  run(): void {
    if (this.running) return;
    this.running = true;
    this.beat.start();
    this.publish();
  }

  togglePause(): void {
    if (!this.running) {
      this.run();
      return;
    }
    this.halt();
    this.publish();
  }

  /** Stops time without a word. The answer lets it go on. */
  suspend(): () => void {
    const { running } = this;
    this.halt();
    return () => {
      if (running) this.run();
    };
  }

  /** The next event of both, on whichever side it is, then pause. */
  step(): void {
    this.halt();
    const [a, b] = this.machines;
    const next = Math.min(a.clock.next, b.clock.next);
    this.guard(() => {
      if (next < Number.POSITIVE_INFINITY) this.both((_, side) => this.runTo(side, next));
    });
    this.publish();
  }

  faster(direction: 1 | -1): void {
    this.beat.faster(direction);
    this.publish();
  }

  /** One step up or down the list of delays. */
  slower(direction: 1 | -1): void {
    this.beat.slower(direction);
    this.publish();
  }

  /** To both, at once. */
  do(command: Command): Both<Outcome> {
    let outcomes: Both<Outcome> = [{}, {}];
    this.guard(() => {
      this.given++;
      outcomes = [this.machines[0].do(command), this.machines[1].do(command)];
      const now = this.host.now();
      for (const watch of this.watches) watch.fired(now);
    });
    this.publish();
    return outcomes;
  }

  /** Averages begin anew. */
  reset(): void {
    this.before = this.look();
    this.publish();
  }

  private slice(): void {
    const kept = this.guard(() => this.runSlice()) ?? true;
    if (this.running) this.beat.goOn(kept);
  }

  /** @returns whether the machines kept up */
  private runSlice(): boolean {
    const { now, kept, due } = this.beat.run((target) => this.advance(target));
    if (due) {
      this.publish();
    } else if (this.watches.some((watch) => watch.active)) {
      if (this.watches.filter((watch) => watch.changed()).length > 0) this.publish();
      for (const watch of this.watches) watch.settle(now);
    }
    return kept;
  }

  /** Both to a moment unless a slice's time is up first; false if it was. */
  private advance(target: number): boolean {
    const deadline = this.host.now() + BUDGET;
    for (;;) {
      const goal = Math.min(target, this.now + LEAD);
      this.both((_, side) => this.runTo(side, goal));
      if (goal >= target) return true;
      if (this.host.now() >= deadline) return false;
    }
  }

  /** Event by event where an interrupt is followed. */
  private runTo(side: 0 | 1, goal: number): void {
    const machine = this.machines[side];
    const watch = this.watches[side];
    while (watch.active && machine.clock.next <= goal) {
      machine.step();
      watch.look();
    }
    if (machine.clock.now < goal) machine.runUntil(goal);
  }

  private both(work: (machine: Machine, side: 0 | 1) => void): void {
    work(this.machines[0], 0);
    work(this.machines[1], 1);
  }

  private halt(): void {
    this.beat.stop();
    this.running = false;
  }

  private publish(): void {
    this.frames.set(this.makeFrame(this.get().number + 1));
  }

  private look(): Both<Snapshot> {
    const of = (side: 0 | 1) => takeSnapshot(this.machines[side], this.watches[side].journey);
    return [of(0), of(1)];
  }

  private makeFrame(number: number): PairFrame {
    const { before, contest, pace, running } = this;
    const { delay } = this.beat;
    const snapshots = this.look();
    const journeys: Both<JourneySnapshot | null> = [this.watches[0].journey, this.watches[1].journey];
    const [a, b] = journeys;
    return {
      number,
      snapshots,
      comparison: contest.compare(before, snapshots, a && b && [a, b]),
      journeys,
      running,
      speed: pace.speed,
      achieved: pace.achieved,
      delay,
      since: before[0].time,
    };
  }

  /** An error of a machine ends the run. */
  private guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.halt();
      this.options.onError?.(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}
