/** How wide each column of the interrupts table is, and which there are, for a terminal of a given width. */
import type { CountLayout } from './components/cells.ts';
import { count } from './format.ts';
import { SPARK_WIDTHS } from './history.ts';
import type { TableRow } from './interrupt-rows.ts';

/** More CPUs than this are shown as a strip, one cell each. */
export const MAX_CPU_COLUMNS = 8;

export interface Columns extends CountLayout {
  readonly label: number;
  readonly rate: number;
  /** 0: none */
  readonly spark: number;
  readonly chip: number;
  /** where the flow handlers stand within the chip's column; -1: right behind the chip, 0: no room for them */
  readonly flow: number;
  readonly name: number;
}

export const RATE = 7;
const TOTAL = 11;
const FLAGS = 3;

/** What a table needs at most; computed once per set of rows. */
interface Needs {
  readonly label: number;
  readonly cpu: number;
  readonly chipName: number;
  readonly chip: number;
  readonly aligned: number;
  readonly name: number;
}

function needsOf(rows: readonly TableRow[], title: number): Needs {
  let label = title;
  let highest = 0;
  let chipName = 4;
  let flow = 0;
  let chip = 4;
  let name = 4;
  for (const row of rows) {
    if (row.label.length > label) label = row.label.length;
    for (const n of row.counts) if (n > highest) highest = n;
    if (row.irq !== null) {
      if (row.chip.length > chipName) chipName = row.chip.length;
      if (row.flow.length > flow) flow = row.flow.length;
      const both = row.chip.length + 1 + row.flow.length;
      if (both > chip) chip = both;
    }
    if (row.name.length > name) name = row.name.length;
  }
  const cpu = Math.min(10, Math.max(6, count(highest, 13).length));
  return { label, cpu, chipName, chip, aligned: chipName + 1 + flow, name };
}

/**
 * @param totals the user wants one count per row
 * @param least widths of the first column and of the chip's, if they are to be more than the usual ones
 * @param sparks whether there may be sparklines
 */
export function columnsFor(
  rows: readonly TableRow[],
  cpus: readonly number[],
  width: number,
  totals: boolean,
  least: { readonly label: number; readonly chip: number } = { label: 3, chip: 10 },
  sparks = true,
): Columns {
  const needs = needsOf(rows, least.label);
  const chipLeast = Math.min(needs.chipName, least.chip);
  const nameLeast = Math.min(needs.name, 12);
  // selection mark, gaps: 1 before counts and rate, 2 before what follows
  const fixed = 1 + needs.label + (1 + RATE) + (2 + FLAGS) + (2 + chipLeast) + (2 + nameLeast);
  const narrow = !sparks || width - fixed < 1 + TOTAL + 2 + SPARK_WIDTHS[0];
  let spark: number = narrow ? 0 : SPARK_WIDTHS[0];
  let left = width - fixed - (narrow ? 0 : 2 + spark);
  const perCpu = !totals && cpus.length <= MAX_CPU_COLUMNS && cpus.length * (1 + needs.cpu) <= left;

  const take = (wanted: number): number => {
    const got = Math.max(0, Math.min(wanted, left));
    left -= got;
    return got;
  };
  let cpu = perCpu ? needs.cpu : 0;
  left -= perCpu ? cpus.length * (1 + cpu) : 1 + TOTAL;
  let total = perCpu ? 0 : TOTAL;
  const heat = perCpu || cpus.length < 2 ? { cells: 0, perCell: 1 } : strip(cpus.length, left);
  if (heat.cells > 0) left -= 2 + heat.cells;

  let name = nameLeast + take(Math.max(0, Math.min(needs.name, 18) - nameLeast));
  let chip = chipLeast + take(needs.chipName - chipLeast);
  const flows = left >= needs.chip - chip;
  if (flows) chip += take(needs.chip - chip);
  if (perCpu && cpu < 10 && left >= cpus.length * (10 - cpu)) {
    left -= cpus.length * (10 - cpu);
    cpu = 10;
  }
  const wide = widen(spark, 15, left);
  left -= wide - spark;
  spark = wide;
  name += take(Math.max(0, Math.min(needs.name, 40) - name));
  const aligned = flows && left >= needs.aligned - chip;
  if (aligned) chip += take(needs.aligned - chip);
  if (perCpu && cpus.length > 1 && left >= 1 + TOTAL) {
    total = TOTAL;
    left -= 1 + TOTAL;
  }
  const wider = widen(spark, 60, left);
  left -= wider - spark;
  spark = wider;
  return {
    label: needs.label,
    cpu,
    cpus,
    total,
    heat: heat.cells,
    perCell: heat.perCell,
    rate: RATE,
    spark,
    chip,
    flow: aligned ? needs.chipName + 1 : flows ? -1 : 0,
    name: name + Math.max(0, left),
  };
}

/** The widest sparkline up to `most` that needs at most `left` cells more than now. */
export function widen(now: number, most: number, left: number): number {
  if (now === 0) return 0;
  return SPARK_WIDTHS.findLast((w) => w <= most && w - now <= left) ?? now;
}

/** A strip of so many CPUs: one cell each, or several CPUs in a cell; nothing if there is no room. */
export function strip(cpus: number, left: number): { cells: number; perCell: number } {
  const room = Math.min(64, left - 2);
  if (room < Math.min(cpus, 4)) return { cells: 0, perCell: 1 };
  const perCell = Math.ceil(cpus / room);
  return { cells: Math.ceil(cpus / perCell), perCell };
}
