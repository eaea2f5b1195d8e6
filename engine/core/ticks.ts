/** Ticks that somebody else makes for a timer chip, as Xen does for those of its guests. */
import type { Ns } from './clock.ts';

export interface TickService {
  /** The first tick comes after `delta`, and one after each `period`; 0: no other. What was set before is gone. */
  start(delta: Ns, period: Ns): void;
  stop(): void;
  /** One more at once. */
  tick(): void;
  /** the time that the chip counts by */
  now(): Ns;
}
