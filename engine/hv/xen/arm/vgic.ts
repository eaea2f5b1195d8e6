/**
 * Interrupts for guests (xen/arch/arm/vgic.c): injection, what a guest's writes to the distributor do to interrupts that
 * are on their way, and their moving from one virtual CPU to another.
 */
import type { GicCpu } from './gic-hw.ts';
import { GicVgic } from './gic-vgic.ts';
import {
  GIC_IRQ_GUEST_ENABLED,
  GIC_IRQ_GUEST_MIGRATING,
  GIC_IRQ_GUEST_QUEUED,
  GIC_IRQ_GUEST_VISIBLE,
  type PendingIrq,
} from './pending-irq.ts';
import { NR_LOCAL_IRQS, type VgicDomain, type VgicRank, type VgicVcpu } from './vgic-domain.ts';
import type { VgicHost } from './vgic-host.ts';

/**
 * What became of a raise: waits for the guest; was one with another that waits; was lost, because the guest is busy with
 * the same physical interrupt; dropped, because the virtual CPU is not up; nothing, since the line fell.
 */
export type Injected = 'queued' | 'coalesced' | 'lost' | 'dropped' | 'nothing';

export class Vgic {
  readonly gic: GicVgic;

  constructor(readonly host: VgicHost) {
    this.gic = new GicVgic(host);
  }

  /**
   * vgic_inject_irq. A falling edge means nothing, even of a level.
   * @param v null: an SPI, for whoever is its target
   */
  injectIrq(here: GicCpu, d: VgicDomain, v: VgicVcpu | null, irq: number, level = true): Injected {
    if (!level) return 'nothing';
    const to = v ?? d.target(d.vcpus[0]!, irq);
    const p = d.pendingOf(to, irq);
    if (!this.host.isOnline(to)) {
      this.host.raises.ignored(p, to, 'offline');
      return 'dropped';
    }
    const waited = (p.status & GIC_IRQ_GUEST_QUEUED) !== 0;
    this.host.raises.raised(p, to);
    const became = this.queue(here, to, p);
    return waited && became === 'queued' ? 'coalesced' : became;
  }

  /** The rest of vgic_inject_irq: puts it in flight, by priority and behind its equals, and kicks its virtual CPU. */
  private queue(here: GicCpu, v: VgicVcpu, p: PendingIrq): Injected {
    let became: Injected = 'queued';
    p.status |= GIC_IRQ_GUEST_QUEUED;
    if (p.inflight) became = this.gic.raiseInflightIrq(here, v, p);
    else {
      const priority = priorityOf(v, p.irq);
      p.priority = priority;
      if (p.status & GIC_IRQ_GUEST_ENABLED) this.gic.raiseGuestIrq(here, v, p);
      const { queues } = v;
      let at = queues.inflightNext;
      while (at !== queues && at.priority <= priority) at = at.inflightNext;
      p.insertInflight(at);
    }
    this.host.kick(here, v);
    return became;
  }

  // the distributor

  /** vgic_enable_irqs: what is in flight and in no register is raised. @param bits interrupts of the rank */
  enableIrqs(here: GicCpu, v: VgicVcpu, bits: number, rank: VgicRank): void {
    const d = v.domain;
    for (let i = 0; i < 32; i++) {
      if (!((bits >>> i) & 1)) continue;
      const irq = rank.index * 32 + i;
      const target = d.target(v, irq);
      const p = d.pendingOf(target, irq);
      p.status |= GIC_IRQ_GUEST_ENABLED;
      if (p.inflight && !(p.status & GIC_IRQ_GUEST_VISIBLE)) this.gic.raiseGuestIrq(here, target, p);
      if (p.desc === null) continue;
      this.host.setAffinity(here, p.desc, this.host.processor(target));
      if (d.hardware)
        this.host.setType(here, p.desc, ((rank.icfg[i >> 4]! >>> ((i & 15) * 2 + 1)) & 1) === 1);
      this.host.enable(here, p.desc);
    }
  }

  /** vgic_disable_irqs: none waits for a register; what is in one stays there. */
  disableIrqs(here: GicCpu, v: VgicVcpu, bits: number, rank: VgicRank): void {
    for (let i = 0; i < 32; i++) {
      if (!((bits >>> i) & 1)) continue;
      const irq = rank.index * 32 + i;
      const p = v.domain.pendingOf(v.domain.target(v, irq), irq);
      p.status &= ~GIC_IRQ_GUEST_ENABLED;
      p.removeLrPending();
      if (p.desc !== null) this.host.disable(here, p.desc);
    }
  }

