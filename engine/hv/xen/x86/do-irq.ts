/**
 * Physical interrupts under Xen on x86: do_IRQ and the way to the guest that a line is bound to
 * (xen/arch/x86/irq.c, io_apic.c, msi.c). Reading it top to bottom follows an interrupt.
 *
 * An interrupt bound to a guest is acknowledged in one of two ways. Edge lines and messages that can be masked
 * get their EOI at once and need nothing of the guest (ACKTYPE_NONE). A level line, and a message that cannot
 * be masked, stays in service at the local APIC until the guest says EOI (ACKTYPE_EOI).
 *
 * Not modelled here: lines shared by several domains, the brakes against storms and the timer that forces a
 * missing EOI, the IPI that cleans up an old vector, Xen's spinning while another CPU takes its call.
 */
import { type Books, NOWHERE, type SlotId, type SourceId } from '../../../core/books.ts';
import type { Clock, Ns, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu, PcpuWiring } from '../../pcpu.ts';
import type { XenProfile } from '../softirq.ts';
import { IoApics } from './io-apic.ts';
import { type IrqDesc, IrqDescs, needsEoi, XEN } from './irq-desc.ts';
import { PendingEoiStack } from './pending-eoi.ts';

export type { IrqDesc, IrqType } from './irq-desc.ts';

/** From the guest's part of do_IRQ to the event. */
const GUEST_PART: Ns = timing.doIrqGuest + timing.evtchnSetPending;

export interface IrqHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly wiring: PcpuWiring;
  readonly profile: XenProfile;
  /** send_guest_pirq: the raise waiting in `slot` goes on to the domain's event channel */
  sendGuestPirq(domain: number, pirq: number, slot: SlotId): void;
  /** on_selected_cpus: has `setEoiReady` called on that CPU */
  callSetEoiReady(cpu: Pcpu): void;
  /** ns16550_interrupt, the one action of Xen's own */
  serialInterrupt(cpu: Pcpu): void;
}

export class PhysicalIrqs implements Part {
  readonly id = 'xen.irqs';
  readonly ioapics: IoApics;
  readonly table: IrqDescs;
  /** per CPU */
  readonly pendingEoi: readonly PendingEoiStack[];
  /** per CPU: interrupts whose EOI another CPU has asked it for */
  private readonly eoiCalls: number[][];
  private readonly flights: Task[] = [];
  private readonly slots: SlotId[] = [];
  /** per CPU: what it has acknowledged and not handled yet */
  private readonly taken: SlotId[];
  private readonly reassert: SourceId;
  /** the IOAPICs look at their wires by themselves, for an EOI or an entry unmasked */
  private looking = false;
  private readonly tpRaise: Tracepoint;
  private readonly tpMessage: Tracepoint;
  private readonly tpDoIrq: Tracepoint;
  private readonly tpGuest: Tracepoint;
  private readonly tpEoi: Tracepoint;

  /**
   * @param gsis pins of the IOAPIC; interrupt numbers of messages follow them
   * @param capacity interrupt numbers there are
   */
  constructor(
    private readonly host: IrqHost,
    readonly gsis: number,
    capacity: number,
  ) {
    const { books, trace, clock, wiring, profile } = host;
    this.ioapics = new IoApics(gsis, (gsi, destination, vector) => this.fromPin(gsi, destination, vector));
    this.table = new IrqDescs(profile, books, this.ioapics, capacity);
    this.pendingEoi = wiring.cpus.map(() => new PendingEoiStack());
    this.eoiCalls = wiring.cpus.map(() => []);
    this.taken = wiring.cpus.map(() => books.addSlots(1));
    this.reassert = books.sourceOf('reassert');
    this.tpRaise = trace.point('irq_raise', 'irq', 'source');
    this.tpMessage = trace.point('apic_accept', 'irq', 'vector', 'cpu');
    this.tpDoIrq = trace.point('do_IRQ', 'irq', 'vector');
    this.tpGuest = trace.point('send_guest_pirq', 'dom', 'pirq');
    this.tpEoi = trace.point('pirq_guest_eoi', 'irq', 'vector');
    for (let irq = 0; irq < capacity; irq++) {
      this.slots.push(books.addSlots(1));
      const arrive = (journey: number, to: number) => this.arrive(irq, journey, to >> 8, to & 0xff);
      this.flights.push(clock.task(`irq${irq}.message`, Priority.hardware, arrive));
    }
  }

  get descs(): readonly (IrqDesc | undefined)[] {
    return this.table.descs;
  }

  // binding

  /** pirq_guest_bind: the line is aimed at a CPU and unmasked. */
  bind(irq: number, cpu: number): void {
    const desc = this.descs[irq]!;
    desc.bound = true;
    this.table.aim(desc, cpu);
    if (irq >= this.gsis) return;
    this.looking = true;
    this.ioapics.setMask(irq, false);
    this.looking = false;
  }

