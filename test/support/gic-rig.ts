/** A GIC alone, programmed as Xen does it, with what its CPUs were told. */

import { Gic, Signal } from '../../engine/hw/arm/gic.ts';
import type { GicVersion } from '../../engine/hw/arm/gic-core.ts';
import { DistCtlr, GICC, GICD, GICR, GICR_FRAME, GICR_SIZE, ICC } from '../../engine/hw/arm/gic-regs.ts';

export interface GicRig {
  readonly gic: Gic;
  /** CPUs told of a change, in order */
  readonly told: number[];
  /** IAR, EOIR and DIR of either version */
  iar(cpu?: number): number;
  eoi(value: number, cpu?: number): void;
  dir(value: number, cpu?: number): void;
  irq(cpu?: number): boolean;
}

const WORDS = 256 / 32;

/** As reset leaves it. */
export function gicRig(version: GicVersion, cpus = 2, priorityBits?: number): GicRig {
  const told: number[] = [];
  const gic = new Gic({
    id: 'gic',
    version,
    cpus,
    intids: 256,
    ...(priorityBits === undefined ? {} : { priorityBits }),
    output: { changed: (cpu) => told.push(cpu) },
  });
  return {
    gic,
    told,
    iar: (cpu = 0) => (version === 2 ? gic.readGicc(cpu, GICC.IAR) : gic.readIcc(cpu, ICC.IAR1_EL1)!),
    eoi: (value, cpu = 0) => {
      if (version === 2) gic.writeGicc(cpu, GICC.EOIR, value);
      else gic.writeIcc(cpu, ICC.EOIR1_EL1, value);
    },
    dir: (value, cpu = 0) => {
      if (version === 2) gic.writeGicc(cpu, GICC.DIR, value);
      else gic.writeIcc(cpu, ICC.DIR_EL1, value);
    },
    irq: (cpu = 0) => gic.signal(cpu) === Signal.IRQ,
  };
}

/** gicv2_init, gicv3_init and what each CPU does, with EOImode 1: SPIs to CPU 0, level, priority 0xa0, none enabled. */
export function xenGic(version: GicVersion, cpus = 2): GicRig {
  const rig = gicRig(version, cpus);
  const { gic } = rig;
  const dist = (offset: number, value: number) => gic.writeDistributor(0, offset, value);
  for (let n = 1; n < WORDS; n++) {
    dist(GICD.ICENABLER + n * 4, 0xffff_ffff);
    dist(GICD.ICFGR + n * 8, 0);
    dist(GICD.ICFGR + n * 8 + 4, 0);
    if (version === 3) dist(GICD.IGROUPR + n * 4, 0xffff_ffff);
  }
  for (let intid = 32; intid < 256; intid += 4) {
    dist(GICD.IPRIORITYR + intid, 0xa0a0_a0a0);
    dist(GICD.ITARGETSR + intid, 0x0101_0101);
  }
  dist(
    GICD.CTLR,
    version === 2 ? 1 : DistCtlr.enableGrp0.mask | DistCtlr.enableGrp1.mask | DistCtlr.are.mask,
  );
  for (let cpu = 0; cpu < cpus; cpu++) {
    if (version === 2) xenCpu2(gic, cpu);
    else xenCpu3(gic, cpu);
  }
  rig.told.length = 0;
  return rig;
}

/** gicv2_cpu_init */
function xenCpu2(gic: Gic, cpu: number): void {
  gic.writeDistributor(cpu, GICD.ICENABLER, 0xffff_0000);
  for (let i = 0; i < 32; i += 4) {
    gic.writeDistributor(cpu, GICD.IPRIORITYR + i, i < 16 ? 0x9090_9090 : 0xa0a0_a0a0);
  }
  gic.writeGicc(cpu, GICC.PMR, 0xff);
  gic.writeGicc(cpu, GICC.BPR, 0);
  gic.writeGicc(cpu, GICC.CTLR, 0x201);
}

/** gicv3_cpu_init */
function xenCpu3(gic: Gic, cpu: number): void {
  const base = cpu * GICR_SIZE;
  const sgi = base + GICR_FRAME;
  gic.writeRedistributor(base + GICR.WAKER, 0);
  for (let i = 0; i < 32; i += 4) {
    gic.writeRedistributor(sgi + GICD.IPRIORITYR + i, i < 16 ? 0x9090_9090 : 0xa0a0_a0a0);
  }
  gic.writeRedistributor(sgi + GICD.ICENABLER, 0xffff_0000);
  gic.writeRedistributor(sgi + GICD.ISENABLER, 0x0000_ffff);
  gic.writeRedistributor(sgi + GICD.IGROUPR, 0xffff_ffff);
  gic.writeIcc(cpu, ICC.BPR1_EL1, 0);
  gic.writeIcc(cpu, ICC.PMR_EL1, 0xff);
  gic.writeIcc(cpu, ICC.CTLR_EL1, 2);
  gic.writeIcc(cpu, ICC.IGRPEN1_EL1, 1);
}

/** ISENABLER of one interrupt, wherever that is. */
export function enable(gic: Gic, intid: number, cpu = 0): void {
  poke(gic, GICD.ISENABLER, intid, cpu);
}

/** Writes a one for this interrupt into a row of bits. */
export function poke(gic: Gic, row: number, intid: number, cpu = 0): void {
  const offset = row + (intid >> 5) * 4;
  const value = (1 << (intid & 31)) >>> 0;
  if (gic.version === 3 && intid < 32) gic.writeRedistributor(cpu * GICR_SIZE + GICR_FRAME + offset, value);
  else gic.writeDistributor(cpu, offset, value);
}

/** Its bit in a row of bits. */
export function peek(gic: Gic, row: number, intid: number, cpu = 0): boolean {
  const offset = row + (intid >> 5) * 4;
  const word =
    gic.version === 3 && intid < 32
      ? gic.readRedistributor(cpu * GICR_SIZE + GICR_FRAME + offset)
      : gic.readDistributor(cpu, offset);
  return ((word >>> (intid & 31)) & 1) === 1;
}
