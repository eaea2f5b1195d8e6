/** Registers of the distributor and of redistributors, in the words of the architecture specifications. */
import { describe, expect, test } from 'vitest';
import { GICD, GICR, GICR_FRAME, GICR_SIZE, IROUTER_ANY } from '../../../engine/hw/arm/gic-regs.ts';
import { enable, gicRig, peek, poke, xenGic } from '../../support/gic-rig.ts';

const SPI = 40;

describe("GICv2's distributor", () => {
  test('tells its size, its maker and its version', () => {
    const { gic } = gicRig(2, 4);
    expect(gic.readDistributor(0, GICD.TYPER).toString(16)).toBe('67');
    expect(gic.readDistributor(0, GICD.IIDR).toString(16)).toBe('43b');
    expect(gic.readDistributor(0, 0xfe8).toString(16)).toBe('2b');
    expect([0xff0, 0xff4, 0xff8, 0xffc].map((offset) => gic.readDistributor(0, offset))).toEqual([
      0x0d, 0xf0, 0x05, 0xb1,
    ]);
  });

  test('bytes, halves and words of one register show the same', () => {
    const { gic } = gicRig(2);
    gic.writeDistributor(0, GICD.IPRIORITYR + SPI, 0x4433_2211);
    expect(gic.readDistributor(0, GICD.IPRIORITYR + SPI + 2, 1)).toBe(0x33);
    expect(gic.readDistributor(0, GICD.IPRIORITYR + SPI + 2, 2)).toBe(0x4433);
    gic.writeDistributor(0, GICD.IPRIORITYR + SPI + 1, 0xff, 1);
    expect(gic.readDistributor(0, GICD.IPRIORITYR + SPI)).toBe(0x4433_ff11);
    expect(gic.readDistributor(0, GICD.TYPER, 1)).toBe(0x27);
    expect(gic.readDistributor(0, GICD.IIDR + 1, 1)).toBe(4);
    expect(gic.readDistributor(0, GICD.IPRIORITYR + SPI, 8)).toBe(0);
  });

  test('a GIC with 5 bits of priority keeps the upper ones', () => {
    const { gic } = gicRig(2, 1, 5);
    gic.writeDistributor(0, GICD.IPRIORITYR + SPI, 0xffff_ffff);
    expect(gic.readDistributor(0, GICD.IPRIORITYR + SPI)).toBe(0xf8f8_f8f8);
  });

  test('set and clear registers show the same bits; zeros change nothing', () => {
    const { gic } = gicRig(2);
    for (const [set, clear] of [
      [GICD.ISENABLER, GICD.ICENABLER],
      [GICD.ISPENDR, GICD.ICPENDR],
      [GICD.ISACTIVER, GICD.ICACTIVER],
    ] as const) {
      gic.writeDistributor(0, set + 4, 0xf0);
      gic.writeDistributor(0, set + 4, 0x01);
      gic.writeDistributor(0, clear + 4, 0x30);
      expect([gic.readDistributor(0, set + 4), gic.readDistributor(0, clear + 4)]).toEqual([0xc1, 0xc1]);
    }
  });

  test('SGIs are enabled for good, edge-triggered, and not made pending by bits', () => {
    const { gic } = gicRig(2);
    gic.writeDistributor(0, GICD.ICENABLER, 0xffff_ffff);
    gic.writeDistributor(0, GICD.ISPENDR, 0x0000_ffff);
    gic.writeDistributor(0, GICD.ICFGR, 0);
    expect(gic.readDistributor(0, GICD.ISENABLER)).toBe(0xffff);
    expect(gic.readDistributor(0, GICD.ISPENDR)).toBe(0);
    expect(gic.readDistributor(0, GICD.ICFGR)).toBe(0xaaaa_aaaa);
  });

  test('a CPU finds its own number in ITARGETSR of private interrupts, and its own bank of them', () => {
    const { gic } = gicRig(2, 4);
    expect(gic.readDistributor(2, GICD.ITARGETSR)).toBe(0x0404_0404);
    gic.writeDistributor(2, GICD.ITARGETSR, 0xffff_ffff);
    expect(gic.readDistributor(2, GICD.ITARGETSR + 28)).toBe(0x0404_0404);
    gic.writeDistributor(1, GICD.ISENABLER, 1 << 27);
    expect([0, 1].map((cpu) => gic.readDistributor(cpu, GICD.ISENABLER))).toEqual([0xffff, 0x0800_ffff]);
  });

  test('targets are CPUs that there are; with one CPU the registers are RAZ/WI and all goes to it', () => {
    const { gic } = gicRig(2, 2);
    gic.writeDistributor(0, GICD.ITARGETSR + SPI, 0xff, 1);
    expect(gic.readDistributor(0, GICD.ITARGETSR + SPI, 1)).toBe(3);
    const one = xenGic(2, 1);
    one.gic.writeDistributor(0, GICD.ITARGETSR + SPI, 0xff, 1);
    expect(one.gic.readDistributor(0, GICD.ITARGETSR + SPI, 1)).toBe(0);
    enable(one.gic, SPI);
    one.gic.setLine(SPI, true);
    expect(one.irq()).toBe(true);
  });

  test('an SPI for two CPUs is signalled to both, and the first to read IAR has it', () => {
    const { gic, irq, iar } = xenGic(2, 3);
    gic.writeDistributor(0, GICD.ITARGETSR + SPI, 6, 1);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    expect([irq(0), irq(1), irq(2)]).toEqual([false, true, true]);
    expect(iar(2)).toBe(SPI);
    expect([irq(1), iar(1)]).toEqual([false, 1023]);
  });

  test('INTIDs that are not there are RAZ/WI, like everything reserved', () => {
    const { gic } = gicRig(2);
    for (const offset of [
      0x0c,
      0x40,
      0x7c,
      GICD.ISENABLER + 0x20,
      GICD.IPRIORITYR + 0x100,
      0xe00,
      0xf00,
      0xf30,
    ]) {
      gic.writeDistributor(0, offset, 0xffff_ffff);
      expect(gic.readDistributor(0, offset)).toBe(0);
    }
    expect(gic.inspect().every(({ intid }) => intid < 16)).toBe(true);
  });

  test('what is pending or active is not what is enabled: ICFGR alone decides what a wire does', () => {
    const { gic } = gicRig(2);
    gic.setLine(SPI, true);
    expect(peek(gic, GICD.ISPENDR, SPI)).toBe(true);
    gic.writeDistributor(0, GICD.ICFGR + 8, 0xffff_ffff);
    expect(gic.readDistributor(0, GICD.ICFGR + 8)).toBe(0xaaaa_aaaa);
    expect(peek(gic, GICD.ISPENDR, SPI)).toBe(false);
    gic.setLine(SPI, false);
    gic.setLine(SPI, true);
    expect(peek(gic, GICD.ISPENDR, SPI)).toBe(true);
  });
});

