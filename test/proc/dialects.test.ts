/** The same machine in every dialect, against text written by hand from the kernels' format strings. */
import { expect, test } from 'vitest';
import { archRows } from '../../engine/proc/arch-rows.ts';
import { precisionFor } from '../../engine/proc/dialects.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import type { ArchRow, Interrupts, IrqRow } from '../../engine/proc/types.ts';

function irq(
  n: number,
  counts: number[],
  chip: string,
  hwirq: number | null,
  name: string | null,
  ...actions: string[]
): IrqRow {
  return { irq: n, counts, chip, hwirq, trigger: null, name, actions };
}

const LOC: ArchRow = { label: 'LOC', counts: [7, 8], text: 'Local timer interrupts', single: false };
const ERR: ArchRow = { label: 'ERR', counts: [0], text: '', single: true };

const ROWS = [
  irq(1, [10, 11], 'IO-APIC', 1, 'edge', 'i8042'),
  irq(24, [240, 241], 'xen-percpu', null, 'virq', 'timer0'),
  irq(49, [490, 491], 'xen-dyn', null, 'event', 'eth0-q0-rx'),
  irq(60, [600, 601], 'xen-pirq', null, 'ioapic-level', 'uhci_hcd:usb1', 'eth0'),
];

function both(i: Interrupts, text: string): void {
  expect(printInterrupts(i)).toBe(text);
  expect(parseInterrupts(text, 'f')).toEqual(i);
}

test('2.6.31 to 4.12 glues the flow handler to the chip and shows a hwirq only where there is one', () => {
  both(
    { dialect: '2.6.31', cpus: [0, 1], rows: ROWS, arch: [LOC, ERR], precision: 3 },
    [
      '           CPU0       CPU1       ',
      '  1:         10         11   IO-APIC   1-edge      i8042',
      ' 24:        240        241  xen-percpu-virq      timer0',
      ' 49:        490        491   xen-dyn-event     eth0-q0-rx',
      ' 60:        600        601  xen-pirq-ioapic-level  uhci_hcd:usb1, eth0',
      'LOC:          7          8   Local timer interrupts',
      'ERR:          0',
      '',
    ].join('\n'),
  );
});

test('4.13 to 6.13 leaves blanks for a missing hwirq', () => {
  both(
    { dialect: '4.13', cpus: [0, 1], rows: ROWS, arch: [LOC, ERR], precision: 3 },
    [
      '           CPU0       CPU1       ',
      '  1:         10         11   IO-APIC   1-edge      i8042',
      ' 24:        240        241  xen-percpu    -virq      timer0',
      ' 49:        490        491   xen-dyn    -event     eth0-q0-rx',
      ' 60:        600        601  xen-pirq    -ioapic-level  uhci_hcd:usb1, eth0',
      'LOC:          7          8   Local timer interrupts',
      'ERR:          0',
      '',
    ].join('\n'),
  );
});

test('6.14 has one blank less before the chip, but not before the text of the rows below', () => {
  const msix = irq(61, [6, 7], 'PCI-MSIX-0000:00:01.0', 0, 'edge', 'virtio0-config');
  both(
    { dialect: '6.14', cpus: [0, 1], rows: [...ROWS, msix], arch: [LOC, ERR], precision: 3 },
    [
      '           CPU0       CPU1       ',
      '  1:         10         11  IO-APIC   1-edge      i8042',
      ' 24:        240        241 xen-percpu    -virq      timer0',
      ' 49:        490        491  xen-dyn    -event     eth0-q0-rx',
      ' 60:        600        601 xen-pirq    -ioapic-level  uhci_hcd:usb1, eth0',
      ' 61:          6          7 PCI-MSIX-0000:00:01.0   0-edge      virtio0-config',
      'LOC:          7          8   Local timer interrupts',
      'ERR:          0',
      '',
    ].join('\n'),
  );
});

