/** Text that is written into bytes: numbers digit by digit, names as their bytes, without strings in between. */
import { Bytes } from './bytes.ts';
import { binary, decimal, hex, MOST_DIGITS, padded, word } from './digits.ts';
import type { TraceFiles } from './writer.ts';

const POINT = 0x2e;
/** bytes that are handed over at a time */
const CHUNK = 262_144;

const number = new Float64Array(1);

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
    number[0] = n;
    this.reserve(MOST_DIGITS + 4);
    this.length = decimal(this.view, this.length, number, 0);
  }

  /** The lowest digits of an integer of 31 bits, zeros before them. */
  padded(n: number, digits: number): void {
    this.reserve(digits);
    this.length = padded(this.view, this.length, n, digits);
  }

  /** A number of thousandths with the point where it belongs. */
  thousandths(n: number): void {
    const whole = Math.floor(n / 1000);
    this.decimal(whole);
    this.u8(POINT);
    this.padded(n - whole * 1000, 3);
  }

  /** An unsigned integer of 32 bits, zeros before it up to so many digits. */
  hex(n: number, digits = 1): void {
    this.reserve(8 + digits);
    this.length = hex(this.view, this.length, n, digits);
  }

  /** Words of 32 bits, the lowest first, as one binary number. */
  binary(words: Uint32Array): void {
    let top = words.length - 1;
    while (top > 0 && words[top] === 0) top--;
    this.reserve(32 * (top + 1));
    let at = binary(this.view, this.length, words[top]!);
    for (let i = top - 1; i >= 0; i--) at = word(this.view, at, words[i]!);
    this.length = at;
  }
}
