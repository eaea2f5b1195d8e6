/**
 * The kernels that run as guests, as far as interrupts tell them apart. Everything that differs between
 * them and is a matter of numbers, names and order stands in this table.
 */
import type { ArchKind } from '../../proc/arch-rows.ts';
import type { ScanKind } from './events-2l-scan.ts';

/** How interrupt numbers of event channels are found. */
export type Numbering =
  /** irq_alloc_desc: the lowest free descriptor; freed ones come back after a grace period */
  | 'sparse'
  /** find_unbound_irq: the first dynamic number with bindcount 0 */
  | 'bindcount';

/** What the per-CPU set-up of a CPU binds, in order. */
export type PercpuKind =
  | 'timer'
  | 'spinlock'
  | 'resched'
  | 'callfunc'
  | 'callfuncsingle'
  | 'debug'
  | 'call1func'
  | 'irqwork'
  | 'reboot';

export interface KernelProfile {
  /** e.g. `Linux 6.1` */
  readonly title: string;
  readonly arch: ArchKind;
  readonly hz: number;
  readonly abi: '2l' | 'fifo';
  readonly numbering: Numbering;
  /** first dynamic number; undefined: it depends on the machine (IOAPIC pins, legacy interrupts) */
  readonly dynamicBase: number | undefined;
  readonly nrDynamic: number;
  /** one row serves all CPUs for each per-CPU kind */
  readonly sharedPercpu: boolean;
  readonly bootCpu: readonly PercpuKind[];
  readonly otherCpus: readonly PercpuKind[];
  readonly chips: {
    readonly percpu: string;
    readonly dynamic: string;
    readonly lateEoi: string;
    readonly pirq: string;
  };
  /** names of the flow handlers; null where the kernel shows none */
  readonly flows: {
    /** of a VIRQ that each CPU has, and of one for the whole domain */
    readonly virq: string | null;
    readonly globalVirq: string | null;
    readonly ipi: string | null;
    readonly event: string | null;
    /** null: named by the kind of physical interrupt, as `ioapic-edge` */
    readonly pirq: string | null;
  };
  /** the event is masked while its handler runs and unmasked after it, in place of late EOI */
  readonly maskWhileHandled: boolean;
  /** backends' and frontends' channels are let through by their drivers (since 5.10) */
  readonly lateEoi: boolean;
  /** interrupts are spread over the CPUs as they are requested */
  readonly spreads: boolean;
  /** 2-level channels: the timer's is looked at before all others, and the order of the rest */
  readonly timerFirst: boolean;
  readonly scan: ScanKind;
  /** 2-level channels of an HVM guest, PVH or ARM: a port that is pending is left to Xen to unmask (3.7 on) */
  readonly hvmAsksToUnmask: boolean;
  readonly names: { readonly console: string; readonly guestConsole: string };
  /** /proc/interrupts tells level from edge (CONFIG_GENERIC_IRQ_SHOW_LEVEL) */
  readonly showsLevel?: boolean;
}

const LINUX_6_1: KernelProfile = {
  title: 'Linux 6.1',
  arch: 'linux-6.1-x86',
  hz: 250,
  abi: 'fifo',
  numbering: 'sparse',
  dynamicBase: undefined,
  nrDynamic: 0,
  sharedPercpu: false,
  bootCpu: ['timer', 'spinlock', 'resched', 'callfunc', 'callfuncsingle', 'irqwork'],
  otherCpus: ['timer', 'resched', 'callfunc', 'callfuncsingle', 'irqwork', 'spinlock'],
  chips: { percpu: 'xen-percpu', dynamic: 'xen-dyn', lateEoi: 'xen-dyn-lateeoi', pirq: 'xen-pirq' },
  flows: { virq: 'virq', globalVirq: 'virq', ipi: 'ipi', event: 'event', pirq: null },
  maskWhileHandled: false,
  lateEoi: true,
  spreads: true,
  timerFirst: true,
  scan: 'pvops',
  hvmAsksToUnmask: true,
  names: { console: 'hvc_console', guestConsole: 'hvc_console' },
};

/** Before FIFO channels (3.14) and late EOI (5.10): the 2.6.31 layout of /proc/interrupts. */
const LINUX_3_10: KernelProfile = {
  ...twoLevel(LINUX_6_1),
  title: 'Linux 3.10',
  arch: 'linux-2.6.36-x86',
  chips: { percpu: 'xen-percpu', dynamic: 'xen-dyn', lateEoi: 'xen-dyn', pirq: 'xen-pirq' },
  bootCpu: ['timer', 'spinlock', 'resched', 'callfunc', 'debug', 'callfuncsingle', 'irqwork'],
  otherCpus: ['timer', 'spinlock', 'resched', 'callfunc', 'debug', 'callfuncsingle', 'irqwork'],
  lateEoi: false,
  spreads: false,
};

