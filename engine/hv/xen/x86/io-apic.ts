/**
 * Xen's way of programming the physical IOAPICs (xen/arch/x86/io_apic.c): entries are written through IOREGSEL and
 * IOWIN, the upper half first. One chip has no more entries than IOREGSEL reaches; further GSIs are on further chips.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { IoApic } from '../../../hw/x86/ioapic.ts';
import { INTEL_IOAPIC } from '../../../hw/x86/ioapic-options.ts';
import {
  IOREDTBL,
  IOREGSEL,
  IOWIN,
  MOST_ENTRIES,
  RTE_DESTINATION,
  Rte,
} from '../../../hw/x86/ioapic-regs.ts';

/** A redirection entry as far as Xen decides on it. */
export interface IoApicEntry {
  readonly vector: number;
  /** APIC ID */
  readonly destination: number;
  readonly level: boolean;
  readonly masked: boolean;
  readonly remoteIrr: boolean;
}

export class IoApics implements Part {
  readonly id = 'xen.ioapics';
  readonly chips: readonly IoApic[];

  /** @param send a message for a GSI, to an APIC ID; how many took it */
  constructor(
    readonly gsis: number,
    send: (gsi: number, destination: number, vector: number) => number,
  ) {
    this.chips = Array.from({ length: Math.ceil(gsis / MOST_ENTRIES) }, (_, n) => {
      const base = n * MOST_ENTRIES;
      const options = { ...INTEL_IOAPIC, pins: Math.min(MOST_ENTRIES, gsis - base) };
      return new IoApic(`ioapic${n}`, options, {
        send: (low, high, _rtc, pin) => send(base + pin, RTE_DESTINATION.get(high), Rte.vector.get(low)),
      });
    });
  }

  // entries

  entry(gsi: number): IoApicEntry {
    const low = this.read(gsi, 0);
    return {
      vector: Rte.vector.get(low),
      destination: RTE_DESTINATION.get(this.read(gsi, 1)),
      level: Rte.level.has(low),
      masked: Rte.masked.has(low),
      remoteIrr: Rte.remoteIrr.has(low),
    };
  }

  /** A vector and how the pin is triggered, masked; the destination stays. PCI's level lines are active low. */
  setup(gsi: number, vector: number, level: boolean): void {
    const trigger = level ? Rte.level.mask | Rte.activeLow.mask : 0;
    this.write(gsi, 0, vector | trigger | Rte.masked.mask);
  }

  /** set_ioapic_affinity_irq: an entry is aimed at a processor, by its vector there. */
  aim(gsi: number, apicId: number, vector: number): void {
    this.write(gsi, 1, RTE_DESTINATION.set(0, apicId));
    this.write(gsi, 0, Rte.vector.set(this.read(gsi, 0), vector));
  }

  /** mask_IO_APIC_irq, unmask_IO_APIC_irq */
  setMask(gsi: number, masked: boolean): void {
    this.write(gsi, 0, Rte.masked.set(this.read(gsi, 0), Number(masked)));
  }

  private read(gsi: number, half: 0 | 1): number {
    return this.select(gsi, half).read(IOWIN, 4);
  }

  private write(gsi: number, half: 0 | 1, value: number): void {
    this.select(gsi, half).write(IOWIN, value, 4);
  }

  private select(gsi: number, half: 0 | 1): IoApic {
    const chip = this.chipOf(gsi);
    chip.write(IOREGSEL, IOREDTBL + 2 * (gsi % MOST_ENTRIES) + half, 4);
    return chip;
  }

  private chipOf(gsi: number): IoApic {
    return this.chips[Math.floor(gsi / MOST_ENTRIES)]!;
  }

  // wires

  /** The wire of a GSI changes; the answer is the chip's. */
  drive(gsi: number, high: boolean): number {
    return this.chipOf(gsi).setIrq(gsi % MOST_ENTRIES, high);
  }

  /** An EOI was broadcast. */
  eoi(vector: number): void {
    for (const chip of this.chips) chip.eoi(vector);
  }

  /** The lower half of a pin's entry, seen from outside: no register is touched. */
  peek(gsi: number): number {
    return this.chipOf(gsi).low[gsi % MOST_ENTRIES]!;
  }

  save(): Plain {
    return this.chips.map((chip) => chip.save());
  }

  restore(state: Plain): void {
    const saved = state as readonly Plain[];
    this.chips.forEach((chip, n) => {
      chip.restore(saved[n]!);
    });
  }
}
