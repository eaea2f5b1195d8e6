/** The virtual interface: list registers and what a guest does with them, by the registers of both GIC versions. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ICC } from '../../../engine/hw/arm/gic-regs.ts';
import { Gich } from '../../../engine/hw/arm/gich.ts';
import { readGich, readGicv, writeGich, writeGicv } from '../../../engine/hw/arm/gich-regs.ts';
import { Ich } from '../../../engine/hw/arm/ich.ts';
import { readIcv, writeIcv } from '../../../engine/hw/arm/ich-regs.ts';
import { VirtualInterface } from '../../../engine/hw/arm/virtual-interface.ts';
import {
  GICV2_VIRTUAL,
  GICV3_VIRTUAL,
  VECTORS_GICV2_VIRTUAL,
  VECTORS_GICV3_VIRTUAL,
  type VirtualInterfaceOptions,
} from '../../../engine/hw/arm/virtual-options.ts';
import * as regs from '../../../engine/hw/arm/virtual-regs.ts';

/** as Linux leaves VMCR of a guest: its group on, mask 0xf0 */
const VMCR_V2 = 0xf04c_0001;
const VMCR_V3 = 0xf04c_000a;

class Rig {
  readonly core: VirtualInterface;
  readonly gich: Gich;
  readonly ich: Ich;
  changes = 0;
  readonly deactivated: number[] = [];
  /** levels of the maintenance interrupt, as they came */
  readonly maintenance: boolean[] = [];

  constructor(options: VirtualInterfaceOptions) {
    this.core = new VirtualInterface('cpu0', options, {
      changed: () => this.changes++,
      deactivate: (pirq) => this.deactivated.push(pirq),
      maintenance: (level) => this.maintenance.push(level),
    });
    this.gich = new Gich(this.core);
    this.ich = new Ich(this.core);
  }
}

let v2: Rig;
let v3: Rig;
beforeEach(() => {
  v2 = new Rig(GICV2_VIRTUAL);
  v2.gich.writeVmcr(VMCR_V2);
  v2.gich.writeHcr(regs.HCR_EN);
  v3 = new Rig(GICV3_VIRTUAL);
  v3.ich.writeVmcr(VMCR_V3);
  v3.ich.writeHcr(regs.HCR_EN);
});

/** GICv2, group 0 */
function lr2(irq: number, priority = 0xa0, pirq = -1): number {
  const hw = pirq < 0 ? 0 : (1 << 31) | (pirq << 10);
  return (1 << 28) | ((priority >> 3) << 23) | hw | irq;
}

/** GICv3, group 1, upper half */
function lr3(priority = 0xa0, pirq = -1): number {
  return (1 << 30) | regs.LR_GROUP1 | (priority << 16) | (pirq < 0 ? 0 : regs.LR_HW | pirq);
}

const hex = (value: number) => (value >>> 0).toString(16);

describe('list registers', () => {
  /** the same in both layouts, as real machines had them */
  const SAME: [v2: number, high: number, low: number][] = [
    [0x1a00001b, 0x40a00000, 0x1b],
    [0x2a00001b, 0x80a00000, 0x1b],
    [0x3a00001b, 0xc0a00000, 0x1b],
    [0x9a009024, 0x60a00024, 0x24],
    [0xaa009024, 0xa0a00024, 0x24],
    [0x8a008822, 0x20a00022, 0x22],
    [0x9a01384e, 0x60a0004e, 0x4e],
    [0x5a000001, 0x50a00000, 0x01],
    [0x1a080028, 0x40a00200, 0x28],
    [0x1a001401, 0x40a00000, 0x1401],
    [0, 0, 0],
  ];
  test.each(SAME)('%o is the same in both layouts', (value, high, low) => {
    v2.gich.writeLr(0, value | 0);
    expect([hex(v2.core.lrHigh[0]!), v2.core.lrLow[0]]).toEqual([hex(high), low]);
    expect(hex(v2.gich.readLr(0))).toBe(hex(value));
  });

  test('reserved bits and priority bits that are not implemented read 0', () => {
    v2.gich.writeLr(0, -1);
    expect(hex(v2.gich.readLr(0))).toBe('ff8fffff');
    v2.gich.writeLr(0, 0x7fff_ffff);
    expect(hex(v2.gich.readLr(0))).toBe('7f881fff');
    v3.ich.writeLr(0, -1, -1);
    expect([hex(v3.ich.readLr(0)), hex(v3.core.lrLow[0]!)]).toEqual(['f0f81fff', 'ffffffff']);
    v3.ich.writeLr(0, ~regs.LR_HW, -1);
    expect(hex(v3.ich.readLr(0))).toBe('d0f80200');
  });

  test('ELRSR has those that are free; one that wants its EOI told is not yet', () => {
    expect(v3.ich.elrsr).toBe(0b1111);
    v3.ich.writeLr(1, lr3(), 40);
    v3.ich.writeLr(2, regs.LR_GROUP1 | regs.LR_EOI, 41);
    v3.ich.writeLr(3, regs.LR_GROUP1 | regs.LR_HW | regs.LR_EOI, 42);
    expect(v3.ich.elrsr).toBe(0b1001);
  });

  test('VTR tells how many there are, and five priority bits', () => {
    expect(hex(v2.gich.vtr)).toBe('90000003');
    expect(hex(v3.ich.vtr)).toBe('90b00003');
    expect(new Rig({ ...GICV3_VIRTUAL, lrs: 16 }).ich.vtr & 0x1f).toBe(15);
  });
});

