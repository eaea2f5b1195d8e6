/** How a record of ours becomes an event of Linux. */
import { ROW } from '../../core/trace.ts';
import type { Label } from './bytes.ts';
import type { EventSpec } from './schema.ts';

/** What the event of a record is filled with. */
export interface Filling {
  /** by task */
  readonly pids: Int32Array;
  /** by index of the virtual CPU: its thread, and its number in its machine */
  readonly vcpuPids: Int32Array;
  readonly vcpuNumbers: Int32Array;
  readonly filled: Float64Array;
  readonly strings: Label[];
  /** names of the host's tasks, and of its CPUs' idle ones */
  readonly comms: readonly Label[];
  readonly idleComms: readonly Label[];
  /** drivers of an interrupt */
  action(domain: number, irq: number): Label;
  /** whose context it is written in */
  pid: number;
}

export interface LinuxEvent extends EventSpec {
  readonly fill: (to: Filling, rows: Float64Array, at: number) => void;
}

/** What records of a tracepoint are. */
export interface LinuxPoint {
  readonly of: string;
  readonly events: readonly LinuxEvent[];
  /** which of them a record is, -1: none; undefined: always the first */
  readonly which: ((of: Filling, rows: Float64Array, at: number) => number) | undefined;
}

/** Every record is such an event. */
export function always(of: string, event: LinuxEvent): LinuxPoint {
  return { of, events: [event], which: undefined };
}

/** Where its arguments are in a row. */
export const A = ROW.args;
export const B = A + 1;
export const C = A + 2;
export const D = A + 3;

/** Another event of KVM in the context of a virtual CPU's thread. */
export function inVcpu(to: Filling, rows: Float64Array, at: number): number {
  const index = rows[at + A]!;
  to.pid = to.vcpuPids[index]!;
  return to.vcpuNumbers[index]!;
}

export function symbols(pairs: readonly (readonly [number, string])[]): string {
  return pairs.map(([n, name]) => `{ ${n}, "${name}" }`).join(', ');
}

/** Names of 0, 1, 2 and so on, as KVM's own lists are written. */
export function listed(names: readonly string[], prefix = '0x'): string {
  return names.map((name, n) => `{${prefix}${n}, "${name}"}`).join(', ');
}
