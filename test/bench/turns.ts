/**
 * Processes that are compared by how long they take, on a machine whose speed is not the same from one second to the next: they
 * run in turns, each stopped while another one has its turn, so that all of them have good moments and bad ones alike.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

const TURN_MS = 200;

class Runner {
  ended = false;
  /** of its turns */
  ms = 0;

  constructor(
    private readonly process: ChildProcess,
    private readonly end: Promise<unknown>,
  ) {}

  async turn(): Promise<void> {
    const began = performance.now();
    this.process.kill('SIGCONT');
    this.ended = await Promise.race([this.end.then(() => true), setTimeout(TURN_MS, false)]);
    if (!this.ended) this.process.kill('SIGSTOP');
    this.ms += performance.now() - began;
  }
}

/**
 * @param runners processes that have just been told to begin, and what they have ended with
 * @returns how long each had its turns until it ended, in milliseconds
 */
export async function inTurns(
  runners: readonly { readonly process: ChildProcess; readonly end: Promise<unknown> }[],
): Promise<number[]> {
  const all = runners.map(({ process: child, end }) => new Runner(child, end));
  const kill = () => runners.forEach(({ process: child }) => void child.kill('SIGKILL'));
  process.once('exit', kill);
  while (!all.every(({ ended }) => ended)) for (const runner of all) if (!runner.ended) await runner.turn();
  process.off('exit', kill);
  return all.map(({ ms }) => ms);
}
