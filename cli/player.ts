/** Runs a machine to a moment, firing on the way, without keeping signals and readers waiting. */
import { setImmediate } from 'node:timers/promises';
import type { Machine } from '../engine/index.ts';
import { UsageError } from './usage.ts';
import type { Fire } from './values.ts';

/** Milliseconds of real time after which the world outside gets its turn. */
const SLICE_MS = 40;

export class Player {
  /** still to fire, earliest first; those of one moment in the order of the command line */
  private readonly plan: Fire[];
  /** simulated nanoseconds that take about a slice; does not change what happens, only how often we look up */
  private slice = 1e6;

  constructor(
    readonly machine: Machine,
    fires: readonly Fire[] = [],
  ) {
    this.plan = [...fires].sort((a, b) => a.at - b.at);
  }

  /** @throws UsageError if a device is to be fired after the end of the run */
  checkEnd(end: number): void {
    const late = this.plan.find((f) => f.at > end);
    if (!late) return;
    throw new UsageError(`--fire ${late.device}@${late.at / 1e9}: the run ends at ${end / 1e9} s`);
  }

  /** Runs every event due up to `until`; what is fired at a moment comes after its events. */
  async advance(until: number): Promise<void> {
    for (let next = this.plan[0]; next && next.at <= until; next = this.plan[0]) {
      await this.run(next.at);
      this.machine.fire(next.device, next.times);
      this.plan.shift();
    }
    await this.run(until);
  }

  private async run(until: number): Promise<void> {
    const { machine } = this;
    for (;;) {
      const target = Math.min(until, machine.clock.now + Math.max(1, Math.round(this.slice)));
      const start = performance.now();
      machine.runUntil(target);
      const took = performance.now() - start;
      this.slice *= took < SLICE_MS / 4 ? 2 : took > SLICE_MS ? 0.5 : 1;
      if (target === until) return;
      await setImmediate();
    }
  }
}
