/** What Xen has taken and run, as a table: a row for each vector; NMIs and softirqs stand below them. */
import type { XenSnapshot } from '../engine/index.ts';
import { sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import { SORTS, sortRows, type TableRow, textOf } from './interrupt-rows.ts';
import { countTable } from './interrupts-table.ts';
import { vectorText } from './subject.ts';
import { sum, type TableKind } from './table-model.ts';

/** A softirq goes by its number: one of them is called NMI too. */
function softirqLabel(nr: number): string {
  return `soft ${nr}`;
}

/** The rows in Xen's order. */
export function xenRows(xen: XenSnapshot, ascii: boolean): TableRow[] {
  const waiting = new Set<number>();
  const ready = new Set<number>();
  for (const entry of xen.pendingEoi.flat()) (entry.ready ? ready : waiting).add(entry.vector);
  const row = (label: string, counts: readonly number[], rest: Partial<TableRow>): TableRow => ({
    key: rowKey(xen.name, label),
    label,
    irq: null,
    counts,
    total: sum(counts),
    chip: '',
    flow: '',
    name: '',
    flags: null,
    flagged: rest.flags?.some(Boolean) ?? false,
    ...rest,
  });
  return [
    ...xen.vectors.map(({ vector, counts, what, owner }) =>
      row(vectorText(vector), counts, {
        irq: vector,
        chip: sanitize(what, ascii),
        name: sanitize(owner, ascii),
        flags: [false, waiting.has(vector), ready.has(vector)],
        follow: { vector },
      }),
    ),
    row('NMI', xen.nmis, { name: 'do_nmi' }),
    ...xen.softirqs.map(({ name, counts, pending }, nr) =>
      row(softirqLabel(nr), counts, {
        name: `softirq ${name}`,
        flags: [pending.some(Boolean), false, false],
      }),
    ),
  ];
}

/** The counts of Xen's rows by their keys. */
export function xenCounts({ name, vectors, nmis, softirqs }: XenSnapshot): Map<string, readonly number[]> {
  const counts = new Map<string, readonly number[]>();
  for (const v of vectors) counts.set(rowKey(name, vectorText(v.vector)), v.counts);
  counts.set(rowKey(name, 'NMI'), nmis);
  softirqs.forEach((s, nr) => {
    counts.set(rowKey(name, softirqLabel(nr)), s.counts);
  });
  return counts;
}

export const XEN: TableKind<TableRow, XenSnapshot> = {
  sorts: SORTS,
  below: 1,
  rows: xenRows,
  counts: xenCounts,
  sorted: sortRows,
  textOf,
  columns: countTable(
    { label: 'VECTOR', flags: 'PER', chip: 'WHAT', least: 18, name: 'OWNER' },
    ({ nmis }) => [...nmis.keys()],
  ),
};
