/** `info lapic`, `info pic` and `info irq`: texts that QEMU printed of real machines, and the words it has for the rest. */
import { describe, expect, test } from 'vitest';
import { qemuInfo, qemuTopics } from '../../engine/export/qemu-info.ts';
import type { DomainSnapshot, X86Snapshot } from '../../engine/snapshot.ts';
import { kvmGuest, type LapicOptions, lapic, pic, pin, vectorSet } from '../support/kvm-snapshots.ts';

function machine(chips: Partial<X86Snapshot>): DomainSnapshot {
  return { ...kvmGuest(), x86: { lapics: [], ioapic: null, pic: null, vectors: [], ...chips } };
}

const infoLapic = (...apics: LapicOptions[]) => qemuInfo(machine({ lapics: apics.map(lapic) }), 'lapic');
const lineOf = (text: string, name: string) => text.split('\n').find((l) => l.startsWith(`${name}\t`));

describe('info lapic', () => {
  test('of a real 2025 guest whose vector 236 is stuck in service', () => {
    const text = infoLapic({
      cpu: 1,
      x2apic: true,
      isr: vectorSet(236),
      irr: vectorSet(37, 236),
      tmr: vectorSet(37),
      ppr: 0xe0,
      registers: { LVT1: 0x10400, LVTPC: 0x400, ICR2: 0, LDR: 0 },
    });
    expect(text).toBe(
      [
        'dumping local APIC state for CPU 1 ',
        '',
        'LVT0\t 0x00010700 active-hi edge  masked                      ExtINT (vec 0)',
        'LVT1\t 0x00010400 active-hi edge  masked                      NMI   ',
        'LVTPC\t 0x00000400 active-hi edge                              NMI   ',
        'LVTERR\t 0x000000fe active-hi edge                              Fixed  (vec 254)',
        'LVTTHMR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)',
        'LVTT\t 0x000400ec active-hi edge                 tsc-deadline Fixed  (vec 236)',
        'Timer\t DCR=0x0 (divide by 2) initial_count = 0 current_count = 0',
        'SPIV\t 0x000001ff APIC enabled, focus=off, spurious vec 255',
        'ICR\t 0x000000fd physical edge de-assert no-shorthand',
        'ICR2\t 0x00000000 cpu 0 (X2APIC ID)',
        'ESR\t 0x00000000',
        'ISR\t 236 ',
        'IRR\t 37(level) 236 ',
        '',
        'APR 0x00 TPR 0x00 DFR 0x0f LDR 0x00 PPR 0xe0',
        '',
      ].join('\n'),
    );
  });

  test('one text after the other, a processor each', () => {
    const text = infoLapic({}, { cpu: 1 }, { cpu: 10 });
    expect(text.match(/^dumping.*$/gm)).toEqual([
      'dumping local APIC state for CPU 0 ',
      'dumping local APIC state for CPU 1 ',
      'dumping local APIC state for CPU 10',
    ]);
    expect(lineOf(text, 'ISR')).toBe('ISR\t (none)');
  });

  test.each([
    ['one-shot', 0x31, '0x00000031 active-hi edge                 one-shot     Fixed  (vec 49)'],
    ['periodic', 0x200ef, '0x000200ef active-hi edge                 periodic     Fixed  (vec 239)'],
    ['pending', 0x51000, '0x00051000 active-hi edge  masked pending tsc-deadline Fixed  (vec 0)'],
    ['level', 0xa500, '0x0000a500 active-lo level                one-shot     INIT   (vec 0)'],
  ])('the timer entry: %s', (_, LVTT, rest) => {
    expect(lineOf(infoLapic({ registers: { LVTT } }), 'LVTT')).toBe(`LVTT\t ${rest}`);
  });

  test.each([
    [0x0, 2],
    [0x1, 4],
    [0x3, 16],
    [0x8, 32],
    [0xa, 128],
    [0xb, 1],
  ])('divide configuration %i divides by %i', (TDCR, by) => {
    const registers = { TDCR, TMICT: 62500, TMCCT: 17 };
    expect(lineOf(infoLapic({ registers }), 'Timer')).toBe(
      `Timer\t DCR=0x${TDCR.toString(16)} (divide by ${by}) initial_count = 62500 current_count = 17`,
    );
  });

  test.each([
    ['flat', { ICR: 0x8fd, ICR2: 0x05000000 }, false, '0x05000000 mask 00000101 (APIC ID)'],
    [
      'cluster',
      { ICR: 0x8fd, ICR2: 0x21000000, DFR: 0xfffffff },
      false,
      '0x21000000 cluster 2 mask 0001 (APIC ID)',
    ],
    [
      'x2APIC cluster',
      { ICR: 0x8fd, ICR2: 0x00020041, DFR: 0xfffffff },
      true,
      '0x00020041 cluster 2 mask 0000000001000001 (X2APIC ID)',
    ],
    ['physical', { ICR: 0xfd, ICR2: 0x12000000 }, false, '0x12000000 cpu 2 (APIC ID)'],
    ['itself', { ICR: 0x400fd, ICR2: 0x12000000 }, false, '0x12000000'],
  ])('a command to: %s', (_, registers, x2apic, rest) => {
    expect(lineOf(infoLapic({ x2apic, registers }), 'ICR2')).toBe(`ICR2\t ${rest}`);
  });

  test('the words of a command', () => {
    expect(lineOf(infoLapic({ registers: { ICR: 0xcc8fe } }), 'ICR')).toBe(
      'ICR\t 0x000cc8fe logical level assert all',
    );
  });

  test('the cluster that a processor is in', () => {
    const text = infoLapic({ tpr: 0x20, ppr: 0x20, registers: { DFR: 0xfffffff, LDR: 0x24000000 } });
    expect(text).toMatch(/\nAPR 0x00 TPR 0x20 DFR 0x00 LDR 0x24\(cluster 2: id 4\) PPR 0x20\n$/);
  });

  test('a register that the snapshot lacks is our mistake, not a zero', () => {
    const apic = { ...lapic(), registers: lapic().registers.filter(([name]) => name !== 'LVTPC') };
    expect(() => qemuInfo(machine({ lapics: [apic] }), 'lapic')).toThrow(
      'local APIC 0 does not tell its LVTPC',
    );
  });
});

