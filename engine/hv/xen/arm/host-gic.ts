/**
 * Xen's hold on the physical GIC (gic_hw_operations of xen/arch/arm/gic-v2.c and gic-v3.c, without the virtual interface):
 * how it is set up, and the accesses by which an interrupt is taken, dropped in priority and deactivated.
 *
 * EOIR only drops the priority (EOImode 1). What Xen handles itself it deactivates by DIR; what is a guest's stays active
 * until the guest's own EOI deactivates it.
 */

import type { Gic } from '../../../hw/arm/gic.ts';
import { affinityOf } from '../../../hw/arm/gic-core.ts';
import { GICC, GICD, GICR, GICR_FRAME, GICR_SIZE, ICC, PRIVATE, SGIS } from '../../../hw/arm/gic-regs.ts';

/** GIC_PRI_IRQ, GIC_PRI_IPI, four times each */
const PRIORITY_IRQ = 0xa0a0_a0a0;
const PRIORITY_IPI = 0x9090_9090;
const ALL = 0xffff_ffff;

/** GICC_CTL_ENABLE | GICC_CTL_EOI */
const GICC_ON = 1 | (1 << 9);
/** ICC_CTLR_EL1: EOImode */
const ICC_EOI_MODE = 1 << 1;

/** Sees each access that has to do with an interrupt in hand: IAR, EOIR, DIR. */
export type HostAccess = (cpu: number, register: string, write: boolean, value: number) => void;

export class HostGic {
  trace: HostAccess | null = null;
  private readonly v2: boolean;

  constructor(
    readonly chip: Gic,
    private readonly cpus: number,
  ) {
    this.v2 = chip.version === 2;
  }

  // boot

  /** gicv2_dist_init, gicv3_dist_init on the first CPU, then each CPU's own part. */
  init(): void {
    const { chip, v2 } = this;
    const dist = (offset: number, value: number, width: 1 | 4 | 8 = 4) =>
      chip.writeDistributor(0, offset, value, width);
    const lines = chip.core.intids;
    dist(GICD.CTLR, 0);
    for (let n = PRIVATE; n < lines; n += 16) dist(GICD.ICFGR + n / 4, 0);
    if (v2) for (let n = PRIVATE; n < lines; n += 4) dist(GICD.ITARGETSR + n, 0x0101_0101);
    for (let n = PRIVATE; n < lines; n += 4) dist(GICD.IPRIORITYR + n, PRIORITY_IRQ);
    for (let n = PRIVATE; n < lines; n += 32) {
      dist(GICD.ICENABLER + n / 8, ALL);
      dist(GICD.ICACTIVER + n / 8, ALL);
      if (!v2) dist(GICD.IGROUPR + n / 8, ALL);
    }
    dist(GICD.CTLR, v2 ? 1 : 0x13);
    if (!v2) for (let n = PRIVATE; n < lines; n++) dist(GICD.IROUTER + n * 8, 0, 8);
    for (let cpu = 0; cpu < this.cpus; cpu++) this.initCpu(cpu);
  }

  /** gicv2_cpu_init, gicv3_cpu_init */
  private initCpu(cpu: number): void {
    const { chip } = this;
    if (!this.v2) {
      chip.writeRedistributor(cpu * GICR_SIZE + GICR.WAKER, 0);
      this.own(cpu, GICD.IGROUPR, ALL);
    }
    this.own(cpu, GICD.ICACTIVER, ALL);
    this.own(cpu, GICD.ICENABLER, 0xffff_0000);
    this.own(cpu, GICD.ISENABLER, 0x0000_ffff);
    for (let n = 0; n < PRIVATE; n += 4) {
      this.own(cpu, GICD.IPRIORITYR + n, n < SGIS ? PRIORITY_IPI : PRIORITY_IRQ);
    }
    if (this.v2) {
      chip.writeGicc(cpu, GICC.PMR, 0xff);
      chip.writeGicc(cpu, GICC.BPR, 0);
      chip.writeGicc(cpu, GICC.CTLR, GICC_ON);
      return;
    }
    chip.writeIcc(cpu, ICC.BPR1_EL1, 0);
    chip.writeIcc(cpu, ICC.PMR_EL1, 0xff);
    chip.writeIcc(cpu, ICC.CTLR_EL1, ICC_EOI_MODE);
    chip.writeIcc(cpu, ICC.IGRPEN1_EL1, 1);
  }

