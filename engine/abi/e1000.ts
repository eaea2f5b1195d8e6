/** Registers and interrupt causes of the 82540EM (chapter 13 of its manual): card and driver agree on them. */

/** Offsets of registers. */
export const E1000 = {
  ctrl: 0x0000,
  status: 0x0008,
  icr: 0x00c0,
  itr: 0x00c4,
  ics: 0x00c8,
  ims: 0x00d0,
  imc: 0x00d8,
  rctl: 0x0100,
  tctl: 0x0400,
  rdbal: 0x2800,
  rdbah: 0x2804,
  rdlen: 0x2808,
  rdh: 0x2810,
  rdt: 0x2818,
  tdbal: 0x3800,
  tdbah: 0x3804,
  tdlen: 0x3808,
  tdh: 0x3810,
  tdt: 0x3818,
} as const;

/** Causes, as bits of ICR, ICS, IMS and IMC. */
export const CAUSE = {
  /** transmit descriptor written back, transmit queue empty */
  txdw: 0x01,
  txqe: 0x02,
  /** link status change */
  lsc: 0x04,
  rxseq: 0x08,
  /** receive descriptors run low, receiver overrun, receiver timer */
  rxdmt0: 0x10,
  rxo: 0x40,
  rxt0: 0x80,
} as const;

/** RCTL.EN and TCTL.EN */
export const ENABLE = 0x02;
/** STATUS.LU */
export const LINK_UP = 0x02;
