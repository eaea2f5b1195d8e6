/**
 * The machine-check architecture as far as software sees it (SDM volume 3, chapter "Machine-Check Architecture"), and how
 * dom0 fetches what Xen has logged (xen/include/public/arch-x86/xen-mca.h).
 */

/** #MC */
export const MACHINE_CHECK = 18;

export const MCG_STATUS = 0x17a;
export const MCG_STATUS_RIPV = 1;
export const MCG_STATUS_MCIP = 4;

const MC0_CTL = 0x400;
const REGISTERS = ['ctl', 'status', 'addr', 'misc'] as const;
export type McaRegister = (typeof REGISTERS)[number];

/** banks that an MSR number is looked up in */
const BANKS = 32;

/** MCi_CTL, MCi_STATUS, MCi_ADDR, MCi_MISC */
export function mcaMsr(bank: number, register: McaRegister): number {
  return MC0_CTL + 4 * bank + REGISTERS.indexOf(register);
}

/** The bank and register of an MSR; undefined: it is none of them. */
export function mcaBank(msr: number): { readonly bank: number; readonly register: McaRegister } | undefined {
  if (msr < MC0_CTL || msr >= MC0_CTL + 4 * BANKS) return undefined;
  return { bank: (msr - MC0_CTL) >> 2, register: REGISTERS[(msr - MC0_CTL) & 3]! };
}

/** MCA error code of an uncorrected error that memory scrubbing has found: action is optional (SRAO). */
export const SRAO_SCRUB = 0xc0;

/** Classes of telemetry: of #MC, and of corrected errors (XEN_MC_URGENT, XEN_MC_NONURGENT). */
export type Telemetry = 'urgent' | 'nonurgent';
