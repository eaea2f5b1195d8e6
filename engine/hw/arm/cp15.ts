/**
 * System registers as an AArch32 guest reaches them: by MCR and MRC of coprocessor 15, those of 64 bits by MCRR and MRRC
 * (DDI 0487, section G7.3 and the ISS encodings of ESR_ELx for exception classes 0x03 and 0x04). Where a register has an
 * AArch64 name, that stands for it here.
 */
import { bit, Field } from '../../core/bits.ts';
import { Ec, syndrome } from './exceptions.ts';
import { ICC } from './gic-regs.ts';
import { CNT } from './timer-regs.ts';

export const Cp15 = {
  read: bit(0),
  crm: new Field(1, 4),
  rt: new Field(5, 5),
  /** MCR, MRC */
  crn: new Field(10, 4),
  opc1: new Field(14, 3),
  opc2: new Field(17, 3),
  /** MCRR, MRRC: the register of the upper half */
  rt2: new Field(10, 5),
  opc1Of64: new Field(16, 4),
  /** the condition is valid, and is always */
  always: (1 << 24) | (0xe << 20),
} as const;

/** The registers of 64 bits: opc1, CRm */
const PAIRS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [ICC.SGI1R_EL1, [0, 12] as const],
  [CNT.CNTP_CVAL_EL0, [2, 14] as const],
]);
/** Timers have another opc1 than in AArch64; the GIC's interface has its own numbers. */
const TIMER = 14;

/** ESR_EL2 of such an access; Rt2 is the register behind Rt. @param register as `sysreg` of gic-regs.ts makes it */
export function coprocessor(register: number, read: boolean, rt: number): number {
  const base = Cp15.rt.set(Cp15.always, rt) | (read ? Cp15.read.mask : 0);
  const pair = PAIRS.get(register);
  if (pair) {
    const [opc1, crm] = pair;
    const iss = Cp15.crm.set(Cp15.opc1Of64.set(base, opc1), crm);
    return syndrome(Ec.CP15_64, Cp15.rt2.set(iss, rt + 1));
  }
  // opc2, CRn and CRm lie where a syndrome of AArch64 has them
  const same = register & (Cp15.opc2.mask | Cp15.crn.mask | Cp15.crm.mask);
  const opc1 = Cp15.crn.get(register) === TIMER ? 0 : Cp15.opc1.get(register);
  return syndrome(Ec.CP15_32, Cp15.opc1.set(base | same, opc1));
}
