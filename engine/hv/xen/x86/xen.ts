/**
 * Xen on one x86 host: what it is on any (../xen.ts), with local APICs, physical interrupts and guests on VMX. Reading it top
 * to bottom follows an interrupt: into Xen, to a domain's event channel, to the virtual CPU that is notified, and into the
 * guest.
 */

import { VIRQ_MCA, VIRQ_TIMER } from '../../../abi/xen.ts';
import type { SlotId, SourceId } from '../../../core/books.ts';
import type { Ns, Task } from '../../../core/clock.ts';
import { Priority } from '../../../core/event-queue.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Tracepoint } from '../../../core/trace.ts';
import { ApicBus } from '../../../hw/x86/apic-bus.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import { physicalLapic } from '../../../hw/x86/physical-lapic.ts';
import { EXIT_REASONS } from '../../../hw/x86/vmcs-fields.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { HypervisorShop } from '../../shop.ts';
import type { Vcpu } from '../../vcpu.ts';
import { Domain, type DomainInit } from '../domain.ts';
import type { EvtchnFixes } from '../evtchn-profile.ts';
import type { EvtchnDomainInit } from '../evtchn-types.ts';
import {
  APIC_TIMER_VECTOR,
  CALL_FUNCTION_VECTOR,
  EVENT_CHECK_VECTOR,
  softirqNumber,
  type XenProfile,
} from '../softirq.ts';
import type { XenTimer } from '../timer.ts';
import { type DomainVcpus, XenCore } from '../xen.ts';
import { apicHandler, CMCI_VECTOR, IRQ_MOVE_CLEANUP_VECTOR } from './apic-vectors.ts';
import { IRQ_DEFAULTS, type IrqHost, type IrqOptions, PhysicalIrqs } from './do-irq.ts';
import { DpciSoftirq } from './dpci-softirq.ts';
import { InterruptHook } from './hook.ts';
import { BREAKPOINT } from './hvm-cpu.ts';
import { HvmDomain } from './hvm-domain.ts';
import { HvmVcpu, type VmxOptions } from './hvm-vcpu.ts';
import { interruptBlocked } from './intr-assist.ts';
import type { IoreqHost } from './ioreq.ts';
import { type VectorName, XenCounts, type XenView } from './irq-counts.ts';
import { type Firmware, SERIAL_IRQ, TIMER_IRQ } from './irq-desc.ts';
import { MachineChecks } from './mce.ts';
import { PvUpcalls } from './pv-upcalls.ts';
import { PvVcpu } from './pv-vcpu.ts';
import { XenTime } from './time.ts';
import { VirtualMachineChecks } from './vmce.ts';
import { type HvmHost, HvmPoints, VmExits, xenExitName } from './vmexit.ts';

export interface XenOptions {
  readonly profile: XenProfile;
  readonly cpus: number;
  /** virtual CPUs of each domain with the physical CPUs they may run on, in the order of domain ids */
  readonly domains: readonly (DomainVcpus & {
    /** runs on VMX; else it is paravirtual */
    readonly hvm?: VmxOptions;
  })[];
  readonly gsis: number;
  /** how many physical interrupt numbers the machine needs at most */
  readonly irqs: number;
  readonly irqOptions?: Partial<IrqOptions>;
  readonly firmware?: Firmware;
  /** the platform timer, if it interrupts */
  readonly clocksource?: 'pit' | undefined;
  /** false: idle CPUs wait in HLT */
  readonly cpuidle?: boolean | undefined;
  /** of event channels: those that are not there */
  readonly evtchnFixes?: Partial<EvtchnFixes> | undefined;
}

