/**
 * The rows below the numbered ones in /proc/interrupts: which a kernel has, in which order and with
 * which text.
 *
 * After arch_show_interrupts() of arch/x86/kernel/irq.c and arch/arm64/kernel/smp.c, as Debian configures
 * those kernels; the forward-ported Xen kernel compiles only those that a paravirtual dom0 can count.
 */
import type { ArchRow, Dialect } from './types.ts';

export interface ArchLine {
  readonly label: string;
  /** empty where the kernel prints none */
  readonly text: string;
  /** one number for the whole machine */
  readonly single: boolean;
  /** part of the total of the `intr` line of /proc/stat: arch_irq_stat_cpu() and arch_irq_stat() */
  readonly inStat: boolean;
  /** printed only once it has counted something */
  readonly quiet: boolean;
}

/** A kernel whose rows are known; `-hvm` has the hypervisor's callback vector. */
export type ArchKind =
  | 'xen-2.6.18'
  | 'forward-port'
  | 'linux-2.6.36-x86'
  | 'linux-6.1-x86'
  | 'linux-6.1-x86-hvm'
  | 'linux-6.18-x86'
  | 'linux-6.18-x86-hvm'
  | 'linux-2026-x86'
  | 'linux-2026-x86-hvm'
  | 'linux-6.1-arm64'
  | 'linux-6.18-arm64';

/** Label, text, and flags: 1 single, s not in stat, q quiet. */
type Spec = readonly [label: string, text: string, flags?: string];

const NMI: Spec = ['NMI', 'Non-maskable interrupts'];
const LOC: Spec = ['LOC', 'Local timer interrupts'];
const SPU: Spec = ['SPU', 'Spurious interrupts'];
const PMI: Spec = ['PMI', 'Performance monitoring interrupts'];
const PND: Spec = ['PND', 'Performance pending work'];
const IWI: Spec = ['IWI', 'IRQ work interrupts'];
const RTR: Spec = ['RTR', 'APIC ICR read retries'];
const RES: Spec = ['RES', 'Rescheduling interrupts'];
const CAL: Spec = ['CAL', 'Function call interrupts'];
/** a shootdown is a function call already counted there */
const TLB: Spec = ['TLB', 'TLB shootdowns', 's'];
const TRM: Spec = ['TRM', 'Thermal event interrupts'];
const THR: Spec = ['THR', 'Threshold APIC interrupts'];
const DFR: Spec = ['DFR', 'Deferred Error APIC interrupts'];
const MCE: Spec = ['MCE', 'Machine check exceptions'];
const MCP: Spec = ['MCP', 'Machine check polls'];
const HYP: Spec = ['HYP', 'Hypervisor callback interrupts'];
/** stat left it out until arch_irq_stat_cpu() learned of it, after 6.1 */
const HYP_UNCOUNTED: Spec = ['HYP', 'Hypervisor callback interrupts', 's'];
const ERR: Spec = ['ERR', '', '1'];
const MIS: Spec = ['MIS', '', '1s'];
const PIN: Spec = ['PIN', 'Posted-interrupt notification event', 's'];
const NPI: Spec = ['NPI', 'Nested posted-interrupt event', 's'];
const PIW: Spec = ['PIW', 'Posted-interrupt wakeup event', 's'];

const X86_TOP = [NMI, LOC, SPU, PMI, IWI, RTR, RES, CAL, TLB, TRM, THR, DFR, MCE, MCP];
const X86_END = [ERR, MIS, PIN, NPI, PIW];

/** The 2026 series counts every row in stat and keeps ERR and MIS per CPU, below the rest. */
const of2026 = (hyp: readonly Spec[]): Spec[] => {
  const quiet = new Set(['SPU', 'RTR']);
  const rows = [...X86_TOP, ...hyp, PIN, NPI, PIW].map(
    ([label, text]): Spec => (quiet.has(label) ? [label, text, 'q'] : [label, text]),
  );
  rows.push(['ERR', 'PIC/APIC error interrupts', 'q'], ['MIS', 'Misrouted IO/APIC interrupts', 'q']);
  return rows;
};

const arm64 = (...texts: string[]): Spec[] => [
  // an IPI is an ordinary interrupt there, hidden from the numbered rows, and counted as one
  ...texts.map((text, i): Spec => [`IPI${i}`, text, 's']),
  ['Err', '', '1s'],
];