describe('acknowledgement', () => {
  test('nothing pending is spurious', () => {
    expect([v2.gich.iar(), v3.ich.iar(1)]).toEqual([1023, 1023]);
    expect([v2.core.virq, v2.core.vfiq]).toEqual([false, false]);
  });

  test('the most urgent comes first, of equals the first list register', () => {
    for (const [n, priority] of [0xa0, 0x80, 0x80, 0x90].entries()) {
      v2.gich.writeLr(n, lr2(40 + n, priority));
      v3.ich.writeLr(n, lr3(priority), 40 + n);
    }
    expect([v2.gich.iar(), v3.ich.iar(1)]).toEqual([41, 41]);
    // its equal does not preempt it
    expect([v2.gich.iar(), v3.ich.iar(1)]).toEqual([1023, 1023]);
    expect([v2.gich.hppir(), v3.ich.hppir(1)]).toEqual([42, 42]);
    v2.gich.eoir(41);
    v3.ich.eoir(1, 41);
    expect([v2.gich.iar(), v3.ich.iar(1)]).toEqual([42, 42]);
  });

  test('makes it active, and its priority running', () => {
    v2.gich.writeLr(1, lr2(40, 0x60));
    expect(v2.core.virq).toBe(true);
    expect(v2.gich.readRpr()).toBe(0xff);
    expect(v2.gich.iar()).toBe(40);
    expect(v2.core.virq).toBe(false);
    expect(v2.gich.readRpr()).toBe(0x60);
    expect(hex(v2.gich.readLr(1))).toBe('26000028');
    expect(v2.gich.readApr()).toBe(1 << 12);
    v3.ich.writeLr(1, lr3(0x60), 40);
    expect(v3.ich.iar(1)).toBe(40);
    expect([v3.ich.readAp0(), v3.ich.readAp1()]).toEqual([0, 1 << 12]);
    expect(hex(v3.ich.readLr(1))).toBe('90600000');
  });

  test('a more urgent one preempts', () => {
    v3.ich.writeLr(0, lr3(0x60), 40);
    v3.ich.iar(1);
    v3.ich.writeLr(1, lr3(0x58), 41);
    expect(v3.core.virq).toBe(true);
    expect(v3.ich.iar(1)).toBe(41);
    expect(v3.ich.readRpr()).toBe(0x58);
  });

  test.each([
    [0x58, 0x60, true],
    [0x60, 0x60, false],
    [0x68, 0x60, false],
    [0xf8, 0xf8, false],
    [0, 0, false],
  ])('priority %o under a mask of %o: %o', (priority, mask, taken) => {
    v2.gich.writePmr(mask);
    v2.gich.writeLr(0, lr2(40, priority));
    expect(v2.core.virq).toBe(taken);
    expect(v2.gich.hppir()).toBe(40);
    expect(v2.gich.iar()).toBe(taken ? 40 : 1023);
  });

  test('pending and active is not taken again before its EOI', () => {
    v2.gich.writeLr(0, lr2(27));
    v2.gich.iar();
    v2.gich.writeLr(0, 0x3a00_001b);
    expect(v2.gich.iar()).toBe(1023);
    v2.gich.eoir(27);
    expect(hex(v2.gich.readLr(0))).toBe('1a00001b');
    expect(v2.gich.iar()).toBe(27);
  });

  test('nothing comes while the interface is off', () => {
    v3.ich.writeLr(0, lr3(), 40);
    v3.ich.writeHcr(0);
    expect([v3.core.virq, v3.ich.iar(1)]).toEqual([false, 1023]);
    v3.ich.writeHcr(regs.HCR_EN);
    expect(v3.ich.iar(1)).toBe(40);
  });

  test('nothing comes of a group that is off, and it does not hide another', () => {
    v3.ich.writeLr(0, lr3(0x20) & ~regs.LR_GROUP1, 40);
    v3.ich.writeLr(1, lr3(0x40), 41);
    expect(v3.ich.hppir(1)).toBe(41);
    v3.ich.writeIgrpen(0, 1);
    // now it does
    expect([v3.ich.hppir(0), v3.ich.hppir(1), v3.ich.iar(1)]).toEqual([40, 1023, 1023]);
    expect(v3.ich.iar(0)).toBe(40);
    expect([v3.ich.readAp0(), v3.ich.readAp1()]).toEqual([1 << 4, 0]);
    // nor what is active in it
    expect(v3.ich.iar(1)).toBe(1023);
  });

  test('group 0 is a FIQ where FIQEn says so: always in GICv3', () => {
    v3.ich.writeIgrpen(0, 1);
    v3.ich.writeLr(0, lr3() & ~regs.LR_GROUP1, 40);
    expect([v3.core.virq, v3.core.vfiq]).toEqual([false, true]);
    v2.gich.writeLr(0, lr2(40));
    expect([v2.core.virq, v2.core.vfiq]).toEqual([true, false]);
    v2.gich.writeCtlr(v2.gich.readCtlr() | regs.VMCR_FIQEN);
    expect([v2.core.virq, v2.core.vfiq]).toEqual([false, true]);
  });

  test('GICv2: group 1 by IAR only with AckCtl, by AIAR always', () => {
    v2.gich.writeCtlr(regs.VMCR_ENG0 | regs.VMCR_ENG1);
    v2.gich.writeLr(0, lr2(40) | (1 << 30));
    expect([v2.gich.iar(), v2.gich.hppir(), v2.gich.ahppir()]).toEqual([1022, 1022, 40]);
    v2.gich.writeCtlr(regs.VMCR_ENG0 | regs.VMCR_ENG1 | regs.VMCR_ACKCTL);
    expect([v2.gich.hppir(), v2.gich.iar()]).toEqual([40, 40]);
    v2.gich.eoir(40);
    v2.gich.writeLr(0, lr2(41) | (1 << 30));
    expect(v2.gich.aiar()).toBe(41);
    v2.gich.aeoir(41);
    v2.gich.writeLr(0, lr2(42));
    expect([v2.gich.aiar(), v2.gich.ahppir(), v2.gich.iar()]).toEqual([1023, 1023, 42]);
  });

  test('GICv2: an SGI tells who asked for it, and its EOI must', () => {
    v2.gich.writeLr(0, lr2(1) | (2 << 10));
    v2.gich.writeLr(1, lr2(1) | (3 << 10));
    expect(v2.gich.iar()).toBe(0x801);
    v2.gich.eoir(0x801);
    expect(v2.gich.iar()).toBe(0xc01);
    v2.gich.writeLr(0, 0x2a00_0801);
    v2.gich.eoir(0xc01);
    expect([hex(v2.gich.readLr(0)), hex(v2.gich.readLr(1))]).toEqual(['2a000801', 'a000c01']);
  });
});