  /** pirq_guest_unbind: masked, and what waits for the guest's EOI gets it. */
  unbind(irq: number): void {
    const desc = this.descs[irq]!;
    if (irq < this.gsis) this.ioapics.setMask(irq, true);
    for (const cpu of desc.eoiCpus) {
      this.pendingEoi[cpu]!.setReady(irq);
      this.callSetEoiReady(cpu);
    }
    desc.eoiCpus = [];
    desc.inFlight = false;
    desc.bound = false;
  }

  /** unmap_domain_pirq; a request on its way is lost. */
  unmap(irq: number): void {
    const desc = this.descs[irq]!;
    if (desc.bound) this.unbind(irq);
    this.flights[irq]!.cancel();
    this.host.books.discard(this.slots[irq]!, 'unmapped');
    this.table.remove(desc);
  }

  /** pirq_set_affinity: from the next interrupt on. */
  setAffinity(irq: number, cpu: number): void {
    const desc = this.descs[irq];
    if (desc) desc.moveTo = cpu;
  }

  /** Must the guest say EOI for it (XENIRQSTAT_needs_eoi)? */
  needsEoi(irq: number): boolean {
    const desc = this.descs[irq];
    return desc !== undefined && needsEoi(desc);
  }

  // raises

  /** A device pulses an edge line or writes its message. */
  pulse(irq: number, source: SourceId): number {
    const journey = this.begin(irq, source);
    const { books } = this.host;
    if (irq < this.gsis) {
      this.ioapics.drive(irq, false);
      if (this.ioapics.drive(irq, true) < 0) books.ignore(NOWHERE, 'masked');
      return journey;
    }
    const desc = this.descs[irq];
    if (desc?.bound) this.message(irq, desc.cpu, desc.vector);
    else books.ignore(NOWHERE, 'unbound');
    return journey;
  }

  /** A level line falls: nobody holds it any more. */
  lower(irq: number): void {
    this.ioapics.drive(irq, false);
  }

  /** A device on a level line asks for service; the line may be high already. */
  request(irq: number, source: SourceId): number {
    const journey = this.begin(irq, source);
    if (this.ioapics.drive(irq, true) >= 0) return journey;
    const { books } = this.host;
    if (this.ioapics.entry(irq).masked) {
      books.ignore(NOWHERE, 'masked');
      return journey;
    }
    // one with the request that waits; or the line is in service and looked at again after its EOI
    const { destination } = this.descs[irq]!;
    if (books.holds(this.slots[irq]!)) books.pend(this.slots[irq]!, destination);
    else books.ignore(destination, 'in service');
    return journey;
  }

  private begin(irq: number, source: SourceId): number {
    const { books, trace, clock } = this.host;
    const journey = books.begin(source);
    trace.emit(this.tpRaise, clock.now, journey, -1, irq, source);
    return journey;
  }

  /** A message leaves an IOAPIC. Of a level line that it finds high by itself it is a new raise. */
  private fromPin(gsi: number, destination: number, vector: number): number {
    if (this.looking) this.begin(gsi, this.reassert);
    return Number(this.message(gsi, destination, vector));
  }

  /** An interrupt message is on its way. False: it is one with the one before. */
  private message(irq: number, cpu: number, vector: number): boolean {
    const { books, clock, wiring } = this.host;
    if (!books.pend(this.slots[irq]!, this.descs[irq]!.destination)) return false;
    const from = wiring.here ? wiring.here.time : clock.now;
    this.flights[irq]!.at(from + timing.apicMessage, books.journey, (cpu << 8) | vector);
    return true;
  }

  private arrive(irq: number, journey: number, cpu: number, vector: number): void {
    const { trace, clock, wiring } = this.host;
    trace.emit(this.tpMessage, clock.now, journey, cpu, irq, vector, cpu);
    wiring.cpus[cpu]!.lapic.request(vector, this.descs[irq]!.type === 'IO-APIC-level');
  }

  // do_IRQ

  /** The CPU has acknowledged the vector: from now on a new request of it is another interrupt. */
  acknowledged(cpu: Pcpu, vector: number): Ns {
    const irq = this.table.vectors.irqOf(vector);
    if (irq < 0) return timing.doIrq;
    this.host.books.move(this.slots[irq]!, this.taken[cpu.cpu]!);
    return this.descs[irq]?.domain === XEN ? timing.doIrq : timing.doIrq + GUEST_PART;
  }

