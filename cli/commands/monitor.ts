/** The monitor: checks what it is asked and that there is a terminal, then leaves everything to it. */
import { takeSnapshot } from '../../engine/index.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { chosenOf, machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { UsageError } from '../usage.ts';

/** Nobody sees more frames, or waits longer for one. */
const SHORTEST = 0.05e9;
const LONGEST = 3600e9;

export async function monitor(options: Options): Promise<number> {
  const { delay = 1e9 } = options;
  if (delay < SHORTEST || delay > LONGEST) {
    throw new UsageError(`--delay: the monitor draws every 0.05 s to 3600 s, not every ${delay / 1e9} s`);
  }
  const machine = await machineOf(options);
  const domain =
    options.domain === undefined ? undefined : chosenOf(takeSnapshot(machine), options.domain).name;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new UsageError('not a terminal: use -b for text or -J for JSON lines (see virqtop --help)');
  }
  if (options.metrics) await (await import('../metrics.ts')).serveMetrics(machine, options.metrics);
  const { runMonitor } = await import('../../tui/index.ts');
  keepOnInterrupt();
  return runMonitor(machine, {
    domain,
    delay: delay / 1e9,
    speed: options.speed,
    ascii: options.ascii,
    color: options.color,
    theme: options.theme,
    hideIdle: options.skipZero,
    scriptedFires: options.fire,
  });
}
