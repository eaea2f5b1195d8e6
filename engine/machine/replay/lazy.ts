/** The way to `replayMachine` that loads the schemas of scenarios only for it. */
import type { TraceCapture } from '../../import/capture.ts';
import type { Machine } from '../machine.ts';

/** @throws UserError if there is nothing in it that a machine could be made of */
export async function replayMachine(capture: TraceCapture, seed: number): Promise<Machine> {
  return (await import('./build.ts')).replayMachine(capture, seed);
}
