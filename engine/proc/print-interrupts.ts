/** /proc/interrupts from its fields, in every dialect. */
import { asU32 } from '../core/counters.ts';
import { type Layout, layoutOf, printsItself } from './dialects.ts';
import type { ArchRow, Interrupts, IrqRow } from './types.ts';

/** The file as the kernel prints it; counts wrap at 2^32. */
export function printInterrupts(i: Interrupts): string {
  const layout = layoutOf(i.dialect);
  const chipWidth = chipColumn(layout, i);
  const lines = [printHeader(i.precision, i.cpus)];
  for (const row of i.rows) {
    lines.push(printNumber(layout, i.precision, row) + printTail(layout, i.precision, chipWidth, row));
  }
  for (const row of i.arch) lines.push(printArchRow(layout, i.precision, row));
  return `${lines.join('\n')}\n`;
}

export function printHeader(precision: number, cpus: readonly number[]): string {
  return ' '.repeat(precision + 8) + cpus.map((c) => `CPU${String(c).padEnd(8)}`).join('');
}

/** Width of the chip column; in the 2026 series that of the longest chip, 8 at least. */
export function chipColumn(layout: Layout, i: Pick<Interrupts, 'rows' | 'chipWidth'>): number {
  if (layout.chipWidth > 0) return layout.chipWidth;
  return i.chipWidth ?? longestChip(i.rows);
}

/** What the 2026 series takes for the width of the chip column, as far as the rows tell. */
export function longestChip(rows: readonly IrqRow[]): number {
  return rows.reduce((w, r) => (isOwnChip(r) ? w : Math.max(w, r.chip.length)), 8);
}

export function isOwnChip(row: Pick<IrqRow, 'chip' | 'ownChip'>): boolean {
  return row.ownChip ?? printsItself(row.chip);
}

/** Number and counts of a row. */
export function printNumber(layout: Layout, precision: number, row: IrqRow): string {
  return `${String(row.irq).padStart(precision)}:${printCounts(row.counts, layout.counts)}`;
}

/** What follows the counts. */
export function printTail(layout: Layout, precision: number, chipWidth: number, row: IrqRow): string {
  const { chip, hwirq, trigger, name, actions } = row;
  let s = layout.gap;
  if (isOwnChip(row)) s += chip;
  else s += layout.chipLead + (layout.chipWidth > 0 ? chip.padStart(chipWidth) : chip.padEnd(chipWidth));
  if (layout.details) {
    if (hwirq !== null) s += ` ${String(hwirq).padStart(precision)}`;
    else if (layout.noHwirq !== null) s += ' '.repeat(precision + layout.noHwirq);
    if (trigger !== null) s += ` ${trigger.padEnd(8)}`;
    if (name !== null) s += `-${name.padEnd(8)}`;
  }
  return actions.length > 0 ? `${s}  ${actions.join(', ')}` : s;
}

export function printArchRow(layout: Layout, precision: number, row: ArchRow): string {
  const ipi = /^IPI(\d+)$/.exec(row.label);
  if (row.single) return `${row.label.padStart(precision)}: ${wrapped(row)}`;
  const gap = row.text === '' ? '' : ipi ? '      ' : '  ';
  if (ipi) {
    // arm64: the label is one wider than the column, and where that is wide enough a blank follows
    const label = `${'IPI'.padStart(precision - 1)}${ipi[1]}:${precision >= 4 ? ' ' : ''}`;
    return `${label}${row.counts.map((c) => `${asU32(c)} `.padStart(11)).join('')}${gap}${row.text}`;
  }
  return `${row.label.padStart(precision)}:${printCounts(row.counts, layout.archCounts)}${gap}${row.text}`;
}

/** arm64 keeps `Err` in an unsigned long, everybody else an unsigned int. */
export function isWide(label: string): boolean {
  return label === 'Err';
}

function wrapped(row: ArchRow): string {
  const count = row.counts[0] ?? 0;
  return String(isWide(row.label) ? count : asU32(count)).padStart(10);
}

function printCounts(counts: readonly number[], style: 'leading' | 'trailing'): string {
  const fields = counts.map((c) => ` ${String(asU32(c)).padStart(10)}`).join('');
  return style === 'leading' ? fields : `${fields} `;
}