  /** do_IRQ; the time up to the event is over when it is called. */
  doIrq(cpu: Pcpu, vector: number): void {
    const desc = this.descs[this.table.vectors.irqOf(vector)];
    if (!desc) {
      cpu.lapic.eoi();
      return;
    }
    const { books, trace } = this.host;
    const { now } = this.host.clock;
    const slot = this.taken[cpu.cpu]!;
    books.resume(slot);
    this.table.completeMove(desc, vector);
    if (desc.domain === XEN) {
      trace.emit(this.tpDoIrq, now, books.journey, cpu.cpu, desc.irq, vector);
      this.endOfInterrupt(cpu);
      books.deliver(slot);
      this.host.serialInterrupt(cpu);
      return;
    }
    trace.emit(this.tpDoIrq, now - GUEST_PART, books.journey, cpu.cpu, desc.irq, vector);
    this.acknowledge(cpu, desc, vector);
    if (!desc.bound) {
      books.discard(slot, 'unbound');
      return;
    }
    const { domain, pirq } = desc;
    trace.emit(this.tpGuest, now - timing.evtchnSetPending, books.journey, cpu.cpu, domain, pirq);
    this.host.sendGuestPirq(domain, pirq, slot);
  }

  /** handler->ack, and what do_IRQ_guest does before the guest is told. */
  private acknowledge(cpu: Pcpu, desc: IrqDesc, vector: number): void {
    if (desc.type !== 'IO-APIC-level') this.table.move(desc);
    if (!desc.bound || !needsEoi(desc)) {
      this.endOfInterrupt(cpu);
      return;
    }
    this.pendingEoi[cpu.cpu]!.push(desc.irq, vector);
    desc.eoiCpus.push(cpu.cpu);
    desc.inFlight = true;
  }

  // EOI

  /** pirq_guest_eoi: the guest has handled it. The CPU that took it, and no other, can end it. */
  guestEoi(irq: number): void {
    const desc = this.descs[irq];
    if (!desc?.inFlight) return;
    desc.inFlight = false;
    for (const cpu of [...desc.eoiCpus]) {
      this.eoiCalls[cpu]!.push(irq);
      this.callSetEoiReady(cpu);
    }
  }

  private callSetEoiReady(cpu: number): void {
    const { here, cpus } = this.host.wiring;
    if (here?.cpu === cpu) this.setEoiReady(here);
    else this.host.callSetEoiReady(cpus[cpu]!);
  }

  /** set_eoi_ready, on the CPU that took the interrupt. One that came anew meanwhile needs its own EOI. */
  setEoiReady(cpu: Pcpu): void {
    const calls = this.eoiCalls[cpu.cpu]!;
    for (const irq of calls) {
      const desc = this.descs[irq];
      if (!desc || desc.inFlight || !desc.eoiCpus.includes(cpu.cpu)) continue;
      desc.eoiCpus = desc.eoiCpus.filter((n) => n !== cpu.cpu);
      this.pendingEoi[cpu.cpu]!.setReady(irq);
    }
    calls.length = 0;
    this.flushReadyEoi(cpu);
  }

  /** flush_ready_eoi: ends what is ready, from the top of the CPU's stack. */
  private flushReadyEoi(cpu: Pcpu): void {
    const stack = this.pendingEoi[cpu.cpu]!;
    for (let irq = stack.popReady(); irq >= 0; irq = stack.popReady()) {
      const vector = this.endOfInterrupt(cpu);
      this.host.trace.emit(this.tpEoi, cpu.time, 0, cpu.cpu, irq, vector);
      const desc = this.descs[irq];
      if (desc?.type === 'IO-APIC-level' && !this.ioapics.entry(irq).remoteIrr) this.table.move(desc);
    }
  }

  /** EOI at the local APIC, and of a level vector at the IOAPIC; a line still high is served again. */
  private endOfInterrupt(cpu: Pcpu): number {
    const vector = cpu.lapic.eoi();
    if (vector < 0 || !cpu.lapic.tmr.has(vector)) return vector;
    this.looking = true;
    this.ioapics.eoi(vector);
    this.looking = false;
    return vector;
  }

  // to look at

  /** Is a request of this interrupt on its way or waiting at a local APIC? */
  isPending(irq: number): boolean {
    const desc = this.descs[irq];
    if (!desc) return false;
    const { vector, oldVector } = desc;
    const requested = ({ lapic }: Pcpu) =>
      lapic.irr.has(vector) || (oldVector >= 0 && lapic.irr.has(oldVector));
    return this.flights[irq]!.queued || this.host.wiring.cpus.some(requested);
  }

  slotOf(irq: number): SlotId {
    return this.slots[irq]!;
  }

  save(): Plain {
    return {
      ioapics: this.ioapics.save(),
      table: this.table.save(),
      pendingEoi: this.pendingEoi.map((s) => s.save()),
      eoiCalls: this.eoiCalls.map((calls) => [...calls]),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { ioapics: Plain; table: Plain; pendingEoi: Plain[]; eoiCalls: number[][] };
    this.ioapics.restore(s.ioapics);
    this.table.restore(s.table);
    this.pendingEoi.forEach((stack, cpu) => {
      stack.restore(s.pendingEoi[cpu]!);
      this.eoiCalls[cpu] = [...s.eoiCalls[cpu]!];
    });
  }
}
