/** The wall clock, for what shows a simulated host at its own pace. */
import { setTimeout } from 'node:timers/promises';

export class Pace {
  private readonly started = performance.now();

  /** @param speed simulated seconds per second */
  constructor(private readonly speed: number) {}

  /** Waits until so many simulated milliseconds since the start are due, or somebody has had enough. */
  async reach(simulatedMs: number, signal?: AbortSignal): Promise<void> {
    const due = this.started + simulatedMs / this.speed;
    for (let left = due - performance.now(); left > 0 && !signal?.aborted; left = due - performance.now()) {
      await setTimeout(Math.min(left, 0x7fffffff), undefined, { ...(signal && { signal }) }).catch(() => {});
    }
  }

  /** Simulated milliseconds that should have passed by now. */
  get elapsed(): number {
    return (performance.now() - this.started) * this.speed;
  }
}