describe('binary points', () => {
  test('are the least after a reset', () => {
    expect(hex(new Rig(GICV2_VIRTUAL).core.vmcr)).toBe('4c0000');
    expect(hex(new Rig(GICV3_VIRTUAL).core.vmcr)).toBe('4c0008');
  });

  test('less than the least there is becomes that', () => {
    v2.gich.writeVmcr(0);
    expect(hex(v2.gich.readVmcr())).toBe('4c0000');
    v3.ich.writeVmcr(0);
    expect(hex(v3.ich.readVmcr())).toBe('4c0008');
    v3.ich.writeVmcr(-1);
    expect(hex(v3.ich.readVmcr())).toBe('f8fc021b');
    v2.gich.writeVmcr(-1);
    expect(hex(v2.gich.readVmcr())).toBe('f8fc021f');
    v2.gich.writeBpr(1);
    v2.gich.writeAbpr(1);
    expect([v2.gich.readBpr(), v2.gich.readAbpr()]).toEqual([2, 3]);
  });

  test('only the group priority preempts, and is active', () => {
    v3.ich.writeBpr(1, 5); // bits 7 to 5
    v3.ich.writeLr(0, lr3(0x78), 40);
    expect(v3.ich.iar(1)).toBe(40);
    expect([v3.ich.readAp1(), v3.ich.readRpr()]).toEqual([1 << 12, 0x60]);
    v3.ich.writeLr(1, lr3(0x68), 41);
    expect(v3.ich.iar(1)).toBe(1023);
    v3.ich.writeLr(2, lr3(0x58), 42);
    expect(v3.ich.iar(1)).toBe(42);
    v3.ich.eoir(1, 42);
    v3.ich.eoir(1, 40);
    expect(v3.ich.readLr(0) & regs.LR_STATE).toBe(0);
    expect(v3.ich.iar(1)).toBe(41);
  });

  test('group 0 has its own, and with CBPR group 1 has it too', () => {
    v3.ich.writeBpr(0, 6);
    expect(v3.ich.readBpr(1)).toBe(3);
    v3.ich.writeCtlr(1);
    expect([v3.ich.readCtlr(), v3.ich.readBpr(1)]).toEqual([0x8c01, 7]);
    v3.ich.writeBpr(0, 7);
    expect(v3.ich.readBpr(1)).toBe(7);
    v3.ich.writeBpr(0, 4);
    v3.ich.writeBpr(1, 7);
    expect([v3.ich.readBpr(0), v3.ich.readBpr(1)]).toEqual([4, 5]);
    v3.ich.writeLr(0, lr3(0x78), 40);
    v3.ich.iar(1);
    expect(v3.ich.readRpr()).toBe(0x60);
    v3.ich.writeCtlr(0);
    expect([v3.ich.readCtlr(), v3.ich.readBpr(1)]).toEqual([0x8c00, 3]);
  });

  test('group 0 goes by its own', () => {
    v2.gich.writeBpr(6); // bit 7
    v2.gich.writeLr(0, lr2(40, 0x78));
    v2.gich.iar();
    expect(v2.gich.readApr()).toBe(1);
    v2.gich.writeLr(1, lr2(41, 0x08));
    expect(v2.gich.iar()).toBe(1023);
  });
});

