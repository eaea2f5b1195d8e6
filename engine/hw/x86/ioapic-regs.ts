/** Registers of the IOAPIC (82093AA datasheet, section 3). */
import { Field } from '../../core/bits.ts';

/** Offsets in its page. */
export const IOREGSEL = 0x00;
export const IOWIN = 0x10;
/** of version 0x20 on: a write is an EOI of that vector */
export const IOEOI = 0x40;

/** Register numbers behind the window. */
export const IOAPICID = 0;
export const IOAPICVER = 1;
export const IOAPICARB = 2;
export const IOREDTBL = 0x10;

/** A redirection entry, bits 31-0; the destination is bits 63-56. */
export const Rte = {
  vector: new Field(0, 8),
  mode: new Field(8, 3),
  logical: new Field(11, 1),
  deliveryStatus: new Field(12, 1),
  activeLow: new Field(13, 1),
  remoteIrr: new Field(14, 1),
  level: new Field(15, 1),
  masked: new Field(16, 1),
} as const;

export const RTE_REMOTE_IRR = 1 << 14;
export const RTE_LEVEL = 1 << 15;
export const RTE_MASKED = 1 << 16;
/** what software cannot write */
export const RTE_READ_ONLY = (1 << 12) | RTE_REMOTE_IRR;
