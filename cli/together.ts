/** Which options go with which: what would have no effect is refused, not ignored. */
import type { Options } from './options.ts';
import { UsageError } from './usage.ts';

/** What the main command does with these options. */
export type Mode = 'monitor' | 'cast' | 'batch' | 'as' | 'look' | 'path';

const MACHINE = ['scenario', 'seed', 'import', 'interval', 'uptime', 'cpuHz', 'fire'] as const;
/** Which rows and columns there are. */
const ROWS = ['skipZero', 'threshold', 'filter', 'cpuList', 'output'] as const;
const SCREEN = ['ascii', 'slow', 'color', 'theme', 'config'] as const;

/** The screen's options are habits kept in an alias: they go with everything, and change nothing in plain text. */
const KNOWN: Readonly<Record<Mode, readonly (keyof Options)[]>> = {
  monitor: [
    ...MACHINE,
    ...SCREEN,
    'socket',
    'domain',
    'delay',
    'skipZero',
    'speed',
    'hook',
    'metrics',
    'record',
    'replay',
  ],
  cast: [...MACHINE, ...SCREEN, 'domain', 'delay', 'skipZero', 'speed', 'hook', 'cast', 'size', 'for'],
  batch: [
    ...MACHINE,
    ...SCREEN,
    'domain',
    'delay',
    ...ROWS,
    'speed',
    'hook',
    'batch',
    'json',
    'csv',
    'iterations',
    'realtime',
    'books',
    'metrics',
    'record',
    'replay',
  ],
  as: [...MACHINE, ...SCREEN, 'domain', 'delay', 'speed', 'batch', 'as', 'at', 'iterations', 'realtime'],
  look: [...MACHINE, ...SCREEN, 'domain', 'dump', 'books', 'at'],
  path: [...MACHINE, ...SCREEN, 'path', 'at', 'json'],
};

const GOES_WITH: Readonly<Partial<Record<keyof Options, string>>> = {
  threshold: 'goes with -b, -J or --csv',
  filter: 'goes with -b, -J or --csv; the key / filters in the monitor',
  cpuList: 'goes with -b',
  output: 'goes with -b; the key c chooses columns in the monitor',
  iterations: 'goes with -b, -J, --csv or --as',
  realtime: 'goes with -b, -J, --csv or --as',
  size: 'goes with --cast',
  for: 'goes with --cast, or the command compare',
  at: 'goes with --dump, --books, --path, --as or the command proc',
};

export function modeOf(options: Options): Mode {
  if (options.path !== undefined) return 'path';
  if (options.cast !== undefined) return 'cast';
  if (options.as !== undefined) return 'as';
  if (options.batch || options.json || options.csv) return 'batch';
  return options.dump !== undefined || options.books ? 'look' : 'monitor';
}

/** @throws UsageError naming the first option that has no place beside the others */
export function checkTogether(options: Options): Mode {
  const mode = modeOf(options);
  checkMachine(options);
  if (options.json && options.csv) throw new UsageError('-J and --csv: must be one of them');
  if (options.json || options.csv) {
    for (const option of ['cpuList', 'output'] as const) {
      if (options[option]) throw new UsageError(`${flag(option)}: goes with -b, not with -J or --csv`);
    }
  }
  if (options.books && (options.json || options.csv)) {
    throw new UsageError('--books: goes with -b or alone; JSON lines carry the books already');
  }
  if (options.hook && options.csv) throw new UsageError('--hook: goes with the monitor, -b or -J');
  const ofRows = ROWS.find((option) => options[option] !== undefined);
  if (options.hook && mode === 'batch' && ofRows) {
    throw new UsageError(`${flag(ofRows)}: does not go with --hook in batch, which prints no rows`);
  }
  if (options.speed !== undefined && (mode === 'batch' || mode === 'as') && !options.realtime) {
    throw new UsageError('--speed: goes with the monitor or --realtime; batch does not wait');
  }
  if (options.metrics && mode === 'batch' && !options.realtime) {
    throw new UsageError('--metrics: goes with the monitor, procfs, or batch with --realtime');
  }
  if (mode === 'look' && options.domain !== undefined && options.dump === undefined) {
    throw new UsageError('--domain: does not go with --books');
  }
  checkRecording(options);
  for (const option of Object.keys(options) as (keyof Options)[]) {
    if (KNOWN[mode].includes(option)) continue;
    throw new UsageError(`${flag(option)}: ${GOES_WITH[option] ?? `does not go with ${modeFlag(options)}`}`);
  }
  return mode;
}

/**
 * A recording has all that made its run; a run is recorded whose scenario can be written down with it.
 * @throws UsageError
 */
export function checkRecording(options: Options): void {
  if (options.record !== undefined && options.import) {
    throw new UsageError('--record: does not go with --import, whose captures are not written down');
  }
  if (options.replay === undefined) return;
  const twice = [...MACHINE, 'hook', 'record'] as const;
  const option = twice.find((key) => options[key] !== undefined);
  if (option)
    throw new UsageError(`${flag(option)}: does not go with --replay, which repeats what was recorded`);
}

/** The options that choose the machine; all commands share them. */
export function checkMachine(options: Options): void {
  const captures = options.import?.length ?? 0;
  if (captures > 2) throw new UsageError(`--import: takes one or two captures, not ${captures}`);
  if (captures > 0 && options.scenario !== undefined) {
    throw new UsageError(`--import: does not go with a scenario, it makes the whole host`);
  }
  if (options.cpuHz !== undefined && captures === 0) {
    throw new UsageError('--cpu-hz: goes with --import of a file of xentrace');
  }
  if (options.interval !== undefined && captures !== 2) {
    throw new UsageError('--interval: goes with two captures, --import A B');
  }
  if (options.uptime !== undefined && captures !== 1) {
    throw new UsageError('--uptime: goes with one capture, --import A');
  }
}

function flag(option: string): string {
  return `--${option.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

function modeFlag(options: Options): string {
  if (options.path !== undefined) return '--path';
  if (options.cast !== undefined) return '--cast';
  if (options.as !== undefined) return '--as';
  if (options.json) return '-J';
  if (options.csv) return '--csv';
  if (options.batch) return '-b';
  return options.dump === undefined ? '--books' : '--dump';
}
