/**
 * Registers of the Generic Interrupt Controller under the names of its architecture specifications: the distributor
 * (GICD), the memory-mapped CPU interface of GICv2 (GICC; IHI 0048, chapter 4), and of GICv3 the redistributors (GICR)
 * and the CPU interface's system registers (ICC; IHI 0069, chapters 8 and 12).
 */
import { bit, Field } from '../../core/bits.ts';

/** INTIDs: software-generated, private peripheral, shared peripheral, special. */
export const SGIS = 16;
/** SGIs and PPIs: every CPU has its own */
export const PRIVATE = 32;
export const MOST_INTIDS = 1020;
/** group 1 is pending, and GICC_CTLR.AckCtl says not to touch it */
export const GROUP1_ONLY = 1022;
/** nothing is pending, or not enough */
export const SPURIOUS = 1023;

/** Offsets in the distributor. Rows of registers start here; the bank of one interrupt is computed. */
export const GICD = {
  CTLR: 0x000,
  TYPER: 0x004,
  IIDR: 0x008,
  IGROUPR: 0x080,
  ISENABLER: 0x100,
  ICENABLER: 0x180,
  ISPENDR: 0x200,
  ICPENDR: 0x280,
  ISACTIVER: 0x300,
  ICACTIVER: 0x380,
  IPRIORITYR: 0x400,
  ITARGETSR: 0x800,
  ICFGR: 0xc00,
  SGIR: 0xf00,
  CPENDSGIR: 0xf10,
  SPENDSGIR: 0xf20,
  /** of GICv3: 64 bits for each SPI */
  IROUTER: 0x6000,
} as const;

