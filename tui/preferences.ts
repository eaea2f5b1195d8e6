/**
 * How a watcher likes the monitor: what the configuration file holds. It is read forgivingly, as a file that was
 * written by hand or by another version; what makes no sense is left out and told of.
 */
import { sanitize } from './format.ts';
import { SPANS, type Span } from './history.ts';
import type { Session } from './session.ts';
import { FASTEST, LONGEST_DELAY, SHORTEST_DELAY, SLOWEST } from './speeds.ts';
import type { Sort, SortColumn, TableState } from './table-model.ts';
import { THEMES } from './theme.ts';
import { FIRST_TABLES, TABLES, type TableName, VIEWS, type ViewName } from './views.ts';

export interface Preferences {
  readonly theme?: string;
  readonly ascii?: boolean;
  /** seconds between frames */
  readonly delay?: number;
  /** simulated seconds per second; Infinity is `max` in the file */
  readonly speed?: number;
  readonly totals?: boolean;
  readonly hideIdle?: boolean;
  readonly transposed?: boolean;
  /** what sparklines cover */
  readonly span?: Span;
  readonly view?: ViewName;
  readonly tables?: Readonly<Partial<Record<TableName, Partial<TablePreferences>>>>;
}

type TablePreferences = Pick<TableState, 'sort' | 'hidden'>;

/** What a file has come to. */
export interface PreferencesRead {
  readonly preferences: Preferences;
  /** what was left out, and what would be right */
  readonly problems: readonly string[];
}

type Wrong = (place: string, should: string) => undefined;

/** One key of the file: what it may hold. */
type Reader = (value: unknown, place: string, wrong: Wrong) => unknown;

const flag: Reader = (value, place, wrong) =>
  typeof value === 'boolean' ? value : wrong(place, 'true or false');

const oneOf =
  (names: readonly string[]): Reader =>
  (value, place, wrong) =>
    names.includes(value as string) ? value : wrong(place, names.join(', '));

const within =
  (least: number, most: number, what: string): Reader =>
  (value, place, wrong) =>
    typeof value === 'number' && value >= least && value <= most
      ? value
      : wrong(place, `${what} from ${least} to ${most}`);

const speed: Reader = (value, place, wrong) =>
  value === 'max'
    ? Number.POSITIVE_INFINITY
    : within(SLOWEST, FASTEST, 'max, or simulated seconds per second')(value, place, wrong);

const KEYS: Readonly<Record<string, readonly [key: keyof Preferences, read: Reader]>> = {
  theme: ['theme', oneOf(THEMES.map((t) => t.name))],
  ascii: ['ascii', flag],
  delay: ['delay', within(SHORTEST_DELAY, LONGEST_DELAY, 'seconds')],
  speed: ['speed', speed],
  totals: ['totals', flag],
  'hide-idle': ['hideIdle', flag],
  transposed: ['transposed', flag],
  history: ['span', oneOf(SPANS)],
  view: ['view', oneOf(VIEWS.map((v) => v.name))],
  tables: ['tables', tables],
};

/** @param data what the file says, as YAML has it */
export function readPreferences(data: unknown): PreferencesRead {
  const problems: string[] = [];
  const wrong: Wrong = (place, should) => void problems.push(`${sanitize(place)}: must be ${should}`);
  const preferences: Record<string, unknown> = {};
  for (const [key, value] of entries(data, 'the file', wrong)) {
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (!known) problems.push(`${sanitize(key)}: unknown`);
    else {
      const read = known[1](value, key, wrong);
      if (read !== undefined) preferences[known[0]] = read;
    }
  }
  return { preferences, problems };
}

function entries(data: unknown, place: string, wrong: Wrong): [string, unknown][] {
  if (data === null || data === undefined) return [];
  if (typeof data === 'object' && !Array.isArray(data)) return Object.entries(data);
  wrong(place, 'keys with values');
  return [];
}

