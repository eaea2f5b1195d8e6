/** The monitor: checks what it is asked and that there is a terminal, then leaves everything to it. */
import { takeSnapshot } from '../../engine/index.ts';
import type { Config } from '../../tui/index.ts';
import { isDelay, LONGEST_DELAY, SHORTEST_DELAY } from '../../tui/speeds.ts';
import { configFile, readConfig, writeConfig } from '../config.ts';
import type { CtlService } from '../ctl/service.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { runOf } from '../run.ts';
import { checkTerminal } from '../terminal.ts';
import { UsageError } from '../usage.ts';

/** Seconds between frames. @throws UsageError */
export function delayOf({ delay = 1e9 }: Options): number {
  const seconds = delay / 1e9;
  if (isDelay(seconds)) return seconds;
  throw new UsageError(
    `--delay: the monitor draws every ${SHORTEST_DELAY} s to ${LONGEST_DELAY} s, not every ${seconds} s`,
  );
}

export async function monitor(options: Options): Promise<number> {
  const delay = delayOf(options);
  const { machine, recorded, recorder } = await runOf(options);
  const domain =
    options.domain === undefined ? undefined : chosenOf(takeSnapshot(machine), options.domain).name;
  checkTerminal('-b for text or -J for JSON lines (see virqtop --help)');
  if (options.metrics) await (await import('../metrics.ts')).serveMetrics(machine, options.metrics);
  const { runMonitor } = await import('../../tui/index.ts');
  const ctl = await ctlOf(options);
  keepOnInterrupt();
  recorder?.begin();
  const code = await runMonitor(machine, {
    attend: (driver, quit) => ctl?.control({ driver, quit }),
    domain,
    delay: options.delay === undefined ? undefined : delay,
    speed: options.speed,
    ascii: options.ascii,
    slow: options.slow,
    color: options.color,
    theme: options.theme,
    hideIdle: options.skipZero,
    scriptedFires: options.fire,
    recorded,
    recorder,
    config: await configOf(options),
  });
  ctl?.close();
  return code;
}

/** The socket of --socket; undefined: there is to be none. */
export async function ctlOf({ socket }: Options): Promise<CtlService | undefined> {
  if (socket === undefined) return undefined;
  return (await import('../ctl/service.ts')).CtlService.open(socket, process.env);
}

/** What the configuration file says, and how W writes it; undefined: there is to be none. */
async function configOf({ config }: Options): Promise<Config | undefined> {
  if (config === false) return undefined;
  const file = config ?? configFile(process.env);
  const { data, problem } = await readConfig(file);
  return { file, data, problem, save: (preferences) => writeConfig(file, preferences) };
}
