/** The life of an interrupt in a GIC, on both versions: raised, taken, dropped, deactivated; programmed as Xen does it. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../engine/core/rng.ts';
import { type Gic, Signal } from '../../../engine/hw/arm/gic.ts';
import { ACTIVE, type GicVersion, GROUP1 } from '../../../engine/hw/arm/gic-core.ts';
import { GICC, GICD, GICR_FRAME, GICR_SIZE, ICC } from '../../../engine/hw/arm/gic-regs.ts';
import { enable, gicRig, peek, poke, xenGic } from '../../support/gic-rig.ts';

const VERSIONS: readonly GicVersion[] = [2, 3];
const SPURIOUS = 1023;
const SPI = 36;
const EDGE_SPI = 79;

function edge(gic: Gic, intid: number): void {
  gic.writeDistributor(0, GICD.ICFGR + (intid >> 4) * 4, (2 << ((intid % 16) * 2)) >>> 0);
}

describe.each(VERSIONS)('GICv%i', (version) => {
  test('a level SPI: pending while its wire is high, active once taken, pending again after deactivation', () => {
    const { gic, iar, eoi, dir, irq, told } = xenGic(version);
    enable(gic, SPI);
    expect(gic.setLine(SPI, true)).toBe(true);
    expect([irq(0), irq(1), gic.pending(0), told]).toEqual([true, false, SPI, [0]]);
    expect(iar()).toBe(SPI);
    expect(irq()).toBe(false);
    expect([peek(gic, GICD.ISACTIVER, SPI), peek(gic, GICD.ISPENDR, SPI)]).toEqual([true, true]);
    eoi(SPI);
    expect(irq()).toBe(false);
    dir(SPI);
    expect([irq(), peek(gic, GICD.ISACTIVER, SPI)]).toEqual([true, false]);
    expect(gic.setLine(SPI, false)).toBe(true);
    expect([irq(), iar()]).toEqual([false, SPURIOUS]);
  });

  test('an edge that comes while the interrupt is active is kept for afterwards, a second one is lost', () => {
    const { gic, iar, eoi, dir, irq } = xenGic(version);
    edge(gic, EDGE_SPI);
    enable(gic, EDGE_SPI);
    expect(gic.setLine(EDGE_SPI, true)).toBe(true);
    expect(iar()).toBe(EDGE_SPI);
    expect(peek(gic, GICD.ISPENDR, EDGE_SPI)).toBe(false);
    expect(gic.setLine(EDGE_SPI, false)).toBe(false);
    expect(gic.setLine(EDGE_SPI, true)).toBe(true);
    gic.setLine(EDGE_SPI, false);
    expect(gic.setLine(EDGE_SPI, true)).toBe(false);
    eoi(EDGE_SPI);
    expect(irq()).toBe(false);
    dir(EDGE_SPI);
    expect(iar()).toBe(EDGE_SPI);
    eoi(EDGE_SPI);
    dir(EDGE_SPI);
    expect(iar()).toBe(SPURIOUS);
  });

  test('an edge while it is disabled is delivered when it is enabled', () => {
    const { gic, irq, iar } = xenGic(version);
    edge(gic, EDGE_SPI);
    gic.setLine(EDGE_SPI, true);
    gic.setLine(EDGE_SPI, false);
    expect(irq()).toBe(false);
    enable(gic, EDGE_SPI);
    expect(iar()).toBe(EDGE_SPI);
  });

  test("a guest's EOI through the HW bit deactivates like DIR", () => {
    const { gic, iar, eoi } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    iar();
    eoi(SPI);
    gic.setLine(SPI, false);
    gic.deactivate(1, SPI);
    expect(peek(gic, GICD.ISACTIVER, SPI)).toBe(false);
  });

  test('with EOImode 0 EOIR deactivates too, and DIR does nothing', () => {
    const { gic, iar, eoi, dir, irq } = xenGic(version);
    if (version === 2) gic.writeGicc(0, GICC.CTLR, 1);
    else gic.writeIcc(0, ICC.CTLR_EL1, 0);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    iar();
    dir(SPI);
    expect(peek(gic, GICD.ISACTIVER, SPI)).toBe(true);
    eoi(SPI);
    expect([peek(gic, GICD.ISACTIVER, SPI), irq()]).toEqual([false, true]);
  });

  test('a higher priority preempts, an equal one waits for the priority drop', () => {
    const { gic, iar, eoi, irq } = xenGic(version);
    for (const intid of [SPI, 40, 41]) enable(gic, intid);
    gic.writeDistributor(0, GICD.IPRIORITYR + 41, 0x80, 1);
    gic.setLine(SPI, true);
    expect(iar()).toBe(SPI);
    gic.setLine(40, true);
    expect(irq()).toBe(false);
    gic.setLine(41, true);
    expect(irq()).toBe(true);
    expect(iar()).toBe(41);
    const rpr = () => (version === 2 ? gic.readGicc(0, GICC.RPR) : gic.readIcc(0, ICC.RPR_EL1));
    expect(rpr()).toBe(0x80);
    eoi(41);
    expect([rpr(), irq()]).toEqual([0xa0, false]);
    eoi(SPI);
    expect([rpr(), irq(), iar()]).toEqual([0xff, true, 40]);
  });

  test('priorities within one group priority do not preempt', () => {
    const { gic, iar, irq } = xenGic(version);
    if (version === 2) gic.writeGicc(0, GICC.BPR, 4);
    else gic.writeIcc(0, ICC.BPR1_EL1, 5);
    for (const intid of [SPI, 40]) enable(gic, intid);
    gic.writeDistributor(0, GICD.IPRIORITYR + SPI, 0xb8, 1);
    gic.writeDistributor(0, GICD.IPRIORITYR + 40, 0xa8, 1);
    gic.setLine(SPI, true);
    iar();
    gic.setLine(40, true);
    expect(irq()).toBe(false);
    gic.writeDistributor(0, GICD.IPRIORITYR + 40, 0x98, 1);
    expect(irq()).toBe(true);
  });

  test('the mask holds back what is not above it', () => {
    const { gic, irq } = xenGic(version);
    const pmr = (value: number) =>
      version === 2 ? gic.writeGicc(0, GICC.PMR, value) : gic.writeIcc(0, ICC.PMR_EL1, value);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    pmr(0xa0);
    expect(irq()).toBe(false);
    pmr(0xa8);
    expect(irq()).toBe(true);
  });

  test('of equal priorities the lowest INTID comes first', () => {
    const { gic, iar } = xenGic(version);
    for (const intid of [78, 36, 48]) {
      enable(gic, intid);
      gic.setLine(intid, true);
    }
    const taken = [iar()];
    for (let i = 0; i < 2; i++) {
      if (version === 2) gic.writeGicc(0, GICC.EOIR, taken.at(-1)!);
      else gic.writeIcc(0, ICC.EOIR1_EL1, taken.at(-1)!);
      taken.push(iar());
    }
    expect(taken).toEqual([36, 48, 78]);
  });

  test('a timer of one CPU is a wire of its own and disturbs no other', () => {
    const { gic, irq, iar } = xenGic(version);
    enable(gic, 27, 1);
    gic.setPrivateLine(0, 27, true);
    gic.setPrivateLine(1, 27, true);
    expect([irq(0), irq(1), iar(0), iar(1)]).toEqual([false, true, SPURIOUS, 27]);
  });

  test('an interrupt that is set active by software is not delivered', () => {
    const { gic, irq } = xenGic(version);
    enable(gic, SPI);
    poke(gic, GICD.ISACTIVER, SPI);
    gic.setLine(SPI, true);
    expect(irq()).toBe(false);
    poke(gic, GICD.ICACTIVER, SPI);
    expect(irq()).toBe(true);
  });

  test('the distributor forwards nothing while it is off', () => {
    const { gic, irq } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    gic.writeDistributor(0, GICD.CTLR, 0);
    expect(irq()).toBe(false);
    gic.writeDistributor(0, GICD.CTLR, 3);
    expect(irq()).toBe(true);
  });

  test('pending by software: ISPENDR lasts until it is taken or cleared, also of a level interrupt', () => {
    const { gic, iar, irq } = xenGic(version);
    enable(gic, SPI);
    poke(gic, GICD.ISPENDR, SPI);
    expect(irq()).toBe(true);
    poke(gic, GICD.ICPENDR, SPI);
    expect(irq()).toBe(false);
    poke(gic, GICD.ISPENDR, SPI);
    expect(iar()).toBe(SPI);
    expect(peek(gic, GICD.ISPENDR, SPI)).toBe(false);
  });

  test('ICPENDR does not silence a level that is still there', () => {
    const { gic, irq } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    poke(gic, GICD.ICPENDR, SPI);
    expect(irq()).toBe(true);
  });

  test('an SPI moved to another CPU while it is pending is signalled there', () => {
    const { gic, irq, told } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    told.length = 0;
    if (version === 2) gic.writeDistributor(0, GICD.ITARGETSR + SPI, 2, 1);
    else gic.writeDistributor(0, GICD.IROUTER + SPI * 8, 1, 8);
    expect([irq(0), irq(1), told]).toEqual([false, true, [0, 1]]);
  });

  test('what is active on one CPU is ended by another after its move', () => {
    const { gic, iar, eoi } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    iar(0);
    eoi(SPI, 0);
    if (version === 2) gic.writeDistributor(0, GICD.ITARGETSR + SPI, 2, 1);
    else gic.writeDistributor(0, GICD.IROUTER + SPI * 8, 1, 8);
    gic.deactivate(1, SPI);
    expect([gic.pending(0), gic.pending(1)]).toEqual([SPURIOUS, SPI]);
  });

  test('EOIR of an interrupt that is not there, or with nothing taken, is ignored', () => {
    const { gic, iar, eoi, dir } = xenGic(version);
    enable(gic, SPI);
    eoi(SPI);
    gic.setLine(SPI, true);
    iar();
    for (const wrong of [1023, 1022, 700]) {
      eoi(wrong);
      dir(wrong);
    }
    expect(gic.inspectCpu(0).running).toBe(0xa0);
    expect(peek(gic, GICD.ISACTIVER, SPI)).toBe(true);
  });

  test('inspect shows what is not at rest', () => {
    const { gic, iar } = xenGic(version);
    enable(gic, SPI);
    gic.setLine(SPI, true);
    iar();
    expect(gic.inspect().filter(({ intid }) => intid >= 16)).toEqual([
      {
        intid: SPI,
        cpu: -1,
        enabled: true,
        pending: true,
        active: true,
        line: true,
        edge: false,
        group: version === 2 ? 0 : 1,
        priority: 0xa0,
        targets: [0],
      },
    ]);
    expect(gic.inspectCpu(0)).toMatchObject({
      running: 0xa0,
      pending: SPURIOUS,
      signal: 'none',
      split: true,
    });
    expect(gic.inspectCpu(1)).toMatchObject({ running: 256 });
  });

  test('group 0 is a FIQ where it is told so, or has to be', () => {
    const { gic } = xenGic(version);
    if (version === 2) gic.writeGicc(0, GICC.CTLR, 0x209);
    else {
      gic.writeIcc(0, ICC.IGRPEN0_EL1, 1);
      gic.writeDistributor(0, GICD.IGROUPR + 4, 0);
    }
    enable(gic, SPI);
    gic.setLine(SPI, true);
    expect(gic.signal(0)).toBe(Signal.FIQ);
    expect(version === 2 ? gic.readGicc(0, GICC.IAR) : gic.readIcc(0, ICC.IAR1_EL1)).toBe(
      version === 2 ? SPI : SPURIOUS,
    );
    if (version === 3) expect(gic.readIcc(0, ICC.IAR0_EL1)).toBe(SPI);
  });
});

describe('against a plain search, at random', () => {
  /** What the CPU should be told, found by looking at every interrupt. */
  function bySearch(gic: Gic, cpu: number): number {
    const { core } = gic;
    let best = SPURIOUS;
    let priority = 0x100;
    for (let intid = 0; intid < core.intids; intid++) {
      const n = core.index(cpu, intid);
      const f = core.flags[n]!;
      const group = f & GROUP1 ? 2 : 1;
      if (intid >= 32 && !core.targetsOf(intid).includes(cpu)) continue;
      if ((f & 1) === 0 || f & ACTIVE || !core.isPending(f) || (core.groups & group) === 0) continue;
      if (core.priority[n]! >= priority) continue;
      best = intid;
      priority = core.priority[n]!;
    }
    return best;
  }

  test.each(VERSIONS.flatMap((version) => [1, 2, 3, 4].map((seed) => [version, seed] as const)))(
    'GICv%i, seed %i: the best is always at hand, the wires follow, and a saved GIC goes on the same',
    (version, seed) => {
      const rng = new Rng(seed, () => {}).stream('gic');
      const rig = xenGic(version, 3);
      const { gic, told } = rig;
      const intid = () => (rng.below(2) === 0 ? rng.below(32) : 32 + rng.below(48));
      const row = () => GICD.IGROUPR + rng.below(7) * 0x80;
      const register = (cpu: number, offset: number, value: number) => {
        const inner = offset - Math.floor(offset / 0x80) * 0x80;
        if (version === 3 && offset < GICD.IPRIORITYR && inner < 4) {
          gic.writeRedistributor(cpu * GICR_SIZE + GICR_FRAME + offset, value);
        } else gic.writeDistributor(cpu, offset, value);
      };
      const wires = [0, 1, 2].map((cpu) => gic.signal(cpu));
      for (let i = 0; i < 4000; i++) {
        const cpu = rng.below(3);
        const n = intid();
        told.length = 0;
        const what = rng.below(12);
        switch (what) {
          case 0:
          case 1:
          case 2:
            if (n >= 32) gic.setLine(n, rng.below(2) === 1);
            else if (n >= 16) gic.setPrivateLine(cpu, n, rng.below(2) === 1);
            break;
          case 3:
            register(cpu, row() + rng.below(3) * 4, rng.below(2 ** 32));
            break;
          case 4:
            gic.writeDistributor(cpu, GICD.IPRIORITYR + n, rng.below(256), 1);
            break;
          case 5:
            gic.writeDistributor(cpu, GICD.ITARGETSR + n, rng.below(256), 1);
            break;
          case 6:
            if (version === 2) gic.writeDistributor(cpu, GICD.SGIR, rng.below(2 ** 27));
            else {
              gic.writeIcc(cpu, ICC.SGI1R_EL1, rng.below(8) | (rng.below(16) << 24), rng.below(2) << 8);
              gic.writeDistributor(0, GICD.IROUTER + n * 8, rng.below(5) + rng.below(2) * 2 ** 31, 8);
            }
            break;
          case 7:
          case 8: {
            const taken = rig.iar(cpu);
            if (taken < 1020 && rng.below(4) > 0) rig.eoi(taken, cpu);
            break;
          }
          case 9:
            rig.eoi(n, cpu);
            rig.dir(n, cpu);
            break;
          case 10:
            if (rng.below(8) === 0) gic.writeDistributor(cpu, GICD.CTLR, rng.below(4));
            else gic.deactivate(cpu, n);
            break;
          default:
            if (version === 2) {
              gic.writeGicc(cpu, GICC.PMR, rng.below(256));
              gic.writeGicc(cpu, GICC.CTLR, rng.below(1024) | 3);
              gic.writeDistributor(cpu, GICD.CTLR, 3);
            } else {
              gic.writeIcc(cpu, ICC.PMR_EL1, rng.below(256));
              gic.writeRedistributor(cpu * GICR_SIZE + 0x14, rng.below(5) === 0 ? 2 : 0);
            }
        }
        for (let at = 0; at < 3; at++) {
          expect(gic.core.ready[at]!.best).toBe(bySearch(gic, at));
          // however much one access changes, a CPU is told once
          const changed = gic.signal(at) !== wires[at];
          if (what <= 5) expect(told.filter((cpu) => cpu === at).length).toBe(changed ? 1 : 0);
          else if (changed) expect(told).toContain(at);
          wires[at] = gic.signal(at);
        }
        if (i % 500 === 0) {
          const saved = JSON.parse(JSON.stringify(gic.save()));
          const other = gicRig(version, 3);
          other.gic.restore(saved);
          expect(other.told).toEqual([]);
          expect(JSON.stringify(other.gic.save())).toBe(JSON.stringify(saved));
          expect(other.gic.inspect()).toEqual(gic.inspect());
          for (let at = 0; at < 3; at++) {
            expect(other.gic.inspectCpu(at)).toEqual(gic.inspectCpu(at));
            expect(other.gic.core.ready[at]!.best).toBe(gic.core.ready[at]!.best);
          }
        }
      }
    },
  );
});