/** Before the round-robin scan of events (2.6.39), the timer first (3.10) and irq_work by IPI (3.6). */
const LINUX_2_6_38: KernelProfile = {
  ...LINUX_3_10,
  title: 'Linux 2.6.38',
  bootCpu: LINUX_3_10.bootCpu.filter((k) => k !== 'irqwork'),
  otherCpus: LINUX_3_10.otherCpus.filter((k) => k !== 'irqwork'),
  timerFirst: false,
  scan: 'lowest-first',
  hvmAsksToUnmask: false,
};

/** The layout seen on 6.18: one blank less before the chip. */
const LINUX_6_18: KernelProfile = { ...LINUX_6_1, title: 'Linux 6.18', arch: 'linux-6.18-x86' };

/** The series of 2026 that reworks /proc/interrupts. */
const LINUX_2026: KernelProfile = { ...LINUX_6_1, title: 'Linux of 2026', arch: 'linux-2026-x86' };

/**
 * The same kernel without FIFO channels (xen.fifo_events=0, or a Xen that lacks them): only then it binds
 * VIRQ_DEBUG on every CPU, between the two function-call IPIs (xen_smp_intr_init).
 */
export function twoLevel(profile: KernelProfile): KernelProfile {
  if (profile.abi === '2l') return profile;
  const withDebug = (kinds: readonly PercpuKind[]) =>
    kinds.flatMap((k): PercpuKind[] => (k === 'callfunc' ? [k, 'debug'] : [k]));
  return {
    ...profile,
    abi: '2l',
    bootCpu: withDebug(profile.bootCpu),
    otherCpus: withDebug(profile.otherCpus),
  };
}

/** In a PVH guest: the callback comes as an interrupt; all CPUs are set up in one order, without irqwork. */
export function hardwareVirtual(profile: KernelProfile): KernelProfile {
  const order = profile.otherCpus.filter((k) => k !== 'irqwork' && k !== 'spinlock');
  const kinds: PercpuKind[] = [...order, 'spinlock'];
  return { ...profile, arch: `${profile.arch}-hvm` as ArchKind, bootCpu: kinds, otherCpus: kinds };
}

/** The 2.6.18-xen tree: NR_IRQS = NR_PIRQS + NR_DYNIRQS, both 256. */
const XEN_2_6_18: KernelProfile = {
  title: 'Linux 2.6.18-xen',
  arch: 'xen-2.6.18',
  hz: 100,
  abi: '2l',
  numbering: 'bindcount',
  dynamicBase: 256,
  nrDynamic: 256,
  sharedPercpu: false,
  bootCpu: ['timer', 'resched', 'callfunc'],
  otherCpus: ['resched', 'callfunc', 'timer'],
  chips: { percpu: 'Dynamic-irq', dynamic: 'Dynamic-irq', lateEoi: 'Dynamic-irq', pirq: 'Phys-irq' },
  flows: { virq: null, globalVirq: null, ipi: null, event: null, pirq: null },
  maskWhileHandled: true,
  lateEoi: false,
  spreads: false,
  timerFirst: false,
  scan: '2.6.18',
  hvmAsksToUnmask: false,
  names: { console: 'console', guestConsole: 'xencons' },
};

/** The forward-ported 2.6.3x trees: dynamic numbers follow nr_pirqs. */
const FORWARD_PORT: KernelProfile = {
  title: 'Linux 2.6.3x-xen',
  arch: 'forward-port',
  hz: 250,
  abi: '2l',
  numbering: 'bindcount',
  dynamicBase: undefined,
  nrDynamic: 256,
  sharedPercpu: true,
  bootCpu: ['timer', 'resched', 'callfunc', 'call1func', 'reboot', 'spinlock'],
  otherCpus: ['timer', 'resched', 'callfunc', 'call1func', 'reboot', 'spinlock'],
  chips: { percpu: 'Dynamic', dynamic: 'Dynamic', lateEoi: 'Dynamic', pirq: 'Phys' },
  flows: { virq: 'percpu', globalVirq: 'level', ipi: 'percpu', event: 'level', pirq: 'level' },
  maskWhileHandled: true,
  lateEoi: false,
  spreads: false,
  timerFirst: false,
  scan: 'forward-port',
  hvmAsksToUnmask: false,
  names: { console: 'console', guestConsole: 'xencons' },
};

/** arm64: per-CPU timers and IPIs are the GIC's; FIFO channels as anywhere. */
export const LINUX_6_1_ARM64: KernelProfile = {
  ...LINUX_6_1,
  arch: 'linux-6.1-arm64',
  bootCpu: [],
  otherCpus: [],
  showsLevel: true,
};

/** Native kernels of 2010: the layout of 2.6.31, softirqs without a limit of time. */
const LINUX_2_6_36: KernelProfile = { ...LINUX_3_10, title: 'Linux 2.6.36', hvmAsksToUnmask: false };

export const KERNELS = {
  'linux-6.1': LINUX_6_1,
  'linux-6.18': LINUX_6_18,
  'linux-2026': LINUX_2026,
  'linux-3.10': LINUX_3_10,
  'linux-2.6.38': LINUX_2_6_38,
  'linux-2.6.36': LINUX_2_6_36,
  'linux-2.6.18-xen': XEN_2_6_18,
  'linux-2.6.3x-xen': FORWARD_PORT,
} as const;
