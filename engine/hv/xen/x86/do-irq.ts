/**
 * Physical interrupts under Xen on x86: descriptors, vectors, do_IRQ and the way to the guest that a line
 * is bound to (xen/arch/x86/irq.c, io_apic.c, msi.c).
 *
 * An interrupt bound to a guest is acknowledged in one of two ways here. Edge lines and maskable messages
 * need nothing more of the guest (ACKTYPE_NONE). A level line stays in service at the local APIC until the
 * guest says EOI (ACKTYPE_EOI): its vector waits on the CPU's stack of pending EOIs, of which only the top
 * may go. Lines shared by several domains and the storm brake are not modelled here.
 */

import type { Books } from '../../../core/books.ts';
import { NOWHERE, type SlotId, type SourceId } from '../../../core/books.ts';
import type { Clock, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { IoApic } from '../../../hw/x86/ioapic.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu, PcpuWiring } from '../../pcpu.ts';
import type { Domain } from '../domain.ts';

/** `PCI-MSI` and `PCI-MSI/-X` as debug key i names them. */
export type IrqType = 'IO-APIC-edge' | 'IO-APIC-level' | 'PCI-MSI' | 'PCI-MSI/-X';

export interface IrqDesc {
  readonly irq: number;
  readonly type: IrqType;
  vector: number;
  /** physical CPU it is aimed at */
  cpu: number;
  domain: number;
  pirq: number;
  bound: boolean;
  /** a level interrupt that the guest has not said EOI for */
  inFlight: boolean;
}

const FIRST_DYNAMIC_VECTOR = 0x20;
const LAST_DYNAMIC_VECTOR = 0xef;
const LEGACY_SYSCALL_VECTOR = 0x80;
const HYPERCALL_VECTOR = 0x82;

/** The owner of Xen's own interrupts. */
const XEN = -1;

/** An entry of a CPU's stack of pending EOIs. */
interface PendingEoi {
  irq: number;
  ready: boolean;
}

export interface IrqHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly wiring: PcpuWiring;
  domain(id: number): Domain;
  /** send_guest_pirq: the raise waiting in `slot` goes on to the domain's event channel */
  sendGuestPirq(domain: number, pirq: number, slot: SlotId): void;
  /** asks a CPU to look at its stack of pending EOIs */
  eoiReady(cpu: Pcpu): void;
}

export class PhysicalIrqs implements Part {
  readonly id = 'xen.irqs';
  readonly ioapic: IoApic;
  readonly descs: (IrqDesc | undefined)[] = [];
  private readonly pendingEoi: PendingEoi[][];
  private readonly flights: Task[] = [];
  /** interrupts that Xen serves itself: irq -> its handler */
  private readonly own = new Map<number, (cpu: Pcpu) => void>();
  private readonly slots: SlotId[] = [];
  private nextVector = FIRST_DYNAMIC_VECTOR + 16;
  private vectorOffset = 0;
  private nextIrq: number;
  private readonly reassert: SourceId;
  private readonly tpRaise: Tracepoint;
  private readonly tpMessage: Tracepoint;
  private readonly tpDoIrq: Tracepoint;
  private readonly tpGuest: Tracepoint;
  private readonly tpEoi: Tracepoint;

  /** @param gsis pins of the IOAPIC; interrupt numbers of messages follow them */
  constructor(
    private readonly host: IrqHost,
    readonly gsis: number,
    private readonly capacity: number,
  ) {
    this.nextIrq = gsis;
    this.pendingEoi = host.wiring.cpus.map(() => []);
    this.ioapic = new IoApic(gsis, (pin) => this.message(pin));
    this.reassert = host.books.sourceOf('reassert');
    const { trace } = host;
    this.tpRaise = trace.point('irq_raise', 'irq');
    this.tpMessage = trace.point('apic_accept', 'irq', 'vector', 'cpu');
    this.tpDoIrq = trace.point('do_IRQ', 'irq', 'vector');
    this.tpGuest = trace.point('send_guest_pirq', 'dom', 'pirq');
    this.tpEoi = trace.point('pirq_guest_eoi', 'irq', 'vector');
    for (let irq = 0; irq < capacity; irq++) {
      this.slots.push(host.books.addSlots(1));
      this.flights.push(
        host.clock.task(`irq${irq}.message`, Priority.hardware, (journey) => this.arrive(irq, journey)),
      );
    }
  }

  /** setup_irq: an edge line of Xen's own device. */
  setupOwn(gsi: number, vector: number, handler: (cpu: Pcpu) => void): void {
    const desc = this.make(gsi, 'IO-APIC-edge', XEN, gsi, vector);
    this.own.set(gsi, handler);
    desc.bound = true;
    const pin = this.ioapic.pins[gsi]!;
    pin.vector = vector;
    pin.masked = false;
  }