  /** A register of a CPU's own interrupts: banked, or in its redistributor. */
  private own(cpu: number, offset: number, value: number): void {
    if (this.v2) this.chip.writeDistributor(cpu, offset, value);
    else this.chip.writeRedistributor(cpu * GICR_SIZE + GICR_FRAME + offset, value);
  }

  // an interrupt in hand

  /** read_irq: takes the best that is pending; 1023: there is none. */
  readIrq(cpu: number): number {
    const iar = this.v2 ? this.chip.readGicc(cpu, GICC.IAR) : this.chip.readIcc(cpu, ICC.IAR1_EL1)!;
    this.trace?.(cpu, 'IAR', false, iar);
    return this.v2 ? iar & 0x3ff : iar;
  }

  /** eoi_irq: the priority drops. Of an SGI only the number is written back, not who sent it. */
  eoi(cpu: number, irq: number): void {
    this.trace?.(cpu, 'EOIR', true, irq);
    if (this.v2) this.chip.writeGicc(cpu, GICC.EOIR, irq);
    else this.chip.writeIcc(cpu, ICC.EOIR1_EL1, irq);
  }

  /** deactivate_irq */
  dir(cpu: number, irq: number): void {
    this.trace?.(cpu, 'DIR', true, irq);
    if (this.v2) this.chip.writeGicc(cpu, GICC.DIR, irq);
    else this.chip.writeIcc(cpu, ICC.DIR_EL1, irq);
  }

  /** send_SGI to one CPU. */
  sendSgi(from: number, to: number, sgi: number): void {
    if (this.v2) this.chip.writeDistributor(from, GICD.SGIR, (1 << (16 + to)) | sgi);
    else this.chip.writeIcc(from, ICC.SGI1R_EL1, (sgi << 24) | ((to >> 4) << 16) | (1 << (to & 15)));
  }

  // descriptors

  enable(cpu: number, irq: number): void {
    this.bit(cpu, GICD.ISENABLER, irq);
  }

  disable(cpu: number, irq: number): void {
    this.bit(cpu, GICD.ICENABLER, irq);
  }

  /** set_pending_state */
  setPending(cpu: number, irq: number): void {
    this.bit(cpu, GICD.ISPENDR, irq);
  }

  /** set_irq_type */
  setType(cpu: number, irq: number, edge: boolean): void {
    const { chip } = this;
    const offset = GICD.ICFGR + (irq >> 4) * 4;
    const bit = 2 << (2 * (irq & 15));
    if (irq < PRIVATE) {
      this.own(cpu, offset, edge ? bit : 0);
      return;
    }
    const old = chip.readDistributor(cpu, offset);
    chip.writeDistributor(cpu, offset, (edge ? old | bit : old & ~bit) >>> 0);
  }

  /** irq_set_affinity of an SPI */
  setAffinity(cpu: number, irq: number, to: number): void {
    if (this.v2) this.chip.writeDistributor(cpu, GICD.ITARGETSR + irq, 1 << to, 1);
    else this.chip.writeDistributor(cpu, GICD.IROUTER + irq * 8, affinityOf(to), 8);
  }

  private bit(cpu: number, register: number, irq: number): void {
    const value = (1 << (irq & 31)) >>> 0;
    if (irq < PRIVATE) this.own(cpu, register, value);
    else this.chip.writeDistributor(cpu, register + (irq >> 5) * 4, value);
  }
}
