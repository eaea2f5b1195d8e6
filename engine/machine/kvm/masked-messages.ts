/** The books of what MSI-X tables hold back: a slot for each pending bit of a function. */
import type { Books, SlotId, SourceId } from '../../core/books.ts';
import type { MaskedMessages } from '../../devices/pc/msix.ts';
import type { Vm } from '../../hv/kvm/vm.ts';

export class PendingBits implements MaskedMessages {
  private readonly first: SlotId;

  constructor(
    books: Books,
    private readonly vm: Vm,
    private readonly source: SourceId,
    vectors: number,
  ) {
    this.first = books.addSlots(vectors);
  }

  slotOf(vector: number): SlotId {
    return this.first + vector;
  }

  hold(vector: number): void {
    this.vm.maskedMessage(this.source, vector, this.slotOf(vector));
  }

  lose(vector: number): void {
    this.vm.maskedMessage(this.source, vector, undefined);
  }

  letGo(vector: number, send: () => void): void {
    this.vm.letGo(this.slotOf(vector), send);
  }
}
