/** Columns of text, lined up. */
import { printable } from './usage.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** narrowest width, so that the columns of one update stand below those of the last */
  readonly least?: number;
}

/** Cells are made printable, lines have no blanks at the end. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map((c, i) =>
    Math.max(c.title.length, c.least ?? 0, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    columns
      .map((c, i) => (c.right ? (row[i] ?? '').padStart(widths[i]!) : (row[i] ?? '').padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [columns.map((c) => c.title), ...cells].map(line);
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return tableLines(columns, rows)
    .map((line) => `${line}\n`)
    .join('');
}