/** Identification registers, from these offsets to the end of the frame. */
export const GICD_V2_ID = 0xfd0;
export const V3_ID = 0xffd0;
/** PIDR4 to 7, PIDR0 to 3, CIDR0 to 3: ARM's own parts, a byte each */
export const V2_IDS = [0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;
export const V3_DIST_IDS = [0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;
export const V3_REDIST_IDS = [0x44, 0, 0, 0, 0x93, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1] as const;
/** GICD_IIDR, GICR_IIDR: ARM's code in JEP106, no product */
export const IIDR = 0x43b;

/** Sizes of the frames. */
export const GICD_SIZE = { 2: 0x1000, 3: 0x1_0000 } as const;
export const GICC_SIZE = 0x2000;
/** a redistributor: the frames of 64 KB for control, and for SGIs and PPIs */
export const GICR_FRAME = 0x1_0000;
export const GICR_SIZE = 2 * GICR_FRAME;

/** GICD_CTLR with one security state. */
export const DistCtlr = {
  enableGrp0: bit(0),
  enableGrp1: bit(1),
  /** affinity routing; GICv3 has nothing else here */
  are: bit(4),
  /** one security state only */
  ds: bit(6),
} as const;

export const DistTyper = {
  /** 32 * (n + 1) INTIDs */
  itLinesNumber: new Field(0, 5),
  /** GICv2: CPU interfaces, less one */
  cpuNumber: new Field(5, 3),
  /** GICv3: bits of an INTID, less one */
  idBits: new Field(19, 5),
  /** GICv3: Aff3 may be other than 0 */
  a3v: bit(24),
} as const;

/** GICD_SGIR */
export const Sgir = {
  intid: new Field(0, 4),
  targetList: new Field(16, 8),
  filter: new Field(24, 2),
} as const;

export const SgirFilter = { LIST: 0, OTHERS: 1, SELF: 2 } as const;

/** GICD_IROUTER, lower half: any CPU that takes part. */
export const IROUTER_ANY = bit(31);

/** Offsets in GICv2's CPU interface. */
export const GICC = {
  CTLR: 0x0000,
  PMR: 0x0004,
  BPR: 0x0008,
  IAR: 0x000c,
  EOIR: 0x0010,
  RPR: 0x0014,
  HPPIR: 0x0018,
  ABPR: 0x001c,
  AIAR: 0x0020,
  AEOIR: 0x0024,
  AHPPIR: 0x0028,
  APR: 0x00d0,
  NSAPR: 0x00e0,
  IIDR: 0x00fc,
  DIR: 0x1000,
} as const;

/** GICC_CTLR without the Security Extensions. */
export const CpuCtlr = {
  enableGrp0: bit(0),
  enableGrp1: bit(1),
  ackCtl: bit(2),
  fiqEn: bit(3),
  cbpr: bit(4),
  /** EOIR drops the priority only, DIR deactivates */
  eoiMode: bit(9),
} as const;

/** GICC_IAR: which interrupt, and who sent it if it is an SGI. */
export const Iar = { intid: new Field(0, 10), cpuId: new Field(10, 3) } as const;

/** GICC_IIDR: version in bits 19 to 16. */
export const GICC_IIDR = (2 << 16) | IIDR;

/** Offsets in a redistributor's first frame. SGIs and PPIs are in the second, at GICR_FRAME + their offset in GICD. */
export const GICR = {
  CTLR: 0x0000,
  IIDR: 0x0004,
  TYPER: 0x0008,
  WAKER: 0x0014,
} as const;

/** GICR_TYPER, lower half; the upper is the affinity. */
export const RedistTyper = { last: bit(4), processorNumber: new Field(8, 16) } as const;

export const Waker = { processorSleep: bit(1), childrenAsleep: bit(2) } as const;

/**
 * A system register as the syndrome of a trap names it: Op0, Op2, Op1, CRn and CRm at their places in ESR_ELx.ISS,
 * Rt and the direction left out.
 */
export function sysreg(op0: number, op1: number, crn: number, crm: number, op2: number): number {
  return (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (crm << 1);
}

/** System registers of the CPU interface. */
export const ICC = {
  PMR_EL1: sysreg(3, 0, 4, 6, 0),
  IAR0_EL1: sysreg(3, 0, 12, 8, 0),
  EOIR0_EL1: sysreg(3, 0, 12, 8, 1),
  HPPIR0_EL1: sysreg(3, 0, 12, 8, 2),
  BPR0_EL1: sysreg(3, 0, 12, 8, 3),
  AP0R0_EL1: sysreg(3, 0, 12, 8, 4),
  AP0R1_EL1: sysreg(3, 0, 12, 8, 5),
  AP0R2_EL1: sysreg(3, 0, 12, 8, 6),
  AP0R3_EL1: sysreg(3, 0, 12, 8, 7),
  AP1R0_EL1: sysreg(3, 0, 12, 9, 0),
  AP1R1_EL1: sysreg(3, 0, 12, 9, 1),
  AP1R2_EL1: sysreg(3, 0, 12, 9, 2),
  AP1R3_EL1: sysreg(3, 0, 12, 9, 3),
  DIR_EL1: sysreg(3, 0, 12, 11, 1),
  RPR_EL1: sysreg(3, 0, 12, 11, 3),
  SGI1R_EL1: sysreg(3, 0, 12, 11, 5),
  ASGI1R_EL1: sysreg(3, 0, 12, 11, 6),
  SGI0R_EL1: sysreg(3, 0, 12, 11, 7),
  IAR1_EL1: sysreg(3, 0, 12, 12, 0),
  EOIR1_EL1: sysreg(3, 0, 12, 12, 1),
  HPPIR1_EL1: sysreg(3, 0, 12, 12, 2),
  BPR1_EL1: sysreg(3, 0, 12, 12, 3),
  CTLR_EL1: sysreg(3, 0, 12, 12, 4),
  SRE_EL1: sysreg(3, 0, 12, 12, 5),
  IGRPEN0_EL1: sysreg(3, 0, 12, 12, 6),
  IGRPEN1_EL1: sysreg(3, 0, 12, 12, 7),
  SRE_EL2: sysreg(3, 4, 12, 9, 5),
} as const;

/** ICC_CTLR_EL1 */
export const IccCtlr = {
  cbpr: bit(0),
  eoiMode: bit(1),
  priBits: new Field(8, 3),
  idBits: new Field(11, 3),
  /** Aff3 may be other than 0 in SGIs */
  a3v: bit(15),
} as const;

/** ICC_SGI1R_EL1, lower half. */
export const Sgi1r = {
  targetList: new Field(0, 16),
  aff1: new Field(16, 8),
  intid: new Field(24, 4),
} as const;

/** ICC_SGI1R_EL1, upper half. */
export const Sgi1rHigh = {
  aff2: new Field(0, 8),
  /** all CPUs but the sender */
  irm: bit(8),
  /** the list counts from 16 times this */
  rangeSelector: new Field(12, 4),
  aff3: new Field(16, 8),
} as const;

/** ICC_SRE_ELn: system registers it is, no legacy bypass; EL1 may. */
export const SRE_EL1 = 0x7;
export const SRE_EL2 = 0xf;
