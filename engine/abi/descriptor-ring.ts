/**
 * A ring of descriptors as network cards have it (82540EM, 3.2.6 and 3.4): memory in which the driver offers buffers
 * and the card writes back what became of them. Head and tail are the card's registers.
 */
import { type Part, type Plain, restoreArray, saveArray } from '../core/state.ts';

export class DescriptorRing implements Part {
  readonly id: string;
  /** the packet in a buffer */
  readonly packet: Float64Array;
  /** status bit DD: the card is done with it */
  readonly done: Uint8Array;

  /** @param size descriptors, a multiple of eight */
  constructor(
    name: string,
    readonly size: number,
  ) {
    this.id = `ring.${name}`;
    this.packet = new Float64Array(size);
    this.done = new Uint8Array(size);
  }

  /** Sixteen for each descriptor. */
  get bytes(): number {
    return this.size * 16;
  }

  save(): Plain {
    return [saveArray(this.packet), saveArray(this.done)];
  }

  restore(state: Plain): void {
    const [packet, done] = state as [Plain, Plain];
    restoreArray(this.packet, packet);
    restoreArray(this.done, done);
  }
}
