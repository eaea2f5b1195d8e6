/** The driver's time: the clock and the timers of this process. */
import type { Host } from './driver.ts';

export const REAL_HOST: Host = {
  now: () => performance.now(),
  after(ms, callback) {
    if (ms > 0) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    }
    const immediate = setImmediate(callback);
    return () => clearImmediate(immediate);
  },
};
