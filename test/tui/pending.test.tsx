/** The pending view: what it says of one processor, of the others, and of the chips they share. */
import { afterEach, describe, expect, test } from 'vitest';
import type { LapicSnapshot, X86Snapshot } from '../../engine/machine/inspect.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { lapic, pic, pin, vectorSet, vmcs, x86 } from '../support/kvm-snapshots.ts';

let screen: FakeScreen;

afterEach(() => screen.close());

/** The pending view of a guest with these chips. */
async function show(chips: Partial<X86Snapshot>, options: ScreenOptions = {}): Promise<string> {
  const merged = { lapics: [], ioapic: null, pic: null, vectors: [], ...chips };
  const machine = fakeKvmMachine({ change: (guest) => ({ ...guest, x86: merged }) });
  screen = new FakeScreen(machine, { columns: 80, rows: 24, ...options });
  screen.press('right', 'f3');
  return screen.text();
}

const one = (apic: Partial<LapicSnapshot>, options: ScreenOptions = {}) =>
  show(
    { lapics: [{ ...lapic(), ...apic }], vectors: [{ 49: 'timer', 65: 'ttyS0', 81: 'virtio0' }] },
    options,
  );

describe('PV EOI', () => {
  test('from entry to exit the bit is shown, and that ISR is out of date where the guest has cleared it', async () => {
    expect(await one({ pvEoi: 1 })).toMatch(/^.*entry-info.* PV EOI 1( |$)/m);
    expect(await one({ pvEoi: 0 })).toMatch(/ PV EOI 0: ISR is over/);
    expect(await one({})).not.toContain('PV EOI');
  });
});

describe('one processor in full', () => {
  test('up and down choose it, first and last too; the ends are ends', async () => {
    await show(x86(3));
    const chosen = async () => /^ (vCPU \d)/m.exec(await screen.text())![1];
    const seen: (string | undefined)[] = [];
    for (const key of ['k', 'j', 'down', 'j', 'up', 'g', 'G', 'pageup', 'pagedown']) {
      screen.press(key);
      seen.push(await chosen());
    }
    expect(seen.map((s) => Number(s!.at(-1)))).toEqual([0, 1, 2, 2, 1, 0, 2, 1, 2]);
    screen.press('right');
    expect(await chosen()).toBe('vCPU 0');
  });

  test('place, priorities and windows', async () => {
    const apic = { tpr: 0x20, ppr: 0x50, interruptFlag: false, x2apic: true };
    const window = { interruptWindow: true, nmiWindow: true };
    expect(await one({ ...apic, vmcs: vmcs({ place: 'preempted on CPU3', ...window }) })).toMatch(
      /^ vCPU 0 {2}preempted on CPU3 {2}x2APIC +IF 0 {2}TPR 20 {2}PPR 50 {2}window irq\+nmi$/m,
    );
    screen.close();
    expect(await one({})).toMatch(/xAPIC +IF 1 {2}TPR 00 {2}PPR 00 {2}window -$/m);
  });

  test('of a physical one there is no control structure', async () => {
    const text = await one({ vmcs: null });
    expect(text).toMatch(/^ CPU 0 {2}guest, vm1\.0 {2}xAPIC +IF 1 {2}TPR 00 {2}PPR 00$/m);
    expect(text).not.toContain('entry-info');
  });

  test.each([
    [0x80000051, 'external interrupt 51 virtio0'],
    [0x80000202, 'NMI 02'],
    [0x80000b0e, 'hardware exception 0e'],
    [0x80000480, 'software interrupt 80'],
    [0x80000603, 'software exception 03'],
    [0x00000051, '-'],
  ])('what is injected: %#x is %s', async (entryInfo, text) => {
    const hex = entryInfo.toString(16).padStart(8, '0');
    const screenful = await one({ vmcs: vmcs({ entryInfo }) });
    expect(screenful.split('\n').map((l) => l.replace(/ {2}exit .*/, '').trimEnd())).toContain(
      ` entry-info  ${hex}  ${text}`,
    );
  });

  test('what was interrupted by the exit, why it came, and what is delivered without one', async () => {
    const fields = {
      'Exit reason': 48,
      'IDT-vectoring information': 0x80000031,
      'VM-exit interruption information': 0x800000f2,
      'Guest interrupt status': 0x3141,
    };
    const posted = { pir: vectorSet(0x41), on: true, sn: true, nv: 0xf2 };
    const apicv = { active: true, rvi: 0x41, svi: 0x31, stale: [] };
    expect(await one({ posted, vmcs: vmcs({ fields, apicv }) }, { columns: 140 })).toContain(
      'idt-info external interrupt 31 timer  exit EPT_VIOLATION f2  RVI 41 SVI 31  ON 1 SN 1 NV f2',
    );
    screen.close();
    const unknown = vmcs({ fields: { 'Exit reason': 63 } });
    expect(await one({ vmcs: unknown })).toContain('exit 63');
  });

  test('APICv: whether it is active, and which of its fields do not agree with IRR and ISR', async () => {
    const maps = { irr: vectorSet(0x41), isr: vectorSet(0xec) };
    const state = (active: boolean, stale: readonly ('RVI' | 'SVI')[]) => ({
      ...maps,
      vmcs: vmcs({ apicv: { active, rvi: 0x41, svi: stale.includes('SVI') ? 0 : 0xec, stale } }),
    });
    const right = await one(state(true, []));
    expect(right).toMatch(/APICv on {2}IF 1/);
    expect(right).toMatch(/RVI 41 SVI ec/);
    expect(right).not.toContain('!');
    screen.close();
    expect(await one(state(true, ['SVI']))).toMatch(/RVI 41 {2}SVI 00 !ISR ec$/m);
    screen.close();
    expect(await one(state(true, ['RVI', 'SVI']))).toMatch(/RVI 41 !IRR 41 {2}SVI 00 !ISR ec$/m);
    screen.close();
    const off = await one(state(false, []));
    expect(off).toMatch(/APICv off {2}IF 1/);
    expect(off).not.toContain('RVI');
  });

  test('APICv of the others: where it is off, or its fields do not agree', async () => {
    const other = (cpu: number, active: boolean, stale: readonly 'SVI'[]) =>
      lapic({ cpu, isr: vectorSet(0xec), vmcs: vmcs({ apicv: { active, rvi: 0, svi: 0, stale } }) });
    const text = await show({ lapics: [lapic(), other(1, true, ['SVI']), other(2, false, [])] });
    expect(text).toMatch(/^ vCPU 1 .* !SVI {2}IRR - .*ISR ec/m);
    expect(text).toMatch(/^ vCPU 2 .* APICv off {2}IRR - .*ISR ec/m);
  });
});

