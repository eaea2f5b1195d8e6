/** How long interrupts take from their raise to their handler, as a table: a row for each interrupt of a domain or of Xen. */
import type { LatencySnapshot } from '../engine/index.ts';
import { RATE } from './columns.ts';
import { numberColumn, rateColumn } from './components/cells.ts';
import { count, duration, pad, padLeft, sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import { type Glyphs, level } from './glyphs.ts';
import { isXen, isXenOnX86, type Subject, vectorText } from './subject.ts';
import {
  compareText,
  comparison,
  type Row,
  type SortColumn,
  sortedBy,
  type TableColumn,
  type TableKind,
} from './table-model.ts';

export interface LatencyRow extends Row {
  readonly irq: number;
  readonly name: string;
  readonly latency: LatencySnapshot;
}

const SORTS: readonly SortColumn[] = ['irq', 'total', 'rate', 'last', 'p50', 'p99', 'p999', 'max', 'name'];

/** Under which name the history keeps how often it was measured. */
function latencyKey(owner: string, irq: number): string {
  return rowKey(owner, `latency ${irq}`);
}

/** How often each row was measured, by its key. */
export function latencyCounts({ name, latency = [] }: Subject): Map<string, readonly number[]> {
  return new Map(latency.map((row) => [latencyKey(name, row.irq), [row.count]]));
}

/** Those of interrupts by their numbers, below them those of the kernel's own vectors. */
function latencyRows(subject: Subject, ascii: boolean): LatencyRow[] {
  const rows = (subject.latency ?? []).map((latency): LatencyRow => {
    const { irq, row, name } = latency;
    const label = isXen(subject) && isXenOnX86(subject) ? vectorText(irq) : String(row);
    return {
      key: latencyKey(subject.name, irq),
      label: sanitize(label, ascii),
      counts: [latency.count],
      total: latency.count,
      flagged: false,
      follow: isXen(subject) ? { vector: irq } : { domain: subject.id, irq },
      irq,
      name: sanitize(name, ascii),
      latency,
    };
  });
  return rows.sort(inOrder);
}

/** Numbers come first; names, as they stand below the others in /proc/interrupts, behind them. */
function inOrder(a: LatencyRow, b: LatencyRow): number {
  const own = (row: LatencyRow) => (typeof row.latency.row === 'string' ? 1 : 0);
  return own(a) - own(b) || (own(a) ? compareText(a.label, b.label) : 0) || a.irq - b.irq;
}

const OWN: Partial<Record<SortColumn, (row: LatencyRow) => number>> = {
  last: ({ latency }) => latency.last,
  p50: ({ latency }) => latency.p50,
  p99: ({ latency }) => latency.p99,
  p999: ({ latency }) => latency.p999,
  mean: ({ latency }) => latency.mean,
  max: ({ latency }) => latency.max,
};

const COUNT = 9;
const SPAN = 7;

/** Titles of the first column: what the rows are numbers of. */
function titleOf(subject: Subject): string {
  if (!isXen(subject)) return 'IRQ';
  return isXenOnX86(subject) ? 'VECTOR' : 'INTID';
}

export const LATENCY: TableKind<LatencyRow, Subject> = {
  sorts: SORTS,
  // the histogram of the selected row: with less room than that the table has all of it
  below: (room) => (room < 9 ? 0 : Math.floor(room / 2)),
  rows: latencyRows,
  counts: latencyCounts,
  sorted(rows, sort, history) {
    const own = OWN[sort.column];
    const byName =
      sort.column === 'name' ? (a: LatencyRow, b: LatencyRow) => compareText(a.name, b.name) : null;
    const byOwn = own && ((a: LatencyRow, b: LatencyRow) => own(a) - own(b));
    return sortedBy(rows, sort, comparison(sort.column, history) ?? byOwn ?? byName ?? inOrder, inOrder);
  },
  textOf: (row) => `${row.label} ${row.name}`,
  columns(rows, subject, { frame, width, glyphs }) {
    const title = titleOf(subject);
    const label = Math.max(title.length, 4, ...rows.map((row) => row.label.length));
    const at = layout(rows, label, width);
    const columns: TableColumn<LatencyRow>[] = [
      {
        title,
        sort: 'irq',
        gap: 0,
        width: label,
        right: true,
        cell: (line, row) => void line.add(padLeft(row.label, label)),
      },
      {
        title: 'NAME',
        sort: 'name',
        gap: 2,
        width: at.name,
        cell: (line, row) => void line.add('  ').add(pad(row.name, at.name, glyphs.ellipsis)),
      },
      numberColumn('COUNT', 'total', COUNT, (row) => count(row.total, COUNT)),
      rateColumn(RATE, frame),
    ];
    if (at.last) columns.push(span('LAST', 'last'));
    columns.push(span('P50', 'p50'), span('P99', 'p99'), span('P99.9', 'p999'));
    if (at.mean) columns.push(span('MEAN', 'mean'));
    columns.push(span('MAX', 'max'));
    if (at.strip > 0) columns.push(stripColumn(at.strip, glyphs));
    return columns;
  },
};

function span(title: string, sort: SortColumn): TableColumn<LatencyRow> {
  const of = OWN[sort]!;
  return numberColumn(title, sort, SPAN, (row) => duration(of(row)));
}

/** The first cell of the strip stands for what took less than this; each further one for twice as much. */
const FIRST = 512;
/** up to half a second; what took longer is in the last */
const CELLS = 21;

/** Where the times of a row lie, from half a microsecond to half a second, each cell twice the one before. */
function stripColumn(width: number, glyphs: Glyphs): TableColumn<LatencyRow> {
  return {
    title: pad('.5 us      .5 ms .5 s', width),
    id: 'spread',
    gap: 2,
    width,
    cell(line, { latency }) {
      const cells = new Array<number>(width).fill(0);
      for (const [upTo, n] of latency.buckets) {
        const cell = Math.max(0, Math.ceil(Math.log2((upTo + 1) / FIRST)));
        cells[Math.min(width - 1, cell)]! += n;
      }
      const most = Math.max(...cells);
      line.add('  ').add(cells.map((n) => level(glyphs.heat, n / most)).join(''), 'spark');
    },
  };
}

interface LatencyLayout {
  readonly name: number;
  readonly last: boolean;
  readonly mean: boolean;
  readonly strip: number;
}

/** Names get what is left; before that the last time, the strip, the mean. */
function layout(rows: readonly LatencyRow[], label: number, width: number): LatencyLayout {
  const longest = Math.max(4, ...rows.map((row) => row.name.length));
  const least = Math.min(longest, 12);
  let left = width - 1 - label - (2 + least) - (1 + COUNT) - (1 + RATE) - 4 * (1 + SPAN);
  const take = (cells: number): boolean => {
    if (cells > left) return false;
    left -= cells;
    return true;
  };
  const last = take(1 + SPAN);
  const more = Math.min(longest, 24) - least;
  const name = least + (take(more) ? more : 0);
  const strip = take(2 + CELLS) ? CELLS : 0;
  const mean = take(1 + SPAN);
  return { name: name + Math.max(0, Math.min(longest - name, left)), last, mean, strip };
}
