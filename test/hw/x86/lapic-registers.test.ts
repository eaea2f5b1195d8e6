/** Registers of the local APIC at their page and as MSRs, as the SDM has them, and where KVM and Xen part from it. */
import { describe, expect, test } from 'vitest';
import { Mode, MSR_APIC_BASE, MSR_TSC_DEADLINE, Reg, Shorthand } from '../../../engine/hw/x86/apic-regs.ts';
import type { LocalApic } from '../../../engine/hw/x86/lapic.ts';
import { ApicRig, icr, SYSTEMS } from '../../support/apics.ts';

const { kvm, xen } = SYSTEMS;
const msr = (offset: number) => 0x800 + (offset >> 4);
const ALL = Object.values(SYSTEMS);

function x2apic(
  system: (typeof ALL)[number] = SYSTEMS.manual,
  ids = [0],
): { rig: ApicRig; lapic: LocalApic } {
  const rig = new ApicRig({ ...system, ids });
  rig.toX2apic(0);
  rig.told.length = 0;
  return { rig, lapic: rig.apics[0]! };
}

describe('the page', () => {
  test('IRR, ISR and TMR are eight words each, 16 bytes apart', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.request(0xff, true);
    lapic!.request(0x20);
    lapic!.ack();
    expect([
      lapic!.read(Reg.ISR + 0x70, 4),
      lapic!.read(Reg.TMR + 0x70, 4),
      lapic!.read(Reg.IRR + 0x10, 4),
    ]).toEqual([0x8000_0000, 0x8000_0000, 1]);
  });

  test('read-only registers do not change by stores', () => {
    const [lapic] = new ApicRig().apics;
    const offsets = [Reg.VERSION, Reg.PPR, Reg.TMCCT, Reg.ISR, Reg.TMR, Reg.IRR];
    const values = () => offsets.map((offset) => lapic!.read(offset, 4));
    const before = values();
    for (const offset of offsets) lapic!.write(offset, 0xffff_ffff);
    expect(values()).toEqual(before);
  });

  test('of LDR the logical ID can be written, of DFR the model', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.write(Reg.LDR, 0x1234_5678);
    lapic!.write(Reg.DFR, 0);
    expect([lapic!.read(Reg.LDR, 4), lapic!.read(Reg.DFR, 4)]).toEqual([0x1200_0000, 0x0fff_ffff]);
  });

  test('of SVR bits 9-0 can be written', () => {
    for (const system of ALL) {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.SVR, 0xffff_ffff);
      expect(lapic!.read(Reg.SVR, 4)).toBe(0x3ff);
    }
  });

  test('a part of a register can be read, not what reaches beyond it', () => {
    const [lapic] = new ApicRig({ ids: [0x12] }).apics;
    expect([lapic!.read(Reg.ID + 3, 1), lapic!.read(Reg.ID + 2, 2), lapic!.read(Reg.SVR, 2)]).toEqual([
      0x12, 0x1200, 0x1ff,
    ]);
    expect([lapic!.read(Reg.ID + 3, 2), lapic!.read(Reg.ID + 4, 4)]).toEqual([null, null]);
  });

  test('stores of less than 32 bits are dropped; Xen, whose page is memory, merges them (plainPage)', () => {
    const values = ALL.map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.LVT_LINT1, 0x431);
      lapic!.write(Reg.LVT_LINT1, 0x55, 1);
      lapic!.write(Reg.LVT_LINT1 + 2, 0x0001, 2);
      lapic!.write(Reg.LVT_LINT1 + 1, 0xffff_ffff, 4);
      lapic!.write(Reg.SELF_IPI, 1, 1);
      return lapic!.read(Reg.LVT_LINT1, 4);
    });
    expect(values).toEqual([0x431, 0x431, 0x1_0455]);
  });

  test('a narrow store reaches TDCR, but not beyond a register', () => {
    const [lapic] = new ApicRig(xen).apics;
    lapic!.write(Reg.TDCR, 0xb, 1);
    lapic!.write(Reg.TPR + 3, 0xffff, 2);
    lapic!.write(Reg.TPR, 0x20, 2);
    expect([lapic!.read(Reg.TDCR, 4), lapic!.read(Reg.TPR, 4)]).toEqual([0xb, 0x20]);
  });

  test('nothing can be read from registers that are reserved or for stores; 0 under Xen (plainPage)', () => {
    const values = ALL.map((system) => {
      const [lapic] = new ApicRig(system).apics;
      return [Reg.EOI, 0x00, Reg.LVT_CMCI, Reg.SELF_IPI, 0xff0].map((offset) => lapic!.read(offset, 4));
    });
    expect(values).toEqual([
      [null, null, null, null, null],
      [null, null, null, null, null],
      [0, 0, 0, 0, 0],
    ]);
  });

  test('disabled or in x2APIC mode nobody is there; all ones under KVM (pageHole)', () => {
    const values = ALL.map((system) => {
      const { lapic } = x2apic(system);
      const there = [lapic.read(Reg.SVR, 4)];
      lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0000, 0);
      return [...there, lapic.read(Reg.SVR, 4), lapic.read(Reg.SVR, 1)];
    });
    expect(values).toEqual([
      [null, null, null],
      [0xffff_ffff, 0xffff_ffff, 0xff],
      [null, null, null],
    ]);
  });

  test('stores are lost then', () => {
    const { lapic } = x2apic();
    lapic.write(Reg.TPR, 0x40);
    lapic.write(Reg.SVR, 0);
    expect([lapic.tpr, lapic.softwareEnabled]).toEqual([0, true]);
  });
});

