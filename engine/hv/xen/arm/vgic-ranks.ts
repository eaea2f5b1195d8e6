/**
 * Registers about interrupts by rank, which distributors of both versions and redistributors have in common
 * (xen/arch/arm/vgic-v2.c, and __vgic_v3_distr_common_mmio_* of vgic-v3.c). Beyond the SPIs there are they read 0.
 *
 * Pending and active state is not told, and cannot be cleared.
 */
import { GICD } from '../../../hw/arm/gic-regs.ts';
import type { VgicRank } from './vgic-domain.ts';
import { BYTE, type Effect, type MmioAccess, sized, type Unit, WORD, words } from './vgic-mmio.ts';

/** Offsets that only an emulation has something to say of. */
export const GICD_STATUSR = 0x010;
export const GICD_NSACR = 0xe00;
export const GICD_ICPIDR2 = 0xfe8;
export const GICD_PIDR2 = 0xffe8;

/** The rank of a register with `bits` bits for each interrupt (vgic_rank_offset). */
export function rankAt(access: MmioAccess, from: number, bits: number): VgicRank | undefined {
  const register = (access.offset - from) >> 2;
  return access.v.domain.rank(access.v, Math.floor(register / bits));
}

/** An effect on a rank; without one, a load reads 0 and a store is ignored. */
function onRank(from: number, bits: number, effect: (a: MmioAccess, rank: VgicRank) => boolean): Effect {
  return (access) => {
    const rank = rankAt(access, from, bits);
    return rank ? effect(access, rank) : access.answer(0);
  };
}

export function readEnabled(from: number): Effect {
  return words(onRank(from, 1, (a, rank) => a.answer(rank.ienable)));
}

export const setEnabled: Effect = words(
  onRank(GICD.ISENABLER, 1, (a, rank) => {
    const old = rank.ienable;
    rank.ienable = (old | a.low) >>> 0;
    a.vgic.enableIrqs(a.here, a.v, rank.ienable & ~old, rank);
    return true;
  }),
);

export const clearEnabled: Effect = words(
  onRank(GICD.ICENABLER, 1, (a, rank) => {
    const old = rank.ienable;
    rank.ienable = (old & ~a.low) >>> 0;
    a.vgic.disableIrqs(a.here, a.v, old & ~rank.ienable, rank);
    return true;
  }),
);

export const setPending: Effect = words(
  onRank(GICD.ISPENDR, 1, (a, rank) => {
    a.vgic.setIrqsPending(a.here, a.v, a.low, rank);
    return true;
  }),
);

export const clearPending: Effect = words(
  onRank(GICD.ICPENDR, 1, (a, rank) => {
    a.vgic.checkInflightIrqsPending(a.v, a.low, rank);
    return true;
  }),
);

/** Xen says that it does not do it, whatever the access. */
export function clearActive(unit: Unit): Effect {
  return (a) => {
    a.vgic.host.printk?.(
      `${a.v.name}: ${unit}: unhandled word write ${written(a)} to ICACTIVER${a.offset - GICD.ICACTIVER}`,
    );
    return a.size === WORD;
  };
}

/** And refuses this one. */
export function setActive(unit: Unit): Effect {
  return words((a) => {
    a.vgic.host.printk?.(
      `${a.v.name}: ${unit}: unhandled word write ${written(a)} to ISACTIVER${a.offset - GICD.ISACTIVER}`,
    );
    return false;
  });
}

/** `%#016lx` */
function written({ low, high }: MmioAccess): string {
  if (high === 0 && low === 0) return '0'.repeat(16);
  const digits = high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
  return `0x${digits.padStart(14, '0')}`;
}

export const readPriority: Effect = sized(
  [BYTE, WORD],
  onRank(GICD.IPRIORITYR, 8, (a, rank) => a.answer(bytesOf(rank.priority, a.offset))),
);

export const writePriority: Effect = sized(
  [BYTE, WORD],
  onRank(GICD.IPRIORITYR, 8, (a, rank) => {
    const first = a.offset & 0x1c;
    const value = a.merged(bytesOf(rank.priority, a.offset));
    for (let i = 0; i < 4; i++) rank.priority[first + i] = value >>> (i * 8);
    return true;
  }),
);

/** The word at an offset of a row of bytes, one for each interrupt. */
function bytesOf(bytes: Uint8Array, offset: number): number {
  const first = offset & 0x1c;
  return (
    (bytes[first]! | (bytes[first + 1]! << 8) | (bytes[first + 2]! << 16) | (bytes[first + 3]! << 24)) >>> 0
  );
}

export const readConfig: Effect = words(
  onRank(GICD.ICFGR, 2, (a, rank) => a.answer(rank.icfg[(a.offset >> 2) & 1]!)),
);

export const writeConfig: Effect = words(
  onRank(GICD.ICFGR, 2, (a, rank) => {
    const n = (a.offset >> 2) & 1;
    rank.icfg[n] = a.merged(rank.icfg[n]!);
    return true;
  }),
);
