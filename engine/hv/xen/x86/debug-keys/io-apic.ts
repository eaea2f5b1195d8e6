/**
 * Xen's debug key `z`: the registers of the IOAPICs, and the pins of interrupts as key `i` ends with them. After
 * __print_IO_APIC and dump_ioapic_irq_info (xen/arch/x86/io_apic.c). Everything is read out of the chips.
 */
import type { IoApic } from '../../../../hw/x86/ioapic.ts';
import {
  IOAPICARB,
  IOAPICID,
  IOAPICVER,
  IOREDTBL,
  IOWIN,
  MOST_ENTRIES,
  RTE_DESTINATION,
  Rte,
} from '../../../../hw/x86/ioapic-regs.ts';
import { consoleText, hex, number } from '../../debug-keys/printk.ts';
import type { XenProfile } from '../../softirq.ts';
import type { PhysicalIrqs } from '../do-irq.ts';
import { pinOf } from '../io-apic.ts';

/** the version from which there is register 2 */
const ARB_VERSION = 0x10;
const LEGACY_IRQS = 16;

/** A redirection entry as the chip has it. */
interface Entry {
  readonly low: number;
  readonly high: number;
}

export function debugKeyZ(profile: XenProfile, irqs: PhysicalIrqs): string {
  const { chips } = irqs.ioapics;
  const lines = [
    `number of MP IRQ sources: ${irqs.descs.filter((desc) => desc && desc.irq < LEGACY_IRQS).length}.`,
    ...chips.map((chip, n) => `number of IO-APIC #${n} registers: ${chip.options.pins}.`),
    'testing the IO APIC.......................',
    ...chips.flatMap((chip, n) => chipLines(chip, n, profile)),
    'Using vector-based indexing',
    'IRQ to pin mappings:',
  ];
  for (const { irq, vector } of onPins(irqs)) lines.push(`IRQ${vector} -> ${chipOf(irq)}:${pinOn(irq)}`);
  lines.push('.................................... done.');
  return consoleText(lines);
}

// a chip

function chipLines(chip: IoApic, n: number, profile: XenProfile): string[] {
  const id = read(chip, IOAPICID);
  const version = read(chip, IOAPICVER);
  return [
    `IO APIC #${n}......`,
    `.... register #00: ${upper(id, 8)}`,
    `.......    : physical APIC id: ${upper((id >>> 24) & 0xf)}`,
    `.......    : Delivery Type: ${upper((id >>> 15) & 1, 1)}`,
    `.......    : LTS          : ${upper((id >>> 14) & 1, 1)}`,
    `.... register #01: ${upper(version, 8)}`,
    `.......     : max redirection entries: ${upper((version >>> 16) & 0xff, 4)}`,
    `.......     : PRQ implemented: ${upper((version >>> 15) & 1, 1)}`,
    `.......     : IO APIC version: ${upper(version & 0xff, 4)}`,
    ...arbitrationLines(chip, version),
    '.... IRQ redirection table:',
    profile === '3.4'
      ? ' NR Log Phy Mask Trig IRR Pol Stat Dest Deli Vect:   '
      : ' NR Dst Msk Trg IRR Pol Stat DstM DelM Vec',
    ...Array.from({ length: chip.options.pins }, (_, pin) => {
      const row = entry(chip, pin);
      return profile === '3.4' ? row34(row, pin) : row417(row, pin);
    }),
  ];
}

/** A chip without the register reads as what was read before; of register 3 ours have none. */
function arbitrationLines(chip: IoApic, version: number): string[] {
  const arbitration = read(chip, IOAPICARB);
  if ((version & 0xff) < ARB_VERSION || arbitration === version) return [];
  return [
    `.... register #02: ${upper(arbitration, 8)}`,
    `.......     : arbitration: ${upper((arbitration >>> 24) & 0xf)}`,
  ];
}

/** Through the window, and nothing is changed by it. */
function read(chip: IoApic, register: number): number {
  const { select, misuses } = chip;
  chip.select = register;
  const value = chip.read(IOWIN, 4);
  Object.assign(chip, { select, misuses });
  return value >>> 0;
}

function entry(chip: IoApic, pin: number): Entry {
  return { low: read(chip, IOREDTBL + 2 * pin), high: read(chip, IOREDTBL + 2 * pin + 1) };
}