export class Xen extends XenCore<PvVcpu | HvmVcpu> implements HvmHost, IoreqHost, IrqHost, Part {
  /** by CPU */
  readonly lapics: readonly LocalApic[];
  readonly irqs: PhysicalIrqs;
  readonly points: HvmPoints;
  readonly vmexits: VmExits;
  readonly upcalls: PvUpcalls;
  /** interrupts of devices passed through, on their way into the guests (4.17) */
  readonly dpci: DpciSoftirq;
  readonly time: XenTime;
  /** machine checks of the host, and those that guests are told of */
  readonly mce: MachineChecks;
  readonly vmce: VirtualMachineChecks;
  readonly hook: InterruptHook;
  private readonly counts: XenCounts;
  /** non-maskable interrupts, per CPU */
  readonly nmis: number[];
  /** by domain: what is more of those that run on VMX */
  readonly hvm: (HvmDomain | undefined)[] = [];
  private readonly callFlights: Task[];
  /** per virtual CPU */
  private readonly singleshot: XenTimer[];
  private readonly apicTimerVector: number;
  private readonly kickSoftirq: number;
  private readonly dpciSoftirq: number;
  private readonly mceSoftirq: number;
  private readonly fromTimer: SourceId;
  private readonly tpNmi: Tracepoint;
  private readonly tpTimer: Tracepoint;
  private readonly tpPause: Tracepoint;

  constructor(shop: HypervisorShop, options: XenOptions) {
    const { profile } = options;
    const { irqEntry, idleWake, xenSwitch } = timing;
    super(shop, {
      ...options,
      costs: { irqEntry, idleWake, contextSwitch: 2 * xenSwitch, idleSwitch: xenSwitch },
      lazy: true,
      mwait: profile !== '3.4' && options.cpuidle !== false,
      exitReasons: EXIT_REASONS,
      exitName: xenExitName,
      uartHandler: 'ns16550_interrupt',
    });
    const { clock, trace, parts } = shop;
    const { cpus, eventCheck } = this;
    this.apicTimerVector = APIC_TIMER_VECTOR[profile];
    this.kickSoftirq = softirqNumber(profile, 'VCPU_KICK');
    this.dpciSoftirq = softirqNumber(profile, 'HVM_DPCI');
    this.mceSoftirq = softirqNumber(profile, 'MACHINE_CHECK');
    const bus = new ApicBus();
    this.lapics = cpus.map((cpu) => {
      const lapic = parts.add(physicalLapic(clock, bus, cpu.cpu, () => cpu.interruptRequest()));
      cpu.line = lapic;
      return lapic;
    });
    this.callFlights = this.lapics.map((lapic, cpu) =>
      clock.task(`cpu${cpu}.call_function`, Priority.hardware, () => {
        lapic.request(CALL_FUNCTION_VECTOR);
      }),
    );
    this.points = new HvmPoints(trace);
    this.vmexits = new VmExits(this);
    this.upcalls = new PvUpcalls(this);
    this.addVcpus(options.domains, ({ id, hvm }, index, vcpu, first, affinity) =>
      hvm
        ? new HvmVcpu(this.vmexits, index, id, vcpu, first, affinity, hvm)
        : new PvVcpu(this.upcalls, index, id, vcpu, first, affinity),
    );
    this.singleshot = this.vcpus.map((v) => this.timers.timer((on) => this.timerEvent(v, on)));
    const irqOptions = { ...IRQ_DEFAULTS, ...options.irqOptions };
    this.irqs = parts.add(new PhysicalIrqs(this, options.gsis, options.irqs, irqOptions, options.firmware));
    const raiseDpci = (cpu: Pcpu) => eventCheck.raiseSoftirq(cpu, this.dpciSoftirq);
    this.dpci = parts.add(new DpciSoftirq(cpus.length, raiseDpci, (domain) => this.hvm[domain]?.dpci));
    this.time = parts.add(new XenTime(this, options.clocksource === 'pit'));
    this.vmce = parts.add(new VirtualMachineChecks(this));
    this.mce = parts.add(new MachineChecks(this));
    const line = (irq: number, name: string, handler: (cpu: Pcpu) => void) =>
      this.irqs.setup(irq, { name, handler });
    line(TIMER_IRQ, 'timer_interrupt', (cpu) => this.time.interrupt(cpu));
    line(SERIAL_IRQ, this.uartHandler, (cpu) => this.console.interrupt(cpu));
    this.hook = parts.add(new InterruptHook(trace, cpus.length));
    this.counts = parts.add(new XenCounts(profile, cpus));
    this.nmis = cpus.map(() => 0);
    this.fromTimer = this.books.sourceOf('xen timer');
    this.tpNmi = trace.point('do_nmi');
    this.tpPause = trace.point('domain_pause_for_debugger', 'dom', 'vcpu');
    this.tpTimer = trace.point('send_timer_event', 'dom', 'vcpu');
    parts.add(this);
  }

