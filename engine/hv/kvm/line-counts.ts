/**
 * How often devices have raised each line of a machine, as QEMU counts for `info irq` (pic_stat_update_irq), and in whose name
 * each pin of its IOAPIC was driven high last: if it is held, it interrupts again in that.
 */

import { Bitmap } from '../../core/bits.ts';
import type { SourceId } from '../../core/books.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';

const LINES = 24;

export class LineCounts implements Part {
  readonly id: string;
  readonly rises = new Float64Array(LINES);
  private readonly up = new Bitmap(LINES);
  /** by pin; -1: nobody's */
  private readonly holders: SourceId[] = new Array(LINES).fill(-1);

  constructor(machine: string) {
    this.id = `${machine}.lines`;
  }

  /** A line is driven; it counts when it was down before. */
  set(gsi: number, high: boolean): void {
    if (gsi >= LINES) return;
    if (!high) this.up.clear(gsi);
    else if (this.up.set(gsi)) this.rises[gsi]!++;
  }

  hold(pin: number, source: SourceId): void {
    this.holders[pin] = source;
  }

  holderOf(pin: number): SourceId {
    return this.holders[pin] ?? -1;
  }

  save(): Plain {
    return { holders: [...this.holders], rises: saveArray(this.rises), up: saveArray(this.up.words) };
  }

  restore(state: Plain): void {
    const s = state as { holders: number[]; rises: number[]; up: number[] };
    s.holders.forEach((source, pin) => {
      this.holders[pin] = source;
    });
    restoreArray(this.rises, s.rises);
    restoreArray(this.up.words, s.up);
  }
}