describe('SGIs of GICv2', () => {
  test('IAR tells who sent it; EOIR and DIR of the bare number end it, as Xen writes them', () => {
    const { gic, iar, eoi, dir, irq } = xenGic(2, 4);
    gic.writeDistributor(1, GICD.SGIR, (1 << 16) | 0);
    expect(irq(0)).toBe(true);
    expect(iar(0)).toBe(0x400);
    eoi(0);
    dir(0);
    expect([peek(gic, GICD.ISACTIVER, 0), iar(0)]).toEqual([false, 1023]);
  });

  test('of two senders the lower comes first, the other stays pending', () => {
    const { gic, iar, eoi, dir } = xenGic(2, 4);
    gic.writeDistributor(3, GICD.SGIR, (1 << 16) | 5);
    gic.writeDistributor(2, GICD.SGIR, (1 << 16) | 5);
    gic.writeDistributor(2, GICD.SGIR, (1 << 16) | 5);
    expect(gic.readDistributor(0, GICD.SPENDSGIR + 4)).toBe(0x0c00);
    const taken: number[] = [];
    for (let i = 0; i < 3; i++) {
      taken.push(iar(0));
      if (taken.at(-1) === 1023) break;
      expect(iar(0)).toBe(1023);
      eoi(taken.at(-1)!);
      dir(taken.at(-1)!);
    }
    expect(taken).toEqual([0x805, 0xc05, 1023]);
  });

  test('filters: a list, all others, the sender itself; the fourth is reserved', () => {
    const { gic, irq } = xenGic(2, 4);
    const told = () => [0, 1, 2, 3].filter((cpu) => irq(cpu));
    const clear = () => {
      for (let cpu = 0; cpu < 4; cpu++) gic.writeDistributor(cpu, GICD.CPENDSGIR, 0xffff_ffff);
    };
    const cases: [number, number[]][] = [
      [0x000a_0001, [1, 3]],
      [0x0100_0001, [0, 1, 3]],
      [0x0200_0001, [2]],
      [0x030f_0001, []],
      [0x00f0_0001, []],
    ];
    for (const [value, cpus] of cases) {
      gic.writeDistributor(2, GICD.SGIR, value);
      expect(told()).toEqual(cpus);
      clear();
      expect(told()).toEqual([]);
    }
  });

  test('SPENDSGIR makes them pending from anyone, CPENDSGIR takes single senders away', () => {
    const { gic, iar } = xenGic(2, 2);
    gic.writeDistributor(0, GICD.SPENDSGIR, 0x03, 1);
    gic.writeDistributor(0, GICD.CPENDSGIR, 0x01, 1);
    expect(gic.readDistributor(0, GICD.CPENDSGIR)).toBe(2);
    expect(iar()).toBe(0x400);
  });
});

