/**
 * Physical interrupts under Xen on x86: do_IRQ (xen/arch/x86/irq.c). An interrupt comes by irq-lines.ts to a local APIC,
 * its CPU takes it, and here it is acknowledged (irq-controllers.ts) and goes to the domains that are bound to it
 * (guest-irqs.ts) or to an action of Xen's own (own-irqs.ts), unless there are too many of it (storm.ts).
 *
 * 4.17 does irq_enter first of all and irq_exit last; 3.4 around the guests' part, and around each run of an action.
 */
import type { SlotId, SourceId } from '../../../core/books.ts';
import type { Ns } from '../../../core/clock.ts';
import { LatencyTable } from '../../../core/latency.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import { type GuestIrqHost, GuestIrqs, guestPart } from './guest-irqs.ts';
import type { IoApics } from './io-apic.ts';
import { IrqControllers } from './irq-controllers.ts';
import { type Firmware, type IrqDesc, IrqDescs, PLAIN_FIRMWARE } from './irq-desc.ts';
import { IrqLines } from './irq-lines.ts';
import { MoveCleanup } from './move-cleanup.ts';
import { type IrqAction, OwnIrqs } from './own-irqs.ts';
import { RateLimit } from './storm.ts';

export type { IrqDesc, IrqType } from './irq-desc.ts';

export interface IrqHost extends GuestIrqHost {
  /** 4.17: direct_apic_vector. False: Xen has no function for this vector. */
  directApicVector(cpu: Pcpu, vector: number): boolean;
}

/** Options of Xen's command line. */
export interface IrqOptions {
  /** ioapic_ack: how a level line is kept quiet until its guests are through */
  readonly ioapicAck: 'old' | 'new';
  /** 4.17, irq_ratelimit: interrupts for guests in 10 ms; 0 for no limit */
  readonly irqRatelimit: number;
  /** 4.17, irq-max-guests: domains that may share a line. On 3.4 it is 7. */
  readonly irqMaxGuests: number;
}

export const IRQ_DEFAULTS: IrqOptions = { ioapicAck: 'new', irqRatelimit: 10_000, irqMaxGuests: 32 };

/** One of the brakes: 3.4 has one, 4.17 two. */
export interface BrakeView {
  readonly name: string;
  /** of irq_ratelimit interrupts lost, of IRQ_GUEST_EOI_PENDING times it was set, of irq_guest_eoi_timer EOIs forced */
  readonly count: number;
  /** interrupts that it holds back now */
  readonly irqs: readonly number[];
}

export class PhysicalIrqs implements Part {
  readonly id = 'xen.irqs';
  readonly descs: readonly (IrqDesc | undefined)[];
  readonly lines: IrqLines;
  readonly table: IrqDescs;
  readonly controllers: IrqControllers;
  readonly guests: GuestIrqs;
  readonly rateLimit: RateLimit;
  readonly cleanup: MoveCleanup;
  /** from raises to do_IRQ, by vector */
  readonly latency = new LatencyTable('xen.irqs.latency');
  private readonly own: OwnIrqs;
  /** per CPU: what it has acknowledged and not handled yet */
  private readonly taken: SlotId[];
  /** per CPU: depth of irq_enter (local_irq_count) */
  private readonly depth: number[];
  private readonly tpDoIrq: Tracepoint;
  private readonly tpBrake: Tracepoint;
  private readonly tpUnmapped: Tracepoint;
  private readonly tpHandled: Tracepoint;

