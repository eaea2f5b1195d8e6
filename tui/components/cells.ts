/** The columns that every table of counters has: counts of each CPU or their sum, rate, sparkline. */
import { count, duration, pad, padLeft, rate } from '../format.ts';
import type { Frame } from '../frame.ts';
import { type Glyphs, level } from '../glyphs.ts';
import { type Span, spanMs } from '../history.ts';
import type { LineBuilder } from '../line.ts';
import { type Row, type SortColumn, type Surroundings, sum, type TableColumn } from '../table-model.ts';
import type { Role } from '../theme.ts';

/** How the counts of a row are laid out. */
export interface CountLayout {
  /** width of a CPU's counts; 0: no column per CPU */
  readonly cpu: number;
  readonly cpus: readonly number[];
  /** 0: none */
  readonly total: number;
  /** cells of the strip, 0: none; a cell stands for `perCell` CPUs */
  readonly heat: number;
  readonly perCell: number;
}

/** @param of what a count is of: `CPU`, `vCPU` */
export function countColumns(layout: CountLayout, of: string, glyphs: Glyphs): TableColumn[] {
  const { cpu, cpus, total, heat } = layout;
  const columns: TableColumn[] = [];
  if (cpu > 0) {
    cpus.forEach((number, i) => {
      columns.push({
        title: `${of}${number}`,
        sort: `cpu${i}`,
        gap: 1,
        width: cpu,
        right: true,
        cell(line, { counts }, { before }) {
          const n = counts[i];
          if (n === undefined) line.add(' '.repeat(1 + cpu));
          else addCount(line, n, before?.[i], cpu);
        },
      });
    });
  }
  if (total > 0) {
    columns.push({
      title: 'TOTAL',
      sort: 'total',
      gap: 1,
      width: total,
      right: true,
      cell: (line, row, { before }) => addCount(line, row.total, before && sum(before), total),
    });
  }
  if (heat > 0) {
    columns.push({
      title: `${of}s`.slice(0, heat),
      id: 'strip',
      gap: 2,
      width: heat,
      cell: (line, { counts }) => void line.add('  ').add(heatStrip(counts, layout, glyphs)),
    });
  }
  return columns;
}

function addCount(line: LineBuilder, n: number, old: number | undefined, width: number): void {
  const role = old !== undefined && n !== old ? 'changed' : n === 0 ? 'dim' : undefined;
  line.add(padLeft(count(n, width), 1 + width), role);
}

/** Which CPUs take the row: each against the one that takes most. */
function heatStrip(counts: readonly number[], { heat, perCell, cpus }: CountLayout, glyphs: Glyphs): string {
  if (counts.length < cpus.length) return ' '.repeat(heat);
  const sums = Array.from({ length: heat }, (_, c) => sum(counts.slice(c * perCell, (c + 1) * perCell)));
  const most = Math.max(1, ...sums);
  return sums.map((n) => level(glyphs.heat, n / most)).join('');
}

/** Per simulated second; a plus marks what counted just now. */
export function rateColumn(width: number, { history }: Frame): TableColumn {
  return {
    title: '/s',
    sort: 'rate',
    gap: 1,
    width,
    right: true,
    cell(line, row, { changed }) {
      const text = rate(history.rate(row.key), width - 1);
      line.add(padLeft(changed ? `+${text}` : text, 1 + width), changed ? 'changed' : undefined);
    },
  };
}

/** What each row did during the last 30 seconds or 5 minutes that were watched; none where there is no room for them, or nothing to draw them with. */
export function sparkColumns(width: number, { frame, span, glyphs }: Surroundings): TableColumn[] {
  if (width === 0 || glyphs.spark.length === 0) return [];
  return [
    {
      title: pad(covered(frame, span), width),
      id: 'history',
      gap: 2,
      width,
      cell: (line, row) =>
        void line.add('  ').add(sparkline(frame.history.levels(row.key, width, span), glyphs), 'spark'),
    },
  ];
}

/** The simulated time that a sparkline covers. */
function covered({ speed, achieved }: Frame, span: Span): string {
  const ns = spanMs(span) * 1e6;
  if (speed !== Number.POSITIVE_INFINITY) return duration(ns * speed);
  return Number.isFinite(achieved) ? `~${duration(ns * achieved)}` : '';
}

/** Made once for each set of levels: text beyond ASCII is dear to measure. */
const SPARKLINES = new WeakMap<Float64Array, { glyphs: Glyphs; text: string }>();

export function sparkline(levels: Float64Array, glyphs: Glyphs): string {
  const known = SPARKLINES.get(levels);
  if (known?.glyphs === glyphs) return known.text;
  let text = '';
  for (const share of levels) text += level(glyphs.spark, share);
  SPARKLINES.set(levels, { glyphs, text });
  return text;
}

/** What a column of numbers may differ in from most. */
interface NumberLook<R extends Row> {
  /** blanks before it, 1 */
  readonly gap?: number;
  readonly role?: (row: R) => Role | undefined;
}

/** A number at the right end of its column. */
export function numberColumn<R extends Row>(
  title: string,
  sort: SortColumn | undefined,
  width: number,
  text: (row: R) => string,
  { gap = 1, role }: NumberLook<R> = {},
): TableColumn<R> {
  return {
    title,
    sort,
    gap,
    width,
    right: true,
    cell: (line, row) => void line.add(padLeft(text(row), gap + width), role?.(row)),
  };
}
