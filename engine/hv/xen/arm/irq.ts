/**
 * Physical interrupts (xen/arch/arm/irq.c, gic_interrupt and do_sgi of gic.c). Reading from the top follows one: its wire
 * rises, a CPU takes it and reads what it is, Xen handles it itself or hands it to the virtual GIC of its domain, and goes
 * on until there is none.
 *
 * The loop is two steps for each interrupt: IAR, and with it EOIR where the code writes that first; then, when the way is
 * paid, what the interrupt does, DIR, and IAR once more.
 */
import type { Books, DestinationId, SlotId, SourceId } from '../../../core/books.ts';
import type { Clock } from '../../../core/clock.ts';
import { LatencyTable } from '../../../core/latency.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { ACTIVE, EDGE, LINE } from '../../../hw/arm/gic-core.ts';
import { MOST_INTIDS, PRIVATE, SGIS } from '../../../hw/arm/gic-regs.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { HostGic } from './host-gic.ts';
import { type HwIrq, IRQ_DISABLED, IRQ_INPROGRESS } from './pending-irq.ts';
import type { VgicDomain } from './vgic-domain.ts';

/** IRQ_GUEST: it is a domain's */
export const IRQ_GUEST = 1 << 2;

/** whose the messages of GICv2m are, as route_irq_to_guest is told */
export const V2M = 'v2m';

/** enum gic_sgi */
export const GIC_SGI_EVENT_CHECK = 0;
export const GIC_SGI_DUMP_STATE = 1;
export const GIC_SGI_CALL_FUNCTION = 2;

/** gic_interrupt has found none */
const NONE = -1;

/** struct irq_desc. Those of a CPU's own interrupts are one here, as all CPUs handle them alike. */
export class ArmIrqDesc implements HwIrq {
  status = IRQ_DISABLED;
  /** who Xen has requested it for; empty: nobody */
  action = '';
  handler: (cpu: Pcpu) => void = () => {};
  /** struct irq_guest: the domain that has it, and its number there */
  guest: { readonly domain: VgicDomain; readonly virq: number } | null = null;
  /** CPU that it is for */
  target = 0;

  constructor(readonly irq: number) {}
}

export interface ArmIrqHost {
  readonly books: Books;
  readonly clock: Clock;
  readonly trace: Trace;
  /** An SGI of Xen's own. */
  sgi(cpu: Pcpu, sgi: number): void;
  /** vgic_inject_irq of a physical interrupt, whose raise waits in the slot. */
  injectPhysical(cpu: Pcpu, desc: ArmIrqDesc, slot: SlotId): void;
}

export class ArmIrqs implements Part {
  readonly id = 'xen.irqs';
  /** by INTID */
  readonly descs: readonly ArmIrqDesc[];
  /** by INTID and, of private ones, CPU: what has come, how often */
  readonly counts: readonly Float64Array[];
  /** of SPIs: from raises to IAR, by INTID */
  readonly latency = new LatencyTable('xen.irqs.latency');
  /** per CPU: the interrupt in hand; NONE */
  private readonly inHand: Int16Array;
  /** per CPU: depth of irq_enter */
  private readonly depth: Uint8Array;
  /** by INTID: the raise of an SPI that waits at the GIC */
  private readonly slots: SlotId;
  /** per CPU: that of the SPI in hand */
  private readonly taken: SlotId;
  private readonly destinations: DestinationId[] = [];
  private readonly reassert: SourceId;
  private readonly tpRaise: Tracepoint;
  private readonly tpDoIrq: Tracepoint;

  constructor(
    private readonly host: ArmIrqHost,
    readonly gic: HostGic,
    cpus: number,
  ) {
    const { books, trace } = host;
    const { intids } = gic.chip.core;
    this.descs = Array.from({ length: intids }, (_, irq) => new ArmIrqDesc(irq));
    this.counts = Array.from({ length: cpus }, () => new Float64Array(intids));
    this.inHand = new Int16Array(cpus).fill(NONE);
    this.depth = new Uint8Array(cpus);
    this.slots = books.addSlots(intids);
    this.taken = books.addSlots(cpus);
    this.reassert = books.sourceOf('reassert');
    this.tpRaise = trace.point('gic_set_irq', 'irq');
    this.tpDoIrq = trace.point('do_IRQ', 'irq', 'domain');
  }