describe("GICv3's distributor", () => {
  test('tells its size and that routing is by affinity, in one security state', () => {
    const { gic } = gicRig(3);
    expect(gic.readDistributor(0, GICD.TYPER) & 0x1f).toBe(7);
    expect(gic.readDistributor(0, GICD.CTLR)).toBe(0x50);
    gic.writeDistributor(0, GICD.CTLR, 0xffff_ffff);
    expect(gic.readDistributor(0, GICD.CTLR)).toBe(0x53);
    expect(gic.readDistributor(0, 0xffe8)).toBe(0x3b);
    expect(gic.readDistributor(0, GICD.IIDR)).toBe(0x43b);
  });

  test('private interrupts, targets and SGIR are RAZ/WI here', () => {
    const { gic, irq } = xenGic(3);
    for (const offset of [
      GICD.ISENABLER,
      GICD.IPRIORITYR,
      GICD.ICFGR,
      GICD.ITARGETSR + SPI,
      GICD.CPENDSGIR,
    ]) {
      gic.writeDistributor(0, offset, 0xffff_ffff);
      expect(gic.readDistributor(0, offset)).toBe(0);
    }
    gic.writeDistributor(0, GICD.SGIR, 0x0200_0001);
    expect(irq()).toBe(false);
  });

  test('IROUTER has 64 bits, in one access or two', () => {
    const { gic } = gicRig(3);
    const at = GICD.IROUTER + SPI * 8;
    gic.writeDistributor(0, at, 0x05_0001_0203, 8);
    expect(gic.readDistributor(0, at, 8)).toBe(0x05_0001_0203);
    expect([gic.readDistributor(0, at), gic.readDistributor(0, at + 4)]).toEqual([0x0001_0203, 5]);
    gic.writeDistributor(0, at + 4, 0);
    gic.writeDistributor(0, at, 1);
    expect(gic.readDistributor(0, at, 8)).toBe(1);
    gic.writeDistributor(0, GICD.IROUTER + 8 * 8, 1, 8);
    expect(gic.readDistributor(0, GICD.IROUTER + 8 * 8, 8)).toBe(0);
  });

  test('an SPI goes to the CPU of its affinity, also beyond the first 16, and nowhere if there is none', () => {
    const { gic, irq } = xenGic(3, 20);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    const told = () => Array.from({ length: 20 }, (_, cpu) => cpu).filter((cpu) => irq(cpu));
    for (const [affinity, cpus] of [
      [0x0000, [0]],
      [0x000f, [15]],
      [0x0102, [18]],
      [0x0105, []],
      [0x0010, []],
      [0x1_0000, []],
    ] as const) {
      gic.writeDistributor(0, GICD.IROUTER + SPI * 8, affinity, 8);
      expect(told()).toEqual(cpus);
    }
  });

  test('an SPI for any goes to one CPU that takes part, and to the next when that falls asleep', () => {
    const { gic, irq } = xenGic(3, 3);
    gic.writeDistributor(0, GICD.IROUTER + SPI * 8, IROUTER_ANY.mask, 8);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    const told = () => [0, 1, 2].filter((cpu) => irq(cpu));
    expect(told()).toEqual([0]);
    gic.writeRedistributor(GICR.WAKER, 2);
    expect(told()).toEqual([1]);
    gic.writeRedistributor(GICR_SIZE + GICR.WAKER, 2);
    gic.writeRedistributor(2 * GICR_SIZE + GICR.WAKER, 2);
    expect(told()).toEqual([]);
    gic.writeRedistributor(GICR_SIZE + GICR.WAKER, 0);
    expect(told()).toEqual([1]);
    expect(gic.readDistributor(0, GICD.IROUTER + SPI * 8, 8)).toBe(2 ** 31);
  });
});

