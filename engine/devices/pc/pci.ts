/**
 * PCI as a PC with PIIX3 has it: functions with their configuration space (PCI Local Bus 3.0, chapter 6), reached
 * by ports 0xcf8 to 0xcff, and their INTx pins. Where a function's registers are is the firmware's choice and fixed:
 * base address registers tell it, answer the size when all ones are written, and move nothing.
 */
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';

const COMMAND = 1;
const CLASS = 2;
const HEADER = 3;
const BAR0 = 4;
const SUBSYSTEM = 11;
const CAPABILITIES = 13;
const INTERRUPT = 15;
/** first register for capabilities */
const FIRST_CAPABILITY = 0x40;

/** command: I/O, memory, bus master, SERR, INTx disable */
const COMMAND_BITS = 0x0547;
const INTX_DISABLE = 0x0400;
/** status, in the upper half */
const INTERRUPT_STATUS = 0x0008_0000;
const HAS_CAPABILITIES = 0x0010_0000;

export interface Bar {
  readonly kind: 'io' | 'memory';
  readonly base: number;
  readonly size: number;
  readonly registers: Registers;
}

export interface FunctionInit {
  readonly vendor: number;
  readonly device: number;
  /** class, subclass, programming interface: 24 bits */
  readonly classCode: number;
  readonly revision?: number;
  readonly subsystem?: number;
  readonly bars: readonly (Bar | undefined)[];
  /** 1 to 4: INTA# to INTD#; 0: none */
  readonly pin: number;
}

/** A structure in the list of capabilities; its first two bytes are its id and the way to the next. */
export interface Capability {
  readonly capabilityId: number;
  /** bytes, a multiple of four */
  readonly size: number;
  /** its n-th double word; the lower half of the first one is not its own */
  dword(n: number): number;
  /** A write to it; `mask` says which bits are meant. */
  setDword(n: number, value: number, mask: number): void;
}

export class PciFunction implements Part {
  readonly id: string;
  private command = 0;
  /** interrupt line: a note of the firmware to the system */
  private interruptLine = 0;
  private asserted = false;
  /** base address registers that were asked for their size */
  private sizing = 0;
  private readonly placed: { readonly at: number; readonly capability: Capability }[] = [];

  /** @param intx its wire; none where `pin` is 0 */
  constructor(
    readonly name: string,
    readonly devfn: number,
    private readonly init: FunctionInit,
    private readonly intx: LineDriver | undefined,
  ) {
    this.id = `pci.${name}`;
  }

  get bars(): readonly (Bar | undefined)[] {
    return this.init.bars;
  }

  get pin(): number {
    return this.init.pin;
  }

  /** Appends to the list of capabilities. The answer is the register where it begins. */
  addCapability(capability: Capability): number {
    const last = this.placed[this.placed.length - 1];
    const at = last ? last.at + last.capability.size : FIRST_CAPABILITY;
    if (at + capability.size > 256) throw new Error(`${this.name}: no room for capabilities`);
    this.placed.push({ at, capability });
    return at;
  }

  /** Where a capability of this kind begins; undefined when there is none. */
  findCapability(capabilityId: number): number | undefined {
    return this.placed.find((p) => p.capability.capabilityId === capabilityId)?.at;
  }

  /** The pin: the function asks for service until it says otherwise. */
  setIntx(high: boolean): void {
    this.asserted = high;
    this.drive();
  }

  private drive(): void {
    this.intx?.set(this.asserted && !(this.command & INTX_DISABLE));
  }

  readConfig(register: number, width: Width): number {
    const value = this.dword(register >> 2) >>> ((register & 3) * 8);
    return width >= 4 ? value : value & ((1 << (width * 8)) - 1);
  }

  writeConfig(register: number, value: number, width: Width): void {
    const shift = (register & 3) * 8;
    const mask = (width >= 4 ? 0xffff_ffff : ((1 << (width * 8)) - 1) << shift) >>> 0;
    this.setDword(register >> 2, (value << shift) >>> 0, mask);
  }

  private dword(n: number): number {
    const { init } = this;
    switch (n) {
      case 0:
        return ((init.device << 16) | init.vendor) >>> 0;
      case COMMAND:
        return this.status | this.command;
      case CLASS:
        return ((init.classCode << 8) | (init.revision ?? 0)) >>> 0;
      case HEADER:
        return 0;
      case SUBSYSTEM:
        return init.subsystem ?? 0;
      case CAPABILITIES:
        return this.placed[0]?.at ?? 0;
      case INTERRUPT:
        return (init.pin << 8) | this.interruptLine;
    }
    if (n >= BAR0 && n < BAR0 + 6) return this.bar(n - BAR0);
    const found = this.capabilityAt(n * 4);
    if (!found) return 0;
    const { index, capability } = found;
    const value = capability.dword(n - (this.placed[index]!.at >> 2));
    if (this.placed[index]!.at !== n * 4) return value;
    const next = this.placed[index + 1]?.at ?? 0;
    return ((value & ~0xffff) | (next << 8) | capability.capabilityId) >>> 0;
  }

