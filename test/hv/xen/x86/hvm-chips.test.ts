/** The chips of an HVM guest together: who takes the 8259s' interrupts, and what reaches whom. */
import { beforeEach, describe, expect, test } from 'vitest';
import { HvmChips } from '../../../../engine/hv/xen/x86/hvm-chips.ts';
import { Mode, Reg } from '../../../../engine/hw/x86/apic-regs.ts';
import { RTE_LEVEL, RTE_MASKED, RTE_REMOTE_IRR } from '../../../../engine/hw/x86/ioapic-regs.ts';
import type { LocalApic } from '../../../../engine/hw/x86/lapic.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const EXTINT = Mode.EXTINT << 8;
const MASKED = 1 << 16;
/** a level pin, as a PCI link leads to */
const PIN = 20;
const VECTOR = 0x41;

let chips: HvmChips;
let apics: LocalApic[];
let kicked: number[];
let nmis: () => number[];

beforeEach(() => {
  const rig = new HvmRig();
  ({ chips, kicked } = rig);
  apics = rig.vcpus.map((v) => v.apic);
  nmis = () => rig.vcpus.filter((v) => v.nmiPending).map((v) => v.vcpu);
});

function writeEntry(pin: number, low: number, destination: number): void {
  chips.ioapic.write(0x00, 0x11 + 2 * pin, 4);
  chips.ioapic.write(0x10, destination << 24, 4);
  chips.ioapic.write(0x00, 0x10 + 2 * pin, 4);
  chips.ioapic.write(0x10, low, 4);
}

describe("the 8259s' interrupts", () => {
  const takers = () => [0, 1, 2].filter((vcpu) => chips.acceptsPic(vcpu));

  test('after reset LINT0 is masked everywhere: nobody takes them', () => {
    expect([chips.target, takers()]).toEqual([0, []]);
  });

  test('the first virtual CPU whose LINT0 is unmasked as ExtINT takes them, no other', () => {
    apics[2]!.write(Reg.LVT_LINT0, EXTINT);
    expect([chips.target, takers()]).toEqual([2, [2]]);
    apics[1]!.write(Reg.LVT_LINT0, EXTINT);
    expect([chips.target, takers()]).toEqual([1, [1]]);
    apics[1]!.write(Reg.LVT_LINT0, EXTINT | MASKED);
    expect([chips.target, takers()]).toEqual([2, [2]]);
  });

  test('LINT0 as a fixed interrupt does not pass them on', () => {
    apics[0]!.write(Reg.LVT_LINT0, VECTOR);
    expect(takers()).toEqual([]);
  });

  test('pin 0 of the IOAPIC as ExtINT sends them to the APIC ID of its entry', () => {
    writeEntry(0, EXTINT, 4);
    expect([chips.target, takers()]).toEqual([2, [2]]);
    writeEntry(0, EXTINT | RTE_MASKED, 4);
    expect([chips.target, takers()]).toEqual([0, []]);
  });

  test('one without a local APIC is meant first, but takes none until it has one again', () => {
    apics[2]!.write(Reg.LVT_LINT0, EXTINT);
    apics[1]!.wrmsr(0x1b, 0xfee0_0000, 0);
    chips.adjustI8259Target();
    expect([chips.target, takers()]).toEqual([1, []]);
  });
});

describe('the IOAPIC', () => {
  test('a level interrupt reaches its local APIC, whose EOI clears remote IRR', () => {
    writeEntry(PIN, RTE_LEVEL | VECTOR, 2);
    chips.ioapic.setIrq(PIN, true);
    expect(chips.ioapic.low[PIN]! & RTE_REMOTE_IRR).toBe(RTE_REMOTE_IRR);
    expect(apics.map((apic) => apic.ack())).toEqual([-1, VECTOR, -1]);
    chips.ioapic.setIrq(PIN, false);
    apics[1]!.write(Reg.EOI, 0);
    expect(chips.ioapic.low[PIN]! & RTE_REMOTE_IRR).toBe(0);
  });

  test('a wire that is still high at the EOI sends again', () => {
    writeEntry(PIN, RTE_LEVEL | VECTOR, 2);
    chips.ioapic.setIrq(PIN, true);
    apics[1]!.ack();
    apics[1]!.write(Reg.EOI, 0);
    expect(apics[1]!.ack()).toBe(VECTOR);
  });

  test('all 48 pins are wires of their own', () => {
    for (let pin = 1; pin < 48; pin++) writeEntry(pin, RTE_LEVEL | RTE_MASKED | (0x40 + pin), 0);
    chips.ioapic.setIrq(8, true);
    writeEntry(40, RTE_LEVEL | (0x40 + 40), 0);
    expect(apics[0]!.irr.members()).toEqual([]);
    chips.ioapic.setIrq(40, true);
    chips.ioapic.setIrq(8, false);
    expect(apics[0]!.irr.members()).toEqual([0x40 + 40]);
    expect(apics[0]!.ack()).toBe(0x40 + 40);
    apics[0]!.write(Reg.EOI, 0);
    expect(apics[0]!.irr.members()).toEqual([0x40 + 40]);
  });

  test('NMI goes to all that are meant; INIT, SMI and ExtINT to nobody', () => {
    writeEntry(PIN, Mode.NMI << 8, 0xff);
    chips.ioapic.setIrq(PIN, true);
    expect([nmis(), kicked]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    for (const mode of [Mode.SMI, Mode.INIT, Mode.EXTINT]) {
      writeEntry(PIN + 1, (mode << 8) | VECTOR, 0xff);
      chips.ioapic.setIrq(PIN + 1, true);
      chips.ioapic.setIrq(PIN + 1, false);
    }
    expect([nmis(), apics.map((apic) => apic.irr.empty)]).toEqual([
      [0, 1, 2],
      [true, true, true],
    ]);
  });

  test('lowest priority goes round among virtual CPUs of the same priority', () => {
    writeEntry(PIN, (Mode.LOWEST << 8) | VECTOR, 0xff);
    const taken: number[] = [];
    for (let i = 0; i < 4; i++) {
      chips.ioapic.setIrq(PIN, true);
      chips.ioapic.setIrq(PIN, false);
      taken.push(apics.findIndex((apic) => apic.ack() >= 0));
      for (const apic of apics) apic.write(Reg.EOI, 0);
    }
    expect(taken).toEqual([1, 2, 0, 1]);
  });

  test('lowest priority passes over who has the higher task priority', () => {
    writeEntry(PIN, (Mode.LOWEST << 8) | VECTOR, 0xff);
    apics[1]!.write(Reg.TPR, 0x20);
    chips.ioapic.setIrq(PIN, true);
    expect(apics.map((apic) => apic.irr.has(VECTOR))).toEqual([false, false, true]);
  });
});

test('saved chips go on where they were', () => {
  writeEntry(PIN, RTE_LEVEL | VECTOR, 2);
  chips.ioapic.setIrq(PIN, true);
  apics[2]!.write(Reg.LVT_LINT0, EXTINT);
  const copy = new HvmChips('d1', { kick: () => {} });
  copy.restore(JSON.parse(JSON.stringify(chips.save())));
  expect([copy.target, copy.ioapic.low[PIN]]).toEqual([2, RTE_REMOTE_IRR | RTE_LEVEL | VECTOR]);
  expect(copy.save()).toEqual(chips.save());
});