describe('the maps', () => {
  const irr = vectorSet(0x51, 0x5f, 0xec, 0x31);

  test('on a small terminal: the rows that hold something, highest first, with whose they are', async () => {
    expect(
      await one({
        irr,
        tmr: vectorSet(0x51),
        posted: { pir: vectorSet(255), on: true, sn: false, nv: 0xf2 },
      }),
    ).toContain(
      [
        '       0123456789abcdef  row: high digit, column: low digit',
        ' PIR f ...............#  ff',
        ' IRR e ............#...  ec',
        '     5 .#.............#  5f, 51 virtio0',
        '     3 .#..............  31 timer',
        ' ISR - ................  none',
        ' TMR 5 .#..............  51 virtio0',
      ].join('\n'),
    );
  });

  test('where lines are short, how many rows are left out', async () => {
    expect(await one({ irr }, { columns: 60, rows: 15 })).toMatch(
      /^ {5}5 \.#\.{13}# {2}5f, 51 virtio0, and 1 row more$/m,
    );
  });

  test('on a larger one: whole, beside each other', async () => {
    const text = await one({ irr, isr: vectorSet(0, 16) }, { columns: 120, rows: 40 });
    const lines = text.split('\n');
    const at = lines.findIndex((l) => l.includes('IRR highest ec    ISR highest 10    TMR highest -'));
    expect(lines[at + 1]).toMatch(/^ {3}0123456789abcdef {2}0123456789abcdef {2}0123456789abcdef/);
    const rows = lines.slice(at + 2, at + 18);
    expect(rows.map((l) => l[1]).join('')).toBe('0123456789abcdef');
    const set = (column: number) =>
      rows.flatMap((l, row) =>
        [...l.slice(column, column + 16)].flatMap((c, n) => (c === '#' ? [row * 16 + n] : [])),
      );
    expect([set(3), set(21), set(39)]).toEqual([[0x31, 0x51, 0x5f, 0xec], [0, 16], []]);
    expect(lines[at]).toMatch(/IRR ec$/);
    expect(lines[at + 1]).toMatch(/ISR 10$/);
  });

  test('fields of the control structure stand beside them, what matters now first', async () => {
    const text = await one({ vmcs: vmcs({ entryInfo: 0x80000051 }) }, { columns: 120, rows: 40 });
    expect(text).toMatch(
      /VMCS\n.* 80000051 VM-entry interruption-information\n.* 00000000 VM-exit interruption info/,
    );
    expect(text).not.toContain('VM-exit instruction length');
    screen.resize(200, 60);
    expect(await screen.text()).toContain('00000000 VM-exit instruction length');
  });
});

