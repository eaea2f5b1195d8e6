/**
 * Xen on any host, the part of it that x86 and ARM share: CPUs, the scheduler, timers, softirqs, event channels and their
 * books, the console. How interrupts come, and how guests are told, is in x86/xen.ts and arm/xen.ts.
 */
import type { Books, SourceId } from '../../core/books.ts';
import type { Clock, Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { Trace } from '../../core/trace.ts';
import { ExitTable } from '../exits.ts';
import type { Hypervisor, PcpuCosts, PcpuWiring } from '../hypervisor.ts';
import { Pcpu } from '../pcpu.ts';
import type { HypervisorShop } from '../shop.ts';
import type { Vcpu } from '../vcpu.ts';
import { XenConsole } from './console.ts';
import type { Domain } from './domain.ts';
import { DomainControl } from './domain-control.ts';
import { EventBooks } from './event-books.ts';
import { EventChannels } from './evtchn.ts';
import type { EvtchnFixes } from './evtchn-profile.ts';
import type { EvtchnOutput, PendOutcome } from './evtchn-types.ts';
import { Kicks } from './kicks.ts';
import { Schedule } from './schedule.ts';
import { EventCheck, softirqNumber, type XenProfile } from './softirq.ts';
import { Tasklets } from './tasklet.ts';
import { XenTimers } from './timer.ts';

/** Virtual CPUs of a domain with the physical CPUs they may run on. */
export interface DomainVcpus {
  readonly id: number;
  readonly vcpus: readonly (readonly number[])[];
  /** share of the CPUs; 256 unless given */
  readonly weight?: number;
}

export interface XenCoreOptions {
  readonly profile: XenProfile;
  readonly cpus: number;
  readonly domains: readonly DomainVcpus[];
  readonly costs: PcpuCosts;
  /** an idle CPU keeps the registers of who ran last (lazy switch) */
  readonly lazy: boolean;
  /** idle CPUs wait in MWAIT, their softirq word monitored */
  readonly mwait: boolean;
  /** exits of guests: how many reasons there are, and what Xen calls them */
  readonly exitReasons: number;
  readonly exitName: (reason: number) => string;
  /** the UART driver's interrupt handler */
  readonly uartHandler: string;
  readonly evtchnFixes?: Partial<EvtchnFixes> | undefined;
}

export abstract class XenCore<V extends Vcpu> implements Hypervisor, EvtchnOutput {
  readonly id = 'xen';
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly profile: XenProfile;
  readonly uartHandler: string;
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly V[];
  readonly wiring: PcpuWiring;
  readonly timers: XenTimers;
  readonly exits: ExitTable;
  readonly kicks: Kicks;
  /** event-check IPIs */
  readonly eventCheck: EventCheck;
  /** made with the virtual CPUs */
  sched!: Schedule;
  readonly channels: EventChannels;
  readonly tasklets: Tasklets;
  readonly console: XenConsole;
  /** domains that are held back, or have ended */
  readonly control: DomainControl;
  protected readonly events: EventBooks;
  protected readonly domains: Domain[] = [];
  protected readonly timerSoftirq: number;
  protected readonly fromXen: SourceId;
  private readonly taskletSoftirq: number;

  constructor(
    protected readonly shop: HypervisorShop,
    options: XenCoreOptions,
  ) {
    const { clock, trace, books, parts } = shop;
    const { profile, costs, lazy } = options;
    this.clock = clock;
    this.trace = trace;
    this.books = books;
    books.now = () => this.stamp;
    this.profile = profile;
    this.uartHandler = options.uartHandler;
    this.timerSoftirq = softirqNumber(profile, 'TIMER');
    this.taskletSoftirq = softirqNumber(profile, 'TASKLET');
    this.fromXen = books.sourceOf('xen');
    const cpus: Pcpu[] = [];
    this.cpus = cpus;
    const vcpus: V[] = [];
    this.vcpus = vcpus;
    this.wiring = { clock, trace, hypervisor: this, cpus, vcpus, costs, lazy, here: null };
    for (let i = 0; i < options.cpus; i++) cpus.push(parts.add(new Pcpu(i, this.wiring)));
    const raise = (cpu: Pcpu, nr: number) => this.eventCheck.raiseSoftirq(cpu, nr);
    this.timers = parts.add(
      new XenTimers(
        clock,
        cpus,
        profile,
        (cpu) => this.timerDue(cpu),
        (cpu) => raise(cpu, this.timerSoftirq),
      ),
    );
    const owners = options.domains.flatMap((d) => d.vcpus.map(() => d.id));
    const { exitReasons, exitName } = options;
    this.exits = parts.add(new ExitTable('xen.exits', owners, exitReasons, exitName));
    this.kicks = parts.add(new Kicks(this, cpus.length, owners.length));
    this.events = new EventBooks(this);
    this.eventCheck = new EventCheck(
      clock,
      this.wiring,
      options.mwait,
      (cpu, from) => this.sendEventCheck(cpu, from),
      (cpu, nr, how) => this.kicks.told(cpu, nr, how),
    );
    this.channels = parts.add(new EventChannels(this, { profile, fixes: options.evtchnFixes }));
    this.tasklets = parts.add(new Tasklets(profile, cpus.length, books, raise));
    this.console = parts.add(new XenConsole(this));
    this.control = parts.add(new DomainControl(this));
  }

  /** Virtual CPUs are made, in the order of domain ids, and the scheduler by which they take turns. */
  protected addVcpus<S extends DomainVcpus>(
    domains: readonly S[],
    make: (domain: S, index: number, vcpu: number, first: Pcpu, affinity: readonly number[]) => V,
  ): void {
    const { clock, cpus, profile, timers, eventCheck } = this;
    const { parts } = this.shop;
    const vcpus = this.vcpus as V[];
    const weights: (number | undefined)[] = [];
    for (const domain of domains) {
      weights[domain.id] = domain.weight;
      domain.vcpus.forEach((affinity, n) => {
        const first = cpus[affinity[vcpus.length % affinity.length]!]!;
        vcpus.push(parts.add(make(domain, vcpus.length, n, first, affinity)));
      });
    }
    const moved = (v: Vcpu) => this.moved(v as V);
    this.sched = new Schedule({ clock, cpus, vcpus, profile, timers, eventCheck, weights, moved });
    parts.add(this.sched.scheduler);
  }

  /** The virtual CPU is about to run on another CPU than before. */
  protected abstract moved(v: V): void;
  /** The timer interrupt of this CPU. */
  protected abstract timerDue(cpu: Pcpu): void;
  /** The IPI to this CPU that has it look at its softirqs. */
  protected abstract sendEventCheck(cpu: Pcpu, from: number): void;

  domain(id: number): Domain {
    return this.domains[id]!;
  }

  /** NOW(). */
  get now(): Ns {
    return this.clock.now;
  }

  /** What the trace says of the time. */
  abstract get stamp(): Ns;

  /** Who asks for an interrupt from now on is Xen itself. */
  beginOwn(): void {
    this.books.begin(this.fromXen);
  }

  /** Something is typed on the serial line; the answer is the journey of the interrupt. */
  serialInput(text = '\r'): number {
    return this.console.input(text);
  }

  abstract interruptLine(source: SourceId): number;
  abstract inIrq(cpu: Pcpu): boolean;

  // into Xen

  abstract acknowledged(cpu: Pcpu, vector: number): Ns;
  abstract interrupt(cpu: Pcpu, vector: number): void;
  abstract nmi(cpu: Pcpu): void;

  wokenBy(next: Vcpu): number {
    return this.kicks.wokenBy(next);
  }

  /** Those not named have nothing to do that is modelled; VCPU_KICK's never has. */
  softirq(cpu: Pcpu, nr: number): void {
    if (nr === this.timerSoftirq) this.timers.softirq(cpu);
    else if (nr === this.taskletSoftirq) this.tasklets.softirq(cpu);
    else if (nr === this.sched.softirq && !this.tasklets.doTasklet(cpu)) this.sched.schedule(cpu);
  }

  globalVirq(virq: number): void {
    this.channels.globalVirq(virq);
  }

  // event channels, as they tell of themselves

  pended(dom: number, port: number, outcome: PendOutcome): void {
    this.events.pended(dom, port, outcome);
  }

  discarded(dom: number, port: number, why: string): void {
    this.events.discarded(dom, port, why);
  }

  abstract kick(dom: number, vcpu: number): void;

  /** vcpu_kick: another CPU is told. */
  abstract tellElsewhere(cpu: Pcpu): void;

  /** Xen ends a SCHEDOP_poll. */
  wake(dom: number, vcpu: number): void {
    this.kicks.unblock(this.domains[dom]!.vcpus[vcpu]!);
  }

  /** Nobody waits for what Xen consumes itself. */
  xenConsumer(dom: number, port: number, _vcpu: number): void {
    const domain = this.domains[dom]!;
    this.books.pend(domain.slot(port), domain.destination(port));
    this.books.deliver(domain.slot(port));
  }

  abstract pirqBind(dom: number, pirq: number, willShare: boolean): number;
  abstract pirqUnbind(dom: number, pirq: number): void;
  abstract pirqAffinity(dom: number, pirq: number, vcpu: number): void;

  abstract save(): Plain;
  abstract restore(state: Plain): void;
}
