/**
 * A guest's loads and stores to its distributor and redistributors, register by register: a table says for each range of
 * offsets what reading and writing do. What a register refuses is a data abort in the guest.
 */
import type { GicCpu } from './gic-hw.ts';
import type { Vgic } from './vgic.ts';
import type { VgicVcpu } from './vgic-domain.ts';

/** log2 of an access' bytes (SAS of the syndrome) */
export const BYTE = 0;
export const HALF = 1;
export const WORD = 2;
export const DOUBLE = 3;
export type Size = 0 | 1 | 2 | 3;

/** One load or store. A load puts its value there. */
export class MmioAccess {
  /** within the distributor, or the page of a redistributor */
  offset = 0;
  size: Size = WORD;
  low = 0;
  high = 0;

  constructor(
    readonly vgic: Vgic,
    /** the CPU on which it happens */
    readonly here: GicCpu,
    /** whose private interrupts the registers of the first 32 are about */
    public v: VgicVcpu,
  ) {}

  /** vreg_reg32_extract: the addressed bytes of a register of 32 bits. */
  answer(value: number): boolean {
    const bytes = value >>> ((this.offset & 3) * 8);
    this.low = this.size >= WORD ? bytes : (bytes & ones(this.size)) >>> 0;
    this.high = 0;
    return true;
  }

  /** vreg_reg64_extract */
  answer64(high: number, low: number): boolean {
    const at = this.offset & 7;
    if (this.size === DOUBLE) {
      this.low = low >>> 0;
      this.high = high >>> 0;
      return true;
    }
    const word = at < 4 ? low : high;
    return this.answer(word);
  }

  /** vreg_reg32_update: a register of 32 bits with the addressed bytes replaced. */
  merged(value: number): number {
    if (this.size >= WORD) return this.low;
    const shift = (this.offset & 3) * 8;
    const mask = ones(this.size) << shift;
    return ((value & ~mask) | ((this.low << shift) & mask)) >>> 0;
  }
}

/** All bits of an access of less than a word. */
function ones(size: Size): number {
  return size === BYTE ? 0xff : 0xffff;
}

/** What an access does; false: a data abort. */
export type Effect = (access: MmioAccess) => boolean;

export interface Register {
  /** its name in the specification, or what Xen calls the range */
  readonly name: string;
  /** offsets of its first and last byte */
  readonly first: number;
  readonly last: number;
  readonly read: Effect;
  readonly write: Effect;
}

/** A register of one word. */
export function word(name: string, at: number, read: Effect, write: Effect): Register {
  return { name, first: at, last: at + 3, read, write };
}

/** A row of words, or a register of 64 bits; `last` is the offset of the last word. */
export function range(name: string, first: number, last: number, read: Effect, write: Effect): Register {
  return { name, first, last: last + 3, read, write };
}

/** The effect for accesses of some sizes; others abort. */
export function sized(sizes: readonly Size[], effect: Effect): Effect {
  let allowed = 0;
  for (const size of sizes) allowed |= 1 << size;
  return (access) => ((allowed >> access.size) & 1) === 1 && effect(access);
}

export function words(effect: Effect): Effect {
  return sized([WORD], effect);
}

/** Reads 0. */
export const zero: Effect = (access) => access.answer64(0, 0);
export const zeroWord: Effect = words(zero);
export const ignore: Effect = () => true;
export const ignoreWord: Effect = words(ignore);
export const abort: Effect = () => false;

/** Reads a value that is always the same. */
export function fixed(value: number): Effect {
  return words((access) => access.answer(value));
}

/** Who emulates a page of registers, as Xen's console has it. */
export type Unit = 'vGICD' | 'vGICR' | 'vGICR: SGI';

/** Offsets that the specification reserves: they read 0, a store is ignored, and Xen says so. */
export function reserved(unit: Unit, first: number, last: number, stored = 'reserved'): Register {
  return range(
    'reserved',
    first,
    last,
    told(unit, 'RAZ on reserved', zero),
    told(unit, `WI on ${stored}`, ignore),
  );
}

/** Offsets that it leaves to implementations; the same. */
export function implementationDefined(unit: Unit, first: number, last: number): Register {
  const what = 'implementation defined';
  return range(what, first, last, told(unit, `RAZ on ${what}`, zero), told(unit, `WI on ${what}`, ignore));
}

export function told(unit: Unit, what: string, effect: Effect): Effect {
  return (a) => {
    a.vgic.host.printk?.(
      `${a.v.name}: ${unit}: ${what} register offset 0x${a.offset.toString(16).padStart(6, '0')}`,
    );
    return effect(a);
  };
}

/** Registers of a page, and what happens beside them. */
export class RegisterMap {
  private readonly registers: readonly Register[];

  /** @throws Error if two registers overlap */
  constructor(
    registers: readonly Register[],
    private readonly otherwise: Register,
  ) {
    this.registers = [...registers].sort((a, b) => a.first - b.first);
    for (const [i, { name, first }] of this.registers.entries()) {
      if (i > 0 && first <= this.registers[i - 1]!.last) throw new Error(`${name} overlaps another register`);
    }
  }

  /** The register at an offset. */
  at(offset: number): Register {
    let from = 0;
    let to = this.registers.length - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const register = this.registers[middle]!;
      if (offset < register.first) to = middle - 1;
      else if (offset > register.last) from = middle + 1;
      else return register;
    }
    return this.otherwise;
  }
}