function tables(value: unknown, place: string, wrong: Wrong): Preferences['tables'] {
  const read: Partial<Record<TableName, Partial<TablePreferences>>> = {};
  for (const [name, table] of entries(value, place, wrong)) {
    const at = `${place}.${name}`;
    if (Object.hasOwn(TABLES, name)) read[name as TableName] = tableOf(name as TableName, table, at, wrong);
    else wrong(at, `one of ${Object.keys(TABLES).join(', ')}`);
  }
  return read;
}

function tableOf(name: TableName, value: unknown, place: string, wrong: Wrong): Partial<TablePreferences> {
  let { column, reverse } = FIRST_TABLES[name].sort;
  let hidden: readonly string[] | undefined;
  for (const [key, given] of entries(value, place, wrong)) {
    const at = `${place}.${key}`;
    if (key === 'sort') column = (sortOf(name)(given, at, wrong) as SortColumn | undefined) ?? column;
    else if (key === 'reverse') reverse = (flag(given, at, wrong) as boolean | undefined) ?? reverse;
    else if (key === 'hidden') hidden = names(given, at, wrong) ?? hidden;
    else wrong(at, 'sort, reverse or hidden');
  }
  return { sort: { column, reverse }, ...(hidden && { hidden }) };
}

/** Names of columns; one that a table lacks hides nothing. */
function names(value: unknown, place: string, wrong: Wrong): readonly string[] | undefined {
  const good = Array.isArray(value) && value.every((name) => typeof name === 'string' && name.length <= 40);
  if (good) return value as readonly string[];
  wrong(place, 'a list of columns');
  return undefined;
}

/** Any column that has a name, or the counts of one CPU. */
function sortOf(name: TableName): Reader {
  const columns = [...TABLES[name].sorts, FIRST_TABLES[name].sort.column];
  return (value, place, wrong) =>
    columns.includes(value as SortColumn) || (typeof value === 'string' && /^cpu\d{1,4}$/.test(value))
      ? value
      : wrong(place, `${[...new Set(columns)].join(', ')} or cpu0`);
}

/** How the session stands now. @param ascii asked for, and not just the terminal's lack */
export function preferencesOf({ ui, frame }: Session, ascii: boolean): Preferences {
  const { theme, totals, hideIdle, transposed, span, view } = ui;
  const sorts = (Object.keys(TABLES) as TableName[]).flatMap((name) => {
    const { sort, hidden = [] } = ui.tables[name];
    if (sameSort(sort, FIRST_TABLES[name].sort) && hidden.length === 0) return [];
    return [[name, hidden.length > 0 ? { sort, hidden } : { sort }] as const];
  });
  const { delay, speed } = frame;
  const own = { theme, ascii, delay, speed, totals, hideIdle, transposed, span, view };
  return { ...own, tables: Object.fromEntries(sorts) };
}

function sameSort(a: Sort, b: Sort): boolean {
  return a.column === b.column && a.reverse === b.reverse;
}

/** As the file says it. */
export function printedPreferences(preferences: Preferences): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, [key]] of Object.entries(KEYS)) {
    const value = preferences[key];
    if (value !== undefined) out[name] = value === Number.POSITIVE_INFINITY ? 'max' : value;
  }
  const changed = Object.entries(preferences.tables ?? {}).map(([name, { sort, hidden }]) => [
    name,
    { sort: sort!.column, reverse: sort!.reverse, ...(hidden && { hidden }) },
  ]);
  if (changed.length > 0) out.tables = Object.fromEntries(changed);
  else delete out.tables;
  return out;
}

/** The tables as they stand at the start. */
export function tablesOf({ tables = {} }: Preferences): Readonly<Record<TableName, TableState>> {
  const names = Object.keys(FIRST_TABLES) as TableName[];
  return Object.fromEntries(
    names.map((name) => [name, { ...FIRST_TABLES[name], ...tables[name] }]),
  ) as Record<TableName, TableState>;
}