function row417({ low, high }: Entry, pin: number): string {
  return (
    ` ${hex(pin)}  ${hex(RTE_DESTINATION.get(high))}  ${Rte.masked.get(low)}   ${Rte.level.get(low)}   ` +
    `${Rte.remoteIrr.get(low)}   ${Rte.activeLow.get(low)}   ${Rte.deliveryStatus.get(low)}    ` +
    `${Rte.logical.get(low)}    ${Rte.mode.get(low)}    ${upper(Rte.vector.get(low))}`
  );
}

/** The destination both ways: as a logical mask, and the four bits of a local APIC's ID. */
function row34({ low, high }: Entry, pin: number): string {
  const destination = RTE_DESTINATION.get(high);
  return (
    ` ${hex(pin)} ${upper(destination, 3)} ${upper(destination & 0xf)}  ${Rte.masked.get(low)}    ` +
    `${Rte.level.get(low)}    ${Rte.remoteIrr.get(low)}   ${Rte.activeLow.get(low)}   ` +
    `${Rte.deliveryStatus.get(low)}    ${Rte.logical.get(low)}    ${Rte.mode.get(low)}    ` +
    `${upper(Rte.vector.get(low))}`
  );
}

function upper(value: number, digits = 2): string {
  return hex(value, digits).toUpperCase();
}

// pins by interrupt

interface OnPin {
  readonly irq: number;
  readonly vector: number;
}

/** irq_2_pin: the interrupts that come to a pin. */
function onPins({ descs, gsis }: PhysicalIrqs): OnPin[] {
  return descs.slice(0, gsis).filter((desc) => desc !== undefined);
}

function chipOf(irq: number): number {
  return Math.floor(pinOf(irq) / MOST_ENTRIES);
}

function pinOn(irq: number): number {
  return pinOf(irq) % MOST_ENTRIES;
}

/** The end of key `i` on 4.17. */
export function pinLines417(irqs: PhysicalIrqs): string[] {
  return pinLines(irqs, ({ low, high }) => {
    const mode = MODES[Rte.mode.get(low)]!.padEnd(5);
    return (
      `vec=${hex(Rte.vector.get(low))} delivery=${mode} dest=${Rte.logical.has(low) ? 'L' : 'P'} ` +
      `status=${Rte.deliveryStatus.get(low)} polarity=${Rte.activeLow.get(low)} irr=${Rte.remoteIrr.get(low)} ` +
      `trig=${Rte.level.has(low) ? 'L' : 'E'} mask=${Rte.masked.get(low)} dest_id:${hex(RTE_DESTINATION.get(high))}`
    );
  });
}

/** delivery_mode_2_str */
const MODES = ['Fixed', 'LoPri', 'SMI', 'Resvd', 'NMI', 'INIT', 'Resvd', 'ExINT'];

/** and on 3.4 */
export function pinLines34(irqs: PhysicalIrqs): string[] {
  return pinLines(
    irqs,
    ({ low }) =>
      `vector=${Rte.vector.get(low)}, delivery_mode=${Rte.mode.get(low)}, ` +
      `dest_mode=${Rte.logical.has(low) ? 'logical' : 'physical'}, ` +
      `delivery_status=${Rte.deliveryStatus.get(low)}, polarity=${Rte.activeLow.get(low)}, ` +
      `irr=${Rte.remoteIrr.get(low)}, trigger=${Rte.level.has(low) ? 'level' : 'edge'}, ` +
      `mask=${Rte.masked.get(low)}`,
  );
}

function pinLines(irqs: PhysicalIrqs, words: (entry: Entry) => string): string[] {
  const lines = onPins(irqs).flatMap(({ irq, vector }) => {
    const [chip, pin] = [chipOf(irq), pinOn(irq)];
    return [
      `    IRQ${number(irq, 3)} Vec${number(vector, 3)}:`,
      `      Apic 0x${hex(chip)}, Pin ${number(pin, 2)}: ${words(entry(irqs.ioapics.chips[chip]!, pin))}`,
    ];
  });
  return lines.length > 0 ? ['IO-APIC interrupt information:', ...lines] : [];
}
