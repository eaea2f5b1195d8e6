/**
 * The MSI capability of a PCI function (PCI Local Bus 3.0, 6.8.1), with 64-bit addresses and per-vector masks: up to
 * 32 messages that differ in the low bits of their data.
 */
import { lowestBit } from '../../core/bits.ts';
import type { MsiSender } from '../../core/line.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Capability } from './pci.ts';

export const MSI = 0x05;

/** message control, in the upper half of the first double word */
const ENABLE = 1 << 16;
const MULTIPLE_ENABLE = 7 << 20;
const ADDRESS_64 = 1 << 23;
const MASKABLE = 1 << 24;

export class Msi implements Capability, Part {
  readonly id: string;
  readonly capabilityId = MSI;
  readonly size = 24;
  enabled = false;
  sent = 0;
  /** log2 of the messages that the system lets it use */
  private allowed = 0;
  private addressLow = 0;
  private addressHigh = 0;
  private data = 0;
  private mask = 0;
  private pending = 0;
  /** log2 of the messages that it could use */
  private readonly capable: number;

  /** @param messages 1, 2, 4, ... 32 */
  constructor(
    name: string,
    messages: number,
    private readonly send: MsiSender,
  ) {
    this.id = `msi.${name}`;
    this.capable = 31 - Math.clz32(messages);
  }

  /** The function asks for an interrupt; vectors beyond the allowed ones share the last bits. False: not enabled. */
  notify(vector: number): boolean {
    if (!this.enabled) return false;
    const message = vector & ((1 << this.allowed) - 1);
    if ((this.mask >>> message) & 1) this.pending |= 1 << message;
    else this.transmit(message);
    return true;
  }

  private transmit(message: number): void {
    this.sent++;
    const low = (1 << this.allowed) - 1;
    this.send(this.addressLow, this.addressHigh, (this.data & ~low) | message);
  }

  private release(): void {
    if (!this.enabled) return;
    for (let ready = this.pending & ~this.mask; ready !== 0; ready &= ready - 1) {
      const message = lowestBit(ready);
      this.pending &= ~(1 << message);
      this.transmit(message);
    }
  }

  dword(n: number): number {
    switch (n) {
      case 0: {
        const counts = (this.capable << 17) | (this.allowed << 20);
        return MASKABLE | ADDRESS_64 | counts | (this.enabled ? ENABLE : 0);
      }
      case 1:
        return this.addressLow;
      case 2:
        return this.addressHigh;
      case 3:
        return this.data;
      case 4:
        return this.mask >>> 0;
      default:
        return this.pending >>> 0;
    }
  }

  setDword(n: number, value: number, mask: number): void {
    const merged = (old: number) => ((old & ~mask) | (value & mask)) >>> 0;
    switch (n) {
      case 0: {
        const control = merged(this.dword(0));
        this.enabled = (control & ENABLE) !== 0;
        this.allowed = Math.min((control & MULTIPLE_ENABLE) >> 20, this.capable);
        break;
      }
      case 1:
        this.addressLow = (merged(this.addressLow) & ~3) >>> 0;
        return;
      case 2:
        this.addressHigh = merged(this.addressHigh);
        return;
      case 3:
        this.data = merged(this.data) & 0xffff;
        return;
      case 4:
        this.mask = merged(this.mask);
    }
    this.release();
  }

  inspect() {
    const { enabled, allowed, addressLow, addressHigh, data, mask, pending } = this;
    return { enabled, messages: 1 << allowed, addressLow, addressHigh, data, mask, pending: pending >>> 0 };
  }

  save(): Plain {
    const { sent, allowed, addressLow, addressHigh, data, mask, pending } = this;
    return [Number(this.enabled), sent, allowed, addressLow, addressHigh, data, mask, pending];
  }

  restore(state: Plain): void {
    const [enabled, sent, allowed, addressLow, addressHigh, data, mask, pending] = state as number[];
    Object.assign(this, { sent, allowed, addressLow, addressHigh, data, mask, pending });
    this.enabled = enabled === 1;
  }
}
