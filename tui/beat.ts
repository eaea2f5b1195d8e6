/** The beat of a monitor: slices of real time in which its machines run, and a frame each delay. */
import { type Pace, PERIOD, STALL } from './pace.ts';
import { DELAYS, LONGEST_DELAY, SHORTEST_DELAY, SPEEDS, stepThrough } from './speeds.ts';

/** Real time and timers; tests bring their own. */
export interface Host {
  /** milliseconds, never going back */
  now(): number;
  /** Calls back after so many milliseconds, 0: as soon as input was looked at. The answer cancels it. */
  after(ms: number, callback: () => void): () => void;
}

/** What came of a slice. */
export interface Slice {
  /** real ms at its beginning */
  readonly now: number;
  /** whether the machines kept up with real time */
  readonly kept: boolean;
  /** a frame is due */
  readonly due: boolean;
}

export class Beat {
  private cancel: (() => void) | undefined;
  private last = 0;
  private due = 0;
  /** real ms that the machines ran */
  private ran = 0;

  /** @param slice is called for each slice */
  constructor(
    private readonly host: Host,
    private readonly pace: Pace,
    private readonly slice: () => void,
    private seconds: number,
  ) {}

  /** Seconds between frames. */
  get delay(): number {
    return this.seconds;
  }

  setDelay(seconds: number): void {
    this.seconds = Math.min(LONGEST_DELAY, Math.max(SHORTEST_DELAY, seconds));
    this.due = Math.min(this.due, this.host.now() + this.seconds * 1000);
  }

  setSpeed(speed: number): void {
    this.pace.setSpeed(speed, this.host.now());
  }

  /** One step up or down the list of speeds. */
  faster(direction: 1 | -1): void {
    this.setSpeed(stepThrough(SPEEDS, this.pace.speed, direction));
  }

  /** One step up or down the list of delays. */
  slower(direction: 1 | -1): void {
    this.setDelay(stepThrough(DELAYS, this.seconds, direction));
  }

  /** Time begins to run. */
  start(): void {
    const now = this.host.now();
    this.pace.meet(now);
    this.pace.begin(this.ran);
    this.last = now;
    this.due = now + this.seconds * 1000;
    this.schedule(0);
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** Calls back after so many ms; 0: as soon as input was looked at. */
  schedule(ms: number): void {
    this.stop();
    this.cancel = this.host.after(ms, () => {
      this.cancel = undefined;
      this.slice();
    });
  }

  /** The next slice: at once where the machines are behind, else in time for the next frame. */
  goOn(kept: boolean): void {
    const wait = kept ? Math.min(PERIOD, this.due - this.host.now()) : 0;
    this.schedule(Math.max(0, wait));
  }

  /** @param advance lets the machines run to a moment, after so many real ms; answers whether they came there */
  run(advance: (target: number, passed: number) => boolean): Slice {
    const { pace, host } = this;
    const now = host.now();
    if (now - this.last > STALL) pace.meet(now - STALL);
    const passed = Math.min(now - this.last, STALL);
    this.ran += passed;
    this.last = now;
    const kept = advance(pace.target(now), passed);
    if (!kept) pace.meet(host.now());
    const due = now >= this.due;
    if (due) {
      pace.measure(this.ran);
      this.due = Math.max(this.due, now - this.seconds * 500) + this.seconds * 1000;
    }
    return { now, kept, due };
  }
}
