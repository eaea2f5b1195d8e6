/**
 * Numbers as digits, written at a place in memory that has room for them and four bytes more; the answer is where they end.
 * Four characters come out of a table at once: what digits cost is less their number than that it is hard to foresee.
 */

const ZERO = 0x30;
const MINUS = 0x2d;
const FOUR = 10_000;
const EIGHT = FOUR * FOUR;

/** @returns characters as they stand in memory, the first in the lowest byte */
function inMemory(text: string): number {
  return [...text].reduceRight((word, char) => (word << 8) | char.charCodeAt(0), 0);
}

/** four decimal digits */
const FULL = new Int32Array(FOUR);
/** integers of four characters at most, from the least on: as they are written, and how many characters those are */
export const SHORT_FROM = -999;
export const SHORTS = FOUR - SHORT_FROM;
export const SHORT = new Int32Array(2 * SHORTS);
// by arithmetic: this is done at each start, whether anything is exported or not
for (let n = 0; n < FOUR; n++) {
  let full = 0;
  for (let rest = n, k = 0; k < 4; k++) {
    full = (full << 8) | (ZERO + (rest % 10));
    rest = (rest / 10) | 0;
  }
  const length = n < 10 ? 1 : n < 100 ? 2 : n < 1000 ? 3 : 4;
  const text = full >>> (8 * (4 - length));
  FULL[n] = full;
  if (n > 0 && n <= -SHORT_FROM) setShort(-n, (text << 8) | MINUS, length + 1);
  setShort(n, text, length);
}

function setShort(n: number, text: number, length: number): void {
  SHORT[2 * (n - SHORT_FROM)] = text;
  SHORT[2 * (n - SHORT_FROM) + 1] = length;
}

const TWO = Int16Array.from({ length: 100 }, (_, n) => inMemory(String(n).padStart(2, '0')));
const HEX = Int16Array.from({ length: 256 }, (_, n) => inMemory(n.toString(16).padStart(2, '0')));
const BINARY = Int32Array.from({ length: 16 }, (_, n) => inMemory(n.toString(2).padStart(4, '0')));
/** a byte in binary, its eight characters as the double that they would be */
const BYTE = new Float64Array(256);
const eight = new DataView(new ArrayBuffer(8));
for (let n = 0; n < 256; n++) {
  eight.setInt32(0, BINARY[n >> 4]!, true);
  eight.setInt32(4, BINARY[n & 15]!, true);
  BYTE[n] = eight.getFloat64(0, true);
}

/** the longest that `decimal` writes */
export const MOST_DIGITS = 24;

/** One of the values, as JavaScript prints it; which one, so that it need not become an object. */
export function decimal(view: DataView, at: number, values: Float64Array, i: number): number {
  const n = values[i]!;
  const k = n | 0;
  if (k !== n || k < SHORT_FROM) return unusual(view, at, n);
  return k < FOUR ? short(view, at, k) : manyDigits(view, at, k);
}

/** Of four characters at most. */
function short(view: DataView, at: number, n: number): number {
  const i = 2 * (n - SHORT_FROM);
  view.setInt32(at, SHORT[i]!, true);
  return at + SHORT[i + 1]!;
}

/** An integer of 31 bits with more than four digits. */
function manyDigits(view: DataView, at: number, n: number): number {
  const high = (n / FOUR) | 0;
  if (high < FOUR) return four(view, short(view, at, high), n - high * FOUR);
  const top = (high / FOUR) | 0;
  return four(view, four(view, short(view, at, top), high - top * FOUR), n - high * FOUR);
}

/** Four digits. */
function four(view: DataView, at: number, n: number): number {
  view.setInt32(at, FULL[n]!, true);
  return at + 4;
}

const rest = new Float64Array(1);

/** Negative, of more than 31 bits, or no integer. */
function unusual(view: DataView, at: number, n: number): number {
  if (n < 0 && n > -EIGHT * EIGHT) {
    view.setInt8(at, MINUS);
    rest[0] = -n;
    return decimal(view, at + 1, rest, 0);
  }
  const high = Math.floor(n / EIGHT);
  const low = (n - high * EIGHT) | 0;
  if (high >= 1 && high < EIGHT && high * EIGHT + low === n) {
    rest[0] = high;
    const end = decimal(view, at, rest, 0);
    const top = (low / FOUR) | 0;
    return four(view, four(view, end, top), low - top * FOUR);
  }
  const text = String(n);
  for (let i = 0; i < text.length; i++) view.setInt8(at + i, text.charCodeAt(i));
  return at + text.length;
}

/** An integer below a million, zeros before it up to six digits. */
export function six(view: DataView, at: number, n: number): number {
  const high = (n / 100) | 0;
  view.setInt16(four(view, at, high), TWO[n - high * 100]!, true);
  return at + 6;
}

/** The lowest digits of an integer of 31 bits, zeros before them. */
export function padded(view: DataView, start: number, n: number, digits: number): number {
  let left = n | 0;
  let at = start + digits - 4;
  for (; at >= start; at -= 4) {
    const above = (left / FOUR) | 0;
    view.setInt32(at, FULL[left - above * FOUR]!, true);
    left = above;
  }
  if (at + 2 >= start) {
    const above = (left / 100) | 0;
    view.setInt16(at + 2, TWO[left - above * 100]!, true);
    left = above;
    at -= 2;
  }
  if (at + 3 >= start) view.setInt8(start, ZERO + (left % 10));
  return start + digits;
}

/** An unsigned integer of 32 bits, zeros before it up to so many digits. */
export function hex(view: DataView, start: number, n: number, digits: number): number {
  let left = n >>> 0;
  const own = (35 - Math.clz32(left | 1)) >> 2;
  const end = start + (own > digits ? own : digits);
  let at = end - 2;
  for (; at >= start; at -= 2) {
    view.setInt16(at, HEX[left & 0xff]!, true);
    left >>>= 8;
  }
  if (at + 1 >= start) view.setInt8(start, HEX[left & 0xf]! >> 8);
  return end;
}

/** An unsigned integer of 32 bits in binary, of as many digits as there are, one at least. */
export function binary(view: DataView, start: number, n: number): number {
  const count = n === 0 ? 1 : 32 - Math.clz32(n);
  let at = start;
  for (let bit = count - 1; bit >= 0 && (bit & 3) !== 3; bit--, at++)
    view.setInt8(at, ZERO + ((n >>> bit) & 1));
  return nibbles(view, at, n, count >> 2);
}

/** All 32 digits. */
export function word(view: DataView, at: number, n: number): number {
  view.setFloat64(at, BYTE[n >>> 24]!, true);
  view.setFloat64(at + 8, BYTE[(n >>> 16) & 0xff]!, true);
  view.setFloat64(at + 16, BYTE[(n >>> 8) & 0xff]!, true);
  view.setFloat64(at + 24, BYTE[n & 0xff]!, true);
  return at + 32;
}

/** Its lowest 4 * `count` digits. */
function nibbles(view: DataView, start: number, n: number, count: number): number {
  let at = start;
  for (let i = count - 1; i >= 0; i--, at += 4) view.setInt32(at, BINARY[(n >>> (4 * i)) & 15]!, true);
  return at;
}
