/**
 * Interrupts of guests that wait for their EOI at a CPU's local APIC (struct pending_eoi, xen/arch/x86/irq.c).
 *
 * An EOI ends whatever vector is highest in service, so they are kept as a stack: a later interrupt is of a
 * higher class, and only the top may go. One that its guest is done with waits, ready, until all above it are.
 */
import type { Plain } from '../../../core/state.ts';

export interface PendingEoi {
  readonly irq: number;
  readonly vector: number;
  /** the raise that it was */
  readonly journey: number;
  ready: boolean;
}

export class PendingEoiStack {
  private entries: PendingEoi[] = [];

  get depth(): number {
    return this.entries.length;
  }

  push(irq: number, vector: number, journey: number): void {
    const top = this.entries.at(-1);
    if (top && top.vector >= vector) {
      throw new Error(`vector 0x${vector.toString(16)} came through 0x${top.vector.toString(16)} in service`);
    }
    this.entries.push({ irq, vector, journey, ready: false });
  }

  /** The guest is done with the interrupt. */
  setReady(irq: number): void {
    for (const entry of this.entries) if (entry.irq === irq) entry.ready = true;
  }

  /** Takes the top off, if it is ready. */
  popReady(): Readonly<PendingEoi> | undefined {
    return this.entries.at(-1)?.ready ? this.entries.pop() : undefined;
  }

  /** From the bottom up, to look at. */
  list(): readonly Readonly<Omit<PendingEoi, 'journey'>>[] {
    return this.entries.map(({ irq, vector, ready }) => ({ irq, vector, ready }));
  }

  save(): Plain {
    return this.entries.map((e) => ({ ...e }));
  }

  restore(state: Plain): void {
    this.entries = (state as unknown as PendingEoi[]).map((e) => ({ ...e }));
  }
}
