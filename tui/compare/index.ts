/** Two machines side by side from start to stop, on the process's terminal. */
import { sanitize } from '../format.ts';
import { type LookOptions, lookOf } from '../look.ts';
import { REAL_HOST } from '../real-host.ts';
import { onTerminal } from '../stage.ts';
import type { Contest } from './model.ts';
import { PairDriver } from './pair-driver.ts';
import { PairSession } from './pair-session.ts';

export interface CompareOptions extends LookOptions {
  /** simulated seconds per second, 1; Infinity: as fast as possible */
  readonly speed?: number | undefined;
  /** seconds between frames, 1 */
  readonly delay?: number | undefined;
}

/** @returns the exit code, once the user has quit */
export async function watchComparison(contest: Contest, options: CompareOptions): Promise<number> {
  const { code, error } = await onTerminal(({ size, end, suspend }) => {
    const driver = new PairDriver(contest, REAL_HOST, { ...options, onError: (failed) => end(1, failed) });
    const look = lookOf(options, process.env);
    const session = new PairSession(driver, contest, { ...look, size, suspend, quit: () => end(0) });
    return { session, driver };
  });
  if (error) {
    const message = sanitize(error.message.split('\n')[0] ?? '');
    process.stderr.write(`virqtop: ${message} (${contest.labels.join(' and ')})\n`);
  }
  return code;
}