test('the 2026 series aligns chips left in a column as wide as the longest', () => {
  const err: ArchRow = { label: 'ERR', counts: [0, 2], text: 'PIC/APIC error interrupts', single: false };
  both(
    { dialect: '2026', cpus: [0, 1], rows: ROWS, arch: [LOC, err], precision: 4 },
    [
      '            CPU0       CPU1       ',
      '   1:         10         11  IO-APIC       1-edge      i8042',
      '  24:        240        241  xen-percpu      -virq      timer0',
      '  49:        490        491  xen-dyn         -event     eth0-q0-rx',
      '  60:        600        601  xen-pirq        -ioapic-level  uhci_hcd:usb1, eth0',
      ' LOC:          7          8  Local timer interrupts',
      ' ERR:          0          2  PIC/APIC error interrupts',
      '',
    ].join('\n'),
  );
});

test('the 2026 series keeps room for a longer chip that is not shown', () => {
  both(
    { dialect: '2026', cpus: [0, 1], rows: ROWS.slice(0, 1), arch: [LOC], precision: 4, chipWidth: 12 },
    [
      '            CPU0       CPU1       ',
      '   1:         10         11  IO-APIC         1-edge      i8042',
      ' LOC:          7          8  Local timer interrupts',
      '',
    ].join('\n'),
  );
});

test('2.6.18-xen names chips in a column of 14 and explains nothing', () => {
  const rows = [
    irq(1, [3, 0], 'Phys-irq', null, null, 'i8042'),
    irq(256, [111925, 0], 'Dynamic-irq', null, null, 'timer0'),
  ];
  const arch = archRows('xen-2.6.18', 2, () => 0);
  both(
    { dialect: 'xen-2.6.18', cpus: [0, 1], rows, arch, precision: 3 },
    [
      '           CPU0       CPU1       ',
      '  1:          3          0        Phys-irq  i8042',
      '256:     111925          0     Dynamic-irq  timer0',
      'NMI:          0          0 ',
      'LOC:          0          0 ',
      'ERR:          0',
      'MIS:          0',
      '',
    ].join('\n'),
  );
});

test('a 2.6.18-xen guest with one CPU is told from later ones, ERR from NMI', () => {
  const text = [
    '           CPU0       ',
    '256:     111925     Dynamic-irq  timer0',
    '260:       1801     Dynamic-irq  xencons',
    'NMI:          0 ',
    'LOC:          0 ',
    'ERR:          0',
    'MIS:          0',
    '',
  ].join('\n');
  const found = parseInterrupts(text, 'f');
  expect(found.dialect).toBe('xen-2.6.18');
  expect(found.arch.map((r) => r.single)).toEqual([false, false, true, true]);
  expect(printInterrupts(found)).toBe(text);
});

test('the forward-ported dom0 kernel prints the layout of 2.6.31 with its own chips', () => {
  const rows = [
    irq(1, [3196, 0], 'Phys', null, 'level', 'i8042'),
    irq(16, [407, 0], 'Phys', null, 'level', 'ehci_hcd:usb2', 'HDA Intel'),
    irq(440, [30292618, 929005], 'Dynamic', null, 'percpu', 'timer'),
    irq(446, [0, 0], 'Dynamic', null, 'level', 'mce'),
  ];
  const arch = archRows('forward-port', 2, (label) => (label === 'MCP' ? 1 : 0));
  both(
    { dialect: '2.6.31', cpus: [0, 1], rows, arch, precision: 3 },
    [
      '           CPU0       CPU1       ',
      '  1:       3196          0      Phys-level     i8042',
      ' 16:        407          0      Phys-level     ehci_hcd:usb2, HDA Intel',
      '440:   30292618     929005   Dynamic-percpu    timer',
      '446:          0          0   Dynamic-level     mce',
      'NMI:          0          0   Non-maskable interrupts',
      'RES:          0          0   Rescheduling interrupts',
      'CAL:          0          0   Function call interrupts',
      'MCE:          0          0   Machine check exceptions',
      'MCP:          1          1   Machine check polls',
      '',
    ].join('\n'),
  );
});

