/**
 * The way of an interrupt from a device to a local APIC: wires into the IOAPICs, messages, and the masks of both
 * (xen/arch/x86/io_apic.c, msi.c). What becomes of a raise is told to the books here: which line asks whom, what was
 * lost at a mask, what became one with the request before.
 */

import { type Books, NOWHERE, type SlotId, type SourceId } from '../../../core/books.ts';
import type { Clock, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import { timing } from '../../../timing.ts';
import type { PcpuWiring } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import { IoApics } from './io-apic.ts';
import type { IrqDesc } from './irq-desc.ts';
import { IRQ_DISABLED } from './irq-status.ts';

export interface LineHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly wiring: PcpuWiring;
  /** by CPU */
  readonly lapics: readonly LocalApic[];
}

export class IrqLines {
  readonly ioapics: IoApics;
  /** by interrupt: a request on its way, or waiting at a local APIC */
  private readonly slots: SlotId[] = [];
  /** by interrupt: a message that waits at its mask */
  private readonly held: SlotId[] = [];
  private readonly flights: Task[] = [];
  private readonly reassert: SourceId;
  /** the IOAPICs look at their wires by themselves, for an EOI or an entry unmasked */
  private looking = false;
  private readonly tpRaise: Tracepoint;
  private readonly tpMessage: Tracepoint;

  /**
   * @param gsis pins of the IOAPICs; interrupt numbers of messages follow them
   * @param capacity interrupt numbers there are
   * @param destination whom the books note for a raise of this line
   */
  constructor(
    private readonly host: LineHost,
    readonly gsis: number,
    capacity: number,
    private readonly descs: readonly (IrqDesc | undefined)[],
    private readonly destination: (desc: IrqDesc) => number,
  ) {
    const { books, trace, clock, wiring } = host;
    this.ioapics = new IoApics(gsis, wiring.cpus.length, (gsi, to, vector) => this.fromPin(gsi, to, vector));
    this.reassert = books.sourceOf('reassert');
    this.tpRaise = trace.point('irq_raise', 'irq', 'source');
    this.tpMessage = trace.point('apic_accept', 'irq', 'vector', 'cpu');
    for (let irq = 0; irq < capacity; irq++) {
      this.slots.push(books.addSlots(1));
      this.held.push(books.addSlots(1));
      const arrive = (journey: number, to: number) => this.arrive(irq, journey, to >> 8, to & 0xff);
      this.flights.push(clock.task(`irq${irq}.message`, Priority.hardware, arrive));
    }
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
    if (!desc?.action) books.ignore(NOWHERE, 'unbound');
    else if (desc.msiMasked || desc.guestMasked) this.hold(desc);
    else this.message(irq, desc.cpu, desc.vector);
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
    const desc = this.descs[irq];
    if (!desc || (desc.status & IRQ_DISABLED) !== 0) {
      books.ignore(NOWHERE, 'masked');
      return journey;
    }
    // one with the request that waits; or the line is in service, or braked, and looked at again after that
    const destination = this.destination(desc);
    if (books.holds(this.slots[irq]!)) books.pend(this.slots[irq]!, destination);
    else books.ignore(destination, desc.action && desc.action.inFlight > 0 ? 'in service' : 'masked');
    return journey;
  }

  private begin(irq: number, source: SourceId): number {
    const { books, trace, clock } = this.host;
    const journey = books.begin(source);
    trace.emit(this.tpRaise, clock.now, journey, -1, irq, source);
    return journey;
  }

  /** A message leaves an IOAPIC. Of a level line that it finds high by itself it is a new raise. */
  private fromPin(irq: number, to: number, vector: number): number {
    if (this.looking) this.begin(irq, this.reassert);
    return Number(this.message(irq, to, vector));
  }

  /** An interrupt message is on its way. False: it is one with the one before. */
  private message(irq: number, cpu: number, vector: number): boolean {
    if (!this.host.books.pend(this.slots[irq]!, this.destination(this.descs[irq]!))) return false;
    this.fly(irq, cpu, vector);
    return true;
  }

