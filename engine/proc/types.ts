/**
 * What the files under /proc say about interrupts, as fields. A guest fills them in, a capture is parsed
 * into them, and the printers of each dialect turn them into text.
 */

/**
 * Which kernel's layout of /proc/interrupts.
 * - `xen-2.6.18`: the 2.6.18-xen tree, `Dynamic-irq`
 * - `2.6.31`: 2.6.31 to about 4.12 and the forward-ported Xen trees of that time
 * - `4.13`: about 4.13 to 6.13
 * - `6.14`: seen on 6.18: one blank less before the chip
 * - `2026`: the reworked file of the 2026 series
 */
export type Dialect = 'xen-2.6.18' | '2.6.31' | '4.13' | '6.14' | '2026';

/** One numbered interrupt. */
export interface IrqRow {
  readonly irq: number;
  /** one per online CPU; the kernel's are unsigned ints and wrap at 2^32 when printed */
  readonly counts: readonly number[];
  /** name of the interrupt chip, e.g. `xen-percpu`, `IO-APIC`, `GIC-0` */
  readonly chip: string;
  /** number within the interrupt domain; null where the interrupt has none */
  readonly hwirq: number | null;
  /** printed only with CONFIG_GENERIC_IRQ_SHOW_LEVEL (arm64) */
  readonly trigger: 'Level' | 'Edge' | null;
  /** name of the flow handler, printed after a dash, e.g. `virq`, `edge`; null where there is none */
  readonly name: string | null;
  /** who handles it, e.g. `['uhci_hcd:usb1', 'eth0']` */
  readonly actions: readonly string[];
  /**
   * the chip prints its name itself (irq_print_chip), without padding; needed only where that cannot be
   * told from the name, as it can of `GIC-0`
   */
  readonly ownChip?: boolean;
}

/** A row of the architecture's own counters, e.g. `RES` or `IPI0`, `ERR`. */
export interface ArchRow {
  readonly label: string;
  /** one per online CPU, or a single number for the rows that are not per CPU */
  readonly counts: readonly number[];
  /** e.g. `Rescheduling interrupts`; empty where the row has none */
  readonly text: string;
  /** true for `ERR`, `MIS`, `Err`: one number for the whole machine */
  readonly single: boolean;
}

/** /proc/interrupts. */
export interface Interrupts {
  readonly dialect: Dialect;
  /** numbers of the online CPUs, as the header names them */
  readonly cpus: readonly number[];
  readonly rows: readonly IrqRow[];
  readonly arch: readonly ArchRow[];
  /** width of the number column; from nr_irqs, 3 at least (2026 series: 4) */
  readonly precision: number;
  /** width of the chip column of the 2026 series, where it is not that of the longest chip shown */
  readonly chipWidth?: number;
}

/** The ten softirqs in their order. */
export const SOFTIRQS = [
  'HI',
  'TIMER',
  'NET_TX',
  'NET_RX',
  'BLOCK',
  'IRQ_POLL',
  'TASKLET',
  'SCHED',
  'HRTIMER',
  'RCU',
] as const;

/** /proc/softirqs. */
export interface Softirqs {
  /** possible CPUs */
  readonly cpus: readonly number[];
  readonly rows: readonly { readonly name: string; readonly counts: readonly number[] }[];
}

/** A total with what it is made of. */
export interface Totals {
  readonly total: number;
  readonly counts: readonly number[];
}

/** /proc/stat. */
export interface Stat {
  /** times of all CPUs together: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice */
  readonly cpu: readonly number[];
  readonly cpus: readonly { readonly cpu: number; readonly times: readonly number[] }[];
  /** by number from 0 to nr_irqs - 1; the total has the architecture's rows as well */
  readonly intr: Totals;
  readonly ctxt: number;
  /** boot time in seconds since 1970 */
  readonly btime: number;
  readonly processes: number;
  readonly procsRunning: number;
  readonly procsBlocked: number;
  /** in the order of SOFTIRQS; null where the kernel has no such line */
  readonly softirq: Totals | null;
}
