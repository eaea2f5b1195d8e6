/** A table of counters as a view shows it: which rows, filtered and sorted, from which on, in which columns. */
import type { Passage, Snapshot } from '../engine/index.ts';
import type { EventRow } from './event-log.ts';
import type { Frame } from './frame.ts';
import { roomOf } from './geometry.ts';
import type { Glyphs } from './glyphs.ts';
import type { History, Span } from './history.ts';
import type { LineBuilder } from './line.ts';
import type { SessionState } from './session.ts';
import type { Subject } from './subject.ts';

/** What all rows of counters have. */
export interface Row {
  /** under which the history knows it */
  readonly key: string;
  readonly label: string;
  /** one per vCPU, or a single one for the whole machine */
  readonly counts: readonly number[];
  readonly total: number;
  /** something is going on in it, whatever its counters say */
  readonly flagged: boolean;
  /** what Enter looks for the last interrupt of */
  readonly follow?: Passage;
  /** where a row is of a single interrupt: its journey, 0 if nothing was raised for it */
  readonly journey?: number;
}

/** `cpu3` and the like sort by one CPU's counts. */
export type SortColumn =
  | 'irq'
  | 'chip'
  | 'name'
  | 'reason'
  | 'total'
  | 'rate'
  | 'share'
  | 'time'
  | 'mean'
  | 'last'
  | 'p50'
  | 'p99'
  | 'p999'
  | 'max'
  | 'state'
  | 'pcpu'
  | 'run'
  | 'steal'
  | 'blocked'
  | 'wakes'
  | 'exits'
  | `cpu${number}`;

export interface Sort {
  readonly column: SortColumn;
  readonly reverse: boolean;
}

const SMALLEST_FIRST: ReadonlySet<SortColumn> = new Set(['irq', 'chip', 'name', 'reason', 'state', 'pcpu']);

/** Amounts stand largest first, names and numbers smallest first; unless reversed. */
export function isDescending({ column, reverse }: Sort): boolean {
  return SMALLEST_FIRST.has(column) === reverse;
}

/** How a row counted since the sample before. */
export interface Change {
  /** counts then; undefined where the row is new */
  readonly before: readonly number[] | undefined;
  readonly changed: boolean;
}

export interface TableColumn<R extends Row = Row> {
  readonly title: string;
  /** where its title changes: what it is called by who hides it */
  readonly id?: string | undefined;
  /** what a sort by it is called; undefined where it cannot be sorted by */
  readonly sort?: SortColumn | undefined;
  /** blanks before it */
  readonly gap: number;
  readonly width: number;
  /** its title stands at the right end */
  readonly right?: boolean;
  /** Adds the gap and the cell. */
  cell(line: LineBuilder, row: R, change: Change): void;
}

/** What a column is called by who hides it. */
export function columnId({ id, sort, title }: Pick<TableColumn, 'id' | 'sort' | 'title'>): string {
  return id ?? sort ?? title.trim().toLowerCase();
}

/** What the user did to a table. */
export interface TableState {
  /** key of the selected row; null: the first, or the newest of those that follow */
  readonly selected: string | null;
  readonly sort: Sort;
  readonly filter: string;
  /** columns that are not to be seen */
  readonly hidden?: readonly string[];
}

/** What there is to know about the columns that fit. */
export interface Surroundings {
  readonly frame: Frame;
  readonly width: number;
  /** the user wants one count per row */
  readonly totals: boolean;
  /** what sparklines cover */
  readonly span: Span;
  readonly glyphs: Glyphs;
}

/** One kind of table: where its rows come from and how they look. */
export interface TableKind<R extends Row = Row, S extends Subject = Subject> {
  /** what `s` steps through */
  readonly sorts: readonly SortColumn[];
  /** lines that its view puts below or above the rows, whatever room there is, or of so many for both */
  readonly below?: number | ((room: number, around: { snapshot: Snapshot; width: number }) => number);
  /** its newest row stays in sight until another is chosen */
  readonly follows?: boolean;
  /**
   * @param log of the trace, for who shows it
   * @param snapshot for who shows more than the subject
   */
  rows(subject: S, ascii: boolean, log: () => readonly EventRow[], snapshot: Snapshot): readonly R[];
  /** The counts of its rows by their keys; asked for a subject of the sample before, and that sample. */
  counts(subject: S, snapshot: Snapshot): ReadonlyMap<string, readonly number[]>;
  sorted(rows: readonly R[], sort: Sort, history: History): R[];
  /** what a filter looks at */
  textOf(row: R): string;
  /** rows that stay whatever the filter says */
  keeps?(row: R): boolean;
  columns(rows: readonly R[], subject: S, around: Surroundings): TableColumn<R>[];
}