  /**
   * @param gsis pins of the IOAPIC; interrupt numbers of messages follow them
   * @param capacity interrupt numbers there are
   */
  constructor(
    private readonly host: IrqHost,
    readonly gsis: number,
    capacity: number,
    options: IrqOptions = IRQ_DEFAULTS,
    firmware: Firmware = PLAIN_FIRMWARE,
  ) {
    const { books, trace, clock, wiring, profile, timers } = host;
    const { cpus } = wiring;
    const descs: (IrqDesc | undefined)[] = [];
    this.descs = descs;
    this.lines = new IrqLines(host, gsis, capacity, descs, (desc) => this.table.destination(desc));
    this.table = new IrqDescs(profile, books, this.lines.ioapics, descs, capacity, firmware);
    const { lines, table } = this;
    const controllers = new IrqControllers(lines, table, options.ioapicAck === 'new', () =>
      this.cleanup.send(),
    );
    this.cleanup = new MoveCleanup(clock, wiring, host.lapics, table);
    this.controllers = controllers;
    const storm = { clock, timers, cpus, descs, controllers };
    this.guests = new GuestIrqs(host, table, lines, controllers, storm, capacity, options.irqMaxGuests);
    this.rateLimit = new RateLimit(storm, profile === '3.4' ? 0 : options.irqRatelimit);
    const enterExit = {
      irqEnter: (cpu: Pcpu) => this.irqEnter(cpu),
      irqExit: (cpu: Pcpu) => this.irqExit(cpu),
    };
    this.own = new OwnIrqs({ books, profile, ...enterExit }, controllers, descs, cpus.length, capacity);
    this.taken = cpus.map(() => books.addSlots(1));
    this.depth = cpus.map(() => 0);
    this.tpDoIrq = trace.point('do_IRQ', 'irq', 'vector');
    this.tpBrake = trace.point('irq_ratelimit', 'irq', 'vector');
    this.tpUnmapped = trace.point('irq_unmapped_vector', 'vector');
    this.tpHandled = trace.point('irq_handled', 'irq', 'tsc_in', 'tsc_out');
  }

  get ioapics(): IoApics {
    return this.lines.ioapics;
  }

  // binding

  /** setup_irq: the line is Xen's. */
  setup(irq: number, action: IrqAction): void {
    this.own.setup(irq, action);
  }

  /** unmap_domain_pirq; a request of a message on its way is lost. */
  unmap(domain: number, pirq: number): void {
    const desc = this.table.of(domain, pirq)!;
    this.guests.unbind(domain, pirq);
    if (desc.irq >= this.gsis) {
      this.lines.forget(desc);
      this.rateLimit.forget(desc.irq);
    }
    this.table.unmap(domain, pirq);
  }

  /** pirq_set_affinity: from the next interrupt on. */
  setAffinity(domain: number, pirq: number, cpu: number): void {
    const desc = this.table.of(domain, pirq);
    if (desc) this.controllers.setAffinity(desc, cpu);
  }

  /** Must the guest say EOI for it (XENIRQSTAT_needs_eoi, pirq_eoi_map)? */
  needsEoi(domain: number, pirq: number): boolean {
    const desc = this.table.of(domain, pirq);
    return desc?.pirqs.find((p) => p.domain === domain)?.needsEoi ?? false;
  }

  /** guest_mask_msi_irq */
  guestMask(domain: number, pirq: number, masked: boolean): void {
    const desc = this.table.of(domain, pirq);
    if (desc) this.lines.guestMask(desc, masked);
  }

  // raises

  /** A device pulses an edge line or writes its message. */
  pulse(irq: number, source: SourceId): number {
    return this.lines.pulse(irq, source);
  }

  /** A device on a level line asks for service; the line may be high already. */
  request(irq: number, source: SourceId): number {
    return this.lines.request(irq, source);
  }

  /** A level line falls: nobody holds it any more. */
  lower(irq: number): void {
    this.lines.lower(irq);
  }

  // do_IRQ

  /** The CPU has acknowledged the vector: from now on a new request of it is another interrupt. */
  acknowledged(cpu: Pcpu, vector: number): Ns {
    const irq = this.table.vectors.irqOf(vector);
    if (irq < 0) return timing.doIrq;
    this.lines.take(irq, this.taken[cpu.cpu]!);
    return this.descs[irq]?.own ? timing.doIrq : timing.doIrq + guestPart();
  }

  /** The journey of what this CPU has acknowledged and not handled yet; 0: of none that anybody asked for. */
  journeyOn(cpu: Pcpu): number {
    const slot = this.taken[cpu.cpu]!;
    return this.host.books.holds(slot) ? this.host.books.journeyIn(slot) : 0;
  }