  // who has it

  /** request_irq, setup_irq: Xen handles it, on this CPU or, if it is private, on each. */
  request(
    irq: number,
    name: string,
    handler: (cpu: Pcpu) => void,
    cpus: readonly Pcpu[],
    edge = false,
  ): void {
    const desc = this.descs[irq]!;
    desc.action = name;
    desc.handler = handler;
    desc.status &= ~IRQ_DISABLED;
    for (const { cpu } of irq < PRIVATE ? cpus : cpus.slice(0, 1)) {
      this.gic.setType(cpu, irq, edge);
      if (irq >= PRIVATE) this.gic.setAffinity(cpu, irq, 0);
      this.gic.enable(cpu, irq);
    }
  }

  /** route_irq_to_guest: an SPI is a domain's. It stays disabled until the guest enables it. @param name whose it is */
  routeToGuest(irq: number, domain: VgicDomain, virq: number, edge: boolean, name: string): void {
    const desc = this.descs[irq]!;
    desc.guest = { domain, virq };
    desc.status |= IRQ_GUEST;
    desc.action = name;
    this.gic.setType(0, irq, edge);
    domain.spis[virq - PRIVATE]!.desc = desc;
  }

  // a device raises it

  /** The wire of an SPI; the answer is the journey of the raise, 0 if it falls. */
  setLine(irq: number, high: boolean, source: SourceId): number {
    const { books, trace, clock } = this.host;
    const { chip } = this.gic;
    if (!high) {
      chip.setLine(irq, false);
      // a level that falls before it was taken was for nothing
      if (!this.isPending(irq)) books.discard(this.slot(irq), 'line fell');
      return 0;
    }
    const journey = books.begin(source);
    if (this.flags(irq) & LINE) books.coalesce(this.destination(irq));
    else {
      books.pend(this.slot(irq), this.destination(irq));
      trace.emit(this.tpRaise, clock.now, journey, -1, irq);
      chip.setLine(irq, true);
    }
    return journey;
  }

  /** gic_set_pending_state: by software, in the name of the raise that is carried on. */
  setPending(cpu: number, irq: number): void {
    const { books, trace, clock } = this.host;
    if (this.isPending(irq)) books.coalesce(this.destination(irq));
    else {
      books.pend(this.slot(irq), this.destination(irq));
      trace.emit(this.tpRaise, clock.now, books.journey, -1, irq);
    }
    this.gic.setPending(cpu, irq);
  }

  /** The guest is done with a physical interrupt: a level that is still high, is pending anew. */
  deactivated(cpu: number, irq: number): void {
    const { books, trace, clock } = this.host;
    if (irq >= PRIVATE && this.isPending(irq) && !books.holds(this.slot(irq))) {
      const { source, journey } = books;
      books.begin(this.reassert);
      books.pend(this.slot(irq), this.destination(irq));
      trace.emit(this.tpRaise, clock.now, books.journey, -1, irq);
      books.source = source;
      books.journey = journey;
    }
    this.gic.chip.deactivate(cpu, irq);
  }

  // a CPU takes it

  /** gic_interrupt, one turn of its loop; `goOn` of the CPU until there is none. */
  interrupt(cpu: Pcpu, vector: number): void {
    const n = cpu.cpu;
    const before = this.inHand[n]!;
    if (before !== NONE) this.handle(cpu, before);
    if (cpu.holding) return;
    const irq = this.gic.readIrq(n);
    if (irq >= MOST_INTIDS) {
      this.inHand[n] = NONE;
      return;
    }
    this.inHand[n] = irq;
    this.counts[n]![irq]!++;
    this.take(cpu, irq);
    cpu.goOn(vector);
  }

  /** do_IRQ and do_sgi up to what they do: a guest's and an SGI's priority drops at once. */
  private take(cpu: Pcpu, irq: number): void {
    const { books, trace } = this.host;
    const desc = this.descs[irq]!;
    const slot = this.taken + cpu.cpu;
    books.journey = 0;
    if (irq >= PRIVATE) {
      books.move(this.slot(irq), slot);
      books.resume(slot);
      if (books.holds(slot)) this.latency.add(irq, books.journey, books.raisedIn(slot), cpu.time);
    }
    if (irq < SGIS) {
      this.gic.eoi(cpu.cpu, irq);
      cpu.charge(timing.armSgi);
      return;
    }
    this.depth[cpu.cpu]!++;
    trace.emit(
      this.tpDoIrq,
      cpu.time,
      books.journey,
      cpu.cpu,
      irq,
      desc.guest ? desc.guest.domain.domain : -1,
    );
    if (desc.guest) this.gic.eoi(cpu.cpu, irq);
    cpu.charge(desc.guest ? timing.armDoIrq + timing.vgicInject : timing.armDoIrq);
  }

