/**
 * The I/O ports and the memory-mapped registers of one machine: who answers at an address. Accesses of a width
 * that a device does not take are its own business; where nobody answers, reads give all ones and writes are lost.
 */
import type { Registers, Width } from '../../core/registers.ts';

export type { Registers };

interface Range {
  readonly base: number;
  readonly end: number;
  readonly registers: Registers;
}

const PAGE = 4096;

export class IoBus {
  private readonly ports: (Range | undefined)[] = [];
  /** by page number */
  private readonly pages = new Map<number, Range>();
  /** accesses that nobody answered */
  nobody = 0;

  /** I/O ports `first` to `first + count - 1`. @throws Error if another device has one of them */
  addPorts(first: number, count: number, registers: Registers): void {
    const range = { base: first, end: first + count, registers };
    for (let port = first; port < range.end; port++) {
      if (this.ports[port]) throw new Error(`two devices at port 0x${port.toString(16)}`);
      this.ports[port] = range;
    }
  }

  /** Memory from `base`, whole pages. @throws Error if another device has one of them */
  addMemory(base: number, size: number, registers: Registers): void {
    const range = { base, end: base + size, registers };
    for (let page = Math.floor(base / PAGE); page * PAGE < range.end; page++) {
      if (this.pages.has(page)) throw new Error(`two devices at 0x${(page * PAGE).toString(16)}`);
      this.pages.set(page, range);
    }
  }

  /** Ports that somebody answers at, from first to last, ascending; neighbours are one. */
  portRanges(): [first: number, last: number][] {
    return together(this.ports);
  }

  /** The same of memory. */
  memoryRanges(): [first: number, last: number][] {
    return together([...this.pages.values()].sort((a, b) => a.base - b.base));
  }

  /** Is there a device at this port, at this address? */
  hasPort(port: number): boolean {
    return this.ports[port] !== undefined;
  }

  hasMemory(address: number): boolean {
    return this.at(address) !== undefined;
  }

  in(port: number, width: Width): number {
    const range = this.ports[port];
    return range ? range.registers.read(port - range.base, width) : this.absent(width);
  }

  out(port: number, value: number, width: Width): void {
    const range = this.ports[port];
    if (range) range.registers.write(port - range.base, value, width);
    else this.nobody++;
  }

  load(address: number, width: Width): number {
    const range = this.at(address);
    return range ? range.registers.read(address - range.base, width) : this.absent(width);
  }

  store(address: number, value: number, width: Width): void {
    const range = this.at(address);
    if (range) range.registers.write(address - range.base, value, width);
    else this.nobody++;
  }

  private at(address: number): Range | undefined {
    const range = this.pages.get(Math.floor(address / PAGE));
    return range && address >= range.base && address < range.end ? range : undefined;
  }

  private absent(width: Width): number {
    this.nobody++;
    return width >= 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
  }
}

/** @param ranges ascending, each as often as one likes; holes do not matter */
function together(ranges: readonly (Range | undefined)[]): [first: number, last: number][] {
  const out: [first: number, last: number][] = [];
  for (const range of ranges) {
    if (!range) continue;
    const before = out.at(-1);
    if (before && range.base <= before[1] + 1) before[1] = Math.max(before[1], range.end - 1);
    else out.push([range.base, range.end - 1]);
  }
  return out;
}
