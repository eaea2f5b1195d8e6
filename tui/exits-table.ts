/** The VM exits of a domain as a table: a row for each reason. */
import type { DomainSnapshot } from '../engine/index.ts';
import { MAX_CPU_COLUMNS, RATE, strip, widen } from './columns.ts';
import {
  type CountLayout,
  countColumns,
  numberColumn,
  rateColumn,
  sparkColumns,
} from './components/cells.ts';
import { count, duration, pad, percent, sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import { SPARK_WIDTHS } from './history.ts';
import {
  comparison,
  type Row,
  type SortColumn,
  type Surroundings,
  sortedBy,
  sum,
  type TableColumn,
  type TableKind,
} from './table-model.ts';

export interface ExitTableRow extends Row {
  readonly reason: number;
  /** of all exits, and of all the time that they took */
  readonly share: number;
  readonly time: number;
  /** ns from the exit to the next entry */
  readonly mean: number;
  readonly p99: number;
}

const SORTS: readonly SortColumn[] = ['total', 'rate', 'time', 'mean', 'p99', 'reason'];

/** Under which name the history keeps the exits for a reason. */
export function exitKey(domain: string, reason: number): string {
  return rowKey(domain, `exit ${reason}`);
}

export function exitRows({ name: owner, exits }: DomainSnapshot, ascii: boolean): ExitTableRow[] {
  const rows = exits?.rows ?? [];
  const times = sum(rows.map((row) => row.totalNs));
  const all = sum(rows.map((row) => sum(row.counts)));
  return rows.map(({ reason, name, counts, totalNs, p99Ns }) => {
    const total = sum(counts);
    return {
      key: exitKey(owner, reason),
      label: sanitize(name, ascii),
      counts,
      total,
      flagged: false,
      reason,
      share: total / all,
      time: totalNs / times,
      mean: totalNs / total,
      p99: p99Ns,
    };
  });
}

const OWN: Partial<Record<SortColumn, (row: ExitTableRow) => number>> = {
  reason: (row) => row.reason,
  share: (row) => row.share,
  time: (row) => row.time,
  mean: (row) => row.mean,
  p99: (row) => row.p99,
};

const TOTAL = 9;
const SHARE = 5;
const SPAN = 7;

export const EXITS: TableKind<ExitTableRow, DomainSnapshot> = {
  sorts: SORTS,
  rows: exitRows,
  counts: ({ name, exits }) => new Map(exits?.rows.map((row) => [exitKey(name, row.reason), row.counts])),
  sorted(rows, sort, history) {
    const own = OWN[sort.column];
    const byReason = (a: ExitTableRow, b: ExitTableRow) => a.reason - b.reason;
    const byOwn = own && ((a: ExitTableRow, b: ExitTableRow) => own(a) - own(b));
    const by = comparison(sort.column, history) ?? byOwn ?? byReason;
    return sortedBy(rows, sort, by, byReason);
  },
  textOf: (row) => `${row.reason} ${row.label}`,
  columns(rows, domain, around) {
    const { frame, glyphs } = around;
    const at = layout(rows, domain.vcpus.length, around);
    const columns: TableColumn<ExitTableRow>[] = [
      {
        title: 'REASON',
        sort: 'reason',
        gap: 0,
        width: at.label,
        cell: (line, row) => void line.add(pad(row.label, at.label, glyphs.ellipsis)),
      },
      ...countColumns(at, 'vCPU', glyphs),
      rateColumn(RATE, frame),
    ];
    if (at.share) columns.push(numberColumn('SHARE', 'share', SHARE, (row) => percent(row.share)));
    if (at.time) columns.push(numberColumn('TIME', 'time', SHARE, (row) => percent(row.time)));
    columns.push(
      numberColumn('AVG', 'mean', SPAN, (row) => span(row.mean)),
      numberColumn('P99', 'p99', SPAN, (row) => span(row.p99)),
    );
    columns.push(...sparkColumns(at.spark, around));
    return columns;
  },
};

/** A length of time; nothing is known of what never was. */
function span(ns: number): string {
  return Number.isFinite(ns) ? duration(ns) : '-';
}

interface ExitLayout extends CountLayout {
  readonly label: number;
  readonly share: boolean;
  readonly time: boolean;
  readonly spark: number;
}

/** What is dear gets its cells first: sum, share, a sparkline, each virtual CPU or their strip, a longer sparkline. */
function layout(
  rows: readonly ExitTableRow[],
  vcpus: number,
  { width, totals, glyphs }: Surroundings,
): ExitLayout {
  const longest = Math.max(6, ...rows.map((row) => row.label.length));
  const label = Math.min(longest, width < 100 ? 19 : 24);
  let left = width - 1 - label - (1 + RATE) - 2 * (1 + SPAN);
  const take = (cells: number, wanted = true): boolean => {
    if (!wanted || cells > left) return false;
    left -= cells;
    return true;
  };
  const total = take(1 + TOTAL) ? TOTAL : 0;
  const share = take(1 + SHARE);
  const spark = take(2 + SPARK_WIDTHS[0], glyphs.spark.length > 0) ? SPARK_WIDTHS[0] : 0;
  const time = take(1 + SHARE);
  const each = Math.min(10, Math.max(6, ...rows.map((row) => count(Math.max(...row.counts), 13).length)));
  const apart = take(vcpus * (1 + each), !totals && vcpus <= MAX_CPU_COLUMNS);
  const heat = apart || vcpus < 2 ? { cells: 0, perCell: 1 } : strip(vcpus, left);
  if (heat.cells > 0) left -= 2 + heat.cells;
  return {
    label,
    cpu: apart ? each : 0,
    cpus: Array.from({ length: vcpus }, (_, i) => i),
    total,
    heat: heat.cells,
    perCell: heat.perCell,
    share,
    time,
    spark: widen(spark, 60, left),
  };
}
