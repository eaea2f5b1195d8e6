/**
 * Event channels as interrupts (drivers/xen/events/events_base.c; drivers/xen/core/evtchn.c in the older trees): binding,
 * numbers, chips, which CPU is notified. What comes on them is evtchn-ports.ts.
 */

import { EVTCHN_FIFO_PRIORITY_MAX, VIRQ_TIMER } from '../../abi/xen.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { EventAbi } from './events-abi.ts';
import { type EventChips, eventChips } from './evtchn-chips.ts';
import { EventPorts } from './evtchn-ports.ts';
import type { IrqChip, IrqDesc } from './irq-core.ts';
import {
  check,
  type EventsHost,
  EXPLICIT,
  type IrqInfo,
  NoSpace,
  newIrqInfo,
  TEMPORARY,
} from './irq-info.ts';

/** The real-time clock's line (linux/mc146818rtc.h). */
const RTC_IRQ = 8;

export class EventIrqs extends EventPorts implements Part {
  readonly id: string;
  /** per CPU: event channels that notify it */
  private readonly channelsOn: number[];
  /** per CPU and kind: the port */
  private readonly virqPort: number[][];
  private readonly ipiPort: Map<string, number>[];
  /** numbers whose descriptors are freed after a grace period */
  private freeing: number[] = [];
  private readonly chips: EventChips;

  constructor(host: EventsHost, abi: EventAbi) {
    super(host, abi);
    this.id = `${host.id}.irq_info`;
    this.channelsOn = new Array(host.cpuCount).fill(0);
    this.virqPort = Array.from({ length: host.cpuCount }, () => []);
    this.ipiPort = Array.from({ length: host.cpuCount }, () => new Map());
    this.chips = eventChips(this, host.profile);
  }

  // binding

  /** bind_virq_to_irq. A per-CPU VIRQ's interrupt stays on its CPU. */
  bindVirq(virq: number, cpu: number, percpu: boolean, shared?: IrqDesc): IrqDesc {
    const { flows } = this.host.profile;
    const desc =
      shared ??
      (percpu
        ? this.allocate(this.chips.percpu, flows.virq)
        : this.allocate(this.chips.dynamic, flows.globalVirq));
    const port = check(this.host.hypercalls(0).bindVirq(virq, cpu), 'EVTCHNOP_bind_virq');
    this.virqPort[cpu]![virq] = port;
    this.setup(port, desc, 'virq', percpu ? cpu : 0);
    // xen_setup_timer: the timer goes before everything else
    if (virq === VIRQ_TIMER && this.host.profile.abi === 'fifo') {
      this.host.hypercalls(0).setPriority(port, EVTCHN_FIFO_PRIORITY_MAX);
    }
    return desc;
  }

  /** bind_ipi_to_irq. */
  bindIpi(kind: string, cpu: number, shared?: IrqDesc): IrqDesc {
    const desc = shared ?? this.allocate(this.chips.percpu, this.host.profile.flows.ipi);
    const port = check(this.host.hypercalls(0).bindIpi(cpu), 'EVTCHNOP_bind_ipi');
    this.ipiPort[cpu]!.set(kind, port);
    this.setup(port, desc, 'ipi', cpu);
    return desc;
  }

  /** bind_evtchn_to_irq for a port that exists already. */
  bindEvtchn(port: number, lateEoi: boolean): IrqDesc {
    const { profile } = this.host;
    const chip = lateEoi && profile.lateEoi ? this.chips.late : this.chips.dynamic;
    const desc = this.allocate(chip, profile.flows.event);
    this.setup(port, desc, 'event', 0);
    return desc;
  }

  /** An interrupt that has no channel yet, or none any more (IRQT_UNBOUND). */
  reserve(): IrqDesc {
    return this.allocate(this.chips.dynamic, this.host.profile.flows.event);
  }