describe('IA32_APIC_BASE', () => {
  const base = (lapic: LocalApic) => lapic.rdmsr(MSR_APIC_BASE);

  test('the bootstrap processor is marked', () => {
    const { apics } = new ApicRig({ cpus: 2 });
    expect(apics.map(base)).toEqual([
      [0xfee0_0900, 0],
      [0xfee0_0800, 0],
    ]);
  });

  test.each([
    ['reserved bits', 0xfee0_0801, 0],
    ['reserved bit 9', 0xfee0_0a00, 0],
    ['reserved address bits', 0xfee0_0800, 0x8000_0000],
    ['x2APIC mode without the enable bit', 0xfee0_0400, 0],
  ])('#GP for %s', (_, low, high) => {
    for (const system of ALL) {
      const [lapic] = new ApicRig(system).apics;
      expect(lapic!.wrmsr(MSR_APIC_BASE, low, high)).toBe(false);
      expect(base(lapic!)).toEqual([0xfee0_0900, 0]);
    }
  });

  test('from x2APIC mode only disabling leads back, and from disabled none leads to x2APIC mode', () => {
    for (const system of ALL) {
      const { lapic } = x2apic(system);
      expect(lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0800, 0)).toBe(false);
      expect(lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0000, 0)).toBe(true);
      expect(lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0c00, 0)).toBe(false);
      expect(lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0800, 0)).toBe(true);
      expect([lapic.x2apic, lapic.hardwareEnabled]).toEqual([false, true]);
    }
  });

  test('the page can be moved, but not under Xen (fixedPage)', () => {
    const moved = ALL.map((system) => {
      const [lapic] = new ApicRig(system).apics;
      return [lapic!.wrmsr(MSR_APIC_BASE, 0xd000_0900, 1), base(lapic!)];
    });
    expect(moved).toEqual([
      [true, [0xd000_0900, 1]],
      [true, [0xd000_0900, 1]],
      [false, [0xfee0_0900, 0]],
    ]);
  });

  test('how long an address may be differs (baseHighReserved)', () => {
    const longest = ALL.map((system) => {
      const fits = (high: number) => x2apic(system).lapic.wrmsr(MSR_APIC_BASE, 0xfee0_0c00, high);
      return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => fits((1 << bit) >>> 0)).length + 32;
    });
    expect(longest).toEqual([46, 40, 52]);
  });

  test('the bus is told of a change of mode, not of another write', () => {
    const rig = new ApicRig(kvm);
    let changes = 0;
    rig.bus.onChange = () => changes++;
    rig.apics[0]!.wrmsr(MSR_APIC_BASE, 0xfee0_0800, 0);
    rig.apics[0]!.wrmsr(MSR_APIC_BASE, 0xfed0_0900, 0);
    expect(changes).toBe(0);
    rig.apics[0]!.wrmsr(MSR_APIC_BASE, 0xfee0_0c00, 0);
    expect(changes).toBe(1);
  });
});

