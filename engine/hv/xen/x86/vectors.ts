/**
 * Which interrupt has which vector (vector_irq, assign_irq_vector and irq_vectors.h of xen/arch/x86).
 *
 * A vector's upper four bits are its priority class, and a local APIC holds few of one class, so vectors are
 * taken in steps of 8: two of each class on a round, with the low bits advanced after it. A vector means the
 * same interrupt on every CPU here, as it does on 3.4, and on 4.17 while messages are sent in flat logical mode
 * (up to 8 CPUs).
 */
import { ENOSPC } from '../../../abi/xen.ts';
import type { Plain } from '../../../core/state.ts';
import type { XenProfile } from '../softirq.ts';

/** Interrupt 0, the platform timer. */
export const IRQ0_VECTOR = 0xf0;
/** High priority: Xen's serial line com1 (smp_intr_init). */
export const SERIAL_VECTOR = 0xf1;

const FIRST_DYNAMIC_VECTOR = 0x20;
const LAST_DYNAMIC_VECTOR = { '3.4': 0xdf, '4.17': 0xef } as const;
/** 4.17: where the 8259s' vectors are on CPU 0; it has IRQ_MOVE_CLEANUP_VECTOR, 0x22, among them */
const LAST_LEGACY_VECTOR = 0x2f;
const LEGACY_SYSCALL_VECTOR = 0x80;
const HYPERCALL_VECTOR = 0x82;

const FREE = -1;
/** belongs to Xen or a processor's gate */
const NEVER = -2;

export class Vectors {
  /** vector -> interrupt */
  private readonly irqs = new Int16Array(256).fill(FREE);
  /** the one assigned last; on 3.4 the one to try first */
  private current = FIRST_DYNAMIC_VECTOR;

  constructor(private readonly profile: XenProfile) {
    this.irqs[LEGACY_SYSCALL_VECTOR] = NEVER;
    this.irqs[HYPERCALL_VECTOR] = NEVER;
    if (profile !== '3.4') this.irqs.fill(NEVER, FIRST_DYNAMIC_VECTOR, LAST_LEGACY_VECTOR + 1);
  }

  /** The interrupt that a vector stands for; negative: none. */
  irqOf(vector: number): number {
    return this.irqs[vector]!;
  }

  /** A vector of high priority, outside those that are handed out. */
  reserve(vector: number, irq: number): number {
    this.irqs[vector] = irq;
    return vector;
  }

  /** assign_irq_vector; -ENOSPC when all are taken. */
  assign(irq: number): number {
    let vector = this.profile === '3.4' ? this.current : this.after(this.current);
    for (let tries = 0; this.irqs[vector] !== FREE; tries++) {
      if (tries > 0xff) return -ENOSPC;
      vector = this.after(vector);
    }
    this.current = vector;
    this.irqs[vector] = irq;
    return vector;
  }

  release(vector: number): void {
    this.irqs[vector] = FREE;
  }

  /** Eight further; after the last one the first, with the low three bits one more. */
  private after(vector: number): number {
    const next = vector + 8;
    return next > LAST_DYNAMIC_VECTOR[this.profile] ? FIRST_DYNAMIC_VECTOR + ((next + 1) & 7) : next;
  }

  save(): Plain {
    const used: [number, number][] = [];
    this.irqs.forEach((irq, vector) => {
      if (irq >= 0) used.push([vector, irq]);
    });
    return { used, current: this.current };
  }

  restore(state: Plain): void {
    const s = state as unknown as { used: [number, number][]; current: number };
    this.irqs.forEach((irq, vector) => {
      if (irq >= 0) this.irqs[vector] = FREE;
    });
    for (const [vector, irq] of s.used) this.irqs[vector] = irq;
    this.current = s.current;
  }
}
