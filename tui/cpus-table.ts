/** Interrupts turned on their side: a row for each CPU, a column for each of the interrupts that come most often. */

import { count, padLeft, truncate } from './format.ts';
import { rowKey } from './frame.ts';
import { rowsOf, type TableRow } from './interrupt-rows.ts';
import { cpusOf as countOfCpus, isXen, type Subject } from './subject.ts';
import {
  comparison,
  type Row,
  type SortColumn,
  sortedBy,
  sum,
  type TableColumn,
  type TableKind,
} from './table-model.ts';
import { xenRows } from './xen-table.ts';

export interface CpuRow extends Row {
  readonly cpu: number;
  /** the rows that `counts` are of, one by one */
  readonly interrupts: readonly TableRow[];
}

const SORTS: readonly SortColumn[] = ['irq', 'total'];
const TOTAL = 12;
const LEAST = 8;
const MOST = 15;

function interruptsOf(subject: Subject, ascii: boolean): readonly TableRow[] {
  return isXen(subject) ? xenRows(subject, ascii) : rowsOf(subject, ascii);
}

function cpuNumbers(subject: Subject): readonly number[] {
  if (!isXen(subject)) return subject.interrupts.cpus;
  return Array.from({ length: countOfCpus(subject) }, (_, cpu) => cpu);
}

function cpuRows(subject: Subject, ascii: boolean): CpuRow[] {
  const interrupts = interruptsOf(subject, ascii);
  return cpuNumbers(subject).map((cpu, i) => {
    const counts = interrupts.map((row) => row.counts[i] ?? 0);
    return {
      key: rowKey(subject.name, `CPU${cpu}`),
      label: `CPU${cpu}`,
      counts,
      total: sum(counts),
      flagged: true,
      cpu,
      interrupts,
    };
  });
}

export const CPUS: TableKind<CpuRow, Subject> = {
  sorts: SORTS,
  rows: cpuRows,
  counts: (subject) => new Map(cpuRows(subject, true).map((row) => [row.key, row.counts])),
  sorted(rows, sort, history) {
    const byNumber = (a: CpuRow, b: CpuRow) => a.cpu - b.cpu;
    return sortedBy(rows, sort, comparison(sort.column, history) ?? byNumber, byNumber);
  },
  textOf: (row) => row.label,
  columns(rows, _, { frame, width }) {
    const label = Math.max(4, ...rows.map((row) => row.label.length));
    const columns: TableColumn<CpuRow>[] = [
      {
        title: 'CPU',
        sort: 'irq',
        gap: 0,
        width: label,
        cell: (line, row) => void line.add(row.label.padEnd(label)),
      },
      {
        title: 'TOTAL',
        sort: 'total',
        gap: 1,
        width: TOTAL,
        right: true,
        cell: (line, row, { before }) =>
          void line.add(
            padLeft(count(row.total, TOTAL), 1 + TOTAL),
            before && sum(before) !== row.total ? 'changed' : undefined,
          ),
      },
    ];
    const interrupts = rows[0]?.interrupts ?? [];
    const rate = (i: number) => frame.history.rate(interrupts[i]!.key) || 0;
    const byRate = interrupts
      .map((_row, i) => i)
      .sort((a, b) => rate(b) - rate(a) || interrupts[b]!.total - interrupts[a]!.total || a - b);
    let left = width - 1 - label - 1 - TOTAL;
    const chosen: [index: number, title: string, cells: number][] = [];
    for (const i of byRate) {
      const title = titleOf(interrupts[i]!);
      const highest = Math.max(...rows.map((row) => row.counts[i]!));
      const cells = Math.max(title.length, Math.min(10, count(highest, 13).length), LEAST);
      if (1 + cells > left) break;
      left -= 1 + cells;
      chosen.push([i, title, cells]);
    }
    // the busiest, but each where the kernel has it: they do not change places with every frame
    for (const [i, title, cells] of chosen.sort(([a], [b]) => a - b)) {
      columns.push({
        title,
        sort: `cpu${i}`,
        gap: 1,
        width: cells,
        right: true,
        cell(line, row, { before }) {
          const n = row.counts[i]!;
          const role = before?.[i] !== undefined && before[i] !== n ? 'changed' : n === 0 ? 'dim' : undefined;
          line.add(padLeft(count(n, cells), 1 + cells), role);
        },
      });
    }
    return columns;
  },
};

/** `53 ahci`: number, and as much of the name as a column is worth. */
function titleOf({ label, irq, name }: TableRow): string {
  return irq === null ? label : truncate(`${label} ${name}`.trimEnd(), MOST, '~');
}