describe('EOI', () => {
  test('frees the list register, and deactivates the physical interrupt behind it', () => {
    v2.gich.writeLr(0, lr2(36, 0xa0, 136));
    v2.gich.iar();
    expect(v2.deactivated).toEqual([]);
    v2.gich.eoir(36);
    expect(hex(v2.gich.readLr(0))).toBe('8a022024');
    expect([v2.deactivated, v2.gich.readApr()]).toEqual([[136], 0]);
  });

  test('of what is not active does nothing when nothing is', () => {
    v3.ich.writeLr(0, lr3(0xa0, 36), 36);
    v3.ich.writeHcr(regs.HCR_EN | regs.HCR_LRENPIE);
    v3.ich.eoir(1, 36);
    v3.ich.eoir(1, 99);
    expect([v3.deactivated, hex(v3.ich.readLr(0)), hex(v3.ich.readHcr())]).toEqual([[], '70a00024', '5']);
  });

  test.each([1020, 1022, 1023])('of the special id %o does nothing', (id) => {
    v2.gich.writeLr(0, lr2(40));
    v2.gich.iar();
    v2.gich.eoir(id);
    expect(v2.gich.readRpr()).toBe(0xa0);
    v3.ich.writeLr(0, lr3(), 40);
    v3.ich.iar(1);
    v3.ich.eoir(1, id);
    expect(v3.ich.readRpr()).toBe(0xa0);
  });

  test('in the wrong order: GICv2 goes by the id, GICv3 by the priority that is dropped', () => {
    for (const [rig, write, take, end] of [
      [v2, () => v2.gich.writeLr(1, lr2(41, 0x60)), () => v2.gich.iar(), () => v2.gich.eoir(40)],
      [v3, () => v3.ich.writeLr(1, lr3(0x60), 41), () => v3.ich.iar(1), () => v3.ich.eoir(1, 40)],
    ] as const) {
      if (rig === v2) v2.gich.writeLr(0, lr2(40, 0xa0));
      else v3.ich.writeLr(0, lr3(0xa0), 40);
      take();
      write();
      expect(take()).toBe(41);
      end();
      expect(rig.core.runningPriority).toBe(0xa0);
    }
    expect([v2.core.lrHigh[0]! & regs.LR_STATE, v3.core.lrHigh[0]! & regs.LR_STATE]).toEqual([
      0,
      regs.LR_ACTIVE,
    ]);
  });

  test('in GICv3 of the other group deactivates nothing', () => {
    v3.ich.writeLr(0, lr3(), 40);
    v3.ich.iar(1);
    v3.ich.eoir(0, 40);
    expect([v3.ich.readAp1(), v3.ich.readLr(0) & regs.LR_STATE]).toEqual([0, regs.LR_ACTIVE]);
  });

  test('takes the highest active priority of both groups', () => {
    v3.ich.writeAp0(1 << 5);
    v3.ich.writeAp1(1 << 4);
    v3.ich.eoir(1, 40);
    expect([v3.ich.readAp0(), v3.ich.readAp1()]).toEqual([1 << 5, 0]);
    v3.ich.eoir(1, 40);
    expect(v3.ich.readAp0()).toBe(0);
    v3.ich.writeAp1(0x8000_0000);
    expect([v3.ich.readAp1(), v3.ich.readRpr()]).toEqual([0x8000_0000, 0xf8]);
    v3.ich.eoir(1, 40);
    expect(v3.ich.readAp1()).toBe(0);
  });

  test('without a list register is counted in HCR, from 31 on to 0', () => {
    for (let i = 1; i <= 32; i++) {
      v2.gich.writeApr(1);
      v2.gich.eoir(99);
      expect(v2.gich.readHcr() >>> 27).toBe(i & 31);
    }
    expect(v2.gich.readHcr()).toBe(regs.HCR_EN);
  });

  test('with EOImode only drops the priority; DIR deactivates', () => {
    v3.ich.writeCtlr(2);
    expect(v3.ich.readCtlr() & 2).toBe(2);
    v3.ich.writeLr(0, lr3(0xa0, 36), 36);
    v3.ich.iar(1);
    v3.ich.eoir(1, 36);
    expect([v3.ich.readRpr(), v3.deactivated, v3.ich.readHcr()]).toEqual([0xff, [], regs.HCR_EN]);
    v3.ich.dir(36);
    expect([v3.deactivated, v3.ich.readLr(0) & regs.LR_STATE]).toEqual([[36], 0]);
    v3.ich.dir(36);
    expect(v3.ich.readHcr() >>> 27).toBe(1);
  });

  test('DIR without EOImode does nothing', () => {
    v2.gich.writeLr(0, lr2(36, 0xa0, 36));
    v2.gich.iar();
    v2.gich.dir(36);
    expect([v2.deactivated, hex(v2.gich.readLr(0)), v2.gich.readHcr()]).toEqual([[], 'aa009024', 1]);
    v2.gich.writeCtlr(v2.gich.readCtlr() | regs.VMCR_EOIM);
    v2.gich.dir(36);
    expect(v2.deactivated).toEqual([36]);
  });
});

