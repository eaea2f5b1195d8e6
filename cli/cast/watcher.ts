/** The time of a watcher who is not there: it passes when the recording says so, the same in every run. */
import type { Host } from '../../tui/beat.ts';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** ms that a look at the clock takes: work without an end of its own, as fast as possible, comes to its slice's */
const LOOK = 0.01;

export class WatcherTime implements Host {
  /** ms since the recording began */
  ms = 0;
  private looks = 0;
  private timers: Timer[] = [];

  now(): number {
    return this.ms + LOOK * this.looks++;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.ms + ms, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((t) => t !== timer);
    };
  }

  /** Lets so many ms pass; who is due is called back in order, once. */
  pass(ms: number): void {
    const end = this.ms + ms;
    for (;;) {
      const next = this.next(end);
      if (!next) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.go(Math.max(this.ms, next.due));
      next.callback();
      // called back at once: it has more to do than one slice
      if (this.looks * LOOK > ms) break;
    }
    this.go(end);
  }

  private next(end: number): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.timers) if (timer.due <= end && (!best || timer.due < best.due)) best = timer;
    return best;
  }

  private go(ms: number): void {
    if (ms > this.ms) this.looks = 0;
    this.ms = ms;
  }
}