  /** rebind_evtchn_irq, by code on the CPU `from`: the interrupt goes on with another channel, which notifies `cpu`. */
  rebindPort(desc: IrqDesc, port: number, cpu: number, from: number): void {
    this.setup(port, desc, 'event', 0, from);
    this.rebind(this.infos[port]!, cpu, from);
    if (desc.depth === 0) this.unmask(this.infos[port]!, EXPLICIT, from);
  }

  /** A port that a process binds through /dev/xen/evtchn: with an interrupt number of its own or, in the
   *  older trees, handed to the device by the upcall itself and in no table. */
  bindUser(port: number): IrqDesc {
    if (this.host.profile.numbering === 'sparse') return this.bindEvtchn(port, true);
    const { irqs } = this.host;
    const desc = irqs.add(irqs.nrIrqs + port, this.chips.late, null);
    this.setup(port, desc, 'event', 0);
    return desc;
  }

  bindUserVirq(virq: number): IrqDesc {
    return this.bindUser(check(this.host.hypercalls(0).bindVirq(virq, 0), 'EVTCHNOP_bind_virq'));
  }

  bindUserInterdomain(remote: number, remotePort: number): IrqDesc {
    const port = this.host.hypercalls(0).bindInterdomain(remote, remotePort);
    return this.bindUser(check(port, 'EVTCHNOP_bind_interdomain'));
  }

  override isLate(desc: IrqDesc): boolean {
    return desc.chip === this.chips.late;
  }

  /** A port for a peer to bind to, and its interrupt. */
  allocUnbound(remote: number, lateEoi: boolean): IrqDesc {
    const calls = this.host.hypercalls(0);
    const port = check(calls.allocUnbound(remote), 'EVTCHNOP_alloc_unbound');
    try {
      return this.bindEvtchn(port, lateEoi);
    } catch (error) {
      calls.close(port);
      throw error;
    }
  }

  /** bind_interdomain_evtchn_to_irq: the other end of a port that the peer made. */
  bindInterdomain(remote: number, remotePort: number, lateEoi: boolean): IrqDesc {
    const port = check(
      this.host.hypercalls(0).bindInterdomain(remote, remotePort),
      'EVTCHNOP_bind_interdomain',
    );
    return this.bindEvtchn(port, lateEoi);
  }

  /** xen_bind_pirq_gsi_to_irq: the interrupt has the number of its GSI. The port comes with the first request. */
  bindGsi(gsi: number, level: boolean): IrqDesc {
    const { irqs, profile } = this.host;
    const known = irqs.descs[gsi];
    if (known?.pirqMapped) return known;
    const pirq = check(this.host.hypercalls(0).mapPirq(0, gsi), 'PHYSDEVOP_map_pirq');
    const flow = profile.flows.pirq ?? (level ? 'ioapic-level' : 'ioapic-edge');
    const desc = known ?? irqs.add(gsi, this.chips.pirq, flow);
    desc.pirq = pirq;
    desc.pirqMapped = true;
    desc.bindcount = 1;
    return desc;
  }

  /** xen_bind_pirq_msi_to_irq: one message of a device. */
  bindMsi(device: number, msix: boolean): IrqDesc {
    const pirq = check(this.host.hypercalls(0).mapPirq(device, -1), 'PHYSDEVOP_map_pirq');
    const { profile, irqs } = this.host;
    // the older trees have interrupts and pirqs share their numbers
    const desc =
      profile.numbering === 'bindcount'
        ? irqs.descs[pirq]!
        : this.allocate(this.chips.pirq, msix ? 'msi-x' : 'msi');
    desc.pirq = pirq;
    return desc;
  }

  /** xen_destroy_irq: the pirq is free at once, the descriptor after a grace period. */
  destroyMsi(desc: IrqDesc): void {
    this.host.hypercalls(0).unmapPirq(desc.pirq);
    this.freeing.push(desc.irq);
  }

  /** A grace period is over (delayed_free_irq). */
  gracePeriod(): void {
    for (const irq of this.freeing) this.host.irqs.remove(irq);
    this.freeing = [];
  }

