/** Time for the driver's tests: it passes when the test says so. */
import type { Host } from '../../tui/beat.ts';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

export class ManualHost implements Host {
  private time = 0;
  private timers: Timer[] = [];
  /** real ms that every look at the clock costs: a machine that cannot keep up */
  cost = 0;

  now(): number {
    this.time += this.cost;
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.time + ms, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((t) => t !== timer);
    };
  }

  get waiting(): number {
    return this.timers.length;
  }

  /** Lets so many ms pass, calling back whoever is due, in order. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter((t) => t.due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next || this.time > end) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.time = Math.max(this.time, next.due);
      next.callback();
    }
    this.time = Math.max(this.time, end);
  }

  /** The process stood still: nothing was called back meanwhile. */
  stall(ms: number): void {
    this.time += ms;
  }
}