  private get status(): number {
    return (this.asserted ? INTERRUPT_STATUS : 0) | (this.placed.length > 0 ? HAS_CAPABILITIES : 0);
  }

  private bar(n: number): number {
    const bar = this.init.bars[n];
    if (!bar) return 0;
    const flag = bar.kind === 'io' ? 1 : 0;
    const asked = (this.sizing & (1 << n)) !== 0;
    return ((asked ? -bar.size : bar.base) | flag) >>> 0;
  }

  private capabilityAt(register: number) {
    for (const [index, { at, capability }] of this.placed.entries()) {
      if (register >= at && register < at + capability.size) return { index, capability };
    }
    return undefined;
  }

  private setDword(n: number, value: number, mask: number): void {
    if (n === COMMAND) {
      const bits = mask & COMMAND_BITS;
      this.command = (this.command & ~bits) | (value & bits);
      this.drive();
    } else if (n === INTERRUPT) {
      const bits = mask & 0xff;
      this.interruptLine = (this.interruptLine & ~bits) | (value & bits);
    } else if (n >= BAR0 && n < BAR0 + 6) {
      const bit = 1 << (n - BAR0);
      this.sizing = value === 0xffff_ffff ? this.sizing | bit : this.sizing & ~bit;
    } else {
      const found = this.capabilityAt(n * 4);
      found?.capability.setDword(n - (this.placed[found.index]!.at >> 2), value, mask);
    }
  }

  inspect() {
    const { name, devfn, command, asserted } = this;
    return { name, devfn, command, pin: this.init.pin, asserted };
  }

  save(): Plain {
    return [this.command, this.interruptLine, Number(this.asserted), this.sizing];
  }

  restore(state: Plain): void {
    const [command, line, asserted, sizing] = state as [number, number, number, number];
    this.command = command;
    this.interruptLine = line;
    this.asserted = asserted === 1;
    this.sizing = sizing;
  }
}

/** A capability that is only read: four bytes after four bytes, the first two left out. */
export class FixedCapability implements Capability {
  constructor(
    readonly capabilityId: number,
    private readonly dwords: readonly number[],
  ) {}

  get size(): number {
    return this.dwords.length * 4;
  }

  dword(n: number): number {
    return this.dwords[n]!;
  }

  setDword(): void {}
}

const ENABLE = 0x8000_0000;

/** Configuration mechanism 1: the address at port 0xcf8, its register at 0xcfc to 0xcff. Bus 0 alone. */
export class PciBus implements Registers, Part {
  readonly id: string;
  private address = 0;
  private readonly functions: (PciFunction | undefined)[] = [];

  constructor(name: string) {
    this.id = `pci.${name}`;
  }

  /** @throws Error if the place is taken */
  add(fn: PciFunction): PciFunction {
    if (this.functions[fn.devfn]) throw new Error(`two PCI functions at ${fn.devfn}`);
    this.functions[fn.devfn] = fn;
    return fn;
  }

  /** By device and function number, in that order. */
  all(): PciFunction[] {
    return this.functions.filter((fn) => fn !== undefined);
  }

  read(offset: number, width: Width): number {
    if (offset < 4) return offset === 0 && width === 4 ? this.address : ones(width);
    return this.selected?.readConfig(this.register(offset), width) ?? ones(width);
  }

  write(offset: number, value: number, width: Width): void {
    if (offset < 4) {
      if (offset === 0 && width === 4) this.address = (value & 0x80ff_fffc) >>> 0;
    } else this.selected?.writeConfig(this.register(offset), value, width);
  }

  private get selected(): PciFunction | undefined {
    const { address } = this;
    const here = address >= ENABLE && (address & 0x00ff_0000) === 0;
    return here ? this.functions[(address >> 8) & 0xff] : undefined;
  }

  private register(offset: number): number {
    return (this.address & 0xfc) | (offset & 3);
  }

  save(): Plain {
    return this.address;
  }

  restore(state: Plain): void {
    this.address = state as number;
  }
}

function ones(width: Width): number {
  return width >= 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
}
