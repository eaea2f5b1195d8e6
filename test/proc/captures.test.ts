import { describe, expect, test } from 'vitest';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import { parseSoftirqs, printSoftirqs } from '../../engine/proc/softirqs.ts';
import { parseStat, printStat } from '../../engine/proc/stat.ts';
import { intrTotals } from '../../engine/proc/stat-of.ts';
import { capture, captureNames, INTERRUPTS } from '../support/captures.ts';

const read = (name: string) => parseInterrupts(capture(name), name);

describe('/proc/interrupts as real kernels printed it', () => {
  test('there are captures of x86 and arm64', () => {
    expect(INTERRUPTS.filter((f) => f.startsWith('xen-x86/'))).toHaveLength(14);
    expect(INTERRUPTS.filter((f) => f.startsWith('xen-arm64/'))).toHaveLength(27);
  });

  test.each(INTERRUPTS)('%s comes back from its fields byte for byte', (name) => {
    const fields = JSON.parse(JSON.stringify(read(name)));
    expect(printInterrupts(fields)).toBe(capture(name));
    expect(fields.dialect).toBe('4.13');
    expect(fields.precision).toBe(3);
  });

  test('the rows of dom0 are read into their fields', () => {
    const { rows, arch, cpus } = read('xen-x86/dom0-q35-with-pv-domU.interrupts.3.txt');
    const row = (irq: number) => rows.find((r) => r.irq === irq)!;
    expect(cpus).toEqual([0, 1, 2, 3]);
    expect(row(1)).toMatchObject({ chip: 'xen-pirq', hwirq: null, name: 'ioapic-edge', actions: ['i8042'] });
    expect(row(24)).toMatchObject({ chip: 'xen-percpu', name: 'virq', trigger: null, actions: ['timer0'] });
    expect(row(76)).toMatchObject({ chip: 'xen-dyn-lateeoi', name: 'event', actions: ['blkif-backend'] });
    expect(arch.map((r) => r.label).join(' ')).toBe(
      'NMI LOC SPU PMI IWI RTR RES CAL TLB TRM THR DFR MCE MCP ERR MIS PIN NPI PIW',
    );
    expect(arch.filter((r) => r.single).map((r) => r.label)).toEqual(['ERR', 'MIS']);
  });

  test('shared lines, hwirqs and padded chips are read into their fields', () => {
    const { rows } = read('xen-x86/bare-pc-idle.interrupts.3.txt');
    const row = (irq: number) => rows.find((r) => r.irq === irq)!;
    expect(row(11)).toMatchObject({ hwirq: 11, name: 'fasteoi', actions: ['uhci_hcd:usb1', 'eth0'] });
    expect(row(24)).toMatchObject({ chip: 'PCI-MSI', hwirq: 98304, name: 'edge' });
    expect(row(0).counts).toEqual([89, 0, 0, 0]);
  });

  test('arm64 has triggers, chips that print themselves and IPI rows', () => {
    const { rows, arch } = read('xen-arm64/xen-gicv2-domu.dom0.1.txt');
    expect(rows[0]).toMatchObject({ chip: 'xen-dyn', hwirq: null, trigger: 'Edge', name: 'event' });
    expect(rows[1]).toMatchObject({ chip: 'GIC-0', hwirq: 27, trigger: 'Level', name: null });
    expect(rows[1]).not.toHaveProperty('ownChip');
    expect(arch[0]).toMatchObject({ label: 'IPI0', text: 'Rescheduling interrupts', single: false });
    expect(arch.at(-1)).toMatchObject({ label: 'Err', counts: [0], single: true });
  });
});

describe('/proc/softirqs and /proc/stat', () => {
  test.each(captureNames(/softirqs/))('%s comes back byte for byte', (name) => {
    expect(printSoftirqs(parseSoftirqs(capture(name), name))).toBe(capture(name));
  });

  test.each(captureNames(/\.stat\./))('%s comes back byte for byte', (name) => {
    expect(printStat(parseStat(capture(name), name))).toBe(capture(name));
  });

  test('the intr line has every number of the kernel and counts IPIs twice', () => {
    for (const n of [1, 3]) {
      const stat = parseStat(capture(`xen-x86/dom0-q35-load.stat.${n}.txt`), 'stat');
      const interrupts = read(`xen-x86/dom0-q35-load.interrupts.${n}.txt`);
      const ours = intrTotals(interrupts);
      expect(ours.counts).toHaveLength(456);
      expect(stat.intr.counts).toHaveLength(456);
      // the two files were read one after the other while counting went on
      const numbered = stat.intr.counts.reduce((a, b) => a + b, 0);
      const ourNumbered = ours.counts.reduce((a, b) => a + b, 0);
      expect(stat.intr.total - numbered - (ours.total - ourNumbered)).toBeLessThan(700); // IPIs of the half second between them
      expect(ours.total - ourNumbered).toBeGreaterThan(15_000);
      for (const row of interrupts.rows) {
        expect(Math.abs(stat.intr.counts[row.irq]! - ours.counts[row.irq]!)).toBeLessThan(200);
      }
    }
  });
});
