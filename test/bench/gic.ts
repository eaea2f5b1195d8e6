/**
 * The GIC of an ARM host: what one interrupt costs on its way through it, with EOImode 1 as Xen has it. No figure of real
 * code stands beside: the real one is hardware.
 */

import { Gic } from '../../engine/hw/arm/gic.ts';
import type { GicVersion } from '../../engine/hw/arm/gic-core.ts';
import { DistCtlr, GICC, GICD, GICR, GICR_FRAME, GICR_SIZE, ICC } from '../../engine/hw/arm/gic-regs.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';

const EVENTS = 1_000_000;
const ROUNDS = 5;
/** the first SPI; each CPU has one */
const SPI = 40;
const SGI = 1;

/** A GIC that its CPUs are told by, as they are in a machine. */
class Host {
  readonly gic: Gic;
  told = 0;

  constructor(
    readonly version: GicVersion,
    readonly cpus: number,
  ) {
    this.gic = new Gic({ id: 'gic', version, cpus, intids: 256, output: { changed: () => this.told++ } });
    const { gic } = this;
    gic.writeDistributor(0, GICD.CTLR, DistCtlr.enableGrp0.mask | DistCtlr.enableGrp1.mask);
    for (let n = 4; n < 32; n += 4)
      gic.writeDistributor(0, GICD.IGROUPR + n, version === 3 ? 0xffff_ffff : 0);
    for (let cpu = 0; cpu < cpus; cpu++) this.program(cpu);
  }

  private program(cpu: number): void {
    const { gic } = this;
    gic.writeDistributor(0, GICD.ISENABLER + 4, (1 << (SPI - 32 + cpu)) >>> 0);
    gic.writeDistributor(0, GICD.ITARGETSR + SPI + cpu, 1 << cpu, 1);
    if (this.version === 2) {
      gic.writeGicc(cpu, GICC.PMR, 0xff);
      gic.writeGicc(cpu, GICC.CTLR, 0x201);
      return;
    }
    gic.writeDistributor(0, GICD.IROUTER + (SPI + cpu) * 8, cpu, 8);
    gic.writeRedistributor(cpu * GICR_SIZE + GICR.WAKER, 0);
    gic.writeRedistributor(cpu * GICR_SIZE + GICR_FRAME + GICD.IGROUPR, 0xffff_ffff);
    gic.writeRedistributor(cpu * GICR_SIZE + GICR_FRAME + GICD.ISENABLER, 0xffff);
    gic.writeIcc(cpu, ICC.PMR_EL1, 0xff);
    gic.writeIcc(cpu, ICC.CTLR_EL1, 2);
    gic.writeIcc(cpu, ICC.IGRPEN1_EL1, 1);
  }

  /** IAR and EOIR: taken, and its priority dropped. */
  take(cpu: number, expected: number): void {
    const { gic } = this;
    if (this.version === 2) {
      const iar = gic.readGicc(cpu, GICC.IAR);
      if ((iar & 0x3ff) !== expected) throw new Error('the interrupt did not arrive');
      gic.writeGicc(cpu, GICC.EOIR, iar);
    } else {
      if (gic.readIcc(cpu, ICC.IAR1_EL1) !== expected) throw new Error('the interrupt did not arrive');
      gic.writeIcc(cpu, ICC.EOIR1_EL1, expected);
    }
  }

  dir(cpu: number, intid: number): void {
    if (this.version === 2) this.gic.writeGicc(cpu, GICC.DIR, intid);
    else this.gic.writeIcc(cpu, ICC.DIR_EL1, intid);
  }

  sgi(from: number, to: number): void {
    if (this.version === 2) this.gic.writeDistributor(from, GICD.SGIR, (1 << (16 + to)) | SGI);
    else this.gic.writeIcc(from, ICC.SGI1R_EL1, (SGI << 24) | (1 << to));
  }
}

interface Path {
  readonly title: string;
  run(host: Host, cpu: number): void;
}

const PATHS: readonly Path[] = [
  {
    title: "level SPI for a guest, IAR, EOIR, the guest's EOI",
    run: (host, cpu) => {
      host.gic.setLine(SPI + cpu, true);
      host.take(cpu, SPI + cpu);
      host.gic.setLine(SPI + cpu, false);
      host.gic.deactivate(cpu, SPI + cpu);
    },
  },
  {
    title: 'SGI, IAR, EOIR, DIR',
    run: (host, cpu) => {
      host.sgi((cpu + 1) % host.cpus, cpu);
      host.take(cpu, SGI);
      host.dir(cpu, SGI);
    },
  },
];

function measure(path: Path, version: GicVersion, cpus: number): Result {
  const host = new Host(version, cpus);
  const loop = () => {
    for (let n = 0; n < EVENTS; n++) path.run(host, n % cpus);
  };
  loop();
  const ours = Array.from({ length: ROUNDS }, () => nsPer(EVENTS, loop));
  return {
    title: `GICv${version}: ${path.title}, ${cpus} CPU${cpus === 1 ? '' : 's'}`,
    measured: inUnit(best(ours), 'ns'),
    beside: 'hardware',
  };
}

const VERSIONS: readonly GicVersion[] = [2, 3];

export const gic: Bench = {
  name: 'gic',
  run: () =>
    PATHS.flatMap((path) =>
      VERSIONS.flatMap((version) => [1, 8].map((cpus) => measure(path, version, cpus))),
    ),
};
