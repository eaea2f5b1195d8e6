/**
 * Xen on one ARM host: the CPUs and their GIC, the scheduler, timers, event channels and the virtual GICs put together.
 * Reading it top to bottom follows an interrupt: into Xen, to the virtual GIC of a domain, to the virtual CPU that is
 * kicked, and by its list register into the guest.
 */
import type { Books, SlotId, SourceId } from '../../../core/books.ts';
import type { Clock, Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { Ppi, Spi } from '../../../hw/arm/board-virt.ts';
import { From, Kind, vectorOffset } from '../../../hw/arm/exceptions.ts';
import { GenericTimer, SystemCounter } from '../../../hw/arm/generic-timer.ts';
import { Gic, Signal } from '../../../hw/arm/gic.ts';
import { Gich } from '../../../hw/arm/gich.ts';
import { Ich } from '../../../hw/arm/ich.ts';
import { ProcessorSignals } from '../../../hw/arm/signals.ts';
import { VirtualInterface } from '../../../hw/arm/virtual-interface.ts';
import { GICV2_VIRTUAL, GICV3_VIRTUAL } from '../../../hw/arm/virtual-options.ts';
import { timing } from '../../../timing.ts';
import { ExitTable } from '../../exits.ts';
import type { Hypervisor, PcpuWiring } from '../../hypervisor.ts';
import { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import { XenConsole } from '../console.ts';
import { Domain, type DomainInit } from '../domain.ts';
import { DomainControl } from '../domain-control.ts';
import { EventBooks } from '../event-books.ts';
import { EventChannels } from '../evtchn.ts';
import type { EvtchnOutput, PendOutcome } from '../evtchn-types.ts';
import { Kicks } from '../kicks.ts';
import { Schedule } from '../schedule.ts';
import { EventCheck, SOFTIRQS, softirqNumber } from '../softirq.ts';
import { Tasklets } from '../tasklet.ts';
import { XenTimers } from '../timer.ts';
import { ArmDomain, type GicMap } from './arm-domain.ts';
import { ArmVcpu } from './arm-vcpu.ts';
import { Faults } from './faults.ts';
import { GicCpu } from './gic-hw.ts';
import { GicV2Hw } from './gic-v2.ts';
import { GicV3Hw } from './gic-v3.ts';
import { HostGic } from './host-gic.ts';
import { type ArmIrqDesc, ArmIrqs, GIC_SGI_CALL_FUNCTION, GIC_SGI_EVENT_CHECK } from './irq.ts';
import { Panic } from './panic.ts';
import { GIC_IRQ_GUEST_ACTIVE, GIC_IRQ_GUEST_QUEUED, type PendingIrq } from './pending-irq.ts';
import { ARM_EXITS, armExitName, IN_XEN, type TrapOptions, Traps } from './traps.ts';
import { Vgic } from './vgic.ts';
import { NR_LOCAL_IRQS, VgicDomain, type VgicVcpu } from './vgic-domain.ts';
import { inspectVcpu, type VcpuInterrupts } from './vgic-inspect.ts';
import { VgicLink } from './vgic-link.ts';
import { type FirmwareHost, vsmcccHandleCall } from './vsmccc.ts';

const PROFILE = '4.17';

export interface XenArmOptions {
  readonly gic: 2 | 3;
  readonly cpus: number;
  /** list registers of each CPU */
  readonly lrs: number;
  /** INTIDs of the machine */
  readonly intids: number;
  readonly trapOptions: TrapOptions;
  /** virtual CPUs of each domain with the physical CPUs they may run on, in the order of domain ids */
  readonly domains: readonly {
    readonly id: number;
    readonly vcpus: readonly (readonly number[])[];
    /** AArch32 */
    readonly compat: boolean;
  }[];
}

export interface XenArmShop {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly parts: { add<P extends Part>(part: P): P };
}

export interface ArmDomainSpec {
  readonly map: GicMap;
  readonly evtchnIrq: number;
  /** SPIs of its virtual GIC */
  readonly spis: number;
}

export class XenArm implements Hypervisor, EvtchnOutput, FirmwareHost, Part {
  readonly id = 'xen';
  readonly profile = PROFILE;
  readonly uartHandler = 'pl011_interrupt';
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly trapOptions: TrapOptions;
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly ArmVcpu[];
  readonly wiring: PcpuWiring;
  readonly counter = new SystemCounter();
  readonly gic: Gic;
  readonly hostGic: HostGic;
  /** by CPU: its timers and its virtual interface, with the face that the machine's GIC has */
  readonly hwTimers: readonly GenericTimer[];
  readonly interfaces: readonly VirtualInterface[];
  readonly gich: readonly Gich[];
  readonly ich: readonly Ich[];
  /** by CPU: what Xen keeps of it */
  readonly gicCpus: readonly GicCpu[];
  readonly irqs: ArmIrqs;
  readonly vgic: Vgic;
  readonly traps: Traps;
  readonly signals: ProcessorSignals;
  readonly panic: Panic;
  readonly faults: Faults;
  readonly control: DomainControl;
  readonly exits: ExitTable;
  readonly kicks: Kicks;
  readonly eventCheck: EventCheck;
  readonly timers: XenTimers;
  readonly sched: Schedule;
  readonly channels: EventChannels;
  readonly tasklets: Tasklets;
  readonly console: XenConsole;
  /** by softirq and CPU */
  readonly softirqCounts: readonly Uint32Array[];
  private readonly link: VgicLink;
  private readonly events: EventBooks;
  private readonly domains: Domain[] = [];
  private readonly arm: ArmDomain[] = [];
  /** the CPU in whose name things are done that come from outside */
  private outside = 0;
  private readonly timerSoftirq: number;
  private readonly taskletSoftirq: number;
  private readonly fromXen: SourceId;
  private readonly tpInject: Tracepoint;
  private readonly tpSetLr: Tracepoint;
  private readonly tpRestoreLr: Tracepoint;
  private readonly tpUpdateLr: Tracepoint;
  private readonly tpOutcome: Tracepoint;

  constructor(
    private readonly shop: XenArmShop,
    options: XenArmOptions,
  ) {
    const { clock, trace, books, parts } = shop;
    this.clock = clock;
    this.trace = trace;
    this.books = books;
    books.now = () => this.stamp;
    this.trapOptions = options.trapOptions;
    this.timerSoftirq = softirqNumber(PROFILE, 'TIMER');
    this.taskletSoftirq = softirqNumber(PROFILE, 'TASKLET');
    this.fromXen = books.sourceOf('xen');
    const cpus: Pcpu[] = [];
    const vcpus: ArmVcpu[] = [];
    this.cpus = cpus;
    this.vcpus = vcpus;
    const costs = {
      irqEntry: timing.armHypEntry,
      idleWake: timing.armWake,
      contextSwitch: 2 * timing.armSwitch,
      idleSwitch: timing.armSwitch,
    };
    this.wiring = { clock, trace, hypervisor: this, cpus, vcpus, costs, lazy: false, here: null };
    for (let i = 0; i < options.cpus; i++) cpus.push(parts.add(new Pcpu(i, this.wiring)));

    // the machine
    const changed = (cpu: number) => {
      if (this.gic.signal(cpu) !== Signal.NONE) cpus[cpu]!.interruptRequest();
    };
    const signalled = {
      serror: (cpu: number) => cpus[cpu]!.nmi(),
      fiq: (cpu: number) => {
        if (this.takesFiq(cpus[cpu]!)) cpus[cpu]!.interruptRequest();
      },
    };
    this.signals = parts.add(new ProcessorSignals(clock, options.cpus, signalled));
    this.gic = parts.add(
      new Gic({
        id: 'gic',
        version: options.gic,
        cpus: options.cpus,
        intids: options.intids,
        output: { changed },
      }),
    );
    for (const cpu of cpus) cpu.line = this.lineOf(cpu);
    this.hwTimers = cpus.map((cpu) => parts.add(this.timerOf(cpu)));
    const faces = options.gic === 2 ? GICV2_VIRTUAL : GICV3_VIRTUAL;
    this.interfaces = cpus.map(({ cpu }) =>
      parts.add(
        new VirtualInterface(
          `cpu${cpu}`,
          { ...faces, lrs: options.lrs },
          {
            changed: () => {},
            deactivate: (pirq) => this.irqs.deactivated(cpu, pirq),
            maintenance: (level) => this.gic.setPrivateLine(cpu, Ppi.MAINTENANCE, level),
          },
        ),
      ),
    );
    this.gich = options.gic === 2 ? this.interfaces.map((core) => new Gich(core)) : [];
    this.ich = options.gic === 3 ? this.interfaces.map((core) => new Ich(core)) : [];

    // Xen
    this.hostGic = new HostGic(this.gic, options.cpus);
    this.irqs = parts.add(new ArmIrqs(this, this.hostGic, options.cpus));
    this.link = new VgicLink(this);
    this.vgic = new Vgic(this.link);
    const find = (domain: number, vcpu: number) => this.arm[domain]!.vgic.vcpus[vcpu]!;
    this.gicCpus = cpus.map(({ cpu }) => {
      const hw = options.gic === 2 ? new GicV2Hw(this.gich[cpu]!) : new GicV3Hw(this.ich[cpu]!);
      return parts.add(new GicCpu(cpu, hw, find));
    });
    const raiseTimer = (cpu: Pcpu) => this.eventCheck.raiseSoftirq(cpu, this.timerSoftirq);
    const timerDue = (cpu: Pcpu) => this.gic.setPrivateLine(cpu.cpu, Ppi.CNTHP, true);
    this.timers = parts.add(new XenTimers(clock, cpus, PROFILE, timerDue, raiseTimer));
    this.traps = parts.add(new Traps(this, options.cpus));
    for (const { id, vcpus: affinities, compat } of options.domains) {
      affinities.forEach((affinity, n) => {
        const first = cpus[affinity[vcpus.length % affinity.length]!]!;
        vcpus.push(parts.add(new ArmVcpu(this.traps, vcpus.length, id, n, first, affinity, compat)));
      });
    }
    const owners = vcpus.map((v) => v.domain);
    this.exits = parts.add(new ExitTable('xen.exits', owners, ARM_EXITS, armExitName));
    this.kicks = parts.add(new Kicks(this, cpus.length, vcpus.length));
    this.events = new EventBooks(this);
    this.eventCheck = new EventCheck(
      clock,
      this.wiring,
      false,
      (cpu, from) => this.hostGic.sendSgi(from, cpu.cpu, GIC_SGI_EVENT_CHECK),
      (cpu, nr, how) => this.kicks.told(cpu, nr, how),
    );
    const { timers, eventCheck } = this;
    const moved = (v: Vcpu) => this.vgic.moveIrqs(this.here, (v as ArmVcpu).vgic);
    this.sched = new Schedule({
      clock,
      cpus,
      vcpus,
      profile: PROFILE,
      timers,
      eventCheck,
      weights: [],
      moved,
    });
    parts.add(this.sched.scheduler);
    this.channels = parts.add(new EventChannels(this, { profile: PROFILE }));
    this.tasklets = parts.add(
      new Tasklets(PROFILE, cpus.length, books, (cpu, nr) => eventCheck.raiseSoftirq(cpu, nr)),
    );
    this.console = parts.add(new XenConsole(this));
    this.panic = parts.add(new Panic(this));
    this.faults = new Faults(this);
    this.control = parts.add(new DomainControl(this));
    this.softirqCounts = SOFTIRQS[PROFILE].map(() => new Uint32Array(cpus.length));
    this.tpSetLr = trace.point('gic_set_lr', 'dom', 'vcpu', 'virq', 'lr');
    this.tpRestoreLr = trace.point('gic_restore_pending_irqs', 'dom', 'vcpu', 'virq', 'lr');
    this.tpUpdateLr = trace.point('gic_update_one_lr', 'dom', 'vcpu', 'virq', 'lr');
    this.tpInject = trace.point('vgic_inject_irq', 'dom', 'vcpu', 'virq');
    this.tpOutcome = trace.point('vgic_inject_outcome', 'dom', 'vcpu', 'virq', 'outcome');
    this.setUp();
    parts.add(this);
  }

  private lineOf(cpu: Pcpu): Pcpu['line'] {
    const hyp = vectorOffset(From.EL2H, Kind.IRQ);
    const deliverable = () => (this.gic.signal(cpu.cpu) !== Signal.NONE || this.takesFiq(cpu) ? hyp : -1);
    return { deliverable, ack: () => hyp };
  }

  /** PSTATE.F is set in all of Xen, which therefore never takes an FIQ itself; in a guest nothing masks it. */
  private takesFiq(cpu: Pcpu): boolean {
    const v = cpu.current as ArmVcpu | null;
    return this.signals.fiq[cpu.cpu] === 1 && v !== null && !v.exited;
  }

  private timerOf(cpu: Pcpu): GenericTimer {
    return new GenericTimer({
      id: `cpu${cpu.cpu}.timer`,
      clock: this.clock,
      counter: this.counter,
      now: () => cpu.time,
      output: (ppi, high) => this.gic.setPrivateLine(cpu.cpu, ppi, high),
    });
  }

  /** gic_init, init_timer_interrupt, init_maintenance_interrupt, and the UART. */
  private setUp(): void {
    const { irqs, cpus, hostGic, gic } = this;
    hostGic.init();
    irqs.request(Ppi.CNTHP, 'hyptimer', (cpu) => this.hypTimer(cpu), cpus);
    irqs.request(Ppi.CNTV, 'virtimer', (cpu) => this.virtualTimer(cpu), cpus);
    irqs.request(Ppi.CNTP, 'phytimer', () => {}, cpus);
    // maintenance_interrupt, hardly ever called: its line falls with UIE, before IAR is read
    irqs.request(Ppi.MAINTENANCE, 'irq-maintenance', () => {}, cpus);
    const uart = (cpu: Pcpu) => {
      this.console.interrupt(cpu);
      irqs.setLine(Spi.UART, false, this.fromXen);
    };
    irqs.request(Spi.UART, 'uart-pl011', uart, cpus);
    for (const cpu of cpus) gic.setPrivateLine(cpu.cpu, Ppi.CNTP, false);
    for (const { hw } of this.gicCpus) hw.hypInit();
  }

  addDomain(init: DomainInit, spec: ArmDomainSpec, version: 2 | 3): ArmDomain {
    const { books, parts } = this.shop;
    const domain = new Domain(init, books);
    this.domains[init.id] = domain;
    this.channels.addDomain({ ...init, vcpus: init.vcpus.length });
    const vgic = parts.add(
      new VgicDomain({
        id: init.id,
        version,
        vcpus: init.vcpus.length,
        spis: spec.spis,
        lrs: this.gicCpus[0]!.hw.nrLrs,
        hardware: init.privileged,
        ...(init.privileged && { idBits: version === 3 ? 16 : 10 }),
      }),
    );
    this.link.raises.addDomain(vgic);
    const arm = new ArmDomain({ domain, vgic, map: spec.map, evtchnIrq: spec.evtchnIrq }, books);
    this.arm[init.id] = arm;
    return arm;
  }

  domain(id: number): Domain {
    return this.domains[id]!;
  }

  armDomain(id: number): ArmDomain {
    return this.arm[id]!;
  }

  get now(): Ns {
    return this.clock.now;
  }

  /** What the trace says of the time: the CPU's own, which a guest may have left more than once within the event. */
  get stamp(): Ns {
    const { here } = this.wiring;
    return here ? here.time : this.clock.now;
  }

  /** The guests may run. */
  start(): void {
    this.kicks.start();
    for (const v of this.vcpus) if (v.online) this.sched.start(v);
  }

  beginOwn(): void {
    this.books.begin(this.fromXen);
  }

  sourceOf(name: string): SourceId {
    return this.books.sourceOf(name);
  }

  /** Something is typed on the serial line; the answer is the journey of the interrupt. */
  serialInput(text = '\r'): number {
    return this.console.input(text);
  }

  // into Xen

  acknowledged(): Ns {
    return 0;
  }

  /** do_trap_irq; an FIQ's entries are invalid. */
  interrupt(cpu: Pcpu, vector: number): void {
    if (vector % vectorOffset(From.EL2H, Kind.SYNC) === vectorOffset(From.EL2T, Kind.FIQ)) {
      this.panic.badMode(cpu, Kind.FIQ);
    } else this.irqs.interrupt(cpu, vector);
  }

  /** An SError, which has stopped the CPU: do_trap_guest_serror, or hyp_error. */
  nmi(cpu: Pcpu): void {
    if (cpu.current && this.traps.inXen[cpu.cpu] === 0) this.traps.doTrapSerror(cpu, true);
    else this.traps.hypError(cpu, IN_XEN);
  }

  unexpectedTrap(cpu: Pcpu, what: string): void {
    this.panic.unexpectedTrap(cpu, what);
  }

  wokenBy(next: Vcpu): number {
    return this.kicks.wokenBy(next);
  }

  softirq(cpu: Pcpu, nr: number): void {
    this.softirqCounts[nr]![cpu.cpu]!++;
    if (nr === this.timerSoftirq) this.timers.softirq(cpu);
    else if (nr === this.taskletSoftirq) this.tasklets.softirq(cpu);
    else if (nr === this.sched.softirq && !this.tasklets.doTasklet(cpu)) this.sched.schedule(cpu);
  }

  // its own interrupts

  /** do_sgi: what an event check is about is looked at on the way out. */
  sgi(cpu: Pcpu, sgi: number): void {
    if (sgi === GIC_SGI_EVENT_CHECK) this.kicks.eventChecked(cpu);
    else if (sgi === GIC_SGI_CALL_FUNCTION) this.panic.halt(cpu);
  }

  /** timer_interrupt: the timer is switched off, and the softirq sets it anew. */
  private hypTimer(cpu: Pcpu): void {
    this.gic.setPrivateLine(cpu.cpu, Ppi.CNTHP, false);
    this.eventCheck.raiseSoftirq(cpu, this.timerSoftirq);
  }

  /** vtimer_interrupt; of the idle one it is ignored. */
  private virtualTimer(cpu: Pcpu): void {
    const v = cpu.current as ArmVcpu | null;
    v?.timers.interrupt(cpu);
  }

  interruptLine(source: SourceId): number {
    return this.irqs.setLine(Spi.UART, true, source);
  }

  inIrq(cpu: Pcpu): boolean {
    return this.irqs.inIrq(cpu);
  }

  globalVirq(virq: number): void {
    this.channels.globalVirq(virq);
  }

  print(line: string): void {
    const { here } = this.wiring;
    if (here) this.console.print(here, line);
  }

  // to the virtual GIC

  /** The CPU whose Xen runs; the first while the machine is put together. */
  get here(): GicCpu {
    return this.gicCpus[this.wiring.here?.cpu ?? this.outside]!;
  }

  /** Something is done to the virtual CPU from outside: as if by a CPU that it does not run on, if there is one. */
  fromOutside(v: ArmVcpu, act: () => void): void {
    const other = this.cpus.find((cpu) => cpu.current !== v);
    this.outside = other?.cpu ?? 0;
    act();
    this.outside = 0;
  }

  /** An interrupt of the virtual CPU's own, raised by Xen. */
  injectOwn(v: ArmVcpu, irq: number, source: SourceId): void {
    this.fromOutside(v, () => this.injectTimer(v, irq, source));
  }

  injectPhysical(cpu: Pcpu, { guest }: ArmIrqDesc, slot: SlotId): void {
    const { domain, virq } = guest!;
    this.link.raises.from = slot;
    this.inject(this.gicCpus[cpu.cpu]!, domain, domain.target(domain.vcpus[0]!, virq), virq);
    this.link.raises.from = -1;
  }

  injectTimer(v: ArmVcpu, irq: number, source: SourceId): void {
    this.books.begin(source);
    this.inject(this.here, v.arm.vgic, v.vgic, irq);
  }

  /** vgic_inject_irq */
  private inject(here: GicCpu, d: VgicDomain, v: VgicVcpu, virq: number): void {
    const { journey } = this.books;
    this.trace.emit(this.tpInject, this.stamp, journey, here.cpu, d.domain, v.id, virq);
    const became = this.vgic.injectIrq(here, d, v, virq);
    if (became === 'queued') return;
    const outcome = OUTCOMES.indexOf(became);
    this.trace.emit(this.tpOutcome, this.stamp, journey, here.cpu, d.domain, v.id, virq, outcome);
  }

  /** Only what runs on a CPU has its list registers there. One that was active stays so, and is pending as well. */
  entersLr(p: PendingIrq, journey: number, coalesced: boolean): void {
    const { trace, here } = this;
    const { current } = here;
    if (!trace.enabled || !current) return;
    const again = coalesced || (p.status & GIC_IRQ_GUEST_ACTIVE) !== 0;
    // one that has waited is still on the list of those that do
    const point = again ? this.tpUpdateLr : p.lrPending ? this.tpRestoreLr : this.tpSetLr;
    trace.emit(point, this.stamp, journey, here.cpu, current.domain.domain, current.id, p.irq, p.lr);
  }

  madePending(cpu: number, irq: number): void {
    this.irqs.setPending(cpu, irq);
  }

  aimed(irq: number, cpu: number): void {
    this.irqs.descs[irq]!.target = cpu;
  }

  kickVcpu(v: ArmVcpu): void {
    // of a physical interrupt it has been paid for on the way to it
    if (this.link.raises.from < 0) this.wiring.here?.charge(timing.vgicInject);
    this.kicks.pending(v);
    this.kicks.kick(v);
  }

  /** smp_send_event_check_mask */
  tellElsewhere(cpu: Pcpu): void {
    this.eventCheck.send(cpu);
  }

  // event channels, as they tell of themselves

  pended(dom: number, port: number, outcome: PendOutcome): void {
    this.events.pended(dom, port, outcome);
  }

  discarded(dom: number, port: number, why: string): void {
    this.events.discarded(dom, port, why);
  }

  /** vcpu_mark_events_pending: the PPI is raised in the name of the event. */
  kick(dom: number, vcpu: number): void {
    const arm = this.arm[dom]!;
    const v = arm.vcpus[vcpu]!;
    const { books } = this;
    const { source } = books;
    books.source = arm.upcallSource;
    this.inject(this.here, arm.vgic, v.vgic, arm.evtchnIrq);
    books.source = source;
    v.upcalls++;
  }

  wake(dom: number, vcpu: number): void {
    this.kicks.unblock(this.arm[dom]!.vcpus[vcpu]!);
  }

  xenConsumer(dom: number, port: number): void {
    const domain = this.domains[dom]!;
    this.books.pend(domain.slot(port), domain.destination(port));
    this.books.deliver(domain.slot(port));
  }

  /** Domains have no pirqs here. */
  pirqBind(): number {
    return -1;
  }

  pirqUnbind(): void {}

  pirqAffinity(): void {}

  // into the guest

  /** WFI: vcpu_block_unless_event_pending */
  blockUnlessPending(v: ArmVcpu): void {
    if (!this.eventsNeedDelivery(v)) this.sched.block(v);
  }

  /** local_events_need_delivery_nomask: an interrupt, or an event whose own has still to be raised. */
  private eventsNeedDelivery(v: ArmVcpu): boolean {
    const { gic } = this.vgic;
    if (gic.vcpuPendingIrq(this.gicCpus[v.processor]!)) return true;
    const { upcallPending } = v.arm.domain.shared.vcpus[v.vcpu]!;
    return upcallPending !== 0 && gic.evtchnIrqPending(v.vgic, v.arm.evtchnIrq);
  }

  hasVirq(v: ArmVcpu): boolean {
    return this.interfaces[v.processor]!.virq;
  }

  virqJourney(v: ArmVcpu): number {
    const core = this.interfaces[v.processor]!;
    const lr = core.highest();
    return lr < 0 ? 0 : this.books.journeyIn(v.arm.takenSlot(v, core.lrLow[lr]! & 0x3ff));
  }

  // to look at

  /** A virtual CPU's list registers and lists. */
  inspectVcpu(v: ArmVcpu): VcpuInterrupts {
    const here = this.gicCpus[v.processor]!;
    return inspectVcpu(v.vgic, this.gicCpus[0]!.hw, here.current === v.vgic ? here : null);
  }

  /** The list registers of a domain's virtual CPUs that hold something. */
  listed({ vcpus }: ArmDomain): readonly VcpuInterrupts['lrs'][] {
    return vcpus.map((v) => this.inspectVcpu(v).lrs.filter((lr) => lr.used && lr.state !== 'invalid'));
  }

  /**
   * Where an interrupt of a domain is now: `queued`, `LR0 pending`, `LR0 active`; empty: nowhere.
   * @param listed of the domain: who asks for many interrupts asks for it once
   */
  whereabouts(domain: ArmDomain, vcpu: number, virq: number, listed = this.listed(domain)): string {
    const { vgic } = domain;
    const out = vgic.pendingOf(vgic.vcpus[vcpu]!, virq).status & GIC_IRQ_GUEST_QUEUED ? ['queued'] : [];
    for (const lrs of virq < NR_LOCAL_IRQS ? [listed[vcpu]!] : listed) {
      for (const { lr, virq: of, state } of lrs) if (of === virq) out.push(`LR${lr} ${state}`);
    }
    return out.join(' ');
  }

  // the guests' firmware

  vsmccc(v: ArmVcpu, fn: number, x1: number, x2: number): number {
    return vsmcccHandleCall(this, v, fn, x1, x2);
  }

  /** domain_shutdown: of dom0's it is hwdom_shutdown. */
  domainShutdown(v: ArmVcpu, reboot: boolean): void {
    if (v.domain === 0) this.panic.dom0Shutdown(v.cpu, reboot);
    else {
      this.beginOwn();
      this.control.shutDown(v.domain, reboot ? 'rebooted' : 'powered off');
    }
  }

  save(): Plain {
    return {
      eventChecks: this.eventCheck.save(),
      softirqs: this.softirqCounts.map((row) => Array.from(row)),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { eventChecks: [number, number]; softirqs: number[][] };
    this.eventCheck.restore(s.eventChecks);
    s.softirqs.forEach((row, nr) => {
      this.softirqCounts[nr]!.set(row);
    });
  }
}

/** What else than to be queued may become of an injection, by number in the trace. */
export const OUTCOMES: readonly string[] = ['coalesced', 'lost', 'dropped', 'nothing'];
