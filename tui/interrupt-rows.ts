/** The rows of a domain's interrupts as the table shows them, joined with their state. */
import type { DomainSnapshot } from '../engine/index.ts';
import { sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import type { History } from './history.ts';
import {
  compareText,
  comparison,
  type Row,
  type Sort,
  type SortColumn,
  sortedBy,
  sum,
} from './table-model.ts';

export interface TableRow extends Row {
  /** null for a row of the architecture's own counters */
  readonly irq: number | null;
  readonly chip: string;
  /** name of the flow handler with its dash: `-virq` */
  readonly flow: string;
  readonly name: string;
  /** what its three letters say: pending, masked, being handled; null where nothing can be said */
  readonly flags: readonly [boolean, boolean, boolean] | null;
}

/** What `s` steps through. */
export const SORTS: readonly SortColumn[] = ['irq', 'total', 'rate', 'chip', 'name'];

/** The rows in the kernel's order. */
export function rowsOf(domain: DomainSnapshot, ascii: boolean): TableRow[] {
  const { interrupts, irqStates, name: owner, id } = domain;
  const numbered = interrupts.rows.map((row, i): TableRow => {
    const hwirq = row.hwirq === null ? '' : ` ${row.hwirq}`;
    const trigger = row.trigger === null ? '' : ` ${row.trigger}`;
    const state = irqStates[i];
    return {
      key: rowKey(owner, row.irq),
      label: String(row.irq),
      irq: row.irq,
      counts: row.counts,
      total: sum(row.counts),
      chip: sanitize(`${row.chip}${hwirq}${trigger}`, ascii),
      flow: row.name === null ? '' : sanitize(`-${row.name}`, ascii),
      name: sanitize(row.actions.join(', '), ascii),
      flags: state ? [state.pending, state.masked, state.active] : null,
      flagged: state !== undefined && (state.pending || state.active),
      follow: { domain: id, irq: row.irq },
    };
  });
  const arch = interrupts.arch.map(
    (row): TableRow => ({
      key: rowKey(owner, row.label),
      label: sanitize(row.label, ascii),
      irq: null,
      counts: row.counts,
      total: sum(row.counts),
      chip: '',
      flow: '',
      name: sanitize(row.text, ascii),
      flags: null,
      flagged: false,
    }),
  );
  return [...numbered, ...arch];
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

export function textOf(row: TableRow): string {
  return `${row.label} ${row.chip} ${row.flow} ${row.name}`;
}

/** Sorts the numbered rows; the architecture's own stay below, in the kernel's order. */
export function sortRows(rows: readonly TableRow[], sort: Sort, history: History): TableRow[] {
  const numbered = rows.filter((r) => r.irq !== null);
  const arch = rows.filter((r) => r.irq === null);
  const byNumber = (a: TableRow, b: TableRow) => a.irq! - b.irq!;
  const by = comparison(sort.column, history) ?? ownComparison(sort.column) ?? byNumber;
  return [...sortedBy(numbered, sort, by, byNumber), ...arch];
}

function ownComparison(column: SortColumn): ((a: TableRow, b: TableRow) => number) | undefined {
  if (column === 'chip') return (a, b) => compareText(a.chip + a.flow, b.chip + b.flow);
  return column === 'name' ? (a, b) => compareText(a.name, b.name) : undefined;
}