const KINDS: Record<ArchKind, { readonly dialect: Dialect; readonly rows: readonly Spec[] }> = {
  // its stat counts the numbered interrupts alone
  'xen-2.6.18': {
    dialect: 'xen-2.6.18',
    rows: [
      ['NMI', '', 's'],
      ['LOC', '', 's'],
      ['ERR', '', '1s'],
      ['MIS', '', '1s'],
    ],
  },
  'forward-port': { dialect: '2.6.31', rows: [NMI, RES, CAL, MCE, MCP] },
  'linux-2.6.36-x86': {
    dialect: '2.6.31',
    rows: [NMI, LOC, SPU, PMI, PND, RES, CAL, TLB, TRM, THR, MCE, MCP, ERR, MIS],
  },
  'linux-6.1-x86': { dialect: '4.13', rows: [...X86_TOP, ...X86_END] },
  'linux-6.1-x86-hvm': { dialect: '4.13', rows: [...X86_TOP, HYP_UNCOUNTED, ...X86_END] },
  'linux-6.18-x86': { dialect: '6.14', rows: [...X86_TOP, ...X86_END] },
  'linux-6.18-x86-hvm': { dialect: '6.14', rows: [...X86_TOP, HYP, ...X86_END] },
  'linux-2026-x86': { dialect: '2026', rows: of2026([]) },
  'linux-2026-x86-hvm': { dialect: '2026', rows: of2026([HYP]) },
  'linux-6.1-arm64': {
    dialect: '4.13',
    rows: arm64(
      'Rescheduling interrupts',
      'Function call interrupts',
      'CPU stop interrupts',
      'CPU stop (for crash dump) interrupts',
      'Timer broadcast interrupts',
      'IRQ work interrupts',
      'CPU wake-up interrupts',
    ),
  },
  'linux-6.18-arm64': {
    dialect: '6.14',
    rows: arm64(
      'Rescheduling interrupts',
      'Function call interrupts',
      'CPU stop interrupts',
      'CPU stop NMIs',
      'Timer broadcast interrupts',
      'IRQ work interrupts',
      'CPU backtrace interrupts',
      'KGDB roundup interrupts',
    ),
  },
};

export const ARCH_KINDS = Object.keys(KINDS) as readonly ArchKind[];

/** The rows of a kernel, in the order it prints them. */
export function archLayout(kind: ArchKind): ArchLine[] {
  return KINDS[kind].rows.map(([label, text, flags = '']) => ({
    label,
    text,
    single: flags.includes('1'),
    inStat: !flags.includes('s'),
    quiet: flags.includes('q'),
  }));
}

/** The layout of /proc/interrupts that kernel prints. */
export function dialectOf(kind: ArchKind): Dialect {
  return KINDS[kind].dialect;
}

/** A kernel that prints a dialect, with every row of it that stat could count. */
export function kindOf(dialect: Dialect): ArchKind {
  if (dialect === 'xen-2.6.18') return 'xen-2.6.18';
  if (dialect === '6.14') return 'linux-6.18-x86-hvm';
  return dialect === '2026' ? 'linux-2026-x86-hvm' : 'linux-6.1-x86-hvm';
}

/**
 * The rows of a kernel with their counts.
 * @param count of the row on the n-th online CPU; a row of one number asks for n = 0
 */
export function archRows(
  kind: ArchKind,
  cpus: number,
  count: (label: string, n: number) => number,
): ArchRow[] {
  const rows: ArchRow[] = [];
  for (const { label, text, single, quiet } of archLayout(kind)) {
    const counts = Array.from({ length: single ? 1 : cpus }, (_, n) => count(label, n));
    if (!quiet || counts.some((c) => c > 0)) rows.push({ label, text, single, counts });
  }
  return rows;
}

/** What the architecture's rows add to the total of the `intr` line of /proc/stat. */
export function archTotal(kind: ArchKind, rows: readonly ArchRow[]): number {
  const counted = new Set(archLayout(kind).flatMap(({ label, inStat }) => (inStat ? [label] : [])));
  let total = 0;
  for (const row of rows) {
    if (counted.has(row.label)) total += row.counts.reduce((a, b) => a + b, 0);
  }
  return total;
}
