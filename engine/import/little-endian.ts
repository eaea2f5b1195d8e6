/** Bytes of a file that is imported: whoever reads past their end is told where, as the user is. */
import { atOffset } from './problem.ts';

export class LittleEndian {
  at = 0;
  private readonly view: DataView;

  constructor(
    readonly file: string,
    readonly bytes: Uint8Array,
    /** where the bytes begin in the file */
    readonly base = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** @param what is to be there, for the message */
  need(size: number, what: string): void {
    if (size <= this.left) return;
    throw this.wrong(`${what} of ${size} bytes is cut off after ${this.left}: the file is not whole`);
  }

  wrong(problem: string, at = this.at): Error {
    return atOffset(this.file, this.base + at, problem);
  }

  u8(what: string): number {
    this.need(1, what);
    return this.view.getUint8(this.at++);
  }

  u16(what: string): number {
    this.need(2, what);
    this.at += 2;
    return this.view.getUint16(this.at - 2, true);
  }

  u32(what: string): number {
    this.need(4, what);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  /** As a double: exact below 2^53, and what is above is too large for anything here. */
  u64(what: string): number {
    const low = this.u32(what);
    return low + this.u32(what) * 4294967296;
  }

  u16At(at: number): number {
    return this.view.getUint16(at, true);
  }

  u32At(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** The next so many, with their place in the file. */
  part(size: number, what: string): LittleEndian {
    this.need(size, what);
    const part = new LittleEndian(
      this.file,
      this.bytes.subarray(this.at, this.at + size),
      this.base + this.at,
    );
    this.at += size;
    return part;
  }

  /** Text up to a zero byte; `most` characters. */
  string(what: string, most: number): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end - this.at > most) {
      throw this.wrong(`${what}: there is no end of it within ${Math.min(most, this.left)} bytes`);
    }
    const text = this.text(this.at, end);
    this.at = end + 1;
    return text;
  }

  text(from: number, to: number): string {
    return new TextDecoder().decode(this.bytes.subarray(from, to));
  }
}
