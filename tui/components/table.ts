/** The interrupts table: one line a row, cut to the terminal. */
import type { Columns } from '../columns.ts';
import { count, duration, pad, padLeft, rate } from '../format.ts';
import type { Frame } from '../frame.ts';
import { type Glyphs, level } from '../glyphs.ts';
import { SPAN_MS } from '../history.ts';
import { LineBuilder } from '../line.ts';
import { isDescending, type Sort, type SortColumn, type TableRow } from '../table-model.ts';
import type { Paint, Role } from '../theme.ts';

export interface TableProps {
  readonly frame: Frame;
  readonly columns: Columns;
  readonly rows: readonly TableRow[];
  /** counts of the rows one sample earlier, by key */
  readonly base: ReadonlyMap<string, readonly number[]>;
  readonly sort: Sort;
  readonly top: number;
  readonly height: number;
  readonly selected: number;
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** The heading and exactly `height` lines. */
export function tableLines(props: TableProps): string[] {
  const { rows, top, height, selected } = props;
  const lines = [headLine(props)];
  const end = Math.min(rows.length, top + height);
  for (let i = top; i < end; i++) lines.push(rowLine(rows[i]!, i === selected, props));
  if (rows.length === 0) lines.push('   no row matches');
  while (lines.length <= height) lines.push('');
  return lines.slice(0, height + 1);
}

function headLine({ columns, sort, frame, width, paint, glyphs }: TableProps): string {
  const arrow = isDescending(sort) ? glyphs.descending : glyphs.ascending;
  const title = (column: SortColumn, text: string) => (column === sort.column ? `${text}${arrow}` : text);
  const line = new LineBuilder().add(padLeft(title('irq', 'IRQ'), 1 + columns.label));
  if (columns.cpu > 0) {
    columns.cpus.forEach((cpu, i) => {
      line.add(padLeft(title(`cpu${i}`, `CPU${cpu}`), 1 + columns.cpu));
    });
  }
  if (columns.total > 0) line.add(padLeft(title('total', 'TOTAL'), 1 + columns.total));
  if (columns.heat > 0) line.add('  ').add(pad('CPUs', columns.heat, ''));
  line.add(padLeft(title('rate', '/s'), 1 + columns.rate));
  if (columns.spark > 0) line.add('  ').add(pad(span(frame), columns.spark));
  line.add('  PMA  ');
  line.add(pad(title('chip', 'CHIP'), columns.chip)).add('  ');
  line.add(pad(title('name', 'NAME'), columns.name));
  return line.paint(paint, width, glyphs.ellipsis, 'heading');
}

/** The simulated time that a sparkline covers: 30 s of watching. */
function span({ speed, achieved }: Frame): string {
  if (speed !== Number.POSITIVE_INFINITY) return duration(SPAN_MS * 1e6 * speed);
  return Number.isFinite(achieved) ? `~${duration(SPAN_MS * 1e6 * achieved)}` : '';
}

function rowLine(row: TableRow, selected: boolean, props: TableProps): string {
  const { frame, columns, base, width, paint, glyphs } = props;
  const { history } = frame;
  const before = base.get(row.key);
  const line = new LineBuilder().add(selected ? '>' : ' ').add(padLeft(row.label, columns.label));
  addCounts(line, row, before, columns, glyphs);

  const changed = before !== undefined && row.counts.some((n, i) => n !== before[i]);
  const text = rate(history.rate(row.key), columns.rate - 1);
  line.add(padLeft(changed ? `+${text}` : text, 1 + columns.rate), changed ? 'changed' : undefined);
  if (columns.spark > 0) {
    line.add('  ').add(sparkline(history.levels(row.key, columns.spark), glyphs), 'spark');
  }
  line.add('  ');
  addFlags(line, row.state);
  line.add('  ');
  if (row.irq === null) {
    line.add(row.name);
  } else {
    line
      .add(pad(chipText(row, columns.flow), columns.chip, glyphs.ellipsis))
      .add('  ')
      .add(row.name);
  }
  return line.paint(paint, width, glyphs.ellipsis, dress(row, selected, changed, frame));
}

/** The chip and, where there is room, the flow handler behind it. */
function chipText({ chip, flow }: TableRow, at: Columns['flow']): string {
  if (at === 0) return chip;
  return at < 0 ? `${chip} ${flow}` : chip.padEnd(at) + flow;
}

/** The role of a whole row: selected, or asleep. */
function dress(row: TableRow, selected: boolean, changed: boolean, { history }: Frame): Role | undefined {
  if (selected) return 'selected';
  const flagged = row.state?.pending || row.state?.active;
  return !changed && !flagged && history.idle(row.key) ? 'dim' : undefined;
}

function addCounts(
  line: LineBuilder,
  row: TableRow,
  before: readonly number[] | undefined,
  columns: Columns,
  glyphs: Glyphs,
): void {
  const put = (n: number, old: number | undefined, width: number) => {
    const role = old !== undefined && n !== old ? 'changed' : n === 0 ? 'dim' : undefined;
    line.add(padLeft(count(n, width), 1 + width), role);
  };
  if (columns.cpu > 0) {
    columns.cpus.forEach((_, i) => {
      const n = row.counts[i];
      if (n === undefined) line.add(' '.repeat(1 + columns.cpu));
      else put(n, before?.[i], columns.cpu);
    });
  }
  if (columns.total > 0)
    put(
      row.total,
      before?.reduce((a, b) => a + b, 0),
      columns.total,
    );
  if (columns.heat > 0) line.add('  ').add(heat(row.counts, columns, glyphs));
}

/** Which CPUs take the row: each against the one that takes most. */
function heat(counts: readonly number[], { heat: cells, perCell, cpus }: Columns, glyphs: Glyphs): string {
  if (counts.length < cpus.length) return ' '.repeat(cells);
  const sums = Array.from({ length: cells }, (_, c) =>
    counts.slice(c * perCell, (c + 1) * perCell).reduce((a, b) => a + b, 0),
  );
  const most = Math.max(1, ...sums);
  return sums.map((n) => level(glyphs.heat, n / most)).join('');
}

/** Pending, masked, being handled. */
function addFlags(line: LineBuilder, state: TableRow['state']): void {
  if (!state) {
    line.add('   ');
    return;
  }
  const flag = (set: boolean, letter: string, role?: Role) =>
    line.add(set ? letter : '.', set ? role : 'dim');
  flag(state.pending, 'P', 'warn');
  flag(state.masked, 'M');
  flag(state.active, 'A', 'good');
}

/** Made once for each set of levels: text beyond ASCII is dear to measure. */
const SPARKLINES = new WeakMap<Float64Array, { glyphs: Glyphs; text: string }>();

function sparkline(levels: Float64Array, glyphs: Glyphs): string {
  const known = SPARKLINES.get(levels);
  if (known?.glyphs === glyphs) return known.text;
  let text = '';
  for (const share of levels) text += level(glyphs.spark, share);
  SPARKLINES.set(levels, { glyphs, text });
  return text;
}