  /** map_domain_pirq of a GSI: a descriptor for the pin, masked until it is bound. */
  mapGsi(gsi: number, level: boolean, domain: number, pirq: number): IrqDesc {
    const desc = this.make(gsi, level ? 'IO-APIC-level' : 'IO-APIC-edge', domain, pirq);
    const pin = this.ioapic.pins[gsi]!;
    pin.vector = desc.vector;
    pin.level = level;
    return desc;
  }

  /** map_domain_pirq of a message: create_irq gives the next number. */
  mapMsi(msix: boolean, domain: number, pirq: number): IrqDesc {
    if (this.nextIrq >= this.capacity) throw new Error('create_irq: no interrupt number left');
    return this.make(this.nextIrq++, msix ? 'PCI-MSI/-X' : 'PCI-MSI', domain, pirq);
  }

  /** unmap_domain_pirq; the highest numbers are used again first. */
  unmap(irq: number): void {
    this.descs[irq] = undefined;
    if (irq === this.nextIrq - 1)
      while (this.nextIrq > this.gsis && !this.descs[this.nextIrq - 1]) this.nextIrq--;
  }

  /** pirq_guest_bind: the line is unmasked and aimed at a CPU. */
  bind(irq: number, cpu: number): void {
    const desc = this.descs[irq]!;
    desc.bound = true;
    this.setAffinity(irq, cpu);
    if (irq < this.gsis) this.ioapic.setMask(irq, false);
  }

  unbind(irq: number): void {
    const desc = this.descs[irq]!;
    desc.bound = false;
    if (irq < this.gsis) this.ioapic.setMask(irq, true);
  }

  setAffinity(irq: number, cpu: number): void {
    const desc = this.descs[irq];
    if (!desc) return;
    desc.cpu = cpu;
    if (irq < this.gsis) this.ioapic.pins[irq]!.destination = cpu;
  }

  /** A device pulses an edge line or writes its message. */
  pulse(irq: number, source: SourceId): number {
    const journey = this.begin(irq, source);
    if (irq < this.gsis) {
      this.ioapic.setIrq(irq, false);
      const pin = this.ioapic.pins[irq]!;
      if (pin.masked) {
        pin.high = true;
        this.host.books.ignore(NOWHERE, 'masked');
      } else this.ioapic.setIrq(irq, true);
    } else if (this.descs[irq]?.bound) this.message(irq);
    else this.host.books.ignore(NOWHERE, 'unbound');
    return journey;
  }

  /** A level line falls: nobody holds it any more. */
  lower(irq: number): void {
    this.ioapic.setIrq(irq, false);
  }

  /** A device on a level line asks for service; the line may be high already. */
  request(irq: number, source: SourceId): number {
    const journey = this.begin(irq, source);
    const pin = this.ioapic.pins[irq]!;
    if (pin.high || pin.remoteIrr) {
      // the wire is high already: the new request is one with what is pending or in service
      pin.high = true;
      const desc = this.descs[irq]!;
      this.coalesce(desc);
    } else if (pin.masked) {
      pin.high = true;
      this.host.books.ignore(NOWHERE, 'masked');
    } else this.ioapic.setIrq(irq, true);
    return journey;
  }

  /** do_IRQ. */
  doIrq(cpu: Pcpu, vector: number): void {
    const desc = this.descs.find((d) => d?.vector === vector);
    if (!desc) {
      cpu.lapic.eoi();
      return;
    }
    const { books, trace } = this.host;
    const slot = this.slots[desc.irq]!;
    books.resume(slot);
    cpu.charge(timing.doIrq);
    trace.emit(this.tpDoIrq, cpu.time, books.journey, cpu.cpu, desc.irq, vector);
    const own = this.own.get(desc.irq);
    if (own) {
      this.endOfInterrupt(cpu);
      books.deliver(slot);
      own(cpu);
      return;
    }
    if (!desc.bound) {
      books.discard(slot, 'unbound');
      this.endOfInterrupt(cpu);
      return;
    }
    if (desc.type === 'IO-APIC-level') {
      this.pendingEoi[cpu.cpu]!.push({ irq: desc.irq, ready: false });
      desc.inFlight = true;
    } else this.endOfInterrupt(cpu);
    cpu.charge(timing.doIrqGuest);
    trace.emit(this.tpGuest, cpu.time, books.journey, cpu.cpu, desc.domain, desc.pirq);
    this.host.sendGuestPirq(desc.domain, desc.pirq, slot);
  }

  /** pirq_guest_eoi: the guest has handled a level interrupt. */
  guestEoi(irq: number): void {
    const desc = this.descs[irq];
    if (!desc?.inFlight) return;
    desc.inFlight = false;
    for (const cpu of this.host.wiring.cpus) {
      const entry = this.pendingEoi[cpu.cpu]!.find((e) => e.irq === irq && !e.ready);
      if (!entry) continue;
      entry.ready = true;
      if (this.host.wiring.here === cpu) this.flushReadyEoi(cpu);
      else this.host.eoiReady(cpu);
      return;
    }
  }

