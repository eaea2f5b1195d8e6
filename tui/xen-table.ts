/** What Xen has taken and run, as a table: a row for each vector or INTID; NMIs and softirqs stand below them. */
import type { XenArmSnapshot, XenSnapshot, XenX86Snapshot } from '../engine/index.ts';
import { sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import { SORTS, sortRows, type TableRow, textOf } from './interrupt-rows.ts';
import { countTable } from './interrupts-table.ts';
import { cpusOf, isXenOnX86, takenBy } from './subject.ts';
import { sum, type TableKind } from './table-model.ts';

/** A softirq goes by its number: one of them is called NMI too. */
function softirqLabel(nr: number): string {
  return `soft ${nr}`;
}

/** The rows in Xen's order. */
export function xenRows(xen: XenSnapshot, ascii: boolean): TableRow[] {
  const flagsOf = isXenOnX86(xen) ? eoiFlags(xen) : gicFlags(xen);
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
    ...takenBy(xen).map(({ number, label, counts, what, owner }) =>
      row(label, counts, {
        irq: number,
        chip: sanitize(what, ascii),
        name: sanitize(owner, ascii),
        flags: flagsOf(number),
        follow: { vector: number },
      }),
    ),
    ...(isXenOnX86(xen) ? [row('NMI', xen.nmis, { name: 'do_nmi' })] : []),
    ...xen.softirqs.map(({ name, counts, pending }, nr) =>
      row(softirqLabel(nr), counts, {
        name: `softirq ${name}`,
        flags: [pending.some(Boolean), false, false],
      }),
    ),
  ];
}

type Flags = (number: number) => readonly [boolean, boolean, boolean];

/** Waits for its EOI; is ready for it. */
function eoiFlags({ pendingEoi }: XenX86Snapshot): Flags {
  const waiting = new Set<number>();
  const ready = new Set<number>();
  for (const entry of pendingEoi.flat()) (entry.ready ? ready : waiting).add(entry.vector);
  return (vector) => [false, waiting.has(vector), ready.has(vector)];
}

/** Pending at the GIC, its wire high, active; of a private one on any CPU. */
function gicFlags({ gic }: XenArmSnapshot): Flags {
  return (intid) => {
    const all = gic.interrupts.filter((irq) => irq.intid === intid);
    return [all.some((irq) => irq.pending), all.some((irq) => irq.line), all.some((irq) => irq.active)];
  };
}

/** The counts of Xen's rows by their keys. */
export function xenCounts(xen: XenSnapshot): Map<string, readonly number[]> {
  const { name, softirqs } = xen;
  const counts = new Map<string, readonly number[]>();
  for (const taken of takenBy(xen)) counts.set(rowKey(name, taken.label), taken.counts);
  if (isXenOnX86(xen)) counts.set(rowKey(name, 'NMI'), xen.nmis);
  softirqs.forEach((s, nr) => {
    counts.set(rowKey(name, softirqLabel(nr)), s.counts);
  });
  return counts;
}

const cpusOfXen = (xen: XenSnapshot) => Array.from({ length: cpusOf(xen) }, (_, cpu) => cpu);
const ON_X86 = countTable<XenSnapshot>(
  { label: 'VECTOR', flags: 'PER', chip: 'WHAT', least: 18, name: 'OWNER' },
  cpusOfXen,
);
const ON_ARM = countTable<XenSnapshot>(
  { label: 'INTID', flags: 'PLA', chip: 'WHAT', least: 9, name: 'OWNER' },
  cpusOfXen,
);

export const XEN: TableKind<TableRow, XenSnapshot> = {
  sorts: SORTS,
  below: 1,
  rows: xenRows,
  counts: xenCounts,
  sorted: sortRows,
  textOf,
  columns: (rows, xen, around) => (isXenOnX86(xen) ? ON_X86 : ON_ARM)(rows, xen, around),
};
