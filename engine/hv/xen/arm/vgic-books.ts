/** The books of raises that are on their way to guests: two slots for each pending_irq. */
import type { Books, DestinationId, SlotId } from '../../../core/books.ts';
import type { PendingIrq } from './pending-irq.ts';
import { NR_LOCAL_IRQS, type VgicDomain, type VgicVcpu } from './vgic-domain.ts';
import type { VgicRaises } from './vgic-host.ts';

export class VgicBooks implements VgicRaises {
  /** where the raise waits that is being injected: a physical interrupt's own; -1: it begins here */
  from: SlotId = -1;
  /** by pending_irq, of its place in the queue */
  private readonly destinations: DestinationId[] = [];

  /** @param entered is told what goes into a list register, whose raise it is, and if one that is there takes it in */
  constructor(
    private readonly books: Books,
    private readonly entered?: (p: PendingIrq, journey: number, coalesced: boolean) => void,
  ) {}

  addDomain(d: VgicDomain): void {
    const first = this.books.addSlots(2 * d.pendingIrqs);
    for (let i = 0; i < d.pendingIrqs; i++) d.byIndex(i).slot = first + 2 * i;
  }

  raised(p: PendingIrq, v: VgicVcpu): void {
    if (this.from < 0) this.books.pend(p.slot, this.destination(p, v));
    else this.books.move(this.from, p.slot);
  }

  ignored(p: PendingIrq, v: VgicVcpu, why: string): void {
    if (this.from < 0) this.books.ignore(this.destination(p, v), why);
    else this.books.discard(this.from, why);
  }

  entersLr(p: PendingIrq): void {
    const { books } = this;
    this.entered?.(p, books.holds(p.slot) ? books.journeyIn(p.slot) : 0, books.holds(p.slot + 1));
    books.move(p.slot, p.slot + 1);
  }

  leavesLr(p: PendingIrq): void {
    this.books.move(p.slot + 1, p.slot);
  }

  lost(p: PendingIrq, why: string): void {
    this.books.discard(p.slot, why);
  }

  /** The guest acknowledges what is pending in its list register. The answer is its journey; 0: nothing was. */
  acknowledged(p: PendingIrq): number {
    return this.books.deliver(p.slot + 1);
  }

  private destination(p: PendingIrq, v: VgicVcpu): DestinationId {
    let id = this.destinations[p.slot];
    if (id === undefined) {
      const whose = p.irq < NR_LOCAL_IRQS ? `.vcpu${v.id}` : '';
      id = this.books.destinationOf(`dom${v.domain.domain}${whose} irq ${p.irq}`);
      this.destinations[p.slot] = id;
    }
    return id;
  }
}