  /** The port that interrupts this CPU for an IPI of this kind; 0 for none. */
  ipi(kind: string, cpu: number): number {
    return this.ipiPort[cpu]!.get(kind) ?? 0;
  }

  timerPort(cpu: number): number {
    return this.virqPort[cpu]![VIRQ_TIMER] ?? 0;
  }

  private allocate(chip: IrqChip, flow: string | null): IrqDesc {
    const { irqs, dynamicBase, profile } = this.host;
    const bindcount = profile.numbering === 'bindcount';
    const end = bindcount ? dynamicBase + profile.nrDynamic : irqs.nrIrqs;
    const irq = bindcount ? irqs.findUnbound(dynamicBase, end) : irqs.lowestFree(dynamicBase);
    if (irq === undefined) {
      throw new NoSpace(`No available IRQ to bind to: ${dynamicBase} to ${end - 1} are all bound (-ENOSPC)`);
    }
    const desc = bindcount ? irqs.descs[irq]! : irqs.add(irq, chip, flow);
    desc.chip = chip;
    desc.flow = flow;
    desc.bindcount++;
    return desc;
  }

  /**
   * xen_init_IRQ of the older trees: every number has a descriptor from the start. Dynamic ones are unbound;
   * physical ones are bound for good to the pirq of the same number. A domain other than dom0 is left without
   * the real-time clock's, so that its driver fails: VIRQ_TIMER takes the clock's place.
   */
  initIrqs(initialDomain: boolean): void {
    const { irqs, dynamicBase, profile } = this.host;
    for (let irq = 0; irq < dynamicBase; irq++) {
      if (irq === RTC_IRQ && !initialDomain) continue;
      const desc = irqs.add(irq, this.chips.pirq, profile.flows.pirq);
      desc.bindcount = 1;
      desc.pirq = irq;
    }
    for (let n = 0; n < profile.nrDynamic; n++)
      irqs.add(dynamicBase + n, this.chips.dynamic, profile.flows.event);
  }

  /** unbind_from_irq: the last binding closes the port; the number is free, and its counts are gone. */
  unbind(desc: IrqDesc): void {
    if (--desc.bindcount > 0) return;
    for (const port of desc.ports) {
      const info = this.infos[port]!;
      this.mask(info, EXPLICIT);
      this.late.forget(port);
      this.host.hypercalls(0).close(port);
      this.abi.bindToCpu(port, 0);
      this.channelsOn[info.cpu]!--;
      this.infos[port] = undefined;
    }
    desc.ports.length = 0;
    desc.port = 0;
    if (this.host.profile.numbering === 'bindcount') desc.counts.fill(0);
    else this.freeing.push(desc.irq);
  }

  private setup(port: number, desc: IrqDesc, kind: IrqInfo['kind'], cpu: number, from = 0): void {
    this.abi.setup(port, from);
    if (desc.ports.length === 0) desc.port = port;
    desc.ports.push(port);
    const info = newIrqInfo(port, desc, kind);
    this.infos[port] = info;
    this.abi.bindToCpu(port, cpu);
    info.cpu = cpu;
    this.channelsOn[cpu]!++;
  }

  // who is notified

  /**
   * set_affinity_irq: of these CPUs the one that the fewest channels notify (select_target_cpu); kernels that do not spread
   * interrupts take the first.
   */
  setAffinity(desc: IrqDesc, cpus: readonly number[]): void {
    const info = this.infos[desc.port];
    if (!info) return;
    let target = cpus[0]!;
    if (this.host.profile.spreads)
      for (const cpu of cpus) if (this.channelsOn[cpu]! < this.channelsOn[target]!) target = cpu;
    this.rebind(info, target);
  }

