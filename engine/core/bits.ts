/** Bit fields, and sets of bits as rows of 32. */

/** A field of a 32-bit register. */
export class Field {
  readonly mask: number;

  constructor(
    readonly shift: number,
    readonly width: number,
  ) {
    this.mask = ((width === 32 ? 0xffffffff : (1 << width) - 1) << shift) >>> 0;
  }

  get(reg: number): number {
    return (reg & this.mask) >>> this.shift;
  }

  set(reg: number, value: number): number {
    return ((reg & ~this.mask) | ((value << this.shift) & this.mask)) >>> 0;
  }

  has(reg: number): boolean {
    return (reg & this.mask) !== 0;
  }
}

export function bit(shift: number): Field {
  return new Field(shift, 1);
}

/** Something that tells when it may have changed, for who would otherwise compare all of it; who watches is not saved. */
export interface Changing {
  watcher: Watcher | undefined;
}

export interface Watcher {
  /** Called often, and in the middle of changes: it takes note. */
  changed(): void;
}

/** The highest bit that is set in words, the lowest first; -1 if none is. */
export function highestOf(words: Uint32Array): number {
  for (let w = words.length - 1; w >= 0; w--) {
    const word = words[w]!;
    if (word !== 0) return w * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

/** A set of small integers in rows of 32 bits. */
export class Bitmap implements Changing {
  readonly words: Uint32Array;
  /** who writes the words tells it */
  watcher: Watcher | undefined = undefined;

  constructor(readonly size: number) {
    this.words = new Uint32Array((size + 31) >> 5);
  }

  has(n: number): boolean {
    return ((this.words[n >> 5]! >>> (n & 31)) & 1) === 1;
  }

  /** Sets the bit; true if it was clear. */
  set(n: number): boolean {
    const mask = 1 << (n & 31);
    const old = this.words[n >> 5]!;
    this.words[n >> 5] = old | mask;
    this.watcher?.changed();
    return (old & mask) === 0;
  }

  /** Clears the bit; true if it was set. */
  clear(n: number): boolean {
    const mask = 1 << (n & 31);
    const old = this.words[n >> 5]!;
    this.words[n >> 5] = old & ~mask;
    this.watcher?.changed();
    return (old & mask) !== 0;
  }

  /** The highest member; -1 when empty. */
  highest(): number {
    return highestOf(this.words);
  }

  /** The lowest member; -1 when empty. */
  lowest(): number {
    for (let w = 0; w < this.words.length; w++) {
      const word = this.words[w]!;
      if (word !== 0) return w * 32 + lowestBit(word);
    }
    return -1;
  }

  get empty(): boolean {
    for (const word of this.words) if (word !== 0) return false;
    return true;
  }

  members(): number[] {
    const out: number[] = [];
    for (let w = 0; w < this.words.length; w++) {
      for (let word = this.words[w]!; word !== 0; word &= word - 1) out.push(w * 32 + lowestBit(word));
    }
    return out;
  }
}

/** Index of the lowest set bit of a non-zero 32-bit word. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** 64 bits in one number, of which it can tell 53. */
export function wide(low: number, high: number): number {
  return (low >>> 0) + (high >>> 0) * 2 ** 32;
}

/** The upper half of such a number; the lower one is `n >>> 0`. */
export function upperHalf(n: number): number {
  return Math.floor(n / 2 ** 32);
}
