/**
 * The hypercalls of a paravirtual guest (xen/arch/x86/hypercall.c and what it leads to), one object for each
 * virtual CPU: those of event channels, its timer, and physical interrupts.
 */

import {
  HYPERVISOR_EVTCHN_OP,
  HYPERVISOR_PHYSDEV_OP,
  HYPERVISOR_VCPU_OP,
  VCPUOP_SET_SINGLESHOT_TIMER,
  VCPUOP_STOP_SINGLESHOT_TIMER,
} from '../../../abi/hypercall-numbers.ts';
import type { Hypercalls } from '../../../abi/hypercalls.ts';
import { EINVAL, ENOSPC } from '../../../abi/xen.ts';
import type { Ns } from '../../../core/clock.ts';
import { pvHypercall } from '../../../timing.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { Domain } from '../domain.ts';
import { EvtchnCalls } from '../evtchn-calls.ts';
import type { Xen } from './xen.ts';

/** What a domain's hardware answers to PHYSDEVOP_map_pirq; only dom0 has any. */
export interface PirqSource {
  /** true: the device's messages are MSI-X */
  msix(device: number): boolean;
  /** true: a level line */
  level(gsi: number): boolean;
}

export class PvHypercalls extends EvtchnCalls implements Hypercalls {
  constructor(
    protected readonly xen: Xen,
    domain: Domain,
    v: Vcpu,
    private readonly pirqs: PirqSource,
  ) {
    super(xen, domain, v);
  }

  setTimer(when: Ns | undefined): void {
    const command = when === undefined ? VCPUOP_STOP_SINGLESHOT_TIMER : VCPUOP_SET_SINGLESHOT_TIMER;
    this.enter(HYPERVISOR_VCPU_OP, command);
    this.xen.setTimer(this.v, when);
  }

  /** A GSI keeps its number as pirq; a message takes the highest free one (get_free_pirq). */
  mapPirq(device: number, gsi: number): number {
    this.enter(HYPERVISOR_PHYSDEV_OP);
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
    this.enter(HYPERVISOR_PHYSDEV_OP);
    if (this.xen.irqOf(this.domain.id, pirq) < 0) return -EINVAL;
    this.xen.irqs.unmap(this.domain.id, pirq);
    return 0;
  }

  eoi(pirq: number): number {
    this.enter(HYPERVISOR_PHYSDEV_OP);
    if (this.xen.irqOf(this.domain.id, pirq) < 0) return -EINVAL;
    this.xen.irqs.guests.guestEoi(this.domain.id, pirq);
    return 0;
  }

  needsEoi(pirq: number): boolean {
    return this.xen.irqs.needsEoi(this.domain.id, pirq);
  }

  /** The trip into Xen. */
  protected enter(op = HYPERVISOR_EVTCHN_OP, command = 0): void {
    const { v, xen } = this;
    if (v.state === 'offline') return;
    xen.traceHypercall(v, op, command);
    v.cpu.charge(pvHypercall());
  }
}