  /** do_IRQ; the time up to the event is over when it is called. Again, when an action of Xen's own is over. */
  doIrq(cpu: Pcpu, vector: number): void {
    if (this.own.goOn(cpu, vector)) return;
    const { now } = this.host.clock;
    const { books, trace, profile } = this.host;
    if (profile !== '3.4') this.irqEnter(cpu);
    const desc = this.descs[this.table.vectors.irqOf(vector)];
    if (!desc) {
      this.noIrq(cpu, vector);
      return;
    }
    const slot = this.taken[cpu.cpu]!;
    books.resume(slot);
    const began = now - timing.doIrq - (desc.own ? 0 : guestPart());
    if (books.holds(slot)) this.latency.add(vector, books.journey, books.raisedIn(slot), began);
    trace.emit(this.tpDoIrq, began, books.journey, cpu.cpu, desc.irq, vector);
    this.controllers.ack(cpu, desc, vector);
    if (desc.action) this.forGuests(cpu, desc, vector, slot);
    else this.own.doIrq(cpu, desc, vector, slot);
  }

  private forGuests(cpu: Pcpu, desc: IrqDesc, vector: number, slot: SlotId): void {
    const { books, trace, clock, profile } = this.host;
    if (this.rateLimit.exceeded(desc)) {
      trace.emit(this.tpBrake, clock.now, books.journey, cpu.cpu, desc.irq, vector);
      books.discard(slot, 'rate limit');
      this.controllers.end(cpu, desc);
      this.guests.flushReadyEoi(cpu);
    } else {
      if (profile === '3.4') this.irqEnter(cpu);
      this.guests.doIrqGuest(cpu, desc, vector, slot);
      // TRC_HW_IRQ_HANDLED, on the time that do_IRQ_guest took; 3.4 has no such record
      if (profile !== '3.4')
        trace.emit(this.tpHandled, cpu.time, 0, cpu.cpu, desc.irq, clock.now - guestPart(), cpu.time);
    }
    this.irqExit(cpu);
  }

  /** No interrupt has this vector. On 4.17 it may be the local APIC's own; else it is ended, and that is all. */
  private noIrq(cpu: Pcpu, vector: number): void {
    const { host } = this;
    const direct = host.profile !== '3.4' && host.directApicVector(cpu, vector);
    if (!direct) {
      this.lines.eoi(cpu);
      host.trace.emit(this.tpUnmapped, host.clock.now, 0, cpu.cpu, vector);
    }
    if (host.profile !== '3.4') this.irqExit(cpu);
  }

  private irqEnter(cpu: Pcpu): void {
    this.depth[cpu.cpu]!++;
  }

  private irqExit(cpu: Pcpu): void {
    this.depth[cpu.cpu]!--;
  }

  /** in_irq(): does an interrupt's handler run on this CPU? */
  inIrq(cpu: Pcpu): boolean {
    return this.depth[cpu.cpu]! > 0;
  }

  /** What holds back interrupts that come too often, or ends those that nobody does. */
  brakes(): BrakeView[] {
    const { guests, rateLimit } = this;
    const { brake, forced } = guests;
    if (brake) return [{ name: 'IRQ_GUEST_EOI_PENDING', count: brake.times, irqs: brake.braked() }];
    return [
      { name: 'irq_ratelimit', count: rateLimit.lost, irqs: [...rateLimit.braked()] },
      { name: 'irq_guest_eoi_timer', count: forced, irqs: [] },
    ];
  }

  save(): Plain {
    return {
      ioapics: this.ioapics.save(),
      table: this.table.save(),
      guests: this.guests.save(),
      rateLimit: this.rateLimit.save(),
      own: this.own.save(),
      latency: this.latency.save(),
      depth: [...this.depth],
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as Record<
      'ioapics' | 'table' | 'guests' | 'rateLimit' | 'own' | 'latency',
      Plain
    > & { depth: number[] };
    this.ioapics.restore(s.ioapics);
    this.table.restore(s.table);
    this.guests.restore(s.guests);
    this.rateLimit.restore(s.rateLimit);
    this.own.restore(s.own);
    this.latency.restore(s.latency);
    s.depth.forEach((n, cpu) => {
      this.depth[cpu] = n;
    });
  }
}
