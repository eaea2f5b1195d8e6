/** A table of counters: one line a row, cut to the terminal. */
import { pad, padLeft } from '../format.ts';
import type { Frame } from '../frame.ts';
import type { Glyphs } from '../glyphs.ts';
import { LineBuilder } from '../line.ts';
import { isDescending, type Row, type Sort, type TableModel } from '../table-model.ts';
import type { Paint, Role } from '../theme.ts';

export interface TableProps {
  readonly table: TableModel;
  readonly frame: Frame;
  /** counts of the rows one sample earlier, by key */
  readonly base: ReadonlyMap<string, readonly number[]>;
  readonly sort: Sort;
  readonly width: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** The heading and exactly as many lines as the table is high. */
export function tableLines(props: TableProps): string[] {
  const { rows, top, height, selected } = props.table;
  const lines = [headLine(props)];
  const end = Math.min(rows.length, top + height);
  for (let i = top; i < end; i++) lines.push(rowLine(rows[i]!, i === selected, props));
  if (rows.length === 0) lines.push('   no row matches');
  while (lines.length <= height) lines.push('');
  return lines.slice(0, height + 1);
}

function headLine({ table, sort, width, paint, glyphs }: TableProps): string {
  const arrow = isDescending(sort) ? glyphs.descending : glyphs.ascending;
  const line = new LineBuilder();
  table.columns.forEach((column, i) => {
    const title = column.sort === sort.column ? `${column.title}${arrow}` : column.title;
    // the first also stands below nothing where the rows have their mark
    const gap = column.gap + (i === 0 ? 1 : 0);
    if (column.right) line.add(padLeft(title, gap + column.width));
    else line.add(' '.repeat(gap)).add(pad(title, column.width, ''));
  });
  return line.paint(paint, width, glyphs.ellipsis, 'heading');
}

function rowLine(row: Row, selected: boolean, props: TableProps): string {
  const { table, frame, base, width, paint, glyphs } = props;
  const before = base.get(row.key);
  const changed = before !== undefined && row.counts.some((n, i) => n !== before[i]);
  const line = new LineBuilder().add(selected ? '>' : ' ');
  const change = { before, changed };
  for (const column of table.columns) column.cell(line, row, change);
  return line.paint(paint, width, glyphs.ellipsis, dress(row, selected, changed, frame));
}

/** The role of a whole row: selected, or asleep. */
function dress(row: Row, selected: boolean, changed: boolean, { history }: Frame): Role | undefined {
  if (selected) return 'selected';
  return !changed && !row.flagged && history.idle(row.key) ? 'dim' : undefined;
}
