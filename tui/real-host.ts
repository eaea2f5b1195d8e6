/** The driver's time: the clock and the timers of this process. */
import type { Host } from './beat.ts';

export const REAL_HOST: Host = {
  // the clock behind `performance`, which would have to be loaded first
  now() {
    const [seconds, ns] = process.hrtime();
    return seconds * 1e3 + ns / 1e6;
  },
  after(ms, callback) {
    if (ms > 0) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    }
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  },
};