describe('the others', () => {
  test('have a line each, from the one behind the chosen on', async () => {
    await show(x86(3));
    screen.press('j');
    expect(await screen.text()).toMatch(
      / vCPU 2 .* IRR - {3}ISR - {3}TMR - {3}PPR 00 {2}IF 1\n vCPU 0 .*inject 51 {2}IRR ec {2}ISR 31 {2}TMR - {3}PPR 30 {2}IF 0$/m,
    );
  });

  test('too many for the screen are counted', async () => {
    const text = await show(x86(64));
    const lines = text.match(/^ vCPU \d+ .* IF \d$/gm)!.length;
    expect(text).toContain(` ${63 - lines} more processors, up and down choose`);
  });
});

describe('the board', () => {
  const pins = [
    pin(0),
    pin(1, 0x31),
    pin(2, 0xe941, 0x03, true),
    pin(3, 0x18051, 0, true),
    pin(4, 0x1041, 0),
    pin(5, 0x10000, 0, false),
  ];
  const board = (options: ScreenOptions = {}, all = pins) =>
    show(
      {
        lapics: [lapic()],
        ioapic: { id: 0, select: 0, pins: all },
        pic: [pic({ irr: 1, imr: 0xb8 }), pic({ isr: 0x40, base: 0x38, elcr: 0x0c })],
        vectors: [{ 49: 'i8042', 65: 'eth0' }],
      },
      options,
    );
  const table = (text: string) => text.split('\n').filter((l) => /^ {5,6}\d/.test(l));

  test('pins: where they go, how, and what they wait for', async () => {
    expect(table(await board())).toEqual([
      '      0  00 P00  fixed  edge     #    .    0',
      '      1  31 P00  fixed  edge     .    .    0     i8042',
      '      2  41 L03  lowest level-lo .    #    1     waits for EOI of 41, eth0',
      '      3  51 P00  fixed  level    #    .    1     up, but masked',
      '      4  41 P00  fixed  edge     .    .    0     message waits to be taken, eth0',
      '      5  00 P00  fixed  edge     #    .    0',
    ]);
  });

  test('where room is short the idle ones go first, then those where nothing is going on', async () => {
    const many = [...pins, ...Array.from({ length: 18 }, (_, i) => pin(6 + i, i < 9 ? 0x61 + i : 0x10000))];
    let text = await board({ rows: 26 }, many);
    expect(table(text).map((l) => Number(l.slice(0, 7)))).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
    expect(text).toContain('3 more that may interrupt');
    screen.close();
    text = await board({ columns: 60, rows: 17 }, many);
    expect(text).toMatch(/IOAPIC/);
    expect(table(text).map((l) => Number(l.slice(0, 7)))).toEqual([2]);
    screen.close();
    expect(table(await board({ columns: 200, rows: 60 }, many.slice(0, 24))).length).toBe(0);
    expect((await screen.text()).match(/ (fixed|lowest) +(edge|level)/g)).toHaveLength(24);
  });

  test('both 8259s in a line, master first', async () => {
    expect(await board()).toMatch(
      /^ PIC {2}irr 01 00 {2}imr b8 ff {2}isr 00 40 {2}ELCR 00 0c {2}base 30 38$/m,
    );
  });

  test('a machine without it shows its processors alone', async () => {
    const text = await one({});
    expect(text).not.toMatch(/IOAPIC|PIC {2}irr/);
  });
});

test('names from outside cannot move the cursor', async () => {
  const text = await show({
    lapics: [lapic({ irr: vectorSet(0x51), vmcs: vmcs({ place: 'on\x1b[2J CPU1' }) })],
    vectors: [{ 81: 'evil\x1b]0;title\x07\u202e' }],
  });
  expect(text).toContain('on?[2J CPU1');
  expect(text).toContain('51 evil?]0;title??');
});