  addDomain(init: DomainInit, pirqs: Pick<EvtchnDomainInit, 'pirqToIrq'>): Domain {
    const domain = new Domain(init, this.books);
    this.domains[init.id] = domain;
    this.channels.addDomain({ ...init, ...pirqs, vcpus: init.vcpus.length });
    return domain;
  }

  /** What a domain on VMX has beside; its virtual CPUs must be there. */
  addHvm(domain: Domain): HvmDomain {
    const hvm = new HvmDomain(this, domain);
    this.hvm[domain.id] = hvm;
    return hvm;
  }

  /**
   * What the trace says of the time: that of the event, or where a guest on VMX has the CPU, which may have left it more
   * than once within the event, the CPU's own; so with a tasklet, for which what it was put off by may still be under way.
   */
  override get stamp(): Ns {
    const { here } = this.wiring;
    return here && (here.current instanceof HvmVcpu || this.tasklets.running) ? here.time : this.clock.now;
  }

  /** The guests may run: every virtual CPU is woken once. */
  start(): void {
    this.kicks.start();
    this.time.start();
    this.mce.start();
    for (const v of this.vcpus) if (v.state === 'offline') this.sched.start(v);
  }

  // into Xen: interrupts and softirqs

  override acknowledged(cpu: Pcpu, vector: number): Ns {
    this.counts.took(cpu, vector, this.irqs.table.vectors.irqOf(vector));
    if (apicHandler(this.profile, vector) !== undefined) {
      this.hook.record(cpu, this.profile === '3.4' ? 'smp' : 'direct_apic_vector', vector);
      return this.profile === '3.4' ? timing.apicVector : timing.doIrq + timing.apicVector;
    }
    const cost = this.irqs.acknowledged(cpu, vector);
    this.hook.record(cpu, 'do_IRQ', vector, this.irqs.journeyOn(cpu));
    return cost;
  }

  /** On 4.17 all go through do_IRQ; on 3.4 those of the local APIC have gates of their own. */
  override interrupt(cpu: Pcpu, vector: number): void {
    if (this.profile === '3.4' && this.directApicVector(cpu, vector)) return;
    this.irqs.doIrq(cpu, vector);
  }

  /** Functions of the local APIC's vectors. Those that are not named end it, and have nothing to do here. */
  directApicVector(cpu: Pcpu, vector: number): boolean {
    if (apicHandler(this.profile, vector) === undefined) return false;
    this.lapics[cpu.cpu]!.eoi();
    switch (vector) {
      case this.apicTimerVector:
        cpu.raiseSoftirq(this.timerSoftirq);
        break;
      case EVENT_CHECK_VECTOR:
        this.kicks.eventChecked(cpu);
        break;
      case CALL_FUNCTION_VECTOR:
        this.irqs.guests.setEoiReady(cpu);
        this.time.called(cpu);
        this.mce.called(cpu);
        break;
      case CMCI_VECTOR[this.profile]:
        this.mce.cmciInterrupt(cpu);
        break;
      case IRQ_MOVE_CLEANUP_VECTOR:
        this.irqs.cleanup.interrupt(cpu);
    }
    return true;
  }

  protected override timerDue(cpu: Pcpu): void {
    this.lapics[cpu.cpu]!.request(this.apicTimerVector);
  }

  protected override sendEventCheck(cpu: Pcpu): void {
    this.lapics[cpu.cpu]!.request(EVENT_CHECK_VECTOR);
  }

  protected override moved(v: Vcpu): void {
    this.channels.movePirqs(v.domain, v.vcpu);
    this.hvm[v.domain]?.vpt.migrate(v.vcpu);
    this.hvm[v.domain]?.dpci.migrate(v.vcpu);
  }

