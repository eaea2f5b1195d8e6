/**
 * Xen on one ARM host: what it is on any (../xen.ts), with its interrupts (irq.ts), traps and the virtual GICs. Reading it top
 * to bottom follows an interrupt: into Xen, to the virtual GIC of a domain, to the virtual CPU that is kicked, and by its list
 * register into the guest.
 */
import type { SlotId, SourceId } from '../../../core/books.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { Ppi, Spi } from '../../../hw/arm/board-virt.ts';
import { From, Kind, vectorOffset } from '../../../hw/arm/exceptions.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { HypervisorShop } from '../../shop.ts';
import { Domain, type DomainInit } from '../domain.ts';
import { SOFTIRQS } from '../softirq.ts';
import { type DomainVcpus, XenCore } from '../xen.ts';
import { ArmDomain, type GicMap } from './arm-domain.ts';
import { ArmVcpu } from './arm-vcpu.ts';
import { Faults } from './faults.ts';
import { GicCpu } from './gic-hw.ts';
import { GicV2Hw } from './gic-v2.ts';
import { GicV3Hw } from './gic-v3.ts';
import { HostGic } from './host-gic.ts';
import { HostHardware, type HostHardwareOptions } from './host-hardware.ts';
import { Injection } from './injection.ts';
import { type ArmIrqDesc, ArmIrqs, GIC_SGI_CALL_FUNCTION, GIC_SGI_EVENT_CHECK } from './irq.ts';
import { Panic } from './panic.ts';
import { GIC_IRQ_GUEST_QUEUED } from './pending-irq.ts';
import { ARM_EXITS, armExitName, IN_XEN, type TrapOptions, Traps } from './traps.ts';
import { Vgic } from './vgic.ts';
import { NR_LOCAL_IRQS, VgicDomain } from './vgic-domain.ts';
import { inspectVcpu, type VcpuInterrupts } from './vgic-inspect.ts';
import { VgicLink } from './vgic-link.ts';
import { type FirmwareHost, vsmcccHandleCall } from './vsmccc.ts';

const PROFILE = '4.17';

export interface XenArmOptions extends HostHardwareOptions {
  readonly trapOptions: TrapOptions;
  /** virtual CPUs of each domain with the physical CPUs they may run on, in the order of domain ids */
  readonly domains: readonly (DomainVcpus & {
    /** AArch32 */
    readonly compat: boolean;
  })[];
}

export interface ArmDomainSpec {
  readonly map: GicMap;
  readonly evtchnIrq: number;
  /** SPIs of its virtual GIC */
  readonly spis: number;
}

export class XenArm extends XenCore<ArmVcpu> implements FirmwareHost, Part {
  readonly trapOptions: TrapOptions;
  readonly hardware: HostHardware;
  readonly hostGic: HostGic;
  /** by CPU: what Xen keeps of it */
  readonly gicCpus: readonly GicCpu[];
  readonly irqs: ArmIrqs;
  readonly vgic: Vgic;
  readonly traps: Traps;
  readonly panic: Panic;
  readonly faults: Faults;
  /** by softirq and CPU */
  readonly softirqCounts: readonly Uint32Array[];
  readonly injection: Injection;
  private readonly link: VgicLink;
  private readonly arm: ArmDomain[] = [];
  /** the CPU in whose name things are done that come from outside */
  private outside = 0;

  constructor(shop: HypervisorShop, options: XenArmOptions) {
    const { armHypEntry, armWake, armSwitch } = timing;
    super(shop, {
      ...options,
      profile: PROFILE,
      costs: {
        irqEntry: armHypEntry,
        idleWake: armWake,
        contextSwitch: 2 * armSwitch,
        idleSwitch: armSwitch,
      },
      lazy: false,
      mwait: false,
      exitReasons: ARM_EXITS,
      exitName: armExitName,
      uartHandler: 'pl011_interrupt',
    });
    const { parts } = shop;
    const { cpus } = this;
    this.trapOptions = options.trapOptions;
    this.hardware = new HostHardware(shop, options, cpus, (cpu, pirq) => this.irqs.deactivated(cpu, pirq));
    const { gic, gich, ich } = this.hardware;
    this.hostGic = new HostGic(gic, options.cpus);
    this.irqs = parts.add(new ArmIrqs(this, this.hostGic, options.cpus));
    this.link = new VgicLink(this);
    this.vgic = new Vgic(this.link);
    this.injection = new Injection(this);
    const find = (domain: number, vcpu: number) => this.arm[domain]!.vgic.vcpus[vcpu]!;
    this.gicCpus = cpus.map(({ cpu }) => {
      const hw = options.gic === 2 ? new GicV2Hw(gich[cpu]!) : new GicV3Hw(ich[cpu]!);
      return parts.add(new GicCpu(cpu, hw, find));
    });
    this.traps = parts.add(new Traps(this, options.cpus));
    this.addVcpus(
      options.domains,
      ({ id, compat }, index, vcpu, first, affinity) =>
        new ArmVcpu(this.traps, index, id, vcpu, first, affinity, compat),
    );
    this.panic = parts.add(new Panic(this));
    this.faults = new Faults(this);
    this.softirqCounts = SOFTIRQS[PROFILE].map(() => new Uint32Array(cpus.length));
    this.setUp();
    parts.add(this);
  }