describe('a redistributor', () => {
  test('tells its affinity and number, and the last one that it is', () => {
    const { gic } = gicRig(3, 18);
    const typer = (cpu: number) => gic.readRedistributor(cpu * GICR_SIZE + GICR.TYPER, 8);
    expect(typer(2)).toBe(2 * 2 ** 32 + 0x200);
    expect(typer(17)).toBe(0x101 * 2 ** 32 + 0x1110);
    expect(gic.readRedistributor(17 * GICR_SIZE + GICR.TYPER + 4)).toBe(0x101);
    expect(gic.readRedistributor(0xffe8)).toBe(0x3b);
    expect(gic.readRedistributor(18 * GICR_SIZE + GICR.TYPER)).toBe(0);
  });

  test('is asleep at first, and what is pending then is signalled when it wakes', () => {
    const { gic, irq } = xenGic(3);
    expect(gicRig(3).gic.readRedistributor(GICR.WAKER)).toBe(6);
    gic.writeRedistributor(GICR.WAKER, 2);
    expect(gic.readRedistributor(GICR.WAKER)).toBe(6);
    enable(gic, 27);
    gic.setPrivateLine(0, 27, true);
    expect(irq()).toBe(false);
    gic.writeRedistributor(GICR.WAKER, 0);
    expect([irq(), gic.readRedistributor(GICR.WAKER)]).toEqual([true, 0]);
  });

  test('has one word of each row of bits, 32 priorities and two ICFGRs; the rest is RAZ/WI', () => {
    const { gic } = gicRig(3);
    const at = (offset: number) => GICR_SIZE + GICR_FRAME + offset;
    gic.writeRedistributor(at(GICD.ISENABLER), 0x8000_0001);
    expect(gic.readRedistributor(at(GICD.ICENABLER))).toBe(0x8000_0001);
    gic.writeRedistributor(at(GICD.ICFGR), 0);
    gic.writeRedistributor(at(GICD.ICFGR + 4), 0x8000_0000);
    expect(gic.readRedistributor(at(GICD.ICFGR))).toBe(0xaaaa_aaaa);
    expect(gic.readRedistributor(at(GICD.ICFGR + 4))).toBe(0x8000_0000);
    gic.writeRedistributor(at(GICD.IPRIORITYR + 31), 0xff, 1);
    expect(gic.readRedistributor(at(GICD.IPRIORITYR + 28))).toBe(0xf800_0000);
    for (const offset of [GICD.ISENABLER + 4, GICD.IPRIORITYR + 32, GICD.ITARGETSR, GICD.ICFGR + 8, 0xd00]) {
      gic.writeRedistributor(at(offset), 0xffff_ffff);
      expect(gic.readRedistributor(at(offset))).toBe(0);
    }
    expect(gic.readDistributor(0, GICD.ISENABLER + 4)).toBe(0);
  });

  test('any CPU reaches them all, each its own interrupts', () => {
    const { gic } = xenGic(3);
    poke(gic, GICD.ISENABLER, 27, 1);
    expect([peek(gic, GICD.ISENABLER, 27, 0), peek(gic, GICD.ISENABLER, 27, 1)]).toEqual([false, true]);
  });
});