test('a chip that prints itself is not padded', () => {
  const rows = [irq(33, [1, 2], '9030000.pl061', 3, null, 'GPIO Key Poweroff')].map(
    (r): IrqRow => ({ ...r, trigger: 'Edge', ownChip: true }),
  );
  const gic: IrqRow = { ...irq(40, [5, 6], 'GICv3', 27, null, 'arch_timer'), trigger: 'Level' };
  both(
    { dialect: '4.13', cpus: [0, 1], rows: [...rows, gic], arch: [], precision: 3 },
    [
      '           CPU0       CPU1       ',
      ' 33:          1          2 9030000.pl061   3 Edge      GPIO Key Poweroff',
      ' 40:          5          6     GICv3  27 Level     arch_timer',
      '',
    ].join('\n'),
  );
});

test('a machine with many interrupts has wider numbers, labels and hwirqs', () => {
  const ipi: ArchRow = { label: 'IPI0', counts: [5, 6], text: 'Rescheduling interrupts', single: false };
  both(
    { dialect: '4.13', cpus: [0, 1], rows: ROWS.slice(0, 1), arch: [LOC, ipi, ERR], precision: 4 },
    [
      '            CPU0       CPU1       ',
      '   1:         10         11   IO-APIC    1-edge      i8042',
      ' LOC:          7          8   Local timer interrupts',
      'IPI0:          5          6       Rescheduling interrupts',
      ' ERR:          0',
      '',
    ].join('\n'),
  );
  expect([999, 1000, 9999, 10000].map((n) => precisionFor('4.13', n))).toEqual([3, 4, 4, 5]);
  expect([456, 9999, 10000].map((n) => precisionFor('2026', n))).toEqual([4, 4, 5]);
  expect(precisionFor('xen-2.6.18', 512)).toBe(3);
});

test('counts wrap at 2^32 as unsigned ints do', () => {
  const rows = [irq(1, [4294967295, 4294967296], 'IO-APIC', 1, 'edge', 'i8042')];
  const text = printInterrupts({ dialect: '4.13', cpus: [0, 1], rows, arch: [], precision: 3 });
  expect(text).toContain('  1: 4294967295          0   IO-APIC');
  expect(parseInterrupts(text, 'f').rows[0]!.counts).toEqual([4294967295, 0]);
});

test('CPUs that are offline leave gaps in the header, and columns keep their order', () => {
  const rows = [irq(1, [10, 11], 'IO-APIC', 1, 'edge', 'i8042')];
  both(
    { dialect: '4.13', cpus: [0, 2], rows, arch: [], precision: 3 },
    '           CPU0       CPU2       \n  1:         10         11   IO-APIC   1-edge      i8042\n',
  );
});

test('5,000 CPUs are read and printed back', () => {
  const cpus = Array.from({ length: 5000 }, (_, n) => n);
  const rows = [irq(1, cpus, 'IO-APIC', 1, 'edge', 'i8042')];
  const arch: ArchRow[] = [{ ...LOC, counts: cpus }];
  const text = printInterrupts({ dialect: '4.13', cpus, rows, arch, precision: 3 });
  expect(text.split('\n')[0]!.endsWith('CPU4999    ')).toBe(true);
  const found = parseInterrupts(text, 'f');
  expect(found.cpus).toHaveLength(5000);
  expect(printInterrupts(found)).toBe(text);
});

test('blanks lost at line ends are forgiven', () => {
  const text = '           CPU0       CPU1\n  1:         10         11   IO-APIC   1-edge      i8042\n';
  expect(printInterrupts(parseInterrupts(text, 'f'))).toBe(text.replace('CPU1\n', 'CPU1       \n'));
});
