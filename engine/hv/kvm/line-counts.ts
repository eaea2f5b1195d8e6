/** How often devices have raised each line of a machine, as QEMU counts for `info irq` (pic_stat_update_irq). */
import { Bitmap } from '../../core/bits.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';

const LINES = 24;

export class LineCounts implements Part {
  readonly id: string;
  readonly rises = new Float64Array(LINES);
  private readonly up = new Bitmap(LINES);

  constructor(machine: string) {
    this.id = `${machine}.lines`;
  }

  /** A line is driven; it counts when it was down before. */
  set(gsi: number, high: boolean): void {
    if (gsi >= LINES) return;
    if (!high) this.up.clear(gsi);
    else if (this.up.set(gsi)) this.rises[gsi]!++;
  }

  save(): Plain {
    return { rises: saveArray(this.rises), up: saveArray(this.up.words) };
  }

  restore(state: Plain): void {
    const s = state as { rises: number[]; up: number[] };
    restoreArray(this.rises, s.rises);
    restoreArray(this.up.words, s.up);
  }
}
