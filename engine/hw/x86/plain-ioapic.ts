/**
 * A physical IOAPIC, plain: pins with mask, trigger, vector and destination, remote IRR for level pins.
 * Follows the 82093AA datasheet; its registers are set through fields and methods here.
 */
import type { Part, Plain } from '../../core/state.ts';

export interface IoApicPin {
  vector: number;
  /** APIC id of the processor that gets it */
  destination: number;
  level: boolean;
  masked: boolean;
  /** level: a local APIC has accepted it, and its EOI has not come back */
  remoteIrr: boolean;
  /** the wire is high */
  high: boolean;
}

export type SetIrqResult = 'delivered' | 'coalesced' | 'ignored';

export class PlainIoApic implements Part {
  readonly id = 'ioapic0';
  readonly pins: IoApicPin[];

  /** @param send an interrupt message for a pin; false if the local APIC had that vector pending */
  constructor(
    readonly size: number,
    private readonly send: (pin: number, entry: IoApicPin) => boolean,
  ) {
    this.pins = Array.from({ length: size }, () => ({
      vector: 0,
      destination: 0,
      level: false,
      masked: true,
      remoteIrr: false,
      high: false,
    }));
  }

  /** The wire of a pin changes. An edge at a masked pin is lost; a level is served when it is unmasked. */
  setIrq(pin: number, high: boolean): SetIrqResult {
    const entry = this.pins[pin]!;
    const rising = high && !entry.high;
    entry.high = high;
    return high ? this.service(pin, entry, rising) : 'ignored';
  }

  /** EOI broadcast: level pins of this vector may be served again. The answer is the pins that are to be. */
  eoi(vector: number): number[] {
    const again: number[] = [];
    for (let pin = 0; pin < this.size; pin++) {
      const entry = this.pins[pin]!;
      if (!entry.level || entry.vector !== vector || !entry.remoteIrr) continue;
      entry.remoteIrr = false;
      if (entry.high && !entry.masked) again.push(pin);
    }
    return again;
  }

  /** True if unmasking finds a level pin whose wire is high and which is to be served. */
  setMask(pin: number, masked: boolean): boolean {
    const entry = this.pins[pin]!;
    entry.masked = masked;
    return !masked && entry.level && entry.high && !entry.remoteIrr;
  }

  /** Serves a level pin whose wire is still high, after its EOI or unmasking. */
  reassert(pin: number): SetIrqResult {
    const entry = this.pins[pin]!;
    return entry.high && entry.level ? this.service(pin, entry, false) : 'ignored';
  }

  private service(pin: number, entry: IoApicPin, rising: boolean): SetIrqResult {
    if (entry.masked || (!entry.level && !rising)) return 'ignored';
    if (entry.level && entry.remoteIrr) return 'coalesced';
    const accepted = this.send(pin, entry);
    if (entry.level) entry.remoteIrr = true;
    return accepted ? 'delivered' : 'coalesced';
  }

  save(): Plain {
    return this.pins.map((p) => ({ ...p }));
  }

  restore(state: Plain): void {
    (state as unknown as IoApicPin[]).forEach((saved, i) => {
      Object.assign(this.pins[i]!, saved);
    });
  }
}