describe('maintenance', () => {
  test('UIE: when no more than one list register is in use', () => {
    v3.ich.writeLr(0, lr3(), 40);
    v3.ich.writeLr(1, lr3(0x60), 41);
    v3.ich.writeHcr(regs.HCR_EN | regs.HCR_UIE);
    expect([v3.ich.misr, v3.maintenance]).toEqual([0, []]);
    v3.ich.iar(1);
    expect(v3.maintenance).toEqual([]);
    v3.ich.eoir(1, 41);
    expect([v3.ich.misr, v3.maintenance]).toEqual([regs.MISR_U, [true]]);
    v3.ich.writeHcr(regs.HCR_EN);
    expect([v3.ich.misr, v3.maintenance]).toEqual([0, [true, false]]);
  });

  test('NPIE: when nothing is pending, even if something is active', () => {
    v2.gich.writeLr(0, lr2(40));
    v2.gich.writeHcr(regs.HCR_EN | regs.HCR_NPIE);
    expect(v2.core.misr).toBe(0);
    v2.gich.iar();
    expect([v2.core.misr, v2.maintenance]).toEqual([regs.MISR_NP, [true]]);
  });

  test('LRENPIE: when an EOI found no list register', () => {
    v2.gich.writeHcr(regs.HCR_EN | regs.HCR_LRENPIE);
    v2.gich.writeApr(1);
    v2.gich.eoir(99);
    expect([v2.core.misr, v2.maintenance]).toEqual([regs.MISR_LRENP, [true]]);
    v2.gich.writeHcr(regs.HCR_EN | regs.HCR_LRENPIE);
    expect([v2.core.misr, v2.maintenance]).toEqual([0, [true, false]]);
  });

  test('EOI: of a list register that asks for it; not of a physical interrupt', () => {
    v2.gich.writeLr(0, lr2(40) | (1 << 19));
    v2.gich.writeLr(1, lr2(41, 0xa0, 0x200));
    v2.gich.iar();
    v2.gich.eoir(40);
    expect([v2.core.misr, v2.core.eisr, v2.maintenance]).toEqual([regs.MISR_EOI, 1, [true]]);
    v2.gich.iar();
    v2.gich.eoir(41);
    expect(v2.core.eisr).toBe(1);
    v2.gich.writeLr(0, 0);
    expect([v2.core.misr, v2.maintenance]).toEqual([0, [true, false]]);
  });

  test.each([
    [regs.HCR_VGRP0EIE, regs.MISR_VGRP0E, 0, 1],
    [regs.HCR_VGRP0DIE, regs.MISR_VGRP0D, 0, 0],
    [regs.HCR_VGRP1EIE, regs.MISR_VGRP1E, 1, 1],
    [regs.HCR_VGRP1DIE, regs.MISR_VGRP1D, 1, 0],
  ] as const)('HCR %o: MISR %o when group %o is %o', (hcr, misr, group, on) => {
    v3.ich.writeIgrpen(0, group === 0 ? 1 - on : on);
    v3.ich.writeIgrpen(1, group === 1 ? 1 - on : on);
    v3.ich.writeHcr(regs.HCR_EN | hcr);
    expect([v3.ich.misr, v3.maintenance]).toEqual([0, []]);
    v3.ich.writeIgrpen(group, on);
    expect(v3.ich.readIgrpen(group)).toBe(on);
    expect([v3.ich.misr, v3.maintenance]).toEqual([misr, [true]]);
  });

  test('none while the interface is off', () => {
    v3.ich.writeHcr(regs.HCR_UIE);
    expect([v3.ich.misr, v3.maintenance]).toEqual([regs.MISR_U, []]);
    v3.ich.writeHcr(regs.HCR_UIE | regs.HCR_EN);
    v3.ich.writeHcr(0);
    expect(v3.maintenance).toEqual([true, false]);
  });
});

