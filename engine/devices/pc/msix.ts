/**
 * The MSI-X capability of a PCI function (PCI Local Bus 3.0, 6.8.2): a table of messages in the function's memory,
 * each with its mask bit, a mask for the whole function, and the pending bits. A masked vector's message is kept as
 * its pending bit and sent when it is unmasked; device models that have forgotten the pending bits lose it.
 */
import { Bitmap } from '../../core/bits.ts';
import type { MsiSender } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { Capability } from './pci.ts';

export const MSIX = 0x11;

/** message control, in the upper half of the first double word */
const ENABLE = 0x8000_0000;
const FUNCTION_MASK = 0x4000_0000;
/** vector control */
const MASKED = 1;
/** double words of an entry: address, upper address, data, vector control */
const ENTRY = 4;
const CONTROL = 3;

/** Who keeps account of messages that are masked. */
export interface MaskedMessages {
  /** it is kept as the pending bit, which may be set already */
  hold(vector: number): void;
  /** nothing keeps it */
  lose(vector: number): void;
  /** what the pending bit has kept is sent, by `send` */
  letGo(vector: number, send: () => void): void;
}

const NO_ACCOUNT: MaskedMessages = { hold: () => {}, lose: () => {}, letGo: (_, send) => send() };

export class Msix implements Capability, Part {
  readonly id: string;
  readonly capabilityId = MSIX;
  readonly size = 12;
  enabled = false;
  functionMask = false;
  /** messages sent */
  sent = 0;
  private readonly entries: Uint32Array;
  private readonly pending: Bitmap;

  /**
   * @param bar the base address register that both structures are behind
   * @param tableAt where the table begins there
   * @param pendingAt where the pending bits begin there
   * @param latches false: pending bits are never set
   */
  constructor(
    name: string,
    readonly vectors: number,
    private readonly send: MsiSender,
    private readonly bar: number,
    private readonly tableAt: number,
    private readonly pendingAt: number,
    private readonly latches = true,
    private readonly account = NO_ACCOUNT,
  ) {
    this.id = `msix.${name}`;
    this.entries = new Uint32Array(vectors * ENTRY);
    for (let v = 0; v < vectors; v++) this.entries[v * ENTRY + CONTROL] = MASKED;
    this.pending = new Bitmap(vectors);
  }

  /** The function asks for an interrupt. Without MSI-X enabled nothing happens: false. */
  notify(vector: number): boolean {
    if (!this.enabled || vector >= this.vectors) return false;
    if (!this.masked(vector)) this.transmit(vector);
    else if (this.latches) {
      this.pending.set(vector);
      this.account.hold(vector);
    } else this.account.lose(vector);
    return true;
  }

  masked(vector: number): boolean {
    return this.functionMask || (this.entries[vector * ENTRY + CONTROL]! & MASKED) !== 0;
  }

  isPending(vector: number): boolean {
    return this.pending.has(vector);
  }

  private transmit(vector: number): void {
    this.sent++;
    const at = vector * ENTRY;
    this.send(this.entries[at]!, this.entries[at + 1]!, this.entries[at + 2]!);
  }

  /** What waits and is no longer masked goes out, the lowest vector first. */
  private release(): void {
    if (!this.enabled || this.functionMask) return;
    for (const vector of this.pending.members()) {
      if (this.masked(vector)) continue;
      this.pending.clear(vector);
      this.account.letGo(vector, () => this.transmit(vector));
    }
  }

  // configuration space

  dword(n: number): number {
    if (n === 1) return this.tableAt | this.bar;
    if (n === 2) return this.pendingAt | this.bar;
    const control = (this.enabled ? ENABLE : 0) | (this.functionMask ? FUNCTION_MASK : 0);
    return (control | ((this.vectors - 1) << 16)) >>> 0;
  }

  setDword(n: number, value: number, mask: number): void {
    if (n !== 0 || (mask & 0xff00_0000) === 0) return;
    this.enabled = (value & ENABLE) !== 0;
    this.functionMask = (value & FUNCTION_MASK) !== 0;
    this.release();
  }

  // memory: accesses of four and eight bytes, as the specification asks for

  readonly table: Registers = {
    read: (offset, width) => this.readTable(offset, width),
    write: (offset, value, width) => this.writeTable(offset, value, width),
  };

  /** The pending bits are only read. */
  readonly pendingBits: Registers = {
    read: (offset, width) => wide(width, (n) => this.pending.words[(offset >> 2) + n] ?? 0),
    write: () => {},
  };

  private readTable(offset: number, width: Width): number {
    return wide(width, (n) => this.entries[(offset >> 2) + n] ?? 0);
  }

  private writeTable(offset: number, value: number, width: Width): void {
    if (width < 4 || offset & (width - 1)) return;
    this.setEntry(offset >> 2, value >>> 0);
    if (width === 8) this.setEntry((offset >> 2) + 1, Math.floor(value / 2 ** 32));
  }

  private setEntry(n: number, value: number): void {
    if (n >= this.entries.length) return;
    const kind = n % ENTRY;
    // the two lowest bits of the address are zero, all but the mask of the control reserved
    this.entries[n] = kind === 0 ? value & ~3 : kind === CONTROL ? value & MASKED : value;
    if (kind === CONTROL) this.release();
  }

  inspect() {
    const vectors = Array.from({ length: this.vectors }, (_, v) => {
      const [addressLow, addressHigh, data, control] = this.entries.subarray(v * ENTRY, (v + 1) * ENTRY);
      const masked = (control! & MASKED) !== 0;
      return {
        addressLow: addressLow!,
        addressHigh: addressHigh!,
        data: data!,
        masked,
        pending: this.pending.has(v),
      };
    });
    return { enabled: this.enabled, functionMask: this.functionMask, vectors };
  }

  save(): Plain {
    return {
      numbers: [this.sent, Number(this.enabled), Number(this.functionMask)],
      entries: saveArray(this.entries),
      pending: saveArray(this.pending.words),
    };
  }

  restore(state: Plain): void {
    const s = state as { numbers: [number, number, number]; entries: Plain; pending: Plain };
    this.sent = s.numbers[0];
    this.enabled = s.numbers[1] === 1;
    this.functionMask = s.numbers[2] === 1;
    restoreArray(this.entries, s.entries);
    restoreArray(this.pending.words, s.pending);
  }
}

function wide(width: Width, dword: (n: number) => number): number {
  if (width < 4) return 0;
  return width === 8 ? dword(0) + dword(1) * 2 ** 32 : dword(0);
}
