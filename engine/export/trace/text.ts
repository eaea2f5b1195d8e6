/** Text that is written into bytes: numbers digit by digit, names as their bytes, without strings in between. */
import { Bytes } from './bytes.ts';
import type { TraceFiles } from './writer.ts';

const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const BILLION = 1e9;
/** two decimal digits as they stand in memory */
const PAIRS = Uint16Array.from(
  { length: 100 },
  (_, n) => ZERO + Math.floor(n / 10) + ((ZERO + (n % 10)) << 8),
);
/** four binary digits */
const NIBBLES = Uint32Array.from({ length: 16 }, (_, n) =>
  [8, 4, 2, 1].reduce((word, bit, i) => word + (n & bit ? ZERO + 1 : ZERO) * 2 ** (8 * i), 0),
);

/** bytes that are handed over at a time */
const CHUNK = 65_536;

export class Text extends Bytes {
  /** Hands over what has been written if it is much. */
  spill(files: TraceFiles): void {
    if (this.length >= CHUNK) this.handOver(files);
  }

  handOver(files: TraceFiles): void {
    if (this.length === 0) return;
    files.append(this.written());
    this.drop();
  }

  /** A number as JavaScript prints it. */
  decimal(n: number): void {
    const small = n | 0;
    if (small === n && small >= 0) this.digits(small);
    else this.unusual(n);
  }

  /** One of several, which need not become an object for that. */
  decimalAt(values: Float64Array, at: number): void {
    const n = values[at]!;
    const small = n | 0;
    if (small === n && small >= 0) this.digits(small);
    else this.unusual(n);
  }

  private unusual(n: number): void {
    if (!Number.isSafeInteger(n)) this.text(String(n));
    else if (n < 0) {
      this.u8(MINUS);
      this.decimal(-n);
    } else {
      // more than 31 bits, fewer than 54
      const billions = Math.floor(n / BILLION);
      this.decimal(billions);
      this.padded(n - billions * BILLION, 9);
    }
  }

  /** Of an integer of 31 bits. */
  private digits(n: number): void {
    if (n < 10) this.u8(ZERO + n);
    else if (n < 100) this.u16(PAIRS[n]!);
    else this.padded(n, countOf(n));
  }

  /** The lowest digits of an integer of 31 bits, zeros before them. */
  padded(n: number, digits: number): void {
    this.reserve(digits);
    const { view } = this;
    const start = this.length;
    this.length += digits;
    let rest = n | 0;
    let at = this.length - 2;
    for (; at >= start; at -= 2) {
      const above = (rest / 100) | 0;
      view.setUint16(at, PAIRS[rest - above * 100]!, true);
      rest = above;
    }
    if (at + 1 >= start) view.setUint8(start, ZERO + (rest % 10));
  }

  /** A number of thousandths with the point where it belongs. */
  thousandths(n: number): void {
    const whole = Math.floor(n / 1000);
    this.decimal(whole);
    this.u8(POINT);
    this.padded(n - whole * 1000, 3);
  }

  /** An integer that is not negative, zeros before it up to so many digits. */
  hex(n: number, digits = 1): void {
    const low = n >>> 0;
    if (low !== n) {
      this.text(n.toString(16).padStart(digits, '0'));
      return;
    }
    const own = low === 0 ? 1 : (35 - Math.clz32(low)) >> 2;
    const all = own > digits ? own : digits;
    this.reserve(all);
    const { view } = this;
    const start = this.length;
    this.length += all;
    let rest = low;
    for (let at = this.length - 1; at >= start; at--) {
      const digit = rest & 15;
      view.setUint8(at, digit < 10 ? ZERO + digit : 0x57 + digit);
      rest >>>= 4;
    }
  }

  /** A number of 32 bits in binary, from the highest one that is set on. */
  binary(n: number): void {
    const count = n === 0 ? 1 : 32 - Math.clz32(n);
    for (let bit = count - 1; (bit & 3) !== 3 && bit >= 0; bit--) this.u8(ZERO + ((n >>> bit) & 1));
    this.nibbles(n, count >> 2);
  }

  /** Words, the lowest first, as one number. */
  binaryOf(words: Uint32Array): void {
    let top = words.length - 1;
    while (top > 0 && words[top] === 0) top--;
    this.binary(words[top]!);
    for (let i = top - 1; i >= 0; i--) this.nibbles(words[i]!, 8);
  }

  /** The lowest so many. */
  private nibbles(n: number, count: number): void {
    this.reserve(4 * count);
    const { view } = this;
    let at = this.length;
    for (let i = count - 1; i >= 0; i--, at += 4) view.setUint32(at, NIBBLES[(n >>> (4 * i)) & 15]!, true);
    this.length = at;
  }
}

function countOf(n: number): number {
  if (n < 1e4) return n < 1e3 ? 3 : 4;
  if (n < 1e6) return n < 1e5 ? 5 : 6;
  if (n < 1e8) return n < 1e7 ? 7 : 8;
  return n < 1e9 ? 9 : 10;
}
