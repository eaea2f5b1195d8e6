/**
 * Xen on one x86 host: the CPUs, the scheduler, timers, event channels and physical interrupts put
 * together. Reading it top to bottom follows an interrupt: into Xen, to a domain's event channel, to the
 * virtual CPU that is notified, and into the guest.
 */

import { VIRQ_CONSOLE, VIRQ_TIMER } from '../../../abi/xen.ts';
import type { Books, SlotId, SourceId } from '../../../core/books.ts';
import type { Clock, Ns, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { LocalApic } from '../../../hw/x86/lapic.ts';
import { timing } from '../../../timing.ts';
import { Credit, TICK } from '../../credit.ts';
import { Credit2 } from '../../credit2.ts';
import { type Hypervisor, Pcpu, type PcpuWiring, Vcpu } from '../../pcpu.ts';
import type { Scheduler, SchedulerHost } from '../../scheduler.ts';
import { Domain, type DomainInit } from '../domain.ts';
import { EventChannels } from '../evtchn.ts';
import type { EvtchnDomainInit, EvtchnOutput, PendOutcome } from '../evtchn-types.ts';
import {
  APIC_TIMER_VECTOR,
  EVENT_CHECK_VECTOR,
  EventCheck,
  softirqNumber,
  type XenProfile,
} from '../softirq.ts';
import { type XenTimer, XenTimers } from '../timer.ts';
import { type IrqHost, PhysicalIrqs } from './do-irq.ts';

/** smp_call_function's vector; the only function called here looks at pending EOIs. */
const CALL_FUNCTION_VECTOR = 0xfb;
/** com1: the serial line that Xen keeps for itself (drivers/char/ns16550.c). */
const SERIAL_IRQ = 4;
const SERIAL_VECTOR = 0xf1;

export interface XenOptions {
  readonly profile: XenProfile;
  readonly cpus: number;
  /** virtual CPUs of each domain with the physical CPUs they may run on, in the order of domain ids */
  readonly domains: readonly { readonly id: number; readonly vcpus: readonly (readonly number[])[] }[];
  readonly gsis: number;
  /** how many physical interrupt numbers the machine needs at most */
  readonly irqs: number;
}

export interface XenShop {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly parts: { add<P extends Part>(part: P): P };
}

export class Xen implements Hypervisor, EvtchnOutput, IrqHost, SchedulerHost, Part {
  readonly id = 'xen';
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly profile: XenProfile;
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  readonly wiring: PcpuWiring;
  readonly scheduler: Scheduler;
  readonly timers: XenTimers;
  readonly channels: EventChannels;
  readonly irqs: PhysicalIrqs;
  /** upcalls made into guests */
  upcalls = 0;
  /** kicks of running virtual CPUs and wake-ups make no IPIs before the guests run */
  private running = false;
  private readonly domains: Domain[] = [];
  private readonly eventCheck: EventCheck;
  private readonly callFunction: Task[];
  private readonly slices: XenTimer[];
  private readonly singleshot: XenTimer[];
  private readonly timerSoftirq: number;
  private readonly scheduleSoftirq: number;
  /** the physical interrupt that is being handed to a guest; -1 for none */
  private handing: SlotId = -1;
  /** by virtual CPU: the journey whose event asks for its next upcall */
  private kicked: number[];
  private readonly fromXen: SourceId;
  private readonly fromTimer: SourceId;
  private readonly fromConsole: SourceId;
  private readonly fromSerial: SourceId;
  private readonly tpVirq: Tracepoint;
  private readonly tpPending: Tracepoint;
  private readonly tpCoalesced: Tracepoint;
  private readonly tpKick: Tracepoint;
  private readonly tpWake: Tracepoint;
  private readonly tpUpcall: Tracepoint;
  private readonly tpTimer: Tracepoint;

  constructor(shop: XenShop, options: XenOptions) {
    this.clock = shop.clock;
    this.trace = shop.trace;
    this.books = shop.books;
    this.profile = options.profile;
    this.timerSoftirq = softirqNumber(options.profile, 'TIMER');
    this.scheduleSoftirq = softirqNumber(options.profile, 'SCHEDULE');
    const cpus: Pcpu[] = [];
    const vcpus: Vcpu[] = [];
    this.cpus = cpus;
    this.vcpus = vcpus;
    this.wiring = {
      clock: shop.clock,
      trace: shop.trace,
      hypervisor: this,
      scheduleSoftirq: this.scheduleSoftirq,
      cpus,
      vcpus,
      here: null,
    };
    for (let i = 0; i < options.cpus; i++) {
      const cpu = shop.parts.add(new Pcpu(i, this.wiring));
      cpu.lapic = shop.parts.add(new LocalApic(i, () => cpu.interruptRequest()));
      cpus.push(cpu);
    }
    for (const { id, vcpus: affinities } of options.domains) {
      affinities.forEach((affinity, n) => {
        const first = cpus[affinity[vcpus.length % affinity.length]!]!;
        vcpus.push(shop.parts.add(new Vcpu(vcpus.length, id, n, first, affinity)));
      });
    }
    this.timers = shop.parts.add(new XenTimers(shop.clock, cpus));
    this.eventCheck = new EventCheck(shop.clock, this.wiring);
    this.callFunction = cpus.map((cpu) =>
      shop.clock.task(`cpu${cpu.cpu}.call_function`, Priority.hardware, () => {
        cpu.lapic.accept(CALL_FUNCTION_VECTOR);
      }),
    );
    const scheduler = options.profile === '3.4' ? new Credit(this) : new Credit2(this);
    this.scheduler = shop.parts.add(scheduler);
    this.slices = cpus.map((cpu) =>
      this.timers.timer(`cpu${cpu.cpu}.slice`, (on) => on.raiseSoftirq(this.scheduleSoftirq)),
    );
    if (scheduler instanceof Credit) this.startTicks(scheduler);
    this.singleshot = vcpus.map((v) =>
      this.timers.timer(`${v.id}.singleshot`, (on) => this.timerEvent(v, on)),
    );
    this.channels = shop.parts.add(new EventChannels(this, { profile: options.profile }));
    this.irqs = shop.parts.add(new PhysicalIrqs(this, options.gsis, options.irqs));
    this.irqs.setupOwn(SERIAL_IRQ, SERIAL_VECTOR, (cpu) => this.serialInterrupt(cpu));
    this.kicked = vcpus.map(() => 0);
    this.fromXen = this.books.sourceOf('xen');
    this.fromTimer = this.books.sourceOf('xen timer');
    this.fromConsole = this.books.sourceOf('xen console');
    this.fromSerial = this.books.sourceOf('uart');
    this.tpVirq = this.trace.point('send_guest_global_virq', 'virq');
    this.tpPending = this.trace.point('evtchn_set_pending', 'dom', 'port');
    this.tpCoalesced = this.trace.point('evtchn_already_pending', 'dom', 'port');
    this.tpKick = this.trace.point('vcpu_kick', 'dom', 'vcpu', 'cpu');
    this.tpWake = this.trace.point('vcpu_wake', 'dom', 'vcpu');
    this.tpUpcall = this.trace.point('upcall', 'dom', 'vcpu');
    this.tpTimer = this.trace.point('send_timer_event', 'dom', 'vcpu');
    shop.parts.add(this);
  }

  addDomain(init: DomainInit, pirqs: Pick<EvtchnDomainInit, 'pirqToIrq'>): Domain {
    const domain = new Domain(init, this.books);
    this.domains[init.id] = domain;
    this.channels.addDomain({ ...init, ...pirqs, vcpus: init.vcpus.length });
    return domain;
  }

  domain(id: number): Domain {
    return this.domains[id]!;
  }

  /** The guests may run: every virtual CPU is woken once. */
  start(): void {
    this.running = true;
    for (const v of this.vcpus) {
      if (v.state !== 'offline') continue;
      v.left = 0;
      this.scheduler.wake(v);
    }
  }

  /** Who asks for an interrupt from now on is Xen itself. */
  beginOwn(): void {
    this.books.begin(this.fromXen);
  }

  /** A character arrives on the serial line; the answer is the journey of its interrupt. */
  serialInput(): number {
    return this.irqs.pulse(SERIAL_IRQ, this.fromSerial);
  }

  /** ns16550_interrupt: the character is for dom0's console, told by VIRQ in the same journey. */
  private serialInterrupt(cpu: Pcpu): void {
    this.books.source = this.fromConsole;
    this.trace.emit(this.tpVirq, cpu.time, this.books.journey, cpu.cpu, VIRQ_CONSOLE);
    this.channels.globalVirq(VIRQ_CONSOLE);
  }

  // into Xen: interrupts and softirqs

  interrupt(cpu: Pcpu, vector: number): void {
    switch (vector) {
      case APIC_TIMER_VECTOR:
        cpu.lapic.eoi();
        cpu.raiseSoftirq(this.timerSoftirq);
        return;
      case EVENT_CHECK_VECTOR:
        cpu.lapic.eoi();
        cpu.charge(timing.eventCheck);
        return;
      case CALL_FUNCTION_VECTOR:
        cpu.lapic.eoi();
        this.irqs.flushReadyEoi(cpu);
        return;
      default:
        this.irqs.doIrq(cpu, vector);
    }
  }

  softirq(cpu: Pcpu, nr: number): void {
    if (nr === this.timerSoftirq) this.timers.softirq(cpu);
    else if (nr === this.scheduleSoftirq) this.scheduler.schedule(cpu);
  }

  /** send_guest_pirq. */
  sendGuestPirq(domain: number, pirq: number, slot: SlotId): void {
    this.handing = slot;
    this.channels.guestPirq(domain, pirq);
    this.handing = -1;
    this.books.discard(slot, 'unbound');
  }

  eoiReady(cpu: Pcpu): void {
    const flight = this.callFunction[cpu.cpu]!;
    if (!flight.queued) flight.at((this.wiring.here ?? cpu).time + timing.ipiFlight);
  }

  // event channels, as they tell of themselves

  pended(dom: number, port: number, outcome: PendOutcome): void {
    const domain = this.domains[dom]!;
    const { books, handing } = this;
    const cpu = this.wiring.here;
    cpu?.charge(timing.evtchnSetPending);
    if (outcome === 'dropped') {
      if (handing >= 0) books.discard(handing, 'no event channel');
      else books.ignore(domain.destination(port), 'no event channel');
      return;
    }
    const slot = domain.slot(port);
    if (handing >= 0) books.move(handing, slot);
    else books.pend(slot, domain.destination(port));
    const point = outcome === 'pended' ? this.tpPending : this.tpCoalesced;
    this.trace.emit(point, this.time, books.journey, cpu ? cpu.cpu : -1, dom, port);
  }

  discarded(dom: number, port: number): void {
    this.books.discard(this.domains[dom]!.slot(port), 'closed');
  }

  /** vcpu_kick by vcpu_mark_events_pending: awake and elsewhere, it is told by IPI; asleep, it is woken. */
  kick(dom: number, vcpu: number): void {
    const v = this.domains[dom]!.vcpus[vcpu]!;
    this.kicked[v.index] = this.books.journey;
    if (!this.running) return;
    if (v.state === 'blocked') {
      this.unblock(v);
      return;
    }
    if (v.state !== 'running' || v.cpu === this.wiring.here) return;
    this.trace.emit(this.tpKick, this.time, this.books.journey, this.hereCpu, dom, vcpu, v.cpu.cpu);
    this.eventCheck.send(v.cpu);
  }

  /** Xen ends a SCHEDOP_poll. */
  wake(dom: number, vcpu: number): void {
    const v = this.domains[dom]!.vcpus[vcpu]!;
    if (this.running && v.state === 'blocked') this.unblock(v);
  }

  xenConsumer(): void {
    // nothing in Xen listens to a channel of a paravirtual guest
  }

  pirqBind(dom: number, pirq: number): number {
    const irq = this.irqOf(dom, pirq);
    this.irqs.bind(irq, this.domains[dom]!.vcpus[0]!.cpu.cpu);
    return 0;
  }

  pirqUnbind(dom: number, pirq: number): void {
    this.irqs.unbind(this.irqOf(dom, pirq));
  }

  pirqAffinity(dom: number, pirq: number, vcpu: number): void {
    this.irqs.setAffinity(this.irqOf(dom, pirq), this.domains[dom]!.vcpus[vcpu]!.cpu.cpu);
  }

  /** domain_pirq_to_irq. */
  irqOf(dom: number, pirq: number): number {
    return this.irqs.descs.findIndex((d) => d?.domain === dom && d.pirq === pirq);
  }

  // timers of the guests

  /** VCPUOP_set_singleshot_timer. */
  setTimer(v: Vcpu, when: Ns | undefined): void {
    const timer = this.singleshot[v.index]!;
    if (when === undefined) timer.stop();
    else timer.set(v.cpu, when);
  }

  /** vcpu_singleshot_timer_fn: send_timer_event. */
  private timerEvent(v: Vcpu, on: Pcpu): void {
    const journey = this.books.begin(this.fromTimer);
    this.trace.emit(this.tpTimer, on.time, journey, on.cpu, v.domain, v.vcpu);
    this.channels.vcpuVirq(v.domain, v.vcpu, VIRQ_TIMER);
  }

  // the scheduler's wishes

  tickle(cpu: Pcpu): void {
    this.eventCheck.raiseSoftirq(cpu, this.scheduleSoftirq);
  }

  setSlice(cpu: Pcpu, until: Ns | undefined): void {
    const timer = this.slices[cpu.cpu]!;
    if (until === undefined) timer.stop();
    else timer.set(cpu, until);
  }

  /** evtchn_move_pirqs: physical interrupts follow the virtual CPU they notify. */
  moved(v: Vcpu): void {
    this.channels.movePirqs(v.domain, v.vcpu);
  }

  // out of Xen, into the guest

  /** test_all_events: an upcall that is pending and not masked gets a bounce frame, which masks upcalls. */
  injects(v: Vcpu): boolean {
    const info = this.domains[v.domain]!.shared.vcpus[v.vcpu]!;
    if (info.upcallPending === 0 || info.upcallMask !== 0) return false;
    info.upcallMask = 1;
    this.upcalls++;
    this.trace.emit(this.tpUpcall, v.now, this.kicked[v.index]!, v.processor, v.domain, v.vcpu);
    return true;
  }

  block(v: Vcpu): boolean {
    const info = this.domains[v.domain]!.shared.vcpus[v.vcpu]!;
    info.upcallMask = 0;
    return info.upcallPending === 0;
  }

  poll(v: Vcpu, port: number): boolean {
    return this.channels.poll(v.domain, v.vcpu, [port]).blocks;
  }

  private unblock(v: Vcpu): void {
    v.state = 'runnable';
    this.trace.emit(this.tpWake, this.time, this.books.journey, this.hereCpu, v.domain, v.vcpu);
    this.scheduler.wake(v);
  }

  private startTicks(scheduler: Credit): void {
    for (const cpu of this.cpus) {
      const tick = this.timers.timer(`cpu${cpu.cpu}.tick`, (on) => {
        scheduler.tick(on);
        tick.set(on, this.clock.now + TICK);
      });
      tick.set(cpu, TICK);
    }
  }

  private get time(): Ns {
    return this.wiring.here ? this.wiring.here.time : this.clock.now;
  }

  private get hereCpu(): number {
    return this.wiring.here ? this.wiring.here.cpu : -1;
  }

  save(): Plain {
    return { running: this.running, upcalls: this.upcalls, kicked: this.kicked };
  }

  restore(state: Plain): void {
    const s = state as { running: boolean; upcalls: number; kicked: number[] };
    this.running = s.running;
    this.upcalls = s.upcalls;
    this.kicked = [...s.kicked];
  }
}