  /** trace_hypercall */
  traceHypercall(v: Vcpu, op: number, command: number): void {
    if (!this.trace.detailed) return;
    this.trace.emit(this.points.hypercall, this.stamp, 0, v.processor, v.index, op, command);
  }

  /** do_nmi: nobody has asked for it. */
  override nmi(cpu: Pcpu): void {
    this.nmis[cpu.cpu]!++;
    const { current: v } = cpu;
    const journey = v instanceof HvmVcpu && VmExits.leftForNmi(v) ? v.aside : this.books.beside();
    this.trace.emit(this.tpNmi, this.now, journey, cpu.cpu);
  }

  /** do_machine_check */
  machineCheck(cpu: Pcpu): void {
    this.mce.machineCheck(cpu);
  }

  released(cpu: Pcpu): void {
    this.mce.released(cpu);
  }

  raiseCmci(cpu: Pcpu): void {
    this.lapics[cpu.cpu]!.request(CMCI_VECTOR[this.profile]);
  }

  /** dom0_vmce_enabled */
  get dom0Listens(): boolean {
    return this.channels.virqEnabled(0, 0, VIRQ_MCA);
  }

  override softirq(cpu: Pcpu, nr: number): void {
    this.counts.ran(cpu, nr);
    if (nr === this.dpciSoftirq) this.dpci.run(cpu);
    else if (nr === this.time.softirqNr) this.time.softirq(cpu);
    else if (nr === this.mceSoftirq) this.mce.softirq(cpu);
    else super.softirq(cpu, nr);
  }

  /** send_guest_pirq. */
  sendGuestPirq(domain: number, pirq: number, slot: SlotId, paid: boolean): boolean {
    this.events.handOver(slot, paid);
    this.channels.guestPirq(domain, pirq);
    return this.events.handedOver();
  }

  /** hvm_do_IRQ_dpci: paravirtual guests have no virtual interrupt controllers. */
  hvmDoIrqDpci(domain: number, pirq: number, slot: SlotId): boolean {
    return this.hvm[domain]?.dpci.doIrq(this.wiring.here!, pirq, slot) ?? false;
  }

  override interruptLine(source: SourceId): number {
    return this.irqs.pulse(SERIAL_IRQ, source);
  }

  timerLine(source: SourceId): void {
    this.irqs.pulse(TIMER_IRQ, source);
  }

  override inIrq(cpu: Pcpu): boolean {
    return this.irqs.inIrq(cpu);
  }

  /** on_selected_cpus: the IPI to one of them. What it is called for is with those who asked. */
  callFunction(cpu: Pcpu): void {
    const flight = this.callFlights[cpu.cpu]!;
    const { here } = this.wiring;
    if (!flight.queued) flight.at((here ? here.time : this.now) + timing.ipiFlight);
  }

  // event channels, as they tell of themselves

  /** vcpu_mark_events_pending: an HVM guest has events by an interrupt of its own. */
  override kick(dom: number, vcpu: number): void {
    const v = this.domains[dom]!.vcpus[vcpu]!;
    this.kicks.pending(v);
    const hvm = this.hvm[dom];
    if (hvm) hvm.irq.assertEvtchnIrq(vcpu);
    else this.kicks.kick(v);
  }

  /** A virtual CPU on VMX has something to look at. */
  kickHvm(v: HvmVcpu): void {
    this.kicks.kick(v);
  }

  /** By softirq. */
  override tellElsewhere(cpu: Pcpu): void {
    this.eventCheck.raiseSoftirq(cpu, this.kickSoftirq);
  }

  /** The device model has answered a virtual CPU. */
  override xenConsumer(dom: number, port: number, vcpu: number): void {
    super.xenConsumer(dom, port, vcpu);
    const ioreq = this.hvm[dom]?.ioreq;
    if (ioreq && ioreq.bufferedPort !== port) ioreq.answered(vcpu);
  }

