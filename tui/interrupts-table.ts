/** The interrupts of a domain as a table. */
import type { DomainSnapshot } from '../engine/index.ts';
import { columnsFor } from './columns.ts';
import { countColumns, rateColumn, sparkColumns } from './components/cells.ts';
import { pad, padLeft } from './format.ts';
import { countsByKey, rowsOf, SORTS, sortRows, type TableRow, textOf } from './interrupt-rows.ts';
import type { LineBuilder } from './line.ts';
import type { Subject } from './subject.ts';
import type { Surroundings, TableColumn, TableKind } from './table-model.ts';
import type { Role } from './theme.ts';

/** What the columns are called; `flags` has a letter for each flag. */
export interface Titles {
  readonly label: string;
  readonly flags: string;
  readonly chip: string;
  /** cells that the chip gets before all that can be left out */
  readonly least: number;
  readonly name: string;
}

/** The columns of a table of counters by CPU. @param cpusOf the CPUs that rows have counts of */
export function countTable<S extends Subject>(titles: Titles, cpusOf: (subject: S) => readonly number[]) {
  return (rows: readonly TableRow[], subject: S, around: Surroundings): TableColumn<TableRow>[] => {
    const { frame, width, totals, glyphs } = around;
    const least = { label: titles.label.length, chip: titles.least };
    const at = columnsFor(rows, cpusOf(subject), width, totals, least, glyphs.spark.length > 0);
    const columns: TableColumn<TableRow>[] = [
      {
        title: titles.label,
        sort: 'irq',
        gap: 0,
        width: at.label,
        right: true,
        cell: (line, row) => void line.add(padLeft(row.label, at.label)),
      },
      ...countColumns(at, 'CPU', glyphs),
      rateColumn(at.rate, frame),
    ];
    columns.push(...sparkColumns(at.spark, around));
    columns.push(
      {
        title: titles.flags,
        gap: 2,
        width: titles.flags.length,
        cell: (line, { flags }) => addFlags(line.add('  '), flags, titles.flags),
      },
      {
        title: titles.chip,
        sort: 'chip',
        gap: 2,
        width: at.chip,
        cell(line, row) {
          // the text of a row without a number takes both columns
          const text = row.irq === null ? row.name : pad(chipText(row, at.flow), at.chip, glyphs.ellipsis);
          line.add('  ').add(text);
        },
      },
      {
        title: titles.name,
        sort: 'name',
        gap: 2,
        width: at.name,
        cell(line, row) {
          if (row.irq !== null) line.add('  ').add(row.name);
        },
      },
    );
    return columns;
  };
}

export const INTERRUPTS: TableKind<TableRow, DomainSnapshot> = {
  sorts: SORTS,
  rows: rowsOf,
  counts: countsByKey,
  sorted: sortRows,
  textOf,
  columns: countTable(
    { label: 'IRQ', flags: 'PMA', chip: 'CHIP', least: 10, name: 'NAME' },
    (d) => d.interrupts.cpus,
  ),
};

/** The chip and, where there is room, the flow handler behind it. */
function chipText({ chip, flow }: TableRow, at: number): string {
  if (at === 0) return chip;
  return at < 0 ? `${chip} ${flow}` : chip.padEnd(at) + flow;
}

const FLAG_ROLES: readonly (Role | undefined)[] = ['warn', undefined, 'good'];

function addFlags(line: LineBuilder, flags: TableRow['flags'], letters: string): void {
  for (let i = 0; i < letters.length; i++) {
    if (!flags) line.add(' ');
    else line.add(flags[i] ? letters[i]! : '.', flags[i] ? FLAG_ROLES[i] : 'dim');
  }
}
