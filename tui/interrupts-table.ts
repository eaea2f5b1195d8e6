/** The interrupts of a domain as a table. */
import { columnsFor } from './columns.ts';
import { countColumns, rateColumn, sparkColumn } from './components/cells.ts';
import { pad, padLeft } from './format.ts';
import { countsByKey, rowsOf, SORTS, sortRows, type TableRow, textOf } from './interrupt-rows.ts';
import type { LineBuilder } from './line.ts';
import type { TableColumn, TableKind } from './table-model.ts';
import type { Role } from './theme.ts';

export const INTERRUPTS: TableKind<TableRow> = {
  sorts: SORTS,
  rows: rowsOf,
  counts: countsByKey,
  sorted: sortRows,
  textOf,
  columns(rows, domain, { frame, width, totals, glyphs }) {
    const at = columnsFor(rows, domain.interrupts.cpus, width, totals);
    const columns: TableColumn<TableRow>[] = [
      {
        title: 'IRQ',
        sort: 'irq',
        gap: 0,
        width: at.label,
        right: true,
        cell: (line, row) => void line.add(padLeft(row.label, at.label)),
      },
      ...countColumns(at, 'CPU', glyphs),
      rateColumn(at.rate, frame),
    ];
    if (at.spark > 0) columns.push(sparkColumn(at.spark, frame, glyphs));
    columns.push(
      { title: 'PMA', gap: 2, width: 3, cell: (line, row) => addFlags(line.add('  '), row.state) },
      {
        title: 'CHIP',
        sort: 'chip',
        gap: 2,
        width: at.chip,
        cell(line, row) {
          // the text of the architecture's own takes both columns
          const text = row.irq === null ? row.name : pad(chipText(row, at.flow), at.chip, glyphs.ellipsis);
          line.add('  ').add(text);
        },
      },
      {
        title: 'NAME',
        sort: 'name',
        gap: 2,
        width: at.name,
        cell(line, row) {
          if (row.irq !== null) line.add('  ').add(row.name);
        },
      },
    );
    return columns;
  },
};

/** The chip and, where there is room, the flow handler behind it. */
function chipText({ chip, flow }: TableRow, at: number): string {
  if (at === 0) return chip;
  return at < 0 ? `${chip} ${flow}` : chip.padEnd(at) + flow;
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
