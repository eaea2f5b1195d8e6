/** Which rows and columns a report has: -z, -t and -f choose rows, -C the CPUs and -o the columns of a text. */
import { parseCpuList } from '../../tui/cpu-list.ts';
import type { Options } from '../options.ts';
import { quoted, UsageError } from '../usage.ts';

/** What is known of a row before it is printed. */
export interface Candidate {
  /** since the update before */
  readonly delta: number;
  readonly counts: readonly number[];
  /** number, chip, type, names */
  readonly words: readonly (string | number | null)[];
}

export type RowChoice = (row: Candidate) => boolean;

type Chosen = Pick<Options, 'skipZero' | 'threshold' | 'filter'>;

/** Is any of them asked for? */
export function choosesRows({ skipZero, threshold, filter }: Chosen): boolean {
  return skipZero === true || threshold !== undefined || filter !== undefined;
}

export function rowChoice({ skipZero = false, threshold = 0, filter }: Chosen): RowChoice {
  return ({ delta, counts, words }) =>
    !(skipZero && delta === 0) &&
    counts.reduce((sum, n) => sum + n, 0) >= threshold &&
    (filter === undefined || filter.test(words.filter((word) => word !== null).join(' ')));
}

/** As the monitor's `/` takes it: no matter which case. @throws UsageError */
export function pattern(option: string, text: string): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new UsageError(`${option} ${quoted(text)}: must be a regular expression, as 'eth|nic'`);
  }
}

/** more than any guest has */
const MOST_CPUS = 10_000;

/** @throws UsageError */
export function cpuList(option: string, text: string): readonly number[] {
  const cpus = parseCpuList(text, MOST_CPUS);
  if (typeof cpus === 'string') throw new UsageError(`${option} ${quoted(text)}: must be CPUs, as 0-1,3`);
  return cpus;
}

/** Columns of a text; CPU stands for one each. */
export const COLUMNS = [
  'IRQ',
  'CPU',
  'TOTAL',
  'DELTA',
  'RATE',
  'PMA',
  'CHIP',
  'HWIRQ',
  'TYPE',
  'NAME',
] as const;
export type ColumnName = (typeof COLUMNS)[number];

/** Behind a `+` they come beside the usual ones. */
export interface ColumnChoice {
  readonly more: boolean;
  readonly names: readonly ColumnName[];
}

/** `IRQ,TOTAL,NAME`, `+total`. @throws UsageError */
export function columnChoice(option: string, text: string): ColumnChoice {
  const more = text.startsWith('+');
  const names = (more ? text.slice(1) : text).split(',').map((name) => name.trim().toUpperCase());
  const stranger = names.find((name) => !COLUMNS.includes(name as ColumnName));
  if (stranger !== undefined)
    throw new UsageError(`${option} ${quoted(text)}: columns are ${COLUMNS.join(', ')}`);
  return { more, names: names as ColumnName[] };
}

/** Those that are printed, in their order. */
export function chosenColumns(
  usual: readonly ColumnName[],
  choice: ColumnChoice | undefined,
): readonly ColumnName[] {
  if (!choice) return usual;
  return choice.more ? [...usual, ...choice.names.filter((name) => !usual.includes(name))] : choice.names;
}