  private fly(irq: number, cpu: number, vector: number): void {
    const { books, clock, wiring } = this.host;
    const from = wiring.here ? wiring.here.time : clock.now;
    this.flights[irq]!.at(from + timing.apicMessage, books.journey, (cpu << 8) | vector);
  }

  private arrive(irq: number, journey: number, cpu: number, vector: number): void {
    const { trace, clock, lapics } = this.host;
    trace.emit(this.tpMessage, clock.now, journey, cpu, irq, vector, cpu);
    lapics[cpu]!.request(vector, this.descs[irq]!.type === 'IO-APIC-level');
  }

  // masks

  /** A pin, or a message that has a mask. One that cannot be masked stays as it is. */
  mask(desc: IrqDesc): void {
    if (desc.irq < this.gsis) this.ioapics.setMask(desc.irq, true);
    else if (desc.type === 'PCI-MSI/-X') desc.msiMasked = true;
  }

  /** A level line that is high, and a message that was held back, are sent now. */
  unmask(desc: IrqDesc): void {
    if (desc.irq < this.gsis) {
      this.look(() => this.ioapics.setMask(desc.irq, false));
      return;
    }
    desc.msiMasked = false;
    this.release(desc);
  }

  /** The mask bit of a passed-through device's message as its guest writes it. */
  guestMask(desc: IrqDesc, masked: boolean): void {
    desc.guestMasked = masked;
    this.release(desc);
  }

  private release(desc: IrqDesc): void {
    if (desc.msiPending && !desc.msiMasked && !desc.guestMasked) this.sendHeld(desc);
  }

  private look(what: () => void): void {
    this.looking = true;
    what();
    this.looking = false;
  }

  /** The device asks at its mask: one request waits there, in the pending bit of its table. */
  private hold(desc: IrqDesc): void {
    desc.msiPending = true;
    this.host.books.pend(this.held[desc.irq]!, this.destination(desc));
  }

  private sendHeld(desc: IrqDesc): void {
    const { books } = this.host;
    const { irq } = desc;
    const [source, journey] = [books.source, books.journey];
    desc.msiPending = false;
    books.resume(this.held[irq]!);
    if (books.move(this.held[irq]!, this.slots[irq]!)) this.fly(irq, desc.cpu, desc.vector);
    books.source = source;
    books.journey = journey;
  }

  /** Nobody is left who would take what waits at the mask. */
  dropHeld(desc: IrqDesc, why: string): void {
    desc.msiPending = false;
    this.host.books.discard(this.held[desc.irq]!, why);
  }

  /** A request on its way is lost: its number is given up. */
  forget(desc: IrqDesc): void {
    this.flights[desc.irq]!.cancel();
    this.host.books.discard(this.slots[desc.irq]!, 'unmapped');
    this.dropHeld(desc, 'unmapped');
  }

  // at the CPU

  /** The CPU has acknowledged it: from now on a request of the same line is another interrupt. */
  take(irq: number, into: SlotId): void {
    this.host.books.move(this.slots[irq]!, into);
  }

  /** EOI at the local APIC, and of a level vector at the IOAPIC; a line still high is served again. */
  eoi(cpu: Pcpu): number {
    const lapic = this.host.lapics[cpu.cpu]!;
    const vector = lapic.eoi();
    if (vector >= 0 && lapic.tmr.has(vector)) this.look(() => this.ioapics.eoi(vector));
    return vector;
  }

  // to look at

  /** Is a request of this interrupt on its way or waiting at a local APIC? */
  isPending(irq: number): boolean {
    const desc = this.descs[irq];
    if (!desc) return false;
    const { vector, oldVector } = desc;
    const requested = ({ irr }: LocalApic) => irr.has(vector) || (oldVector >= 0 && irr.has(oldVector));
    return this.flights[irq]!.queued || this.host.lapics.some(requested);
  }

  slotOf(irq: number): SlotId {
    return this.slots[irq]!;
  }

  heldSlotOf(irq: number): SlotId {
    return this.held[irq]!;
  }
}