describe('whoever drives the line', () => {
  test('is told whenever it may have changed', () => {
    const told = (act: () => void): boolean => {
      const { changes } = v2;
      act();
      return v2.changes > changes;
    };
    expect(told(() => v2.gich.writeLr(0, lr2(40)))).toBe(true);
    expect(told(() => v2.gich.iar())).toBe(true);
    expect(told(() => v2.gich.iar())).toBe(false);
    expect(told(() => v2.gich.eoir(40))).toBe(true);
    expect(told(() => v2.gich.writePmr(0))).toBe(true);
    expect(told(() => v2.gich.writeApr(0))).toBe(true);
    expect(told(() => v2.gich.writeHcr(0))).toBe(true);
    expect(told(() => v2.gich.writeVmcr(0))).toBe(true);
    expect(told(() => v2.gich.readLr(0))).toBe(false);
  });
});

describe('registers by address and number', () => {
  test('GICH', () => {
    const { gich } = v2;
    writeGich(gich, 0x104, lr2(41, 0xa0, 41) >>> 0);
    expect(hex(readGich(gich, 0x104))).toBe('9a00a429');
    writeGich(gich, 0x110, 1); // there are four
    expect([readGich(gich, 0x110), readGich(gich, 0x100)]).toEqual([0, 0]);
    writeGich(gich, 0x00, 3);
    writeGich(gich, 0x08, 0xf04c_0001);
    writeGich(gich, 0xf0, 0x8000_0000);
    expect([0x00, 0x08, 0xf0].map((at) => hex(readGich(gich, at)))).toEqual(['3', 'f04c0001', '80000000']);
    writeGich(gich, 0x10, 0); // read-only
    expect([0x04, 0x10, 0x20, 0x30].map((at) => hex(readGich(gich, at)))).toEqual([
      '90000003',
      '2',
      '0',
      'd',
    ]);
    expect(readGich(gich, 0x0c)).toBe(0);
  });

  test('GICV', () => {
    const { gich } = v2;
    const write = (at: number, value: number) => writeGicv(gich, at, value);
    const read = (at: number) => readGicv(gich, at);
    write(0x00, 0x207);
    write(0x04, 0xff);
    write(0x08, 3);
    write(0x1c, 4);
    expect([0x00, 0x04, 0x08, 0x1c].map(read)).toEqual([0x207, 0xf8, 3, 4]);
    write(0x00, 1);
    gich.writeLr(0, lr2(40));
    expect([read(0x18), read(0x28), read(0x20), read(0x0c), read(0x14)]).toEqual([40, 1023, 1023, 40, 0xa0]);
    expect(read(0xd0)).toBe(1 << 20);
    write(0x10, 40);
    expect(read(0x14)).toBe(0xff);
    write(0xd0, 1);
    write(0x24, 40);
    expect(read(0xd0)).toBe(0);
    expect([hex(read(0xfc)), read(0x1000), read(0x44)]).toEqual(['2043b', 0, 0]);
    write(0x00, 0x201);
    gich.writeLr(0, 0x2a00_0028);
    write(0x1000, 40);
    expect(gich.readLr(0) & (3 << 28)).toBe(0);
  });

  test('ICC, as a guest names them', () => {
    const { ich } = v3;
    const write = (register: number, value: number) => expect(writeIcv(ich, register, value)).toBe(true);
    const read = (register: number) => readIcv(ich, register);
    write(ICC.PMR_EL1, 0xff);
    write(ICC.BPR0_EL1, 4);
    write(ICC.BPR1_EL1, 5);
    write(ICC.IGRPEN0_EL1, 1);
    write(ICC.IGRPEN1_EL1, 0);
    write(ICC.CTLR_EL1, 2);
    expect([ICC.PMR_EL1, ICC.BPR0_EL1, ICC.BPR1_EL1].map(read)).toEqual([0xf8, 4, 5]);
    expect([ICC.IGRPEN0_EL1, ICC.IGRPEN1_EL1, ICC.CTLR_EL1].map(read)).toEqual([1, 0, 0x8c02]);
    write(ICC.IGRPEN1_EL1, 1);
    ich.writeLr(0, lr3(), 40);
    ich.writeLr(1, lr3(0x20) & ~regs.LR_GROUP1, 41);
    expect([ICC.HPPIR0_EL1, ICC.HPPIR1_EL1, ICC.IAR1_EL1, ICC.IAR0_EL1].map(read)).toEqual([
      41, 1023, 1023, 41,
    ]);
    expect([ICC.RPR_EL1, ICC.AP0R0_EL1, ICC.AP1R0_EL1].map(read)).toEqual([0x20, 1 << 4, 0]);
    write(ICC.EOIR0_EL1, 41);
    write(ICC.DIR_EL1, 41);
    expect(ich.readLr(1) & regs.LR_STATE).toBe(0);
    expect(read(ICC.IAR1_EL1)).toBe(40);
    write(ICC.EOIR1_EL1, 40);
    expect(read(ICC.RPR_EL1)).toBe(0xff);
    write(ICC.AP0R0_EL1, 2);
    write(ICC.AP1R0_EL1, 1);
    expect([ICC.AP0R0_EL1, ICC.AP1R0_EL1].map(read)).toEqual([2, 1]);
    expect(readIcv(ich, ICC.EOIR1_EL1)).toBeUndefined();
    expect([ICC.SGI1R_EL1, ICC.IAR1_EL1].map((register) => writeIcv(ich, register, 0))).toEqual([
      false,
      false,
    ]);
  });
});

