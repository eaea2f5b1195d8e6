/** The rows of a domain's interrupts as the table shows them: joined with their state, filtered, sorted. */
import type { DomainSnapshot, IrqState } from '../engine/index.ts';
import { sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import type { History } from './history.ts';

export interface TableRow {
  /** under which the history knows it */
  readonly key: string;
  /** `24`, `RES` */
  readonly label: string;
  /** null for a row of the architecture's own counters */
  readonly irq: number | null;
  /** one per vCPU, or a single one for the whole machine */
  readonly counts: readonly number[];
  readonly total: number;
  readonly chip: string;
  /** name of the flow handler with its dash: `-virq` */
  readonly flow: string;
  readonly name: string;
  /** undefined for the architecture's own */
  readonly state: IrqState | undefined;
}

/** `cpu3` and the like sort by one CPU's counts. */
export type SortColumn = 'irq' | 'total' | 'rate' | 'chip' | 'name' | `cpu${number}`;

export interface Sort {
  readonly column: SortColumn;
  readonly reverse: boolean;
}

/** What `s` steps through. */
export const SORTS: readonly SortColumn[] = ['irq', 'total', 'rate', 'chip', 'name'];

/** Largest first, unless reversed. */
export function isDescending(sort: Sort): boolean {
  const natural = sort.column === 'total' || sort.column === 'rate' || sort.column.startsWith('cpu');
  return natural !== sort.reverse;
}

/** The rows in the kernel's order. */
export function rowsOf(domain: DomainSnapshot, ascii: boolean): TableRow[] {
  const { interrupts, irqStates, name: owner } = domain;
  const numbered = interrupts.rows.map((row, i): TableRow => {
    const hwirq = row.hwirq === null ? '' : ` ${row.hwirq}`;
    const trigger = row.trigger === null ? '' : ` ${row.trigger}`;
    return {
      key: rowKey(owner, row.irq),
      label: String(row.irq),
      irq: row.irq,
      counts: row.counts,
      total: sum(row.counts),
      chip: sanitize(`${row.chip}${hwirq}${trigger}`, ascii),
      flow: row.name === null ? '' : sanitize(`-${row.name}`, ascii),
      name: sanitize(row.actions.join(', '), ascii),
      state: irqStates[i],
    };
  });
  const arch = interrupts.arch.map((row): TableRow => {
    const name = sanitize(row.text, ascii);
    return {
      key: rowKey(owner, row.label),
      label: sanitize(row.label, ascii),
      irq: null,
      counts: row.counts,
      total: sum(row.counts),
      chip: '',
      flow: '',
      name,
      state: undefined,
    };
  });
  return [...numbered, ...arch];
}

function sum(counts: readonly number[]): number {
  let total = 0;
  for (const n of counts) total += n;
  return total;
}

const COUNTS = new WeakMap<DomainSnapshot, Map<string, readonly number[]>>();

/** The counts of a domain's rows by their keys; worked out once. */
export function countsByKey(domain: DomainSnapshot): ReadonlyMap<string, readonly number[]> {
  let counts = COUNTS.get(domain);
  if (!counts) {
    const { rows, arch } = domain.interrupts;
    counts = new Map();
    for (const row of rows) counts.set(rowKey(domain.name, row.irq), row.counts);
    for (const row of arch) counts.set(rowKey(domain.name, row.label), row.counts);
    COUNTS.set(domain, counts);
  }
  return counts;
}

/** What a filter looks for. An expression that does not compile is taken as plain text, and says so. */
export interface Filter {
  readonly text: string;
  readonly matches: (row: TableRow) => boolean;
  /** why it is no regular expression */
  readonly error: string | undefined;
}

export function makeFilter(text: string): Filter {
  if (text === '') return { text, matches: () => true, error: undefined };
  try {
    const regex = new RegExp(text, 'i');
    return { text, matches: (row) => regex.test(textOf(row)), error: undefined };
  } catch {
    const plain = text.toLowerCase();
    return {
      text,
      matches: (row) => textOf(row).toLowerCase().includes(plain),
      error: 'not a regular expression, taken as text',
    };
  }
}

function textOf(row: TableRow): string {
  return `${row.label} ${row.chip} ${row.flow} ${row.name}`;
}

/** Sorts the numbered rows; the architecture's own stay below, in the kernel's order. */
export function sortRows(rows: readonly TableRow[], sort: Sort, history: History): TableRow[] {
  const numbered = rows.filter((r) => r.irq !== null);
  const arch = rows.filter((r) => r.irq === null);
  const descending = isDescending(sort);
  const by = comparison(sort.column, history);
  numbered.sort((a, b) => (descending ? by(b, a) : by(a, b)) || a.irq! - b.irq!);
  return [...numbered, ...arch];
}

function comparison(column: SortColumn, history: History): (a: TableRow, b: TableRow) => number {
  switch (column) {
    case 'irq':
      return (a, b) => a.irq! - b.irq!;
    case 'total':
      return (a, b) => a.total - b.total;
    case 'rate':
      return (a, b) => (history.rate(a.key) || 0) - (history.rate(b.key) || 0);
    case 'chip':
      return (a, b) => compareText(a.chip + a.flow, b.chip + b.flow);
    case 'name':
      return (a, b) => compareText(a.name, b.name);
    default: {
      const cpu = Number(column.slice(3));
      return (a, b) => (a.counts[cpu] ?? 0) - (b.counts[cpu] ?? 0);
    }
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