  /** What it does, and the end of Xen's own. */
  private handle(cpu: Pcpu, irq: number): void {
    if (irq < SGIS) {
      this.host.sgi(cpu, irq);
      if (cpu.holding) return;
      this.gic.dir(cpu.cpu, irq);
      return;
    }
    const { books } = this.host;
    const desc = this.descs[irq]!;
    const slot = this.taken + cpu.cpu;
    books.journey = 0;
    if (irq >= PRIVATE) books.resume(slot);
    if (desc.guest) {
      desc.status |= IRQ_INPROGRESS;
      this.host.injectPhysical(cpu, desc, slot);
    } else {
      desc.status |= IRQ_INPROGRESS;
      if (irq >= PRIVATE) books.deliver(slot);
      if (!(desc.status & IRQ_DISABLED)) desc.handler(cpu);
      desc.status &= ~IRQ_INPROGRESS;
      this.gic.eoi(cpu.cpu, irq);
      this.gic.dir(cpu.cpu, irq);
    }
    this.depth[cpu.cpu]!--;
  }

  /** Where the raise waits of the SPI that a CPU has in hand, and whether it has one. */
  inHandOf(cpu: number): { readonly slot: SlotId; readonly holds: boolean } {
    return { slot: this.taken + cpu, holds: this.inHand[cpu]! >= PRIVATE };
  }

  inIrq(cpu: Pcpu): boolean {
    return this.depth[cpu.cpu]! > 0;
  }

  // to look at, and to keep

  /** The journey of what waits for a CPU, 0 if that is none of a device. */
  journeyFor(cpu: number): number {
    const irq = this.gic.chip.pending(cpu);
    return irq >= PRIVATE && irq < MOST_INTIDS ? this.host.books.journeyIn(this.slot(irq)) : 0;
  }

  slot(irq: number): SlotId {
    return this.slots + irq;
  }

  destination(irq: number): DestinationId {
    this.destinations[irq] ??= this.host.books.destinationOf(`irq ${irq}`);
    return this.destinations[irq]!;
  }

  private flags(irq: number): number {
    const { core } = this.gic.chip;
    return core.flags[core.index(0, irq)]!;
  }

  isPending(irq: number): boolean {
    return this.gic.chip.core.isPending(this.flags(irq));
  }

  /** Does it wait at the GIC, for a raise that is in the slot? While it is active its level is no new raise. */
  waits(irq: number): boolean {
    const f = this.flags(irq);
    return (f & (ACTIVE | EDGE)) === ACTIVE ? this.host.books.holds(this.slot(irq)) : this.isPending(irq);
  }

  /** For the path: `pending`, `active`, both, or neither. */
  stateOf(irq: number): string {
    const active = (this.flags(irq) & ACTIVE) !== 0;
    const words = [this.isPending(irq) ? 'pending' : '', active ? 'active' : ''];
    return words.filter(Boolean).join(' and ') || '-';
  }

  save(): Plain {
    return {
      inHand: saveArray(this.inHand),
      depth: saveArray(this.depth),
      status: this.descs.map((d) => d.status),
      targets: this.descs.map((d) => d.target),
      counts: this.counts.map((row) => saveArray(row)),
      latency: this.latency.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      inHand: number[];
      depth: number[];
      status: number[];
      targets: number[];
      counts: number[][];
      latency: Plain;
    };
    restoreArray(this.inHand, s.inHand);
    restoreArray(this.depth, s.depth);
    for (const [irq, desc] of this.descs.entries()) {
      desc.status = s.status[irq]!;
      desc.target = s.targets[irq]!;
    }
    for (const [cpu, row] of this.counts.entries()) restoreArray(row, s.counts[cpu]!);
    this.latency.restore(s.latency);
  }
}