  /** flush_ready_eoi: pops what is ready off the top of the CPU's stack. */
  flushReadyEoi(cpu: Pcpu): void {
    const stack = this.pendingEoi[cpu.cpu]!;
    while (stack.length > 0 && stack.at(-1)!.ready) {
      const { irq } = stack.pop()!;
      const { vector } = this.descs[irq]!;
      this.host.trace.emit(this.tpEoi, cpu.time, 0, cpu.cpu, irq, vector);
      this.endOfInterrupt(cpu);
    }
  }

  /** Is a request of this interrupt on its way or waiting at a local APIC? */
  isPending(irq: number): boolean {
    const desc = this.descs[irq];
    if (!desc) return false;
    return this.flights[irq]!.queued || this.host.wiring.cpus.some((cpu) => cpu.lapic.irr.has(desc.vector));
  }

  slotOf(irq: number): SlotId {
    return this.slots[irq]!;
  }

  private make(irq: number, type: IrqType, domain: number, pirq: number, vector?: number): IrqDesc {
    const desc: IrqDesc = {
      irq,
      type,
      vector: vector ?? this.assignVector(),
      cpu: 0,
      domain,
      pirq,
      bound: false,
      inFlight: false,
    };
    this.descs[irq] = desc;
    return desc;
  }

  /** assign_irq_vector: every eighth vector, so that the priority classes fill evenly. */
  private assignVector(): number {
    for (;;) {
      const vector = this.nextVector;
      this.nextVector += 8;
      if (this.nextVector > LAST_DYNAMIC_VECTOR) {
        this.vectorOffset = (this.vectorOffset + 1) & 7;
        this.nextVector = FIRST_DYNAMIC_VECTOR + this.vectorOffset;
      }
      const taken = this.descs.some((d) => d?.vector === vector);
      if (!taken && vector !== LEGACY_SYSCALL_VECTOR && vector !== HYPERCALL_VECTOR) return vector;
    }
  }

  private begin(irq: number, source: SourceId): number {
    const { books, trace, clock } = this.host;
    const journey = books.begin(source);
    trace.emit(this.tpRaise, clock.now, journey, -1, irq);
    return journey;
  }

  private coalesce(desc: IrqDesc): void {
    const slot = this.slots[desc.irq]!;
    const { books } = this.host;
    const destination = this.destination(desc);
    if (books.holds(slot)) books.pend(slot, destination);
    else books.ignore(destination, 'in service');
  }

  /** An interrupt message leaves the IOAPIC or the device. */
  private message(irq: number): boolean {
    const { books, clock } = this.host;
    const desc = this.descs[irq]!;
    if (!books.pend(this.slots[irq]!, this.destination(desc))) return false;
    this.flights[irq]!.at(clock.now + timing.apicMessage, books.journey);
    return true;
  }

  private arrive(irq: number, journey: number): void {
    const desc = this.descs[irq];
    if (!desc) return;
    const { trace, clock, wiring } = this.host;
    trace.emit(this.tpMessage, clock.now, journey, desc.cpu, irq, desc.vector, desc.cpu);
    wiring.cpus[desc.cpu]!.lapic.accept(desc.vector);
  }

  /** EOI at the local APIC, and for level vectors at the IOAPIC; lines still high are served again. */
  private endOfInterrupt(cpu: Pcpu): void {
    const vector = cpu.lapic.eoi();
    for (const pin of this.ioapic.eoi(vector)) {
      this.begin(pin, this.reassert);
      this.ioapic.reassert(pin);
    }
  }

  private destination(desc: IrqDesc): number {
    const name = desc.domain === XEN ? `xen irq ${desc.irq}` : `dom${desc.domain} pirq ${desc.pirq}`;
    return this.host.books.destinationOf(name);
  }

  save(): Plain {
    return {
      ioapic: this.ioapic.save(),
      descs: this.descs.flatMap((d) => (d ? [{ ...d }] : [])),
      pendingEoi: this.pendingEoi.map((s) => s.map((e) => ({ ...e }))),
      next: [this.nextVector, this.vectorOffset, this.nextIrq],
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      ioapic: Plain;
      descs: IrqDesc[];
      pendingEoi: PendingEoi[][];
      next: [number, number, number];
    };
    this.ioapic.restore(s.ioapic);
    this.descs.length = 0;
    for (const d of s.descs) this.descs[d.irq] = { ...d };
    s.pendingEoi.forEach((stack, i) => {
      this.pendingEoi[i] = stack.map((e) => ({ ...e }));
    });
    [this.nextVector, this.vectorOffset, this.nextIrq] = s.next;
  }
}
