/** Registers of the CPU interface: as a page on GICv2, as system registers on GICv3. */
import { describe, expect, test } from 'vitest';
import { GICC, GICD, GICR_FRAME, ICC } from '../../../engine/hw/arm/gic-regs.ts';
import { enable, gicRig, peek, xenGic } from '../../support/gic-rig.ts';

const SPI = 40;

describe("GICv2's page", () => {
  test('has its bits of CTLR, and nothing behind reserved offsets', () => {
    const { gic } = gicRig(2);
    gic.writeGicc(0, GICC.CTLR, 0xffff_ffff);
    expect(gic.readGicc(0, GICC.CTLR)).toBe(0x21f);
    expect(gic.readGicc(0, GICC.IIDR)).toBe(0x0002_043b);
    for (const offset of [0x40, 0xcc, 0xf0, GICC.EOIR, GICC.DIR]) {
      gic.writeGicc(0, offset, 0xffff_ffff);
      expect(gic.readGicc(0, offset)).toBe(0);
    }
    gic.writeGicc(0, GICC.PMR, 0x55, 1);
    gic.writeGicc(0, GICC.PMR, 0x55, 8);
    expect([gic.readGicc(0, GICC.PMR), gic.readGicc(0, GICC.IIDR, 8), gic.readGicc(1, GICC.CTLR)]).toEqual([
      0, 0, 0,
    ]);
    gic.writeGicc(0, GICC.PMR, 0xa5);
    expect([gic.readGicc(0, GICC.PMR, 1), gic.readGicc(0, GICC.IIDR + 2, 2)]).toEqual([0xa5, 2]);
  });

  test('the binary point has a least value by the bits of a priority; that of group 1 is one more', () => {
    const eight = gicRig(2, 1, 8).gic;
    const five = gicRig(2, 1, 5).gic;
    for (const gic of [eight, five]) {
      gic.writeGicc(0, GICC.BPR, 0);
      gic.writeGicc(0, GICC.ABPR, 0);
    }
    expect([eight.readGicc(0, GICC.BPR), eight.readGicc(0, GICC.ABPR)]).toEqual([0, 1]);
    expect([five.readGicc(0, GICC.BPR), five.readGicc(0, GICC.ABPR)]).toEqual([2, 3]);
  });

  test('an active priority is a bit of APR, of group 1 of NSAPR; EOIR clears the highest', () => {
    const { gic, iar, eoi } = xenGic(2);
    for (const intid of [SPI, 41]) enable(gic, intid);
    gic.writeDistributor(0, GICD.IPRIORITYR + 41, 0x20, 1);
    gic.setLine(SPI, true);
    iar();
    gic.setLine(41, true);
    iar();
    const aprs = () => [0, 4, 8, 12].map((n) => gic.readGicc(0, GICC.APR + n));
    expect(aprs()).toEqual([1 << 16, 0, 1 << 16, 0]);
    eoi(41);
    expect(aprs()).toEqual([0, 0, 1 << 16, 0]);
    gic.writeGicc(0, GICC.APR, 2);
    expect(gic.readGicc(0, GICC.RPR)).toBe(2);
  });

  test('group 1 is taken by AIAR, or by IAR if AckCtl says so, else told as 1022', () => {
    const { gic, iar } = xenGic(2);
    gic.writeDistributor(0, GICD.IGROUPR + 4, 0xffff_ffff);
    gic.writeDistributor(0, GICD.CTLR, 3);
    gic.writeGicc(0, GICC.CTLR, 0x203);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    expect([iar(), gic.readGicc(0, GICC.HPPIR), gic.readGicc(0, GICC.AHPPIR)]).toEqual([1022, 1022, SPI]);
    expect(gic.readGicc(0, GICC.AIAR)).toBe(SPI);
    expect(gic.readGicc(0, GICC.NSAPR + 8)).toBe(1 << 16);
    gic.writeGicc(0, GICC.AEOIR, 1);
    expect(gic.readGicc(0, GICC.RPR)).toBe(0xa0);
    gic.writeGicc(0, GICC.AEOIR, SPI);
    expect(gic.readGicc(0, GICC.RPR)).toBe(0xff);
    gic.writeGicc(0, GICC.DIR, SPI);
    gic.writeGicc(0, GICC.CTLR, 0x207);
    expect([gic.readGicc(0, GICC.HPPIR), iar()]).toEqual([SPI, SPI]);
  });

  test('AIAR leaves group 0 alone', () => {
    const { gic } = xenGic(2);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    expect([gic.readGicc(0, GICC.AIAR), gic.readGicc(0, GICC.AHPPIR)]).toEqual([1023, 1023]);
    expect(gic.readGicc(0, GICC.IAR)).toBe(SPI);
  });

  test('HPPIR looks without taking, with the sender of an SGI, past what is running', () => {
    const { gic, iar } = xenGic(2);
    gic.writeDistributor(1, GICD.SGIR, (1 << 16) | 3);
    gic.writeDistributor(1, GICD.SGIR, (1 << 16) | 4);
    expect(gic.readGicc(0, GICC.HPPIR)).toBe(0x403);
    expect(gic.readGicc(0, GICC.HPPIR)).toBe(0x403);
    expect(iar()).toBe(0x403);
    expect([gic.readGicc(0, GICC.HPPIR), iar()]).toEqual([0x404, 1023]);
  });
});

