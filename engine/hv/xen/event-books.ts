/** Event channels in the books and in the trace: who raised what is pending on a port. */
import type { Books, SlotId } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import { timing } from '../../timing.ts';
import type { PcpuWiring } from '../hypervisor.ts';
import type { Domain } from './domain.ts';
import type { PendOutcome } from './evtchn-types.ts';

export interface EventBooksHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly wiring: PcpuWiring;
  /** what the trace says of the time */
  readonly stamp: Ns;
  domain(id: number): Domain;
}

export class EventBooks {
  /** the physical interrupt that is being handed to a guest; -1 for none */
  private handing: SlotId = -1;
  /** the time of its event is over already */
  private paid = false;
  /** what became of it */
  private outcome: PendOutcome = 'dropped';
  private readonly tpPending: Tracepoint;
  private readonly tpCoalesced: Tracepoint;

  constructor(private readonly host: EventBooksHost) {
    this.tpPending = host.trace.point('evtchn_set_pending', 'dom', 'port');
    this.tpCoalesced = host.trace.point('evtchn_already_pending', 'dom', 'port');
  }

  /**
   * What is raised next is the interrupt that waits in the slot (send_guest_pirq).
   * @param paid the time that it takes is charged already
   */
  handOver(slot: SlotId, paid: boolean): void {
    this.handing = slot;
    this.paid = paid;
  }

  /** It was raised, if anybody has it. True: it was pending already. */
  handedOver(): boolean {
    this.host.books.discard(this.handing, 'unbound');
    this.handing = -1;
    this.paid = false;
    return this.outcome === 'coalesced';
  }

  /** evtchn_port_set_pending */
  pended(dom: number, port: number, outcome: PendOutcome): void {
    const { host, handing } = this;
    const { books, wiring } = host;
    const domain = host.domain(dom);
    this.outcome = outcome;
    // do_IRQ has paid for it already; what others do costs them time after it can be seen
    const at = this.paid ? host.stamp - timing.evtchnSetPending : host.stamp;
    if (!this.paid) wiring.here?.charge(timing.evtchnSetPending);
    if (outcome === 'dropped') {
      if (handing >= 0) books.discard(handing, 'no event channel');
      else books.ignore(domain.destination(port), 'no event channel');
      return;
    }
    const slot = domain.slot(port);
    if (handing >= 0) books.move(handing, slot);
    else if (outcome === 'again' && books.holds(slot)) books.resume(slot);
    else books.pend(slot, domain.destination(port));
    const point = outcome === 'coalesced' ? this.tpCoalesced : this.tpPending;
    host.trace.emit(point, at, books.journey, wiring.here ? wiring.here.cpu : -1, dom, port);
  }

  discarded(dom: number, port: number, why: string): void {
    this.host.books.discard(this.host.domain(dom).slot(port), why);
  }
}
