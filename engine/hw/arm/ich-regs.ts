/**
 * GICv3's virtual interface by the names of its system registers: those of the hypervisor (IHI 0069, 12.4), and those that
 * a guest, which names ICC_*, gets instead of the physical ones (12.3). Those of 64 bits are list registers alone.
 */
import type { Ich } from './ich.ts';

export interface SystemRegister {
  readonly read?: (ich: Ich) => number;
  readonly write?: (ich: Ich, value: number) => void;
}

export const ICH_REGISTERS: ReadonlyMap<string, SystemRegister> = new Map<string, SystemRegister>([
  ['ICH_AP0R0_EL2', { read: (i) => i.readAp0(), write: (i, value) => i.writeAp0(value) }],
  ['ICH_AP1R0_EL2', { read: (i) => i.readAp1(), write: (i, value) => i.writeAp1(value) }],
  ['ICH_HCR_EL2', { read: (i) => i.readHcr(), write: (i, value) => i.writeHcr(value) }],
  ['ICH_VTR_EL2', { read: (i) => i.vtr }],
  ['ICH_MISR_EL2', { read: (i) => i.misr }],
  ['ICH_EISR_EL2', { read: (i) => i.eisr }],
  ['ICH_ELRSR_EL2', { read: (i) => i.elrsr }],
  ['ICH_VMCR_EL2', { read: (i) => i.readVmcr(), write: (i, value) => i.writeVmcr(value) }],
]);

/** What a guest's ICC_* means while its interrupts are virtual. */
export const ICV_REGISTERS: ReadonlyMap<string, SystemRegister> = new Map<string, SystemRegister>([
  ['ICC_PMR_EL1', { read: (i) => i.readPmr(), write: (i, value) => i.writePmr(value) }],
  ['ICC_IAR0_EL1', { read: (i) => i.iar(0) }],
  ['ICC_IAR1_EL1', { read: (i) => i.iar(1) }],
  ['ICC_EOIR0_EL1', { write: (i, value) => i.eoir(0, value) }],
  ['ICC_EOIR1_EL1', { write: (i, value) => i.eoir(1, value) }],
  ['ICC_HPPIR0_EL1', { read: (i) => i.hppir(0) }],
  ['ICC_HPPIR1_EL1', { read: (i) => i.hppir(1) }],
  ['ICC_BPR0_EL1', { read: (i) => i.readBpr(0), write: (i, value) => i.writeBpr(0, value) }],
  ['ICC_BPR1_EL1', { read: (i) => i.readBpr(1), write: (i, value) => i.writeBpr(1, value) }],
  ['ICC_DIR_EL1', { write: (i, value) => i.dir(value) }],
  ['ICC_RPR_EL1', { read: (i) => i.readRpr() }],
  ['ICC_CTLR_EL1', { read: (i) => i.readCtlr(), write: (i, value) => i.writeCtlr(value) }],
  ['ICC_IGRPEN0_EL1', { read: (i) => i.readIgrpen(0), write: (i, value) => i.writeIgrpen(0, value) }],
  ['ICC_IGRPEN1_EL1', { read: (i) => i.readIgrpen(1), write: (i, value) => i.writeIgrpen(1, value) }],
  ['ICC_AP0R0_EL1', { read: (i) => i.core.ap0, write: (i, value) => i.core.writeAp(0, value) }],
  ['ICC_AP1R0_EL1', { read: (i) => i.core.ap1, write: (i, value) => i.core.writeAp(1, value) }],
]);