  /** xen_rebind_evtchn_to_cpu. */
  private rebind(info: IrqInfo, cpu: number, from = 0): void {
    this.mask(info, TEMPORARY);
    if (this.host.hypercalls(from).bindVcpu(info.port, cpu) >= 0) {
      this.abi.bindToCpu(info.port, cpu);
      this.channelsOn[info.cpu]!--;
      this.channelsOn[cpu]!++;
      info.cpu = cpu;
    }
    this.unmask(info, TEMPORARY, from);
  }

  /** xen_set_irq_priority: the answer of the hypercall. */
  setPriority(desc: IrqDesc, priority: number, cpu: number): number {
    return this.host.hypercalls(cpu).setPriority(desc.port, priority);
  }

  /** PHYSDEVOP_eoi. */
  pirqEoi(desc: IrqDesc, cpu: number): void {
    this.host.hypercalls(cpu).eoi(desc.pirq);
  }

  /** __startup_pirq: only now the pirq gets a port. The older trees share any line with other domains, pvops level ones. */
  startPirq(desc: IrqDesc): void {
    const calls = this.host.hypercalls(0);
    if (desc.ports.length === 0) {
      const shareable = this.host.profile.maskWhileHandled || desc.flow === 'ioapic-level';
      const port = check(calls.bindPirq(desc.pirq, shareable), 'EVTCHNOP_bind_pirq');
      this.setup(port, desc, 'pirq', 0);
    }
    this.unmask(this.infoOf(desc, 0), EXPLICIT, 0);
  }

  /** __shutdown of a pirq: its port is closed. */
  stopPirq(desc: IrqDesc): void {
    this.closePort(desc, 0);
  }

  /** EVTCHNOP_close of the interrupt's only channel. */
  closePort(desc: IrqDesc, cpu: number): void {
    const info = this.infoOf(desc, 0);
    this.mask(info, EXPLICIT);
    this.host.hypercalls(cpu).close(info.port);
    this.channelsOn[info.cpu]!--;
    this.forget(info);
  }

  private forget({ port, desc }: IrqInfo): void {
    this.infos[port] = undefined;
    desc.ports.splice(desc.ports.indexOf(port), 1);
    desc.port = desc.ports[0] ?? 0;
  }

  /** Must Xen be told when this physical interrupt is over? */
  needsEoi(desc: IrqDesc): boolean {
    return this.host.hypercalls(0).needsEoi(desc.pirq);
  }

  save(): Plain {
    return {
      infos: this.infos.filter((info) => info !== undefined).map(saved),
      channelsOn: this.channelsOn,
      late: this.late.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { infos: number[][]; channelsOn: number[]; late: Plain };
    const irqOf = new Map(s.infos.map((fields) => [fields[0]!, fields.at(-1)!]));
    // a driver may have another channel by now than it had at boot
    for (const info of [...this.infos]) if (info && irqOf.get(info.port) !== info.desc.irq) this.forget(info);
    for (const [port, cpu, maskReason, active, spurious, eoiTime, eoiCpu, epoch, irq] of s.infos) {
      const info = this.infos[port!] ?? this.adopt(port!, this.host.irqs.descs[irq!]!);
      info.cpu = cpu!;
      info.maskReason = maskReason!;
      info.active = active === 1;
      info.spurious = spurious!;
      info.eoiTime = eoiTime!;
      info.eoiCpu = eoiCpu!;
      info.epoch = epoch!;
    }
    s.channelsOn.forEach((n, cpu) => {
      this.channelsOn[cpu] = n;
    });
    this.late.restore(s.late);
  }

  private adopt(port: number, desc: IrqDesc): IrqInfo {
    const info = newIrqInfo(port, desc, 'event');
    this.infos[port] = info;
    desc.ports.push(port);
    desc.port = desc.ports[0]!;
    return info;
  }
}

function saved({ port, cpu, maskReason, active, spurious, eoiTime, eoiCpu, epoch, desc }: IrqInfo): number[] {
  return [port, cpu, maskReason, Number(active), spurious, eoiTime, eoiCpu, epoch, desc.irq];
}
