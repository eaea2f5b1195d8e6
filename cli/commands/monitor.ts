/** The monitor: checks that there is a terminal, then leaves everything to it. */
import { takeSnapshot } from '../../engine/index.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { domainOf, machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { UsageError } from '../usage.ts';

export async function monitor(options: Options): Promise<number> {
  const machine = await machineOf(options);
  const domain = domainOf(takeSnapshot(machine), options.domain).name;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new UsageError('not a terminal: use -b for text or -J for JSON lines (see virqtop --help)');
  }
  const { runMonitor } = await import('../../tui/index.tsx');
  keepOnInterrupt();
  return runMonitor(machine, {});
}
