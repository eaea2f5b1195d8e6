/** The distributors and redistributors that Xen gives its guests, register by register. */
import { beforeEach, describe, expect, test } from 'vitest';
import { RegisterMap, word, zero } from '../../../../engine/hv/xen/arm/vgic-mmio.ts';
import { writeSgi1r } from '../../../../engine/hv/xen/arm/vgic-v3.ts';
import { VgicRig } from '../../../support/vgic-rig.ts';

const BYTE = 0;
const HALF = 1;
const WORD = 2;
const DOUBLE = 3;
const SIZES = [BYTE, HALF, WORD, DOUBLE] as const;
type Size = (typeof SIZES)[number];

const ABORTS = undefined;
let rig: VgicRig;

/** What a load of each size reads. */
function reads(offset: number): (number | undefined)[] {
  return SIZES.map((size) => rig.read(offset, size));
}

/** Which sizes of a store are taken. */
function takes(offset: number, value = 0): boolean[] {
  return SIZES.map((size) => rig.write(offset, value, size));
}

const NONE = [ABORTS, ABORTS, ABORTS, ABORTS];
const WORD_ONLY = [false, false, true, false];
const ALL = [true, true, true, true];
const NO = [false, false, false, false];

function wordReads(value: number): (number | undefined)[] {
  return [ABORTS, ABORTS, value, ABORTS];
}

