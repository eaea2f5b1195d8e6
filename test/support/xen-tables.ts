/** Tables of a Xen host without what changes from moment to moment, to compare with those of real ones. */
import {
  type Interrupts,
  type Machine,
  parseInterrupts,
  printInterrupts,
  takeSnapshot,
} from '../../engine/index.ts';
import { capture } from './captures.ts';

/** The pc machine of the captures. Its guest was domain 2; here it is the first. */
export const PC = `
name: pc
title: a pc with an HVM guest
dom0:
  vcpus: 4
  devices:
    - {driver: line, name: acpi, gsi: 9, level: true}
    - {driver: i8042}
    - {driver: line, name: rtc0, gsi: 8}
    - {driver: ata, name: ata_piix, gsi: 14}
    - {driver: ata, name: ata_piix, gsi: 15, as: ata2}
    - {driver: virtio-scsi, name: virtio1, queues: 4}
    - {driver: line, name: parport0, gsi: 7}
    - {driver: line, name: floppy, gsi: 6}
    - {driver: line, name: 'uhci_hcd:usb1', gsi: 11, level: true}
    - {driver: virtio-net, name: virtio0}
    - {driver: e1000, name: eth0, gsi: 11}
guests:
  - type: hvm
    vcpus: 2
    rings: 0
    queues: 2
    devices: [{driver: acpi}, {driver: i8042}, {driver: vkbd}, {driver: rtc}]
workloads:
  - {what: packets, domain: 1, pattern: {kind: poisson, rate: 100}}
`;

/** A table with every count at 0: what remains are numbers, order, chips and names. */
export function shape(i: Interrupts): string {
  const zero = <R extends { counts: readonly number[] }>(r: R): R => ({
    ...r,
    counts: r.counts.map(() => 0),
  });
  return printInterrupts({ ...i, rows: i.rows.map(zero), arch: i.arch.map(zero) });
}

export function shapeOfCapture(name: string): string {
  return shape(parseInterrupts(capture(`xen-x86/${name}`), name));
}

export function domain(machine: Machine, id: number) {
  return takeSnapshot(machine).domains[id]!;
}

/** Debug key e without the momentary p/m/s column: port, state, notified vCPU, consumer, peer. */
export function channelTable(dump: string, dom: number): string[] {
  const parts = dump.split(/\(XEN\) Event channel information for domain (\d+):\n/);
  const text = parts[parts.indexOf(String(dom)) + 1]!;
  return text
    .split('\n')
    .filter((line) => / s=\d/.test(line))
    .map((line) => line.replace(/\[.*?\]/, '[]'));
}