  /** gic_init, init_timer_interrupt, init_maintenance_interrupt, and the UART. */
  private setUp(): void {
    const { irqs, cpus, hostGic } = this;
    const { gic } = this.hardware;
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

  armDomain(id: number): ArmDomain {
    return this.arm[id]!;
  }

  /** What the trace says of the time: the CPU's own, which a guest may have left more than once within the event. */
  override get stamp(): Ns {
    const { here } = this.wiring;
    return here ? here.time : this.clock.now;
  }

  /** The guests may run. */
  start(): void {
    this.kicks.start();
    for (const v of this.vcpus) if (v.online) this.sched.start(v);
  }

  sourceOf(name: string): SourceId {
    return this.books.sourceOf(name);
  }

  // into Xen

  override acknowledged(): Ns {
    return 0;
  }

  /** do_trap_irq; an FIQ's entries are invalid. */
  override interrupt(cpu: Pcpu, vector: number): void {
    if (vector % vectorOffset(From.EL2H, Kind.SYNC) === vectorOffset(From.EL2T, Kind.FIQ)) {
      this.panic.badMode(cpu, Kind.FIQ);
    } else this.irqs.interrupt(cpu, vector);
  }

  /** An SError, which has stopped the CPU: do_trap_guest_serror, or hyp_error. */
  override nmi(cpu: Pcpu): void {
    if (cpu.current && this.traps.inXen[cpu.cpu] === 0) this.traps.doTrapSerror(cpu, true);
    else this.traps.hypError(cpu, IN_XEN);
  }

  unexpectedTrap(cpu: Pcpu, what: string): void {
    this.panic.unexpectedTrap(cpu, what);
  }

  override softirq(cpu: Pcpu, nr: number): void {
    this.softirqCounts[nr]![cpu.cpu]!++;
    super.softirq(cpu, nr);
  }

  protected override timerDue(cpu: Pcpu): void {
    this.hardware.gic.setPrivateLine(cpu.cpu, Ppi.CNTHP, true);
  }

  protected override sendEventCheck(cpu: Pcpu, from: number): void {
    this.hostGic.sendSgi(from, cpu.cpu, GIC_SGI_EVENT_CHECK);
  }

  protected override moved(v: ArmVcpu): void {
    this.vgic.moveIrqs(this.here, v.vgic);
  }

  // its own interrupts

  /** do_sgi: what an event check is about is looked at on the way out. */
  sgi(cpu: Pcpu, sgi: number): void {
    if (sgi === GIC_SGI_EVENT_CHECK) this.kicks.eventChecked(cpu);
    else if (sgi === GIC_SGI_CALL_FUNCTION) this.panic.halt(cpu);
  }

  /** timer_interrupt: the timer is switched off, and the softirq sets it anew. */
  private hypTimer(cpu: Pcpu): void {
    this.hardware.gic.setPrivateLine(cpu.cpu, Ppi.CNTHP, false);
    this.eventCheck.raiseSoftirq(cpu, this.timerSoftirq);
  }

  /** vtimer_interrupt; of the idle one it is ignored. */
  private virtualTimer(cpu: Pcpu): void {
    const v = cpu.current as ArmVcpu | null;
    v?.timers.interrupt(cpu);
  }

  override interruptLine(source: SourceId): number {
    return this.irqs.setLine(Spi.UART, true, source);
  }

  override inIrq(cpu: Pcpu): boolean {
    return this.irqs.inIrq(cpu);
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
    this.injection.inject(this.gicCpus[cpu.cpu]!, domain, domain.target(domain.vcpus[0]!, virq), virq);
    this.link.raises.from = -1;
  }

  injectTimer(v: ArmVcpu, irq: number, source: SourceId): void {
    this.books.begin(source);
    this.injection.inject(this.here, v.arm.vgic, v.vgic, irq);
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
  override tellElsewhere(cpu: Pcpu): void {
    this.eventCheck.send(cpu);
  }

  // event channels, as they tell of themselves

  /** vcpu_mark_events_pending: the PPI is raised in the name of the event. */
  override kick(dom: number, vcpu: number): void {
    const arm = this.arm[dom]!;
    const v = arm.vcpus[vcpu]!;
    const { books } = this;
    const { source } = books;
    books.source = arm.upcallSource;
    this.injection.inject(this.here, arm.vgic, v.vgic, arm.evtchnIrq);
    books.source = source;
    v.upcalls++;
  }

  /** Domains have no pirqs here. */
  override pirqBind(): number {
    return -1;
  }

  override pirqUnbind(): void {}

  override pirqAffinity(): void {}

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
    return this.hardware.interfaces[v.processor]!.virq;
  }

  virqJourney(v: ArmVcpu): number {
    const core = this.hardware.interfaces[v.processor]!;
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

  override save(): Plain {
    return {
      eventChecks: this.eventCheck.save(),
      softirqs: this.softirqCounts.map((row) => Array.from(row)),
    };
  }

  override restore(state: Plain): void {
    const s = state as unknown as { eventChecks: [number, number]; softirqs: number[][] };
    this.eventCheck.restore(s.eventChecks);
    s.softirqs.forEach((row, nr) => {
      this.softirqCounts[nr]!.set(row);
    });
  }
}
