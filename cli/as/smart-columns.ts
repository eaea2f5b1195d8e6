/** A table as libsmartcols prints it where there is no terminal (scols_print_table): as wide as it needs to be. */

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** @param maxout scols_table_enable_maxout: the last column is filled up with blanks as well */
export function smartColumns(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  maxout = false,
): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const cell = (text: string, i: number) => {
    const last = i === columns.length - 1;
    if (last && !maxout && (text === '' || !columns[i]!.right)) return text;
    return columns[i]!.right ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  };
  return [columns.map((c) => c.title), ...rows].map((row) => `${row.map(cell).join(' ')}\n`).join('');
}
