/** System registers of the generic timer (DDI 0487, chapter D11), as the syndrome of a trap names them. */
import { bit } from '../../core/bits.ts';
import { sysreg } from './gic-regs.ts';

export const CNT = {
  CNTFRQ_EL0: sysreg(3, 3, 14, 0, 0),
  CNTPCT_EL0: sysreg(3, 3, 14, 0, 1),
  CNTVCT_EL0: sysreg(3, 3, 14, 0, 2),
  CNTP_TVAL_EL0: sysreg(3, 3, 14, 2, 0),
  CNTP_CTL_EL0: sysreg(3, 3, 14, 2, 1),
  CNTP_CVAL_EL0: sysreg(3, 3, 14, 2, 2),
  CNTV_TVAL_EL0: sysreg(3, 3, 14, 3, 0),
  CNTV_CTL_EL0: sysreg(3, 3, 14, 3, 1),
  CNTV_CVAL_EL0: sysreg(3, 3, 14, 3, 2),
  CNTVOFF_EL2: sysreg(3, 4, 14, 0, 3),
  CNTHP_TVAL_EL2: sysreg(3, 4, 14, 2, 0),
  CNTHP_CTL_EL2: sysreg(3, 4, 14, 2, 1),
  CNTHP_CVAL_EL2: sysreg(3, 4, 14, 2, 2),
} as const;

/** CNT*_CTL */
export const TimerCtl = { enable: bit(0), imask: bit(1), istatus: bit(2) } as const;