  override pirqBind(dom: number, pirq: number, willShare: boolean): number {
    // an emulated device's
    if (this.hvm[dom]) return 0;
    return this.irqs.guests.bind(dom, pirq, this.domains[dom]!.vcpus[0]!.cpu.cpu, willShare);
  }

  override pirqUnbind(dom: number, pirq: number): void {
    if (!this.hvm[dom]) this.irqs.guests.unbind(dom, pirq);
  }

  override pirqAffinity(dom: number, pirq: number, vcpu: number): void {
    this.irqs.setAffinity(dom, pirq, this.domains[dom]!.vcpus[vcpu]!.cpu.cpu);
  }

  /** domain_pirq_to_irq; -1 for none. */
  irqOf(dom: number, pirq: number): number {
    return this.irqs.table.irqOf(dom, pirq);
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
    this.trace.emit(this.tpTimer, this.stamp, journey, on.cpu, v.domain, v.vcpu);
    this.channels.vcpuVirq(v.domain, v.vcpu, VIRQ_TIMER);
  }

  // HVM: what exits and entries need

  poll(v: Vcpu, port: number): void {
    if (this.channels.poll(v.domain, v.vcpu, [port]).blocks) this.sched.block(v);
  }

  emit(v: HvmVcpu, point: Tracepoint, b = 0, c = 0, d = 0): void {
    this.trace.emit(point, v.now, v.journey, v.processor, v.index, b, c, d);
  }

  journeyOf(v: HvmVcpu, vector: number): number {
    return vector === v.hvm.irq.eventVector(v.vcpu)
      ? this.kicks.pendingFor(v)
      : this.books.journeyIn(v.slot(vector));
  }

  /** vmx_vmexit_handler's branch of exceptions: the hook records them, with interrupts off still. */
  exceptionExit(v: HvmVcpu, vector: number): void {
    this.hook.record(v.cpu, 'exception exit', vector, v.journey);
  }

  /** HLT: vcpu_block, unless an interrupt came meanwhile (hvm_local_events_need_delivery). */
  halt(v: HvmVcpu): void {
    const waits = v.hvm.irq.hasPendingIrq(v.vcpu);
    if (waits.source === 'none' || interruptBlocked(v, waits) !== 'none') this.sched.block(v);
  }

  /** Of a breakpoint 4.17's debugger is not told, it asks. */
  debugTrap(v: HvmVcpu, vector: number): void {
    this.books.source = this.fromXen;
    this.books.journey = v.journey;
    this.trace.emit(this.tpPause, v.now, v.journey, v.processor, v.domain, v.vcpu);
    this.control.pauseForDebugger(v, this.profile === '3.4' || vector !== BREAKPOINT);
    // the rest of its way is the debugger's
    v.journey = 0;
  }

  /** hvm_triple_fault */
  tripleFault(v: HvmVcpu): void {
    this.beginOwn();
    this.control.shutDown(v.domain, 'shut down by a triple fault');
  }

  pauseInXen(v: HvmVcpu): void {
    v.blockedInXen = true;
    this.sched.block(v);
  }

  resumeInXen(v: HvmVcpu): void {
    v.blockedInXen = false;
    this.kicks.unblock(v);
  }

  /** Xen as a domain of its own, to look at. */
  inspect(): XenView {
    const { sent, skipped } = this.eventCheck;
    const cpus = this.counts.inspect(this.irqs, this.nmis, this.hook);
    const { on, last } = this.hook;
    return { cpus, eventChecks: { sent, skipped }, hook: on, records: [...last] };
  }

  /** What a vector stands for now. */
  vectorName(vector: number): VectorName {
    return this.counts.nameOf(this.irqs, vector);
  }

  override save(): Plain {
    return {
      upcalls: this.upcalls.count,
      eventChecks: this.eventCheck.save(),
      nmis: [...this.nmis],
    };
  }

  override restore(state: Plain): void {
    const s = state as {
      upcalls: number;
      eventChecks: [number, number];
      nmis: number[];
    };
    this.upcalls.count = s.upcalls;
    this.eventCheck.restore(s.eventChecks);
    s.nmis.forEach((n, cpu) => {
      this.nmis[cpu] = n;
    });
  }
}
