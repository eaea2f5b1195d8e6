/** Tables of a Xen host without what changes from moment to moment, to compare with those of real ones. */
import {
  type Interrupts,
  type Machine,
  parseInterrupts,
  printInterrupts,
  takeSnapshot,
} from '../../engine/index.ts';
import { capture } from './captures.ts';

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
