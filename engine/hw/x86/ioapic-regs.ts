/** Registers of the IOAPIC (82093AA datasheet, section 3; ICH manual, "Advanced Interrupt Controller"). */
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

/** Entries that an 8-bit IOREGSEL reaches. */
export const MOST_ENTRIES = (0x100 - IOREDTBL) / 2;

/** A redirection entry, bits 31-0. */
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

/** Bits 63-56 of an entry, in its upper half. */
export const RTE_DESTINATION = new Field(24, 8);

export const RTE_REMOTE_IRR = Rte.remoteIrr.mask;
export const RTE_LEVEL = Rte.level.mask;
export const RTE_MASKED = Rte.masked.mask;
/** what software cannot write */
export const RTE_READ_ONLY = Rte.deliveryStatus.mask | RTE_REMOTE_IRR;
/** what there is of the lower half; the rest is reserved */
export const RTE_FIELDS = Object.values(Rte).reduce((mask, field) => mask | field.mask, 0);
