/**
 * The guest's system registers of the CPU interface, which on a virtual processor are those of its virtual interface
 * (ICV_* of IHI 0069, section 12.4): found by the numbers that MRS and MSR have for ICC_*. ICC_SGI1R_EL1 is not among
 * them: it traps.
 */
import { ICC, SRE_EL1 } from './gic-regs.ts';
import type { Ich } from './ich.ts';

/** MRS. Undefined: there is no such register, or it cannot be read. */
export function readIcv(ich: Ich, register: number): number | undefined {
  switch (register) {
    case ICC.IAR0_EL1:
      return ich.iar(0);
    case ICC.IAR1_EL1:
      return ich.iar(1);
    case ICC.HPPIR0_EL1:
      return ich.hppir(0);
    case ICC.HPPIR1_EL1:
      return ich.hppir(1);
    case ICC.PMR_EL1:
      return ich.readPmr();
    case ICC.RPR_EL1:
      return ich.readRpr();
    case ICC.BPR0_EL1:
      return ich.readBpr(0);
    case ICC.BPR1_EL1:
      return ich.readBpr(1);
    case ICC.IGRPEN0_EL1:
      return ich.readIgrpen(0);
    case ICC.IGRPEN1_EL1:
      return ich.readIgrpen(1);
    case ICC.CTLR_EL1:
      return ich.readCtlr();
    case ICC.SRE_EL1:
      return SRE_EL1;
    case ICC.AP0R0_EL1:
      return ich.core.ap0;
    case ICC.AP1R0_EL1:
      return ich.core.ap1;
    default:
      return undefined;
  }
}

/** MSR. False: there is no such register, or it cannot be written. */
export function writeIcv(ich: Ich, register: number, value: number): boolean {
  switch (register) {
    case ICC.EOIR0_EL1:
      ich.eoir(0, value);
      return true;
    case ICC.EOIR1_EL1:
      ich.eoir(1, value);
      return true;
    case ICC.DIR_EL1:
      ich.dir(value);
      return true;
    case ICC.PMR_EL1:
      ich.writePmr(value);
      return true;
    case ICC.BPR0_EL1:
      ich.writeBpr(0, value);
      return true;
    case ICC.BPR1_EL1:
      ich.writeBpr(1, value);
      return true;
    case ICC.IGRPEN0_EL1:
      ich.writeIgrpen(0, value);
      return true;
    case ICC.IGRPEN1_EL1:
      ich.writeIgrpen(1, value);
      return true;
    case ICC.CTLR_EL1:
      ich.writeCtlr(value);
      return true;
    case ICC.SRE_EL1:
      return true;
    case ICC.AP0R0_EL1:
      ich.core.writeAp(0, value);
      return true;
    case ICC.AP1R0_EL1:
      ich.core.writeAp(1, value);
      return true;
    default:
      return false;
  }
}
