/** What the monitor needs around it. */
import { UsageError } from './usage.ts';

/** @param instead what prints without one. @throws UsageError where there is no terminal that can show anything */
export function checkTerminal(instead: string): void {
  if (!hasTerminal()) throw new UsageError(`not a terminal: use ${instead}`);
  if (isDumb()) throw new UsageError(`TERM=dumb cannot show the monitor: use ${instead}`);
}

export function canDraw(): boolean {
  return hasTerminal() && !isDumb();
}

function hasTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

function isDumb(): boolean {
  return process.env.TERM === 'dumb';
}