describe("GICv3's system registers", () => {
  const mrs = (gic: ReturnType<typeof gicRig>['gic'], register: number) => gic.readIcc(0, register);

  test('tell what there is: 5 bits of priority, no legacy', () => {
    const { gic } = gicRig(3);
    expect(mrs(gic, ICC.CTLR_EL1)).toBe(0x8400);
    expect([mrs(gic, ICC.SRE_EL1), mrs(gic, ICC.SRE_EL2)]).toEqual([7, 15]);
    gic.writeIcc(0, ICC.PMR_EL1, 0xff);
    expect(mrs(gic, ICC.PMR_EL1)).toBe(0xf8);
  });

  test('there are others that are not: write-only, read-only, of more priorities, unknown', () => {
    const { gic } = gicRig(3);
    for (const register of [ICC.EOIR1_EL1, ICC.DIR_EL1, ICC.SGI1R_EL1, ICC.AP1R1_EL1, 0]) {
      expect(mrs(gic, register)).toBeUndefined();
    }
    for (const register of [ICC.IAR1_EL1, ICC.RPR_EL1, ICC.HPPIR1_EL1, ICC.AP0R1_EL1, 0]) {
      expect(gic.writeIcc(0, register, 0)).toBe(false);
    }
    expect(gic.writeIcc(0, ICC.SRE_EL1, 7)).toBe(true);
  });

  test('each group has its IAR and EOIR, and the other one sees nothing of it', () => {
    const { gic, iar, eoi } = xenGic(3);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    expect([mrs(gic, ICC.IAR0_EL1), mrs(gic, ICC.HPPIR0_EL1), mrs(gic, ICC.HPPIR1_EL1)]).toEqual([
      1023,
      1023,
      SPI,
    ]);
    expect(iar()).toBe(SPI);
    expect([mrs(gic, ICC.AP1R0_EL1), mrs(gic, ICC.AP0R0_EL1)]).toEqual([1 << 20, 0]);
    gic.writeIcc(0, ICC.EOIR0_EL1, SPI);
    expect(mrs(gic, ICC.RPR_EL1)).toBe(0xa0);
    eoi(SPI);
    expect(mrs(gic, ICC.RPR_EL1)).toBe(0xff);
    gic.writeIcc(0, ICC.AP1R0_EL1, 1 << 4);
    expect(mrs(gic, ICC.RPR_EL1)).toBe(0x20);
  });

  test('EOIR of the other group than what runs is ignored', () => {
    const { gic, iar } = xenGic(3);
    gic.writeIcc(0, ICC.IGRPEN0_EL1, 1);
    enable(gic, SPI);
    enable(gic, 41);
    gic.setLine(SPI, true);
    iar();
    gic.writeDistributor(0, GICD.IGROUPR + 4, ~(1 << 9) >>> 0);
    gic.writeDistributor(0, GICD.IPRIORITYR + 41, 0x10, 1);
    gic.setLine(41, true);
    expect(mrs(gic, ICC.IAR0_EL1)).toBe(41);
    gic.writeIcc(0, ICC.EOIR1_EL1, SPI);
    expect([mrs(gic, ICC.RPR_EL1), mrs(gic, ICC.AP1R0_EL1)]).toEqual([0x10, 1 << 20]);
  });

  test('a common binary point: BPR1 shows BPR0 and one more', () => {
    const { gic } = gicRig(3);
    expect([mrs(gic, ICC.BPR0_EL1), mrs(gic, ICC.BPR1_EL1)]).toEqual([2, 3]);
    gic.writeIcc(0, ICC.BPR0_EL1, 7);
    gic.writeIcc(0, ICC.BPR1_EL1, 5);
    gic.writeIcc(0, ICC.CTLR_EL1, 1);
    gic.writeIcc(0, ICC.BPR1_EL1, 6);
    expect(mrs(gic, ICC.BPR1_EL1)).toBe(7);
    gic.writeIcc(0, ICC.CTLR_EL1, 0);
    expect(mrs(gic, ICC.BPR1_EL1)).toBe(5);
  });

  test('a group that is not enabled is not signalled', () => {
    const { gic, irq } = xenGic(3);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    gic.writeIcc(0, ICC.IGRPEN1_EL1, 0);
    expect([irq(), mrs(gic, ICC.IGRPEN1_EL1), mrs(gic, ICC.IAR1_EL1)]).toEqual([false, 0, 1023]);
    gic.writeIcc(0, ICC.IGRPEN1_EL1, 1);
    expect(irq()).toBe(true);
  });
});