test('every access of hypervisor and guest is traced by its name', () => {
  const lines: string[] = [];
  const trace = (register: string, write: boolean, low: number, high: number) =>
    lines.push(`${register} ${write ? 'write' : 'read'} ${hex(high)}:${hex(low)}`);
  v2.gich.trace = trace;
  v2.gich.writeLr(0, lr2(36, 0xa0, 36));
  v2.gich.iar();
  v2.gich.readLr(0);
  v2.gich.readHcr();
  v2.gich.writeHcr(0x8000_0001);
  v2.gich.eoir(36);
  v2.gich.dir(36);
  v2.gich.readApr();
  v2.gich.writeApr(1);
  v2.gich.readVmcr();
  v2.gich.writeVmcr(VMCR_V2);
  v2.gich.aiar();
  v2.gich.aeoir(1);
  v3.ich.trace = trace;
  v3.ich.writeLr(3, lr3(0xa0, 36), 36);
  v3.ich.iar(1);
  v3.ich.iar(0);
  v3.ich.readLr(3);
  v3.ich.eoir(1, 36);
  v3.ich.eoir(0, 36);
  v3.ich.dir(36);
  v3.ich.readHcr();
  v3.ich.writeHcr(1);
  v3.ich.readVmcr();
  v3.ich.writeVmcr(VMCR_V3);
  v3.ich.readAp0();
  v3.ich.readAp1();
  v3.ich.writeAp0(1);
  v3.ich.writeAp1(2);
  expect(lines).toEqual([
    ...['GICH_LR0 write 0:9a009024', 'GICV_IAR read 0:24', 'GICH_LR0 read 0:aa009024', 'GICH_HCR read 0:1'],
    ...['GICH_HCR write 0:80000001', 'GICV_EOIR write 0:24', 'GICV_DIR write 0:24', 'GICH_APR read 0:0'],
    ...['GICH_APR write 0:1', 'GICH_VMCR read 0:f04c0001', 'GICH_VMCR write 0:f04c0001'],
    ...['GICV_AIAR read 0:3ff', 'GICV_AEOIR write 0:1'],
    ...['ICH_LR3_EL2 write 70a00024:24', 'ICV_IAR1_EL1 read 0:24', 'ICV_IAR0_EL1 read 0:3ff'],
    ...['ICH_LR3_EL2 read b0a00024:24', 'ICV_EOIR1_EL1 write 0:24', 'ICV_EOIR0_EL1 write 0:24'],
    ...['ICV_DIR_EL1 write 0:24', 'ICH_HCR_EL2 read 0:1', 'ICH_HCR_EL2 write 0:1'],
    ...['ICH_VMCR_EL2 read 0:f04c000a', 'ICH_VMCR_EL2 write 0:f04c000a'],
    ...[
      'ICH_AP0R0_EL2 read 0:0',
      'ICH_AP1R0_EL2 read 0:0',
      'ICH_AP0R0_EL2 write 0:1',
      'ICH_AP1R0_EL2 write 0:2',
    ],
  ]);
});