describe('info pic', () => {
  test('of a real guest under KVM', () => {
    const set: Record<number, [number, number]> = {
      1: [0x21, 0],
      4: [0x21, 1],
      9: [0x8025, 1],
      12: [0x20, 1],
    };
    const pins = Array.from({ length: 24 }, (_, n) => pin(n, ...(set[n] ?? [])));
    const text = qemuInfo(
      machine({
        ioapic: { id: 0, select: 0x22, pins },
        pic: [pic({ irr: 0x13 }), pic({ irr: 0x12, base: 0x38, elcr: 0x0c })],
      }),
      'pic',
    );
    const idle = (n: number) =>
      `  pin ${String(n).padEnd(2)} 0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical`;
    expect(text.split('\n')).toEqual([
      'ioapic0: ver=0x11 id=0x00 sel=0x22 (redir[9])',
      idle(0),
      '  pin 1  0x0000000000000021 dest=0 vec=33  active-hi edge         fixed  physical',
      idle(2),
      idle(3),
      '  pin 4  0x0100000000000021 dest=1 vec=33  active-hi edge         fixed  physical',
      ...[5, 6, 7, 8].map(idle),
      '  pin 9  0x0100000000008025 dest=1 vec=37  active-hi level        fixed  physical',
      idle(10),
      idle(11),
      '  pin 12 0x0100000000000020 dest=1 vec=32  active-hi edge         fixed  physical',
      ...[13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23].map(idle),
      '  IRR      (none)',
      '  Remote IRR (none)',
      'pic0: irr=13 imr=ff isr=00 hprio=0 irq_base=30 rr_sel=0 elcr=00 fnm=0',
      'pic1: irr=12 imr=ff isr=00 hprio=0 irq_base=38 rr_sel=0 elcr=0c fnm=0',
      '',
    ]);
  });

  test('inputs that wait, and level ones without their EOI', () => {
    const pins = [pin(3, 0x8031, 0, true), pin(10, 0xe859, 0x1f, true), pin(11, 0x4041, 0x1f)];
    const lines = (irr?: number) =>
      qemuInfo(
        machine({ ioapic: { id: 2, select: 0, pins, ...(irr === undefined ? {} : { irr }) } }),
        'pic',
      ).split('\n');
    expect(lines()).toEqual([
      'ioapic0: ver=0x11 id=0x02 sel=0x00',
      '  pin 3  0x0000000000008031 dest=0 vec=49  active-hi level        fixed  physical',
      '  pin 10 0x1f0000000000e859 dest=1f vec=89  active-lo level        fixed  logical',
      '  pin 11 0x1f00000000004041 dest=f vec=65  active-hi edge         fixed  physical',
      '  IRR      3  10 ',
      '  Remote IRR 10 ',
      '',
    ]);
    expect(lines(1 << 10)[4]).toBe('  IRR      10 ');
  });

  test('a selected register below the table is called by its unsigned number', () => {
    const text = qemuInfo(machine({ ioapic: { id: 0, select: 1, pins: [] } }), 'pic');
    expect(text).toMatch(/^ioapic0: ver=0x11 id=0x00 sel=0x01 \(redir\[4294967288\]\)\n/);
  });

  test('what the 8259s are set to', () => {
    const slave = pic({ isr: 0x40, priorityAdd: 3, readIsr: true, specialFullyNested: true });
    expect(qemuInfo(machine({ pic: [pic(), slave] }), 'pic')).toContain(
      'pic1: irr=00 imr=ff isr=40 hprio=3 irq_base=30 rr_sel=1 elcr=00 fnm=1\n',
    );
  });
});

describe('info irq', () => {
  const chips = { ioapic: { id: 0, select: 0, pins: [] }, pic: [pic(), pic()] as const };

  test('of a real guest under KVM: a line counts at both kinds of chip', () => {
    const rises: number[] = [];
    for (const [gsi, n] of [
      [1, 11],
      [4, 2],
      [12, 15],
      [22, 177119],
    ] as const)
      rises[gsi] = n;
    const text = qemuInfo(machine({ ...chips, rises: Array.from(rises, (n) => n ?? 0) }), 'irq');
    expect(text).toBe(
      'IRQ statistics for kvm-ioapic:\n 1: 11\n 4: 2\n12: 15\n22: 177119\n' +
        'IRQ statistics for kvm-i8259:\n 1: 11\n 4: 2\n12: 15\n',
    );
  });

  test('lines that never rose are not named', () => {
    expect(qemuInfo(machine({ ...chips, rises: [0, 0] }), 'irq')).toBe(
      'IRQ statistics for kvm-ioapic:\nIRQ statistics for kvm-i8259:\n',
    );
  });
});

test('topics are those that a domain has chips for', () => {
  expect(qemuTopics(kvmGuest())).toEqual(['lapic', 'pic', 'irq']);
  expect(qemuTopics(machine({ lapics: [lapic()] }))).toEqual(['lapic']);
  expect(qemuTopics(machine({ pic: [pic(), pic()] }))).toEqual(['pic']);
  expect(qemuTopics(machine({ pic: [pic(), pic()], rises: [1] }))).toEqual(['pic', 'irq']);
  const { x86: _, ...bare } = kvmGuest();
  expect(qemuTopics(bare)).toEqual([]);
});
