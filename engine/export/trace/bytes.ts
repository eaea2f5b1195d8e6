/** Bytes that grow, and are used again once they have been handed over: what writers of traces put records together in. */

const ENCODER = new TextEncoder();
const HIGH = 4294967296;

/**
 * Text whose bytes are known beforehand. They are copied eight at a time, with zeros behind the last, as the numbers they
 * would be: a double keeps its bits unless it is a NaN, and no UTF-8 is one.
 */
export class Label {
  readonly eights: Float64Array;
  /** bytes */
  readonly length: number;

  constructor(readonly text: string) {
    const bytes = ENCODER.encode(text);
    this.length = bytes.length;
    this.eights = new Float64Array(Math.ceil(bytes.length / 8));
    const view = new DataView(this.eights.buffer);
    for (const [at, byte] of bytes.entries()) view.setUint8(at, byte);
    this.eights.forEach((_, i) => {
      this.eights[i] = view.getFloat64(8 * i, true);
    });
  }
}

/** @returns where it ends; up to seven zeros are written behind that */
export function putLabel(view: DataView, at: number, { eights, length }: Label): number {
  for (let i = 0; i < eights.length; i++) view.setFloat64(at + 8 * i, eights[i]!, true);
  return at + length;
}

/** Little-endian. */
export class Bytes {
  length = 0;
  protected bytes: Uint8Array;
  protected view: DataView;

  constructor(capacity = 65_536) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** There is room for so many more. */
  reserve(more: number): void {
    if (this.length + more > this.bytes.length) this.grow(this.length + more);
  }

  private grow(needed: number): void {
    const { bytes } = this;
    this.bytes = new Uint8Array(Math.max(needed, bytes.length * 2));
    this.bytes.set(bytes.subarray(0, this.length));
    this.view = new DataView(this.bytes.buffer);
  }

  /** The same, to be written by somebody else from `length` on. */
  viewFor(more: number): DataView {
    this.reserve(more);
    return this.view;
  }

  u8(value: number): void {
    this.reserve(1);
    this.view.setUint8(this.length, value);
    this.length += 1;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  /** Its low 32 bits, of a negative one too. */
  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** An integer that a double holds exactly; a negative one as its two's complement. */
  u64(value: number): void {
    this.reserve(8);
    this.setU64(this.length, value);
    this.length += 8;
  }

  /** An integer of 1, 2, 4 or 8 bytes. */
  integer(value: number, size: number): void {
    this.reserve(8);
    this.setInteger(this.length, value, size);
    this.length += size;
  }

  /** Without an end. */
  put(label: Label): void {
    this.reserve(label.eights.length * 8);
    this.setLabel(this.length, label);
    this.length += label.length;
  }

  /** Without an end. */
  text(text: string): void {
    this.reserve(text.length * 3);
    this.length += ENCODER.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  /** With a zero behind it. */
  string(text: string): void {
    this.text(text);
    this.u8(0);
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Zeros up to a length. */
  padTo(length: number): void {
    if (length <= this.length) return;
    this.reserve(length - this.length);
    this.clear(this.length, length);
    this.length = length;
  }

  /** Zeros up to a multiple, counted from `start`. */
  align(multiple: number, start = 0): void {
    const over = (this.length - start) % multiple;
    if (over > 0) this.padTo(this.length + multiple - over);
  }

  /** Over what is there already. */
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  setU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  setU64(at: number, value: number): void {
    this.view.setUint32(at, value, true);
    this.view.setUint32(at + 4, value >= 0 && value < HIGH ? 0 : Math.floor(value / HIGH), true);
  }

  /** An integer of 1, 2, 4 or 8 bytes. */
  setInteger(at: number, value: number, size: number): void {
    if (size === 8) this.setU64(at, value);
    else if (size === 4) this.view.setUint32(at, value, true);
    else if (size === 2) this.view.setUint16(at, value, true);
    else this.view.setUint8(at, value);
  }

  /** Up to seven zeros behind it are written as well. */
  setLabel(at: number, label: Label): void {
    putLabel(this.view, at, label);
  }

  /** Room for so many at the end, zeros if not all of them will be set; the answer is where it begins. */
  room(size: number, zeros: boolean): number {
    this.reserve(size);
    const at = this.length;
    this.length += size;
    if (zeros) this.clear(at, this.length);
    return at;
  }

  /** Mostly a few, for which a call of fill() takes longer. */
  private clear(from: number, to: number): void {
    const { view } = this;
    let at = from;
    for (; at + 8 <= to; at += 8) view.setFloat64(at, 0, true);
    for (; at < to; at++) view.setUint8(at, 0);
  }

  /** What has been written from `start` up to `end`: until something is written again. */
  written(end = this.length, start = 0): Uint8Array {
    return this.bytes.subarray(start, end);
  }

  /** It begins anew, with what stood behind `end`. */
  drop(end = this.length): void {
    this.bytes.copyWithin(0, end, this.length);
    this.length -= end;
  }
}

export function encode(text: string): Uint8Array {
  return ENCODER.encode(text);
}
