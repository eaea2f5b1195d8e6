/**
 * The hypercalls of a paravirtual guest (xen/arch/x86/hypercall.c and what it leads to), one object for each
 * virtual CPU. Each charges the trip into Xen; events sent on the way are done in the name of the channel
 * they were sent on.
 */
import type { Hypercalls } from '../../../abi/hypercalls.ts';
import { DOMID_SELF, EINVAL, ENOSPC } from '../../../abi/xen.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Vcpu } from '../../pcpu.ts';
import type { Domain } from '../domain.ts';
import type { Xen } from './xen.ts';

/** What a domain's hardware answers to PHYSDEVOP_map_pirq; only dom0 has any. */
export interface PirqSource {
  /** true: the device's messages are MSI-X */
  msix(device: number): boolean;
  /** true: a level line */
  level(gsi: number): boolean;
}

export class PvHypercalls implements Hypercalls {
  private readonly tpSend: Tracepoint;

  constructor(
    protected readonly xen: Xen,
    protected readonly domain: Domain,
    private readonly v: Vcpu,
    private readonly pirqs: PirqSource,
  ) {
    this.tpSend = xen.trace.point('evtchn_send', 'dom', 'port');
  }

  allocUnbound(remote: number): number {
    this.enter();
    return this.xen.channels.allocUnbound(this.domain.id, DOMID_SELF, remote);
  }

  bindInterdomain(remote: number, remotePort: number): number {
    this.enter();
    this.xen.beginOwn();
    return this.xen.channels.bindInterdomain(this.domain.id, remote, remotePort);
  }

  bindVirq(virq: number, vcpu: number): number {
    this.enter();
    return this.xen.channels.bindVirq(this.domain.id, virq, vcpu);
  }

  bindIpi(vcpu: number): number {
    this.enter();
    return this.xen.channels.bindIpi(this.domain.id, vcpu);
  }

  bindPirq(pirq: number, willShare = false): number {
    this.enter();
    return this.xen.channels.bindPirq(this.domain.id, pirq, willShare);
  }

  close(port: number): number {
    this.enter();
    return this.xen.channels.close(this.domain.id, port);
  }

  send(port: number): number {
    this.enter();
    const { xen, domain } = this;
    const journey = xen.books.begin(domain.source(port));
    xen.trace.emit(this.tpSend, xen.stamp, journey, this.v.processor, domain.id, port);
    return xen.channels.send(domain.id, port);
  }

  bindVcpu(port: number, vcpu: number): number {
    this.enter();
    return this.xen.channels.bindVcpu(this.domain.id, port, vcpu);
  }

  unmask(port: number): number {
    this.enter();
    this.xen.beginOwn();
    return this.xen.channels.unmask(this.domain.id, port);
  }

  initControl(vcpu: number, gfn: number, offset: number): number {
    this.enter();
    return this.xen.channels.initControl(this.domain.id, vcpu, gfn, offset);
  }

  expandArray(gfn: number): number {
    this.enter();
    this.xen.beginOwn();
    return this.xen.channels.expandArray(this.domain.id, gfn);
  }

  setPriority(port: number, priority: number): number {
    this.enter();
    return this.xen.channels.setPriority(this.domain.id, port, priority);
  }

  setTimer(when: Ns | undefined): void {
    this.enter();
    this.xen.setTimer(this.v, when);
  }

  /** A GSI keeps its number as pirq; a message takes the highest free one (get_free_pirq). */
  mapPirq(device: number, gsi: number): number {
    this.enter();
    const { irqs } = this.xen;
    const { id, init } = this.domain;
    if (gsi >= 0) {
      if (gsi >= irqs.gsis) return -EINVAL;
      const r = irqs.table.mapGsi(gsi, this.pirqs.level(gsi), id, gsi);
      return r < 0 ? r : gsi;
    }
    let pirq = init.nrPirqs - 1;
    while (pirq >= irqs.gsis && this.xen.irqOf(id, pirq) >= 0) pirq--;
    if (pirq < irqs.gsis) return -ENOSPC;
    const r = irqs.table.mapMsi(this.pirqs.msix(device), id, pirq);
    return r < 0 ? r : pirq;
  }

  unmapPirq(pirq: number): number {
    this.enter();
    if (this.xen.irqOf(this.domain.id, pirq) < 0) return -EINVAL;
    this.xen.irqs.unmap(this.domain.id, pirq);
    return 0;
  }

  eoi(pirq: number): number {
    this.enter();
    if (this.xen.irqOf(this.domain.id, pirq) < 0) return -EINVAL;
    this.xen.irqs.guests.guestEoi(this.domain.id, pirq);
    return 0;
  }

  needsEoi(pirq: number): boolean {
    return this.xen.irqs.needsEoi(this.domain.id, pirq);
  }

  /** The trip into Xen. */
  protected enter(): void {
    if (this.v.state !== 'offline') this.v.cpu.charge(timing.hypercall);
  }
}
