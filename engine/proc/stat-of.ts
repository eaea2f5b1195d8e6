/**
 * /proc/stat of a guest from what else is known of it: show_stat() of fs/proc/stat.c adds up the same
 * counters that /proc/interrupts and /proc/softirqs show.
 */
import type { RunstateTimes } from '../core/runstate.ts';
import { archTotal, kindOf } from './arch-rows.ts';
import { type Interrupts, SOFTIRQS, type Softirqs, type Stat, type Totals } from './types.ts';

/** Seconds since 1970 when every simulated machine boots: 2023-11-14 22:13:20 UTC. */
export const BOOT_TIME = 1_700_000_000;
/** nanoseconds of a tick of USER_HZ, the unit of the times */
const TICK = 10_000_000;
/** arm64 has as many descriptors from the start: NR_IRQS of include/asm-generic/irq.h */
const ARM64_NR_IRQS = 64;

export interface StatSource {
  readonly interrupts: Interrupts;
  readonly softirqs: Softirqs;
  /** none: all idle */
  readonly vcpus?: readonly CpuTimes[];
  /** how many interrupts the kernel has numbers for */
  readonly nrIrqs?: number;
  /** what the guest knows better */
  readonly stat?: Stat;
}

/** What a CPU did with its time, in ns. */
export interface CpuTimes {
  readonly runNs: number;
  /** of it in virtual CPUs of its own (account_guest_time) */
  readonly guestNs?: number;
  /** of a virtual CPU: the hypervisor tells of it what is stolen (xen_steal_clock, kvm_steal_clock) */
  readonly times?: RunstateTimes;
}

/** @param time nanoseconds since boot */
export function statOf(source: StatSource, time: number): Stat {
  const { interrupts, softirqs, vcpus = [] } = source;
  if (source.stat) return source.stat;
  const cpus = interrupts.cpus.map((cpu, n) => ({ cpu, times: timesOf(vcpus[n], time) }));
  const counts = SOFTIRQS.map((name) => sum(softirqs.rows.find((r) => r.name === name)?.counts ?? []));
  return {
    cpu: cpus[0]!.times.map((_, k) => sum(cpus.map((c) => c.times[k]!))),
    cpus,
    intr: intrTotals(interrupts, source.nrIrqs),
    ctxt: 0,
    btime: BOOT_TIME,
    processes: 0,
    procsRunning: 0,
    procsBlocked: 0,
    softirq: interrupts.dialect === 'xen-2.6.18' ? null : { total: sum(counts), counts },
  };
}

/** The ten times of a line `cpuN`; what is not a guest's own is the kernel's. */
function timesOf({ runNs, guestNs = 0, times }: CpuTimes = { runNs: 0 }, time: number): number[] {
  const guest = Math.floor(guestNs / TICK);
  const busy = Math.floor(runNs / TICK);
  const steal = times ? Math.floor((times.runnable + times.offline) / TICK) : 0;
  const idle = Math.max(0, Math.floor(time / TICK) - busy - steal);
  return [guest, 0, busy - guest, idle, 0, 0, 0, steal, guest, 0];
}

/**
 * The `intr` line: a number for each interrupt, 0 for those without a row, and a total that has the
 * architecture's rows as well: on Xen every IPI is in it twice. The IPIs of arm64 are interrupts themselves,
 * hidden among the numbers from 1 on.
 */
export function intrTotals(i: Interrupts, nrIrqs = nrIrqsOf(i)): Totals {
  const counts = new Array<number>(nrIrqs).fill(0);
  for (const { label, counts: c } of i.arch) {
    const ipi = /^IPI(\d)$/.exec(label);
    if (ipi) counts[1 + Number(ipi[1])] = sum(c);
  }
  for (const row of i.rows) if (row.irq < nrIrqs) counts[row.irq] = sum(row.counts);
  return { total: sum(counts) + archTotal(kindOf(i.dialect), i.arch), counts };
}

/**
 * How many interrupts a kernel has numbers for: arch_probe_nr_irqs() of arch/x86/kernel/apic/vector.c.
 * @param gsis interrupts of the I/O APICs, 0 where there are none
 */
export function nrIrqsX86(cpus: number, gsis: number): number {
  const base = gsis + 16 + 8 * cpus;
  return gsis <= 16 ? base + 8 * cpus : base + gsis * 16;
}

/** As many as a kernel with these rows has at least, assuming one I/O APIC with 24 pins on x86. */
function nrIrqsOf(i: Interrupts): number {
  const highest = 1 + (i.rows.at(-1)?.irq ?? 0);
  const arm64 = i.arch.some((r) => r.label === 'Err');
  return Math.max(highest, arm64 ? ARM64_NR_IRQS : nrIrqsX86(i.cpus.length, 24));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