describe('saved and restored', () => {
  test('it goes on as it would have', () => {
    v3.ich.writeBpr(1, 5);
    v3.ich.writeLr(0, lr3(0x60, 36), 36);
    v3.ich.writeLr(1, lr3(0x40) | regs.LR_EOI, 40);
    v3.ich.iar(1);
    v3.ich.eoir(1, 40);
    v3.ich.iar(1);
    v3.ich.writeHcr(regs.HCR_EN | regs.HCR_NPIE);
    expect(v3.maintenance).toEqual([true]);
    const saved = JSON.parse(JSON.stringify(v3.core.save()));
    const again = new Rig(GICV3_VIRTUAL);
    again.core.restore(saved);
    expect(again.core.save()).toEqual(saved);
    expect([again.changes, again.maintenance]).toEqual([0, []]);
    for (const rig of [v3, again]) {
      rig.ich.writeLr(2, lr3(0x68), 42); // of the same group priority as what is active
      expect([rig.ich.iar(1), rig.ich.hppir(1), rig.ich.misr]).toEqual([1023, 42, regs.MISR_EOI]);
      rig.ich.eoir(1, 36);
      expect(rig.ich.iar(1)).toBe(42);
      rig.ich.writeLr(1, 0, 0);
      rig.ich.writeHcr(0);
    }
    expect([v3.deactivated, again.deactivated]).toEqual([[36], [36]]);
    expect([v3.maintenance, again.maintenance]).toEqual([[true, false], [false]]);
    expect(again.core.inspect()).toEqual(v3.core.inspect());
  });
});

describe("the golden vectors' model", () => {
  test('has En and UIE, one group, the priority mask, and no maintenance interrupts', () => {
    for (const [options, vmcr] of [
      [VECTORS_GICV2_VIRTUAL, 'f8000001'],
      [VECTORS_GICV3_VIRTUAL, 'f8000002'],
    ] as const) {
      const rig = new Rig(options);
      rig.core.writeHcr(-1);
      rig.core.writeVmcr(-1);
      rig.core.writeAp(0, 1);
      rig.core.endOfInterrupt(99, 0);
      expect([hex(rig.core.hcr), hex(rig.core.vmcr), rig.maintenance]).toEqual(['3', vmcr, []]);
    }
  });
});
