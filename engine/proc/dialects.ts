/**
 * The dialects of /proc/interrupts as a table. Every kernel prints a header, a row for each number and the
 * architecture's rows; what changed over the years is where the blanks are.
 *
 * After show_interrupts() of kernel/irq/proc.c, since 6.14 with seq_put_decimal_ull_width() and in the 2026
 * series irq_seq_show(); before 2.6.31 of arch/x86_64/kernel/irq-xen.c.
 */
import type { Dialect } from './types.ts';

export interface Layout {
  readonly dialect: Dialect;
  /** as messages call it */
  readonly title: string;
  /** bounds of the width of the number column */
  readonly minPrecision: number;
  readonly maxPrecision: number;
  /** a numbered row's counts: `leading` is ` %10u`, `trailing` is `%10u ` */
  readonly counts: 'leading' | 'trailing';
  /** the same of the architecture's rows */
  readonly archCounts: 'leading' | 'trailing';
  /** blanks before the chip, however it is printed */
  readonly gap: string;
  /** blanks before the chip unless it prints itself */
  readonly chipLead: string;
  /** width of the chip column; 0: as wide as the longest chip, 8 at least, and left-aligned */
  readonly chipWidth: number;
  /** blanks that stand for a missing hwirq, beyond the width of the number column; null: none at all */
  readonly noHwirq: number | null;
  /** prints hwirq, trigger and flow handler */
  readonly details: boolean;
  /** the architecture's rows explain themselves */
  readonly archText: boolean;
}

const LATER = { maxPrecision: 10, details: true, archText: true } as const;
const RIGHT_OF_BLANK = { counts: 'trailing', archCounts: 'trailing', gap: '', chipLead: ' ' } as const;

/** From the likeliest on, which is the order a file is tried in. */
export const LAYOUTS: readonly Layout[] = [
  {
    ...LATER,
    ...RIGHT_OF_BLANK,
    dialect: '4.13',
    title: 'Linux 4.13 to 6.13',
    minPrecision: 3,
    chipWidth: 8,
    noHwirq: 1,
  },
  {
    ...LATER,
    dialect: '6.14',
    title: 'Linux 6.14 and later',
    minPrecision: 3,
    counts: 'leading',
    archCounts: 'trailing',
    gap: ' ',
    chipLead: '',
    chipWidth: 8,
    noHwirq: 1,
  },
  {
    ...LATER,
    ...RIGHT_OF_BLANK,
    dialect: '2.6.31',
    title: 'Linux 2.6.31 to 4.12',
    minPrecision: 3,
    chipWidth: 8,
    noHwirq: null,
  },
  {
    ...LATER,
    dialect: '2026',
    title: 'Linux of 2026',
    minPrecision: 4,
    counts: 'leading',
    archCounts: 'leading',
    gap: '  ',
    chipLead: '',
    chipWidth: 0,
    noHwirq: 2,
  },
  {
    ...RIGHT_OF_BLANK,
    dialect: 'xen-2.6.18',
    title: 'Linux 2.6.18-xen',
    minPrecision: 3,
    maxPrecision: 3,
    chipWidth: 14,
    noHwirq: null,
    details: false,
    archText: false,
  },
];

export function layoutOf(dialect: Dialect): Layout {
  return LAYOUTS.find((l) => l.dialect === dialect)!;
}

/** Width of the number column of a kernel with so many interrupts. */
export function precisionFor(dialect: Dialect, nrIrqs: number): number {
  const { minPrecision, maxPrecision } = layoutOf(dialect);
  let precision = minPrecision;
  for (let limit = 10 ** minPrecision; precision < maxPrecision && limit <= nrIrqs; limit *= 10) precision++;
  return precision;
}

/** Chips known to print themselves: the GICv2 of a kernel that was not booted at EL2. */
export function printsItself(chip: string): boolean {
  return /^GIC-\d+$/.test(chip);
}