describe('x2APIC mode', () => {
  test('the ID is 32 bits wide and read-only, the logical ID is derived from it', () => {
    const { lapic } = x2apic(SYSTEMS.manual, [0x1_2345]);
    expect(lapic.rdmsr(msr(Reg.ID))).toEqual([0x1_2345, 0]);
    expect(lapic.rdmsr(msr(Reg.LDR))).toEqual([0x1234_0020, 0]);
    expect([msr(Reg.ID), msr(Reg.LDR)].map((n) => lapic.wrmsr(n, 0, 0))).toEqual([false, false]);
  });

  test('MSRs are #GP in xAPIC mode', () => {
    const [lapic] = new ApicRig().apics;
    expect([lapic!.rdmsr(msr(Reg.TPR)), lapic!.wrmsr(msr(Reg.TPR), 0, 0)]).toEqual([undefined, false]);
  });

  test.each([
    ['DFR', Reg.DFR],
    ['ICR2', Reg.ICR2],
    ['APR', Reg.APR],
    ['a reserved register', 0x40],
    ['an offset beyond the page of xAPIC mode', 0x400],
  ])('there is no %s', (_, offset) => {
    const { lapic } = x2apic();
    expect([lapic.rdmsr(msr(offset)), lapic.wrmsr(msr(offset), 0, 0)]).toEqual([undefined, false]);
  });

  test('EOI and self-IPI cannot be read, PPR and maps not written', () => {
    const { lapic } = x2apic();
    expect([Reg.EOI, Reg.SELF_IPI].map((offset) => lapic.rdmsr(msr(offset)))).toEqual([undefined, undefined]);
    expect([Reg.PPR, Reg.ISR, Reg.TMCCT].map((offset) => lapic.wrmsr(msr(offset), 0, 0))).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('the ICR is one register of 64 bits, sent by one write', () => {
    const { rig, lapic } = x2apic(SYSTEMS.manual, [0, 1]);
    rig.toX2apic(1);
    expect(lapic.wrmsr(msr(Reg.ICR), icr(0xe1), 1)).toBe(true);
    expect([lapic.rdmsr(msr(Reg.ICR)), rig.requested]).toEqual([
      [icr(0xe1), 1],
      [[], [0xe1]],
    ]);
  });

  test('#GP for reserved bits of the ICR, everywhere', () => {
    for (const system of ALL) {
      const { lapic } = x2apic(system);
      for (const bit of [13, 16, 17, 20, 31]) {
        expect(lapic.wrmsr(msr(Reg.ICR), (icr(0xe1) | (1 << bit)) >>> 0, 0)).toBe(false);
      }
      expect(lapic.irr.empty).toBe(true);
    }
  });

  test.each([
    ['TPR', Reg.TPR, 0x100],
    ['EOI', Reg.EOI, 1],
    ['SVR', Reg.SVR, 0x5ff],
    ['ICR, delivery status', Reg.ICR, 0x10fd | (1 << 18)],
    ['TDCR', Reg.TDCR, 4],
    ['the timer', Reg.LVT_TIMER, 0x1_0800],
    ['LINT0', Reg.LVT_LINT0, 0x3_0000],
    ['LVTERR', Reg.LVT_ERROR, 0x1_0700],
  ])('#GP for reserved bits of %s, which KVM ignores (reservedFaults)', (_, offset, low) => {
    expect(ALL.map((system) => x2apic(system).lapic.wrmsr(msr(offset), low, 0))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('#GP for an ESR that is not 0, and for upper halves', () => {
    for (const system of ALL) {
      const { lapic } = x2apic(system);
      expect(lapic.wrmsr(msr(Reg.ESR), 1, 0)).toBe(false);
      expect(lapic.wrmsr(msr(Reg.ESR), 0, 0)).toBe(true);
      expect(lapic.wrmsr(msr(Reg.TPR), 0, 1)).toBe(false);
    }
  });

  test("TMICT's upper half is ignored by Xen (wideTmict)", () => {
    expect(ALL.map((system) => x2apic(system).lapic.wrmsr(msr(Reg.TMICT), 5, 1))).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('Xen lets CMCI be used as an MSR without there being one (hollowCmci)', () => {
    const uses = ALL.map((system) => {
      const { lapic } = x2apic(system);
      const written = lapic.wrmsr(msr(Reg.LVT_CMCI), 0x31, 0);
      return [written, lapic.rdmsr(msr(Reg.LVT_CMCI))];
    });
    expect(uses).toEqual([
      [false, undefined],
      [false, undefined],
      [true, [0, 0]],
    ]);
  });

  test('a self-IPI requests its vector here; Xen shows it in the ICR (selfIpiInIcr)', () => {
    const results = ALL.map((system) => {
      const { lapic } = x2apic(system, [5]);
      expect(lapic.wrmsr(msr(Reg.SELF_IPI), 0x1e1, 0)).toBe(false);
      lapic.wrmsr(msr(Reg.SELF_IPI), 0xe1, 0);
      return [lapic.irr.members(), lapic.rdmsr(msr(Reg.ICR))?.[0]];
    });
    expect(results).toEqual([
      [[0xe1], 0],
      [[0xe1], 0],
      [[0xe1], (Shorthand.SELF << 18) | 0xe1],
    ]);
  });

  test("the ICR's upper half is the word of ICR2 under Xen (icrUpperIsIcr2)", () => {
    const upper = [kvm, xen].map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.ICR2, 0x0700_0000);
      lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0d00, 0);
      return lapic!.rdmsr(msr(Reg.ICR))?.[1];
    });
    expect(upper).toEqual([0, 0x0700_0000]);
  });

  test('EOI by MSR', () => {
    const { rig, lapic } = x2apic();
    lapic.accept(Mode.FIXED, 0x31, true, true);
    lapic.ack();
    expect([lapic.wrmsr(msr(Reg.EOI), 0, 0), rig.eois]).toEqual([true, ['0x31 level']]);
  });
});

test('IA32_TSC_DEADLINE can be written in every mode, and reads 0 outside its own', () => {
  const [lapic] = new ApicRig().apics;
  expect(lapic!.wrmsr(MSR_TSC_DEADLINE, 1000, 0)).toBe(true);
  expect(lapic!.rdmsr(MSR_TSC_DEADLINE)).toEqual([0, 0]);
});

test('other MSRs are not its own', () => {
  const { lapic } = x2apic();
  expect([lapic.rdmsr(0x10), lapic.wrmsr(0x10, 0, 0), lapic.rdmsr(0x900)]).toEqual([
    undefined,
    false,
    undefined,
  ]);
});
