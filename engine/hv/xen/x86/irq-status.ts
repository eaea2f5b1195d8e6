/**
 * The status bits of an interrupt's descriptor (xen/include/xen/irq.h). 3.4 has no IRQ_MOVE_PENDING, and keeps two
 * others elsewhere in the word; as numbers they are those of 4.17 here.
 */
import type { XenProfile } from '../softirq.ts';

/** Xen's own action runs; on 3.4 also: a passed-through device's message that its guest has not ended. */
export const IRQ_INPROGRESS = 1 << 0;
/** nobody is bound to it */
export const IRQ_DISABLED = 1 << 1;
/** one came while the action could not run */
export const IRQ_PENDING = 1 << 2;
export const IRQ_REPLAY = 1 << 3;
/** domains are bound to it */
export const IRQ_GUEST = 1 << 4;
/** aimed at another CPU at the next chance */
export const IRQ_MOVE_PENDING = 1 << 5;
/** one processor's own; no descriptor that Xen dumps has it */
export const IRQ_PER_CPU = 1 << 6;
/** 3.4: disabled until its guests have taken what is pending */
export const IRQ_GUEST_EOI_PENDING = 1 << 7;

/** Bits in the order of the word. */
const NAMES: readonly (readonly [bit: number, name: string, on34: number])[] = [
  [IRQ_INPROGRESS, 'IRQ_INPROGRESS', 1],
  [IRQ_DISABLED, 'IRQ_DISABLED', 2],
  [IRQ_PENDING, 'IRQ_PENDING', 4],
  [IRQ_REPLAY, 'IRQ_REPLAY', 8],
  [IRQ_GUEST, 'IRQ_GUEST', 16],
  [IRQ_MOVE_PENDING, 'IRQ_MOVE_PENDING', 0],
  [IRQ_PER_CPU, 'IRQ_PER_CPU', 256],
  [IRQ_GUEST_EOI_PENDING, 'IRQ_GUEST_EOI_PENDING', 32],
];

export function irqStatusNames(status: number): string[] {
  return NAMES.filter(([bit]) => (status & bit) !== 0).map(([, name]) => name);
}

/** The word as that version of Xen has it, for its dumps. */
export function irqStatusWord(profile: XenProfile, status: number): number {
  if (profile !== '3.4') return status;
  return NAMES.reduce((word, [bit, , on34]) => word | ((status & bit) !== 0 ? on34 : 0), 0);
}