describe('GICv2', () => {
  beforeEach(() => {
    rig = new VgicRig({ vcpus: 3, spis: 64 });
  });

  const FIXED: [name: string, offset: number, reads: (number | undefined)[], takes: boolean[]][] = [
    ['GICD_TYPER', 0x004, wordReads((2 << 5) | 2), WORD_ONLY],
    ['GICD_IIDR', 0x008, wordReads(0x43b), WORD_ONLY],
    ['reserved', 0x00c, [0, 0, 0, 0], ALL],
    ['implementation defined', 0x03c, [0, 0, 0, 0], ALL],
    ['reserved', 0x07c, [0, 0, 0, 0], ALL],
    ['GICD_IGROUPR', 0x080, wordReads(0), WORD_ONLY],
    ['GICD_IGROUPR of none', 0x0fc, wordReads(0), WORD_ONLY],
    ['GICD_ISENABLER of none', 0x17c, wordReads(0), WORD_ONLY],
    ['GICD_ICENABLER of none', 0x1fc, wordReads(0), WORD_ONLY],
    ['GICD_ISPENDR', 0x200, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_ISPENDR of none', 0x27c, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_ICPENDR', 0x284, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_ISACTIVER, 0', 0x300, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_ICACTIVER', 0x3fc, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_IPRIORITYR', 0x400, [0, ABORTS, 0, ABORTS], [true, false, true, false]],
    ['GICD_IPRIORITYR of none', 0x7f8, [0, ABORTS, 0, ABORTS], [true, false, true, false]],
    ['reserved', 0x7fc, [0, 0, 0, 0], ALL],
    ['GICD_ITARGETSR of private ones', 0x81c, [1, ABORTS, 0x1010101, ABORTS], WORD_ONLY],
    ['GICD_ITARGETSR', 0x820, [1, ABORTS, 0x1010101, ABORTS], [true, false, true, false]],
    ['GICD_ITARGETSR of none', 0xbf8, [0, ABORTS, 0, ABORTS], [true, false, true, false]],
    ['reserved', 0xbfc, [0, 0, 0, 0], ALL],
    ['GICD_ICFGR0', 0xc00, wordReads(0), WORD_ONLY],
    ['GICD_ICFGR of none', 0xcfc, wordReads(0), WORD_ONLY],
    ['implementation defined', 0xdfc, [0, 0, 0, 0], ALL],
    ['GICD_NSACR', 0xe00, wordReads(0), WORD_ONLY],
    ['GICD_SGIR', 0xf00, wordReads(0xdeadbeef), WORD_ONLY],
    ['reserved', 0xf0c, [0, 0, 0, 0], ALL],
    ['GICD_CPENDSGIR', 0xf10, [0, 0, 0, 0], NO],
    ['GICD_SPENDSGIR', 0xf2c, [0, 0, 0, 0], NO],
    ['reserved', 0xfcc, [0, 0, 0, 0], ALL],
    ['implementation defined', 0xfd0, [0, 0, 0, 0], ALL],
    ['implementation defined', 0xfe4, [0, 0, 0, 0], ALL],
    ['GICD_ICPIDR2', 0xfe8, NONE, WORD_ONLY],
    ['implementation defined', 0xffc, [0, 0, 0, 0], NO],
    ['nothing', 0x1000, NONE, NO],
  ];
  test.each(FIXED)('%s at %o reads and takes', (_, offset, values, taken) => {
    expect(reads(offset)).toEqual(values);
    expect(takes(offset)).toEqual(taken);
  });

  test('GICD_CTLR has its enable bit alone, which nobody asks', () => {
    expect(rig.write(0, 0xffff_ffff)).toBe(true);
    expect(reads(0)).toEqual(wordReads(1));
    rig.write(0, 0xffff_fffe);
    expect(rig.read(0)).toBe(0);
    expect(rig.write(0, 1, BYTE)).toBe(false);
  });

  test('GICD_ISENABLER sets and GICD_ICENABLER clears; both read what is enabled', () => {
    rig.write(0x104, 0x8000_0001);
    const written = [rig.write(0x104, 2), rig.write(0x184, 1), rig.write(0x204, 0), rig.write(0xc08, 0)];
    expect(written).toEqual([true, true, true, true]);
    expect([rig.read(0x104), rig.read(0x184), rig.read(0x108)]).toEqual([0x8000_0002, 0x8000_0002, 0]);
    // bit 0 is no bit of the next register
    rig.write(0x108, 1);
    rig.enable([63]);
    rig.write(0x184, 1);
    expect([rig.status(64), rig.status(32)]).toEqual([8, 0]);
    rig.write(0x204, 1);
    expect([rig.inflight(), rig.waiting()]).toEqual([[32], []]);
    // of the first 32 each virtual CPU has its own
    rig.write(0x100, 0x10);
    rig.switchTo(1);
    expect(rig.read(0x100)).toBe(0);
  });

  test('GICD_ISACTIVER refuses to make anything active', () => {
    expect(takes(0x300, 1)).toEqual(NO);
    expect(takes(0x37c, 0x8000_0000)).toEqual(NO);
  });

  test('GICD_IPRIORITYR keeps all eight bits, by word and by byte', () => {
    rig.write(0x424, 0x8765_4321);
    expect([0x424, 0x425, 0x426, 0x427].map((at) => rig.read(at, BYTE))).toEqual([0x21, 0x43, 0x65, 0x87]);
    rig.write(0x426, 0x1ff, BYTE);
    expect(rig.read(0x424)).toBe(0x87ff_4321);
    expect(rig.read(0x428)).toBe(0);
    rig = new VgicRig({ spis: 320, vcpus: 2 });
    rig.write(0x800 + 301, 2, BYTE);
    expect([rig.read(0x800 + 300), rig.domain.sharedIrqs[8]!.vcpu[13]]).toEqual([0x0101_0201, 1]);
    rig.write(0x400 + 301, 0x77, BYTE);
    expect([rig.read(0x400 + 300), rig.domain.sharedIrqs[8]!.priority[13]]).toEqual([0x7700, 0x77]);
    rig.write(0xc00 + 300 / 4, 0x2000_0000);
    expect(rig.domain.sharedIrqs[8]!.icfg[0]).toBe(0x2000_0000);
  });

  test('GICD_ITARGETSR has one virtual CPU each, the lowest that is asked for', () => {
    rig.write(0x824, 0x0806_0402);
    // 3 is not there, nor is one of no bits
    expect(rig.read(0x824)).toBe(0x0102_0402);
    rig.write(0x824, 0x0000_0004);
    expect(rig.read(0x824)).toBe(0x0102_0404);
    rig.write(0x827, 0x06, BYTE);
    expect([rig.read(0x824), rig.read(0x827, BYTE)]).toEqual([0x0202_0404, 2]);
    rig.switchTo(2);
    expect(rig.read(0x800)).toBe(0x0404_0404);
  });

  test('GICD_ICFGR keeps what is written, of SPIs', () => {
    rig.write(0xc04, 0xffff_ffff);
    rig.write(0xc08, 0x1111_1111);
    rig.write(0xc0c, 0xffff_ffff);
    expect([0xc04, 0xc08, 0xc0c, 0xc10].map((at) => rig.read(at))).toEqual([0, 0x1111_1111, 0xffff_ffff, 0]);
  });
});

describe('GICv3', () => {
  beforeEach(() => {
    rig = new VgicRig({ version: 3, vcpus: 3, spis: 64 });
  });

  const FIXED: [name: string, offset: number, reads: (number | undefined)[], takes: boolean[]][] = [
    ['GICD_TYPER', 0x004, wordReads((9 << 19) | (2 << 5) | 2), WORD_ONLY],
    ['GICD_IIDR', 0x008, wordReads(0x34c), WORD_ONLY],
    ['reserved', 0x00c, [0, 0, 0, 0], ALL],
    ['GICD_STATUSR', 0x010, wordReads(0), WORD_ONLY],
    ['GICD_SETSPI_NSR', 0x040, [0, 0, 0, 0], ALL],
    ['GICD_IGROUPR', 0x080, wordReads(0), WORD_ONLY],
    ['GICD_ICPENDR0', 0x280, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_ICPENDR1', 0x284, NONE, WORD_ONLY],
    ['GICD_ISACTIVER', 0x300, [0, 0, 0, 0], NO],
    ['GICD_ICACTIVER', 0x384, [0, 0, 0, 0], WORD_ONLY],
    ['GICD_IPRIORITYR', 0x420, [0, ABORTS, 0, ABORTS], [true, false, true, false]],
    ['beside it', 0x7fc, [0, 0, 0, 0], ALL],
    ['GICD_ITARGETSR', 0x820, [0, 0, 0, 0], ALL],
    ['GICD_ICFGR0', 0xc00, wordReads(0), WORD_ONLY],
    ['GICD_ICFGR1', 0xc04, wordReads(0), WORD_ONLY],
    ['beside it', 0xd00, [0, 0, 0, 0], ALL],
    ['GICD_NSACR', 0xefc, wordReads(0), WORD_ONLY],
    ['GICD_SGIR', 0xf00, wordReads(0), WORD_ONLY],
    ['GICD_CPENDSGIR', 0xf10, wordReads(0), NO],
    ['GICD_SPENDSGIR', 0xf20, wordReads(0), NO],
    ['reserved', 0x60fc, [0, 0, 0, 0], ALL],
    ['GICD_IROUTER32', 0x6100, [ABORTS, ABORTS, 0, 0], [false, false, true, true]],
    ['GICD_IROUTER1019', 0x7fdc, [ABORTS, ABORTS, 0, 0], [false, false, true, true]],
    ['GICD_IROUTER of none', 0x7fe0, [0, 0, 0, 0], ALL],
    ['GICD_PIDR2', 0xffe8, wordReads(0x30), WORD_ONLY],
    ['beside it', 0xffec, [0, 0, 0, 0], ALL],
  ];
  test.each(FIXED)('%s at %o reads and takes', (_, offset, values, taken) => {
    expect(reads(offset)).toEqual(values);
    expect(takes(offset)).toEqual(taken);
  });

  test('GICD_CTLR has affinity routing, and EnableGrp1A can be written', () => {
    expect(rig.read(0)).toBe(0x10);
    rig.write(0, 0xffff_ffff);
    expect(rig.read(0)).toBe(0x12);
    rig.write(0, 0);
    expect(rig.read(0)).toBe(0x10);
  });

  test('GICD_TYPER tells of the hardware domain more bits, and never of more than eight CPUs', () => {
    rig = new VgicRig({ version: 3, vcpus: 9, spis: 960, idBits: 16 });
    expect(rig.read(4)).toBe((15 << 19) | (7 << 5) | 30);
  });

  test('a GICD_IROUTER has an affinity, of which two levels count', () => {
    rig = new VgicRig({ version: 3, vcpus: 19, spis: 32 });
    const route = (high: number, low: number, size: Size = DOUBLE, at = 0x6108) => {
      expect(rig.write(at, low, size, 0, high)).toBe(true);
      return rig.domain.sharedIrqs[0]!.vcpu[1];
    };
    expect(route(0xff, 0xff00_0101 & 0x7fff_ffff)).toBe(17);
    expect([rig.read(0x6108, DOUBLE), rig.read(0x6108), rig.read(0x610c)]).toEqual([0x101, 0x101, 0]);
    expect(route(0, 0x0f)).toBe(15);
    expect(route(0, 0x12)).toBe(18); // all eight bits of the lowest level
    expect(rig.read(0x6108)).toBe(0x102);
    expect(route(0, 0x1_0011)).toBe(17); // the third does not count
    expect(route(0, 0x12)).toBe(18);
    expect(route(0, 0x13)).toBe(18); // there is none
    expect(route(0, 0x8000_0005)).toBe(0); // any
    expect(rig.read(0x6108)).toBe(0);
    expect(route(0, 3, WORD)).toBe(3);
    expect(route(0, 5, WORD, 0x610c)).toBe(3); // the upper half
    // beyond the SPIs there are
    expect(rig.write(0x6200, 1, DOUBLE)).toBe(true);
    expect(rig.read(0x6200, DOUBLE)).toBe(0);
  });

  test('the first rank of the distributor is that of whoever asks', () => {
    rig.write(0x100, 0x10);
    expect([rig.v(0).privateIrqs.ienable, rig.read(0x100)]).toEqual([0x10, 0x10]);
    rig.switchTo(1);
    expect(rig.read(0x100)).toBe(0);
    rig.write(0xc04, 0x5555_5555);
    expect([rig.v(0), rig.v(1)].map((v) => v.privateIrqs.icfg[1])).toEqual([0, 0x5555_5555]);
  });

  describe('redistributors', () => {
    const SGI = 0x10000;
    const values = (offset: number) => SIZES.map((size) => rig.readRedistributor(1, offset, size)?.[1]);
    const BEAF = 0xdead_beaf;

    const READS: [name: string, offset: number, reads: (number | undefined)[]][] = [
      ['GICR_CTLR', 0x00, wordReads(0)],
      ['GICR_IIDR', 0x04, wordReads(0x34c)],
      ['GICR_STATUSR', 0x10, wordReads(0)],
      ['GICR_WAKER', 0x14, wordReads(0)],
      ['GICR_SETLPIR', 0x40, [0xaf, 0xbeaf, BEAF, BEAF]],
      ['GICR_CLRLPIR', 0x4f, [0xde, 0xde, 0xde, BEAF]],
      ['GICR_PROPBASER', 0x70, [ABORTS, ABORTS, 0, 0]],
      ['GICR_PENDBASER', 0x7c, [ABORTS, ABORTS, 0, 0]],
      ['GICR_INVLPIR', 0xa2, [0xad, 0xdead, 0xdead, BEAF]],
      ['GICR_INVALLR', 0xb4, [0xaf, 0xbeaf, BEAF, BEAF]],
      ['GICR_SYNCR', 0xc0, wordReads(1)],
      ['GICR_PIDR2', 0xffe8, wordReads(0x30)],
      ['beside', 0x18, [0, 0, 0, 0]],
      ['GICR_IGROUPR0', SGI + 0x80, wordReads(0)],
      ['GICR_ISPENDR0', SGI + 0x200, [0, 0, 0, 0]],
      ['GICR_ICPENDR0', SGI + 0x280, [0, 0, 0, 0]],
      ['GICR_ISACTIVER0', SGI + 0x300, [0, 0, 0, 0]],
      ['GICR_ICFGR0', SGI + 0xc00, wordReads(0)],
      ['GICR_IGRPMODR0', SGI + 0xd00, wordReads(0)],
      ['GICR_NSACR', SGI + 0xe00, wordReads(0)],
      ['no GICR_ISENABLER1', SGI + 0x104, [0, 0, 0, 0]],
      ['no PIDR2 here', SGI + 0xffe8, [0, 0, 0, 0]],
    ];
    test.each(READS)('%s at %o reads', (_, offset, expected) => {
      expect(values(offset)).toEqual(expected);
    });

    test('GICR_TYPER has affinity and number, and Last at the end of each region', () => {
      const typers = () => rig.domain.vcpus.map((v) => rig.readRedistributor(v.id, 8, DOUBLE));
      expect(typers()).toEqual([
        [0, 0],
        [1, 0x100],
        [2, 0x210],
      ]);
      expect(rig.readRedistributor(1, 0xc)).toEqual([0, 1]);
      expect([BYTE, HALF].map((size) => rig.readRedistributor(1, 8, size as Size))).toEqual([ABORTS, ABORTS]);
      rig = new VgicRig({ version: 3, vcpus: 18, redistributors: [2, 15, 4] });
      const last = typers().flatMap((typer, n) => (typer![1] & 0x10 ? [n] : []));
      expect(last).toEqual([1, 16, 17]);
      expect(rig.readRedistributor(17, 8, DOUBLE)).toEqual([0x101, 0x1110]);
    });

    test('any virtual CPU has them act for their owners', () => {
      rig.writeRedistributor(1, SGI + 0x100, 0x0c00_0000);
      rig.writeRedistributor(1, SGI + 0x400 + 24, 0x9080_7060);
      rig.writeRedistributor(1, SGI + 0xc04, 0xaaaa_aaaa);
      expect(rig.v(1).privateIrqs.ienable).toBe(0x0c00_0000);
      expect([24, 27].map((irq) => rig.v(1).privateIrqs.priority[irq])).toEqual([0x60, 0x90]);
      expect(rig.readRedistributor(1, SGI + 0xc04)).toEqual([0, 0xaaaa_aaaa]);
      rig.writeRedistributor(1, SGI + 0x200, 1 << 26);
      expect([rig.inflight(0), rig.inflight(1), rig.waiting(1)]).toEqual([[], [26], [26]]);
      rig.writeRedistributor(1, SGI + 0x180, 1 << 26);
      expect([rig.waiting(1), rig.readRedistributor(1, SGI + 0x100)]).toEqual([[], [0, 1 << 27]]);
    });

    test('what is about LPIs is refused by word, as is making active; others are ignored', () => {
      const taken = (offset: number) => rig.writeRedistributor(1, offset, 0);
      for (const at of [0x08, 0x0c, 0x40, 0x48, 0x70, 0x78, 0xa0, 0xb0, SGI + 0x300])
        expect(taken(at)).toBe(false);
      for (const at of [
        0x00,
        0x04,
        0x10,
        0x14,
        0xc0,
        0xffe8,
        0x18,
        SGI + 0x80,
        SGI + 0x280,
        SGI + 0x380,
        SGI + 0xc00,
      ]) {
        expect(taken(at)).toBe(true);
      }
    });

    test('that of a virtual CPU that is not there aborts', () => {
      expect([rig.readRedistributor(3, 4), rig.writeRedistributor(3, 4, 0)]).toEqual([ABORTS, false]);
    });
  });

  test('ICC_SGI1R: sixteen of a group, or all but oneself', () => {
    rig = new VgicRig({ version: 3, vcpus: 18 });
    const reached = () => rig.domain.vcpus.filter((v) => v.inflight().length > 0).map((v) => v.id);
    const send = (high: number, low: number) => writeSgi1r(rig.vgic, rig.cpus[0]!, rig.v(0), high, low);
    send(0xff_f0ff, (5 << 24) | 0b101);
    expect([reached(), rig.inflight(2)]).toEqual([[0, 2], [5]]);
    send(0, (6 << 24) | (1 << 16) | 0b10);
    expect([reached(), rig.inflight(17)]).toEqual([[0, 2, 17], [6]]);
    rig = new VgicRig({ version: 3, vcpus: 3 });
    send(1 << 8, (7 << 24) | 0xffff);
    expect(reached()).toEqual([1, 2]);
  });
});

test('what Xen does not do, it says on its console', () => {
  rig = new VgicRig({ version: 2 });
  rig.write(0x384, 0xffff_ffff);
  rig.write(0x308, 0x10);
  expect(rig.console).toEqual([
    'd0v0: vGICD: unhandled word write 0x000000ffffffff to ICACTIVER4',
    'd0v0: vGICD: unhandled word write 0x00000000000010 to ISACTIVER8',
  ]);
  rig.inject(40);
  rig.inject(27);
  rig.console = [];
  rig.write(0x284, 0x300);
  rig.write(0x280, 1 << 27);
  expect(rig.console).toEqual([
    'd0v0 trying to clear pending interrupt 40.',
    'd0v0 trying to clear pending interrupt 27.',
  ]);
  rig = new VgicRig({ version: 3, vcpus: 2 });
  rig.write(0x384, 0x89abcdef, DOUBLE, 0, 0x1234567);
  expect(rig.console.pop()).toBe('d0v0: vGICD: unhandled word write 0x123456789abcdef to ICACTIVER4');
  rig.writeRedistributor(1, 0x10380, 0);
  rig.writeRedistributor(1, 0x10300, 1);
  expect(rig.console).toEqual([
    'd0v1: vGICR: SGI: unhandled word write 0000000000000000 to ICACTIVER0',
    'd0v1: vGICR: SGI: unhandled word write 0x00000000000001 to ISACTIVER0',
  ]);
});

test('and where there is no register', () => {
  const said = (version: 2 | 3, access: (r: VgicRig) => unknown) => {
    rig = new VgicRig({ version });
    access(rig);
    return rig.console;
  };
  expect(said(2, (r) => [r.read(0xc), r.write(0xc, 0), r.read(0x20), r.write(0x20, 0)])).toEqual([
    'd0v0: vGICD: RAZ on reserved register offset 0x00000c',
    'd0v0: vGICD: WI on implementation defined register offset 0x00000c',
    'd0v0: vGICD: RAZ on implemention defined register offset 0x000020',
    'd0v0: vGICD: WI on implementation defined register offset 0x000020',
  ]);
  expect(said(2, (r) => [r.read(0xfec), r.write(0xfec, 0)])).toEqual([
    'd0v0: vGICD: RAZ on implemention defined register offset 0x000fec',
  ]);
  expect(said(3, (r) => [r.read(0xc), r.write(0xc, 0), r.read(0xfffc), r.write(0x20, 0)])).toEqual([
    'd0v0: vGICD: RAZ on reserved register offset 0x00000c',
    'd0v0: vGICD: WI on reserved register offset 0x00000c',
    'd0v0: vGICD: RAZ on implementation defined register offset 0x00fffc',
    'd0v0: vGICD: WI on implementation defined register offset 0x000020',
  ]);
  expect(said(3, (r) => [r.readRedistributor(0, 0x18), r.writeRedistributor(0, 0xc000, 0)])).toEqual([
    'd0v0: vGICR: RAZ on reserved register offset 0x000018',
    'd0v0: vGICR: WI on implementation defined register offset 0x00c000',
  ]);
  expect(said(3, (r) => [r.readRedistributor(0, 0x1ffe8), r.writeRedistributor(0, 0x1ffe8, 0)])).toEqual([
    'd0v0: vGICR: SGI: RAZ on reserved register offset 0x00ffe8',
  ]);
});

test('registers must not overlap', () => {
  const a = word('a', 0, zero, zero);
  const b = word('b', 3, zero, zero);
  expect(() => new RegisterMap([a, b], a)).toThrow('b overlaps another register');
});
