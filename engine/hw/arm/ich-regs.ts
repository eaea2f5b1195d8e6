/**
 * GICv3's virtual interface as system registers: those of a guest, which names ICC_* and gets ICV_* (IHI 0069, 12.3). The
 * hypervisor's, ICH_*, are the methods of `ich.ts` by their names.
 */
import { ICC } from './gic-regs.ts';
import type { Ich } from './ich.ts';

interface SystemRegister {
  readonly read?: (ich: Ich) => number;
  readonly write?: (ich: Ich, value: number) => void;
}

const INTID = 0xff_ffff;

const ICV: ReadonlyMap<number, SystemRegister> = new Map<number, SystemRegister>([
  [ICC.PMR_EL1, { read: (i) => i.readPmr(), write: (i, value) => i.writePmr(value) }],
  [ICC.IAR0_EL1, { read: (i) => i.iar(0) }],
  [ICC.IAR1_EL1, { read: (i) => i.iar(1) }],
  [ICC.EOIR0_EL1, { write: (i, value) => i.eoir(0, value & INTID) }],
  [ICC.EOIR1_EL1, { write: (i, value) => i.eoir(1, value & INTID) }],
  [ICC.HPPIR0_EL1, { read: (i) => i.hppir(0) }],
  [ICC.HPPIR1_EL1, { read: (i) => i.hppir(1) }],
  [ICC.BPR0_EL1, { read: (i) => i.readBpr(0), write: (i, value) => i.writeBpr(0, value) }],
  [ICC.BPR1_EL1, { read: (i) => i.readBpr(1), write: (i, value) => i.writeBpr(1, value) }],
  [ICC.DIR_EL1, { write: (i, value) => i.dir(value & INTID) }],
  [ICC.RPR_EL1, { read: (i) => i.readRpr() }],
  [ICC.CTLR_EL1, { read: (i) => i.readCtlr(), write: (i, value) => i.writeCtlr(value) }],
  [ICC.IGRPEN0_EL1, { read: (i) => i.readIgrpen(0), write: (i, value) => i.writeIgrpen(0, value) }],
  [ICC.IGRPEN1_EL1, { read: (i) => i.readIgrpen(1), write: (i, value) => i.writeIgrpen(1, value) }],
  [ICC.AP0R0_EL1, { read: (i) => i.core.ap0, write: (i, value) => i.core.writeAp(0, value) }],
  [ICC.AP1R0_EL1, { read: (i) => i.core.ap1, write: (i, value) => i.core.writeAp(1, value) }],
]);

/** MRS by a guest. Undefined: there is no such register, or it cannot be read. */
export function readIcv(ich: Ich, register: number): number | undefined {
  return ICV.get(register)?.read?.(ich);
}

/** MSR by a guest. False: there is no such register, or it cannot be written; SGIs leave the guest. */
export function writeIcv(ich: Ich, register: number, value: number): boolean {
  const write = ICV.get(register)?.write;
  write?.(ich, value);
  return write !== undefined;
}