  /** vgic_set_irqs_pending: a physical one is made pending where it comes from. */
  setIrqsPending(here: GicCpu, v: VgicVcpu, bits: number, rank: VgicRank): void {
    const d = v.domain;
    for (let i = 0; i < 32; i++) {
      if (!((bits >>> i) & 1)) continue;
      const irq = rank.index * 32 + i;
      const desc = irq < NR_LOCAL_IRQS ? null : d.pendingOf(v, irq).desc;
      if (desc !== null) this.host.setPending(here, desc);
      else this.injectIrq(here, d, irq < NR_LOCAL_IRQS ? v : null, irq);
    }
  }

  /** vgic_check_inflight_irqs_pending: clearing is not supported; Xen says so if there is something to clear. */
  checkInflightIrqsPending(v: VgicVcpu, bits: number, rank: VgicRank): void {
    if (!this.host.printk) return;
    for (let i = 0; i < 32; i++) {
      if (!((bits >>> i) & 1)) continue;
      const irq = rank.index * 32 + i;
      const p = v.domain.pendingOf(v.domain.target(v, irq), irq);
      if (p.inflight)
        this.host.printk(`d${v.domain.domain}v${v.id} trying to clear pending interrupt ${irq}.`);
    }
  }

  // SGIs (vgic_to_sgi), sent by the virtual CPU that runs here

  /** SGI_TARGET_LIST: to those of a list of 16; who is not there or not up gets none. */
  sgiToList(here: GicCpu, d: VgicDomain, irq: number, first: number, list: number): void {
    for (let i = 0; i < 16; i++) {
      if (!((list >>> i) & 1)) continue;
      const v = d.vcpus[first + i];
      if (v && this.host.isOnline(v)) this.injectIrq(here, d, v, irq);
    }
  }

  /** SGI_TARGET_OTHERS */
  sgiToOthers(here: GicCpu, d: VgicDomain, irq: number): void {
    for (const v of d.vcpus) {
      if (v !== here.current && this.host.isOnline(v)) this.injectIrq(here, d, v, irq);
    }
  }

  /** SGI_TARGET_SELF */
  sgiToSelf(here: GicCpu, v: VgicVcpu, irq: number): void {
    this.injectIrq(here, v.domain, v, irq);
  }

  // moving

  /**
   * vgic_migrate_irq: an SPI gets another target. One that waits goes there at once; one in a list register stays until
   * the guest is done with it. Only physical ones: a virtual one stays on the lists it is on.
   * @returns false: it is on its way to another already
   */
  migrateIrq(here: GicCpu, old: VgicVcpu, to: VgicVcpu, irq: number): boolean {
    const p = old.domain.pendingOf(old, irq);
    const { desc } = p;
    if (desc === null) return true;
    if (p.status & GIC_IRQ_GUEST_MIGRATING) {
      const who = here.current?.name ?? 'idle';
      this.host.printk?.(`${who} irq ${irq} migration failed: requested while in progress`);
      return false;
    }
    if (!p.inflight) this.host.setAffinity(here, desc, this.host.processor(to));
    else if (p.lrPending) this.requeue(here, to, p);
    else p.status |= GIC_IRQ_GUEST_MIGRATING;
    return true;
  }

  /** It waits for its new target from now on: no new raise. */
  private requeue(here: GicCpu, to: VgicVcpu, p: PendingIrq): void {
    p.status &= ~GIC_IRQ_GUEST_QUEUED;
    p.removeInflight();
    p.removeLrPending();
    this.host.setAffinity(here, p.desc!, this.host.processor(to));
    if (this.host.isOnline(to)) this.queue(here, to, p);
    else this.host.raises.lost(p, 'offline');
  }

  /** arch_move_irqs: a virtual CPU has moved to another CPU, and its physical interrupts go there. */
  moveIrqs(here: GicCpu, v: VgicVcpu): void {
    const d = v.domain;
    const cpu = this.host.processor(v);
    for (const p of d.spis) {
      if (p.desc === null || p.status & GIC_IRQ_GUEST_MIGRATING) continue;
      if (d.target(v, p.irq) === v) this.host.setAffinity(here, p.desc, cpu);
    }
  }

  /** vgic_clear_pending_irqs: a virtual CPU is brought up. Its lists are emptied; what was on them keeps its status. */
  clearPendingIrqs(v: VgicVcpu): void {
    while (v.queues.inflight) v.queues.inflightNext.removeInflight();
    this.gic.clearPendingIrqs(v);
  }
}

/** vgic_get_virq_priority */
function priorityOf(v: VgicVcpu, irq: number): number {
  return v.domain.rank(v, irq >> 5)!.priority[irq & 31]!;
}
