/**
 * Xen's way of programming the physical IOAPICs (xen/arch/x86/io_apic.c): entries are written through IOREGSEL and
 * IOWIN, the upper half first. One chip has no more entries than IOREGSEL reaches; further GSIs are on further chips.
 *
 * Up to 8 CPUs are addressed by logical masks, and of those a mask names the one of lowest priority is to take it; here
 * it is the first. Beyond that an entry names one local APIC (INT_DEST_MODE, INT_DELIVERY_MODE of genapic).
 */
import type { Part, Plain } from '../../../core/state.ts';
import { Mode } from '../../../hw/x86/apic-regs.ts';
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

/** CPUs that a logical destination has bits for, in flat mode. */
const FLAT_CPUS = 8;
/** Interrupt 0, the platform timer, is on the pin of interrupt 2, which is the 8259s' cascade and comes to no pin. */
const TIMER_PIN = 2;

/** A redirection entry as far as Xen decides on it. */
export interface IoApicEntry {
  readonly vector: number;
  /** the CPU that takes its messages */
  readonly destination: number;
  readonly level: boolean;
  readonly masked: boolean;
  readonly remoteIrr: boolean;
}

export class IoApics implements Part {
  readonly id = 'xen.ioapics';
  readonly chips: readonly IoApic[];
  /** are CPUs addressed by logical masks? */
  readonly flat: boolean;

  /** @param send a message for a GSI, to a CPU; how many took it */
  constructor(
    readonly gsis: number,
    readonly cpus: number,
    send: (gsi: number, destination: number, vector: number) => number,
  ) {
    this.flat = cpus <= FLAT_CPUS;
    this.chips = Array.from({ length: Math.ceil(gsis / MOST_ENTRIES) }, (_, n) => {
      const base = n * MOST_ENTRIES;
      const options = { ...INTEL_IOAPIC, pins: Math.min(MOST_ENTRIES, gsis - base) };
      return new IoApic(`ioapic${n}`, options, {
        send: (low, high, _rtc, pin) => send(gsiOf(base + pin), this.cpuOf(high), Rte.vector.get(low)),
      });
    });
  }

  // entries

  entry(gsi: number): IoApicEntry {
    const low = this.read(gsi, 0);
    return {
      vector: Rte.vector.get(low),
      destination: this.cpuOf(this.read(gsi, 1)),
      level: Rte.level.has(low),
      masked: Rte.masked.has(low),
      remoteIrr: Rte.remoteIrr.has(low),
    };
  }

  /** A vector and how the pin is triggered, masked; the destination stays. PCI's level lines are active low by rights. */
  setup(gsi: number, vector: number, level: boolean, activeHigh = false): void {
    const trigger = level ? Rte.level.mask | (activeHigh ? 0 : Rte.activeLow.mask) : 0;
    const whom = this.flat ? Rte.logical.mask | Rte.mode.set(0, Mode.LOWEST) : 0;
    this.write(gsi, 0, vector | trigger | whom | Rte.masked.mask);
  }

  /** set_ioapic_affinity_irq: an entry is aimed at processors, by its vector there. */
  aim(gsi: number, cpus: readonly number[], vector: number): void {
    const destination = this.flat ? cpus.reduce((mask, cpu) => mask | (1 << cpu), 0) : cpus[0]!;
    this.write(gsi, 1, RTE_DESTINATION.set(0, destination));
    this.write(gsi, 0, Rte.vector.set(this.read(gsi, 0), vector));
  }

  private cpuOf(high: number): number {
    const destination = RTE_DESTINATION.get(high);
    return this.flat ? 31 - Math.clz32(destination & -destination) : destination;
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
    chip.write(IOREGSEL, IOREDTBL + 2 * (pinOf(gsi) % MOST_ENTRIES) + half, 4);
    return chip;
  }

  private chipOf(gsi: number): IoApic {
    return this.chips[Math.floor(gsi / MOST_ENTRIES)]!;
  }

  // wires

  /** The wire of a GSI changes; the answer is the chip's. */
  drive(gsi: number, high: boolean): number {
    return this.chipOf(gsi).setIrq(pinOf(gsi) % MOST_ENTRIES, high);
  }

  /** An EOI was broadcast. */
  eoi(vector: number): void {
    for (const chip of this.chips) chip.eoi(vector);
  }

  /** The lower half of a pin's entry, seen from outside: no register is touched. */
  peek(gsi: number): number {
    return this.chipOf(gsi).low[gsi % MOST_ENTRIES]!;
  }

  /** Its upper half. */
  peekHigh(gsi: number): number {
    return this.chipOf(gsi).high[gsi % MOST_ENTRIES]!;
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

/** The pin of an interrupt, counted over all chips (irq_2_pin). */
export function pinOf(gsi: number): number {
  return gsi === 0 ? TIMER_PIN : gsi;
}

function gsiOf(pin: number): number {
  return pin === TIMER_PIN ? 0 : pin;
}
