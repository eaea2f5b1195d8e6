import { expect, test } from 'vitest';
import { ARCH_KINDS, archLayout, archRows, archTotal, dialectOf } from '../../engine/proc/arch-rows.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import { intrTotals, nrIrqsX86, statOf } from '../../engine/proc/stat-of.ts';
import type { Interrupts } from '../../engine/proc/types.ts';
import { capture } from '../support/captures.ts';

test.each([
  ['linux-6.1-x86', 'xen-x86/bare-q35-load.interrupts.1.txt'],
  ['linux-6.1-x86', 'xen-x86/domU-pv-q35.interrupts.1.txt'],
  ['linux-6.1-x86-hvm', 'xen-x86/domU-pvh-q35.interrupts.1.txt'],
  ['linux-6.1-x86-hvm', 'xen-x86/domU-hvm-pc.interrupts.4.txt'],
  ['linux-6.1-arm64', 'xen-arm64/xen-gicv3.dom0.0.txt'],
  ['linux-6.1-arm64', 'xen-arm64/bare-gicv2.host.0.txt'],
] as const)('%s has the rows of %s', (kind, name) => {
  const file = name.replace('xen-gicv3.dom0', 'xen-gicv3-pt.dom0');
  const { arch, dialect } = parseInterrupts(capture(file), file);
  expect(archLayout(kind).map(({ label, text, single }) => ({ label, text, single }))).toEqual(
    arch.map(({ label, text, single }) => ({ label, text, single })),
  );
  expect(dialectOf(kind)).toBe(dialect);
});

test('the 2026 series shows some rows only once they have counted', () => {
  const labels = (count: number) => archRows('linux-2026-x86', 2, () => count).map((r) => r.label);
  const hidden = labels(1).filter((l) => !labels(0).includes(l));
  expect(hidden).toEqual(['SPU', 'RTR', 'ERR', 'MIS']);
});

test.each(ARCH_KINDS)('the rows of %s survive printing', (kind) => {
  const dialect = dialectOf(kind);
  const arch = archRows(kind, 3, (label, n) => label.length + n);
  const i: Interrupts = { dialect, cpus: [0, 1, 2], rows: [], arch, precision: dialect === '2026' ? 4 : 3 };
  expect(parseInterrupts(printInterrupts(i), 'f').arch).toEqual(arch);
});

test('stat counts reschedulings and function calls, not shootdowns, misroutings or posted interrupts', () => {
  const rows = archRows('linux-6.1-x86', 1, (label) => (/TLB|MIS|PIN|NPI|PIW/.test(label) ? 1000 : 1));
  expect(archTotal('linux-6.1-x86', rows)).toBe(14);
  expect(
    archTotal(
      'xen-2.6.18',
      archRows('xen-2.6.18', 1, () => 5),
    ),
  ).toBe(0);
});

test('a kernel with 4 CPUs and one I/O APIC has 456 numbers, as every capture has', () => {
  expect(nrIrqsX86(4, 24)).toBe(456);
});

test('the intr line of arm64 counts each IPI once', () => {
  const i = parseInterrupts(capture('xen-arm64/bare-gicv3.host.0.txt'), 'f');
  const { total, counts } = intrTotals(i);
  expect(counts.slice(0, 4)).toEqual([0, 33 + 20 + 6 + 32, 90 + 170 + 282 + 99, 0]);
  expect(total).toBe(counts.reduce((a, b) => a + b, 0));
});

test('stat is put together from what a guest counted', () => {
  const interrupts = parseInterrupts(capture('xen-x86/domU-pv-q35.interrupts.1.txt'), 'f');
  const softirqs = { cpus: [0, 1], rows: [{ name: 'TIMER', counts: [3, 4] }] };
  const stat = statOf({ interrupts, softirqs, vcpus: [{ runNs: 5e9 }, { runNs: 0 }] }, 20e9);
  expect(stat.cpus.map((c) => c.times.slice(0, 4))).toEqual([
    [0, 0, 500, 1500],
    [0, 0, 0, 2000],
  ]);
  expect(stat.cpu.slice(0, 4)).toEqual([0, 0, 500, 3500]);
  expect(stat.softirq).toEqual({ total: 7, counts: [0, 7, 0, 0, 0, 0, 0, 0, 0, 0] });
  expect(stat.intr.counts[0]).toBe(interrupts.rows[0]!.counts.reduce((a, b) => a + b, 0));
});

test('what others had of a virtual CPU is stolen, what guests had of a CPU is theirs', () => {
  const interrupts = parseInterrupts(capture('xen-x86/domU-pv-q35.interrupts.1.txt'), 'f');
  const softirqs = { cpus: [0, 1], rows: [] };
  const times = { running: 3e9, runnable: 1.5e9, blocked: 5e9, offline: 0.5e9 };
  const stat = statOf(
    {
      interrupts,
      softirqs,
      vcpus: [
        { runNs: 3e9, times },
        { runNs: 8e9, guestNs: 6e9 },
      ],
    },
    10e9,
  );
  expect(stat.cpus.map((c) => c.times)).toEqual([
    [0, 0, 300, 500, 0, 0, 0, 200, 0, 0],
    [600, 0, 200, 200, 0, 0, 0, 0, 600, 0],
  ]);
});
