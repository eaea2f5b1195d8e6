/**
 * What Xen keeps of an interrupt of a guest while it is on its way (struct pending_irq, xen/include/asm-arm/vgic.h), and
 * the two lists it may be on: a virtual CPU's interrupts in flight, and those of them that wait for a list register.
 *
 * Links lie in the entries, as in Xen: removing one needs no list, and an entry that was put on one virtual CPU's list stays
 * there when its target has become another.
 */
import type { SlotId } from '../../../core/books.ts';

/** asked for, and not in a list register as pending */
export const GIC_IRQ_GUEST_QUEUED = 1 << 0;
/** was active in its list register when Xen looked last */
export const GIC_IRQ_GUEST_ACTIVE = 1 << 1;
/** is in a list register */
export const GIC_IRQ_GUEST_VISIBLE = 1 << 2;
/** the guest has enabled it */
export const GIC_IRQ_GUEST_ENABLED = 1 << 3;
/** has a new target, which gets it when the guest is done with it */
export const GIC_IRQ_GUEST_MIGRATING = 1 << 4;

/** in no list register */
export const GIC_INVALID_LR = 255;

// status of a physical interrupt (irq_desc)
export const IRQ_INPROGRESS = 1 << 0;
export const IRQ_DISABLED = 1 << 1;

/** A physical interrupt that is given to a guest (struct irq_desc). */
export interface HwIrq {
  readonly irq: number;
  /** IRQ_INPROGRESS, IRQ_DISABLED and whatever else the owner keeps there */
  status: number;
}

export class PendingIrq {
  /** its places in the books: in the queue, and behind it in a list register; -1: none */
  slot: SlotId = -1;
  status = 0;
  lr = 0;
  /** as it was when the interrupt was put in flight */
  priority = 0;
  /** the physical interrupt behind it; a matter of building the machine, not saved */
  desc: HwIrq | null = null;
  inflightNext: PendingIrq = this;
  inflightPrev: PendingIrq = this;
  lrNext: PendingIrq = this;
  lrPrev: PendingIrq = this;

  /**
   * @param irq -1 for the head of a virtual CPU's two lists
   * @param index in its domain: private interrupts by virtual CPU, then SPIs
   */
  constructor(
    readonly irq: number,
    readonly index: number,
  ) {
    if (irq < 0) this.priority = -1;
  }

  get inflight(): boolean {
    return this.inflightNext !== this;
  }

  get lrPending(): boolean {
    return this.lrNext !== this;
  }

  /** Puts it in front of another entry in flight, or of a list's head: at its end. */
  insertInflight(before: PendingIrq): void {
    const prev = before.inflightPrev;
    this.inflightPrev = prev;
    this.inflightNext = before;
    prev.inflightNext = this;
    before.inflightPrev = this;
  }

  removeInflight(): void {
    const { inflightPrev, inflightNext } = this;
    inflightPrev.inflightNext = inflightNext;
    inflightNext.inflightPrev = inflightPrev;
    this.inflightNext = this;
    this.inflightPrev = this;
  }

  insertLrPending(before: PendingIrq): void {
    const prev = before.lrPrev;
    this.lrPrev = prev;
    this.lrNext = before;
    prev.lrNext = this;
    before.lrPrev = this;
  }

  removeLrPending(): void {
    const { lrPrev, lrNext } = this;
    lrPrev.lrNext = lrNext;
    lrNext.lrPrev = lrPrev;
    this.lrNext = this;
    this.lrPrev = this;
  }
}