describe('SGIs of GICv3', () => {
  const told = (rig: ReturnType<typeof gicRig>) =>
    rig.gic.interfaces.map(({ cpu }) => cpu).filter((cpu) => rig.irq(cpu));

  test('go to a list of one cluster; IAR tells no sender', () => {
    const rig = xenGic(3, 20);
    rig.gic.writeIcc(0, ICC.SGI1R_EL1, (5 << 24) | 0b1010);
    expect(told(rig)).toEqual([1, 3]);
    expect(rig.iar(3)).toBe(5);
    rig.gic.writeIcc(0, ICC.SGI1R_EL1, (6 << 24) | (1 << 16) | 0b1001);
    expect(told(rig)).toEqual([1, 16, 19]);
    expect(rig.iar(19)).toBe(6);
  });

  test('go to all others with IRM', () => {
    const rig = xenGic(3, 4);
    rig.gic.writeIcc(2, ICC.SGI1R_EL1, 0, 1 << 8);
    expect(told(rig)).toEqual([0, 1, 3]);
  });

  test('of CPUs that are not there nobody hears', () => {
    const rig = xenGic(3, 2);
    rig.gic.writeIcc(0, ICC.SGI1R_EL1, 0xffff, 1);
    rig.gic.writeIcc(0, ICC.SGI1R_EL1, 0xffff, 1 << 12);
    rig.gic.writeIcc(0, ICC.SGI1R_EL1, 0xfffc);
    expect(told(rig)).toEqual([]);
  });

  test('reach only those that have it in their group, and are enabled by bits', () => {
    const rig = xenGic(3, 2);
    const { gic } = rig;
    gic.writeIcc(0, ICC.SGI0R_EL1, 0b11);
    gic.writeIcc(0, ICC.ASGI1R_EL1, 0b11);
    expect(told(rig)).toEqual([]);
    gic.writeRedistributor(GICR_FRAME + GICD.IGROUPR, 0xffff_fffe);
    gic.writeIcc(1, ICC.SGI1R_EL1, 0b01);
    expect(peek(gic, GICD.ISPENDR, 0, 0)).toBe(false);
    gic.writeIcc(1, ICC.SGI0R_EL1, 0b01);
    expect(peek(gic, GICD.ISPENDR, 0, 0)).toBe(true);
    gic.writeRedistributor(GICR_FRAME + GICD.ICPENDR, 1);
    expect(peek(gic, GICD.ISPENDR, 0, 0)).toBe(false);
  });
});

test('GICv2 has eight CPU interfaces at most', () => {
  expect(() => gicRig(2, 9)).toThrow('GICv2 has 8 CPU interfaces at most, not 9');
});