export interface TableModel<R extends Row = Row> {
  readonly columns: readonly TableColumn<R>[];
  /** those that there are, hidden ones too */
  readonly choices: readonly TableColumn<R>[];
  /** filtered and sorted */
  readonly rows: readonly R[];
  /** rows of the subject */
  readonly all: number;
  /** lines there are for rows */
  readonly height: number;
  /** first row on the screen */
  readonly top: number;
  readonly selected: number;
  /** what is wrong with the filter */
  readonly error: string | undefined;
}

/** @param scroll where the table stood before */
export function tableModel<R extends Row>(
  kind: TableKind<R>,
  table: TableState,
  { frame, ui, size }: SessionState,
  subject: Subject,
  scroll: { readonly top: number; readonly selected: number },
  glyphs: Glyphs,
  log: () => readonly EventRow[] = () => [],
): TableModel<R> {
  const { history } = frame;
  const { snapshot } = frame;
  const all = kind.rows(subject, glyphs.ascii, log, snapshot);
  const filter = makeFilter(table.filter, (row: R) => kind.textOf(row));
  const shown = all.filter(
    (row) =>
      (filter.matches(row) || kind.keeps?.(row)) && (row.flagged || !(ui.hideIdle && history.idle(row.key))),
  );
  const rows = kind.sorted(shown, table.sort, history);
  const { totals, span } = ui;
  const layout = (width: number) => kind.columns(all, subject, { frame, width, totals, span, glyphs });
  const choices = layout(size.columns);
  const columns = visible(choices, layout, size.columns, table.hidden ?? []);
  // the heading takes a line
  const room = roomOf(snapshot, size, ui.prompt !== null) - 1;
  const around = { snapshot, width: size.columns };
  const below = typeof kind.below === 'function' ? kind.below(room, around) : (kind.below ?? 0);
  const height = Math.max(1, room - below);

  const first = kind.follows ? rows.length - 1 : 0;
  let selected = table.selected === null ? first : rows.findIndex((r) => r.key === table.selected);
  if (selected < 0) selected = Math.max(0, Math.min(scroll.selected, rows.length - 1));
  let top = Math.min(scroll.top, Math.max(0, rows.length - height));
  if (selected < top) top = selected;
  else if (selected >= top + height) top = selected - height + 1;
  return { columns, choices, rows, all: all.length, height, top, selected, error: filter.error };
}

/** Without those that are hidden, whose room the others get where that goes well. The first one stays. */
function visible<R extends Row>(
  choices: readonly TableColumn<R>[],
  layout: (width: number) => TableColumn<R>[],
  width: number,
  hidden: readonly string[],
): readonly TableColumn<R>[] {
  if (hidden.length === 0) return choices;
  const shown = (columns: readonly TableColumn<R>[]) =>
    columns.filter((column, i) => i === 0 || !hidden.includes(columnId(column)));
  const cells = (columns: readonly TableColumn<R>[]) => sum(columns.map((c) => c.gap + c.width));
  const few = shown(choices);
  const wide = shown(layout(width + cells(choices) - cells(few)));
  return 1 + cells(wide) <= width ? wide : few;
}

/** The columns one can sort by, from left to right. */
export function sortable({ columns }: TableModel): SortColumn[] {
  return columns.flatMap(({ sort }) => (sort === undefined ? [] : [sort]));
}

/** What a filter looks for. An expression that does not compile is taken as plain text, and says so. */
export interface Filter<R> {
  readonly matches: (row: R) => boolean;
  /** why it is no regular expression */
  readonly error: string | undefined;
}

export function makeFilter<R>(text: string, textOf: (row: R) => string): Filter<R> {
  if (text === '') return { matches: () => true, error: undefined };
  try {
    const regex = new RegExp(text, 'i');
    return { matches: (row) => regex.test(textOf(row)), error: undefined };
  } catch {
    const plain = text.toLowerCase();
    return {
      matches: (row) => textOf(row).toLowerCase().includes(plain),
      error: 'not a regular expression, taken as text',
    };
  }
}

/** Ordered by one column, in its direction; what is equal by `then`. */
export function sortedBy<R extends Row>(
  rows: readonly R[],
  sort: Sort,
  by: (a: R, b: R) => number,
  then: (a: R, b: R) => number,
): R[] {
  const descending = isDescending(sort);
  return [...rows].sort((a, b) => (descending ? by(b, a) : by(a, b)) || then(a, b));
}

/** The comparisons that every table has; undefined for a column of its own. */
export function comparison(column: SortColumn, history: History): ((a: Row, b: Row) => number) | undefined {
  if (column === 'total') return (a, b) => a.total - b.total;
  if (column === 'rate') return (a, b) => (history.rate(a.key) || 0) - (history.rate(b.key) || 0);
  if (!column.startsWith('cpu')) return undefined;
  const cpu = Number(column.slice(3));
  return (a, b) => (a.counts[cpu] ?? 0) - (b.counts[cpu] ?? 0);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sum(counts: readonly number[]): number {
  let total = 0;
  for (const n of counts) total += n;
  return total;
}
