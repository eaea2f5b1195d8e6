/**
 * From a virtual CPU's interrupts to list registers and back (xen/arch/arm/gic-vgic.c). In the order an interrupt meets
 * them: `raiseGuestIrq` gives it a list register at once or lets it wait; `syncToLrs`, on the way into the guest, gives
 * those that wait the registers that are left, or those of less urgent ones; `syncFromLrs`, on the way out, takes back
 * what the guest is done with.
 *
 * `here` is the physical CPU whose Xen runs this: what Xen calls this_cpu and, by `here.current`, current.
 *
 * Xen is a release build: it leaves list registers that it frees as they are.
 */
import { lowestBit } from '../../../core/bits.ts';
import { HCR_UIE } from '../../../hw/arm/virtual-regs.ts';
import { GICH_LR_PENDING, type GicCpu, GicLr } from './gic-hw.ts';
import {
  GIC_INVALID_LR,
  GIC_IRQ_GUEST_ACTIVE,
  GIC_IRQ_GUEST_ENABLED,
  GIC_IRQ_GUEST_MIGRATING,
  GIC_IRQ_GUEST_QUEUED,
  GIC_IRQ_GUEST_VISIBLE,
  IRQ_INPROGRESS,
  type PendingIrq,
} from './pending-irq.ts';
import type { VgicVcpu } from './vgic-domain.ts';
import type { VgicHost } from './vgic-host.ts';

/** What became of a raise that found its interrupt in flight. */
export type Reraised = 'queued' | 'coalesced' | 'lost';

export class GicVgic {
  private readonly lr = new GicLr();

  constructor(private readonly host: VgicHost) {}

  // into a list register

  /** gic_raise_guest_irq: at once only if its virtual CPU runs here and nothing waits. */
  raiseGuestIrq(here: GicCpu, v: VgicVcpu, p: PendingIrq): void {
    if (here.current === v && v.queues.lrNext === v.queues) {
      const lr = unusedLr(here, 0);
      if (lr < here.hw.nrLrs) {
        here.lrMask |= 1 << lr;
        this.setLr(here, lr, p);
        return;
      }
    }
    addToLrPending(v, p);
  }

  private setLr(here: GicCpu, lr: number, p: PendingIrq): void {
    const { desc } = p;
    here.hw.updateLr(lr, p.irq, p.priority, desc === null ? -1 : desc.irq, GICH_LR_PENDING);
    p.status = (p.status | GIC_IRQ_GUEST_VISIBLE) & ~GIC_IRQ_GUEST_QUEUED;
    p.lr = lr;
    this.host.raises.entersLr(p);
  }

  /** gic_raise_inflight_irq: it has been raised again. A disabled one, and one that waits, is left as it is. */
  raiseInflightIrq(here: GicCpu, v: VgicVcpu, p: PendingIrq): Reraised {
    if (!(p.status & GIC_IRQ_GUEST_ENABLED) || p.lrPending || here.current !== v) return 'queued';
    return this.updateOneLr(here, v, p.lr);
  }

  // out of a list register

  /** vgic_sync_from_lrs: the guest has stopped; what it did is taken over. Nothing to do when it was the idle one. */
  syncFromLrs(here: GicCpu): void {
    const v = here.current;
    if (v === null) return;
    here.hw.updateHcrStatus(HCR_UIE, false);
    for (let lr = 0; here.lrMask >>> lr !== 0; lr++) {
      if ((here.lrMask >>> lr) & 1) this.updateOneLr(here, v, lr);
    }
  }

  /**
   * gic_update_one_lr: still active, then a raise since makes it pending once more, unless it is a physical one; still
   * pending, then a raise since is one with it; else the register is free, and the interrupt, if raised since, is raised
   * anew.
   */
  private updateOneLr(here: GicCpu, v: VgicVcpu, n: number): Reraised {
    const { lr } = this;
    if (n >= here.hw.nrLrs) throw new Error(`there is no list register ${n}`);
    here.hw.readLr(n, lr);
    const p = v.domain.pendingOf(v, lr.virq);
    if (lr.active) return this.stillActive(here, n, p);
    if (lr.pending) {
      if (!(p.status & GIC_IRQ_GUEST_QUEUED)) return 'coalesced';
      p.status &= ~GIC_IRQ_GUEST_QUEUED;
      this.host.raises.entersLr(p);
      return 'coalesced';
    }
    here.lrMask &= ~(1 << n);
    if (p.desc !== null) p.desc.status &= ~IRQ_INPROGRESS;
    p.status &= ~(GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_ACTIVE);
    p.lr = GIC_INVALID_LR;
    const again = GIC_IRQ_GUEST_ENABLED | GIC_IRQ_GUEST_QUEUED;
    if ((p.status & (again | GIC_IRQ_GUEST_MIGRATING)) === again) this.raiseGuestIrq(here, v, p);
    else this.landed(here, v, p);
    return 'queued';
  }

  private stillActive(here: GicCpu, n: number, p: PendingIrq): Reraised {
    const { lr } = this;
    p.status |= GIC_IRQ_GUEST_ACTIVE;
    const again = GIC_IRQ_GUEST_ENABLED | GIC_IRQ_GUEST_QUEUED;
    if ((p.status & again) !== again) return 'queued';
    p.status &= ~GIC_IRQ_GUEST_QUEUED;
    if (p.desc !== null) {
      this.host.raises.lost(p, 'already active');
      return 'lost';
    }
    const coalesced = lr.pending;
    lr.pending = true;
    here.hw.writeLr(n, lr);
    this.host.raises.entersLr(p);
    return coalesced ? 'coalesced' : 'queued';
  }

  /** It is no longer in flight; a physical one whose target has changed goes there from now on. */
  private landed(here: GicCpu, v: VgicVcpu, p: PendingIrq): void {
    p.removeInflight();
    if (!(p.status & GIC_IRQ_GUEST_MIGRATING)) return;
    if (p.desc !== null) this.host.setAffinity(here, p.desc, this.host.processor(v.domain.target(v, p.irq)));
    p.status &= ~GIC_IRQ_GUEST_MIGRATING;
  }

  // into the guest

  /** vgic_sync_to_lrs: UIE when some still wait and all registers are taken. */
  syncToLrs(here: GicCpu): void {
    const v = here.current;
    if (v === null) return;
    const { queues } = v;
    if (queues.lrNext === queues) return;
    this.restorePendingIrqs(here, v);
    if (queues.lrNext !== queues && here.lrMask === (1 << here.hw.nrLrs) - 1) {
      here.hw.updateHcrStatus(HCR_UIE, true);
    }
  }

  /**
   * gic_restore_pending_irqs. With no register left, the last one in flight that is in a register and not active gives
   * up its own; equal priority ends it all. The search for the next goes on from there.
   */
  private restorePendingIrqs(here: GicCpu, v: VgicVcpu): void {
    const { nrLrs } = here.hw;
    let from = v.queues;
    let left = nrLrs;
    let lr = 0;
    let next: PendingIrq;
    for (let p = v.queues.lrNext; p !== v.queues; p = next) {
      next = p.lrNext;
      lr = unusedLr(here, lr);
      if (lr >= nrLrs) {
        const victim = findVictim(from, p.priority);
        if (victim === null) return;
        lr = victim.lr;
        this.evict(v, victim);
        from = victim;
      }
      this.setLr(here, lr, p);
      p.removeLrPending();
      here.lrMask |= 1 << lr;
      if (--left === 0) return;
    }
  }

  private evict(v: VgicVcpu, victim: PendingIrq): void {
    victim.lr = GIC_INVALID_LR;
    victim.status = (victim.status | GIC_IRQ_GUEST_QUEUED) & ~GIC_IRQ_GUEST_VISIBLE;
    addToLrPending(v, victim);
    this.host.raises.leavesLr(victim);
  }

  /** gic_clear_pending_irqs, for a virtual CPU that is brought up anew. */
  clearPendingIrqs(v: VgicVcpu): void {
    v.lrMask = 0;
    while (v.queues.lrPending) v.queues.lrNext.removeLrPending();
  }

  // questions

  /**
   * vgic_vcpu_pending_irq: has the guest here an interrupt to handle? Looks at what is in flight, in order, up to what
   * the priority mask or an active priority keeps out.
   */
  vcpuPendingIrq(here: GicCpu): boolean {
    const { hw, current } = here;
    const apr = hw.readApr();
    const mask = hw.readVmcrPriority();
    const active = apr === 0 ? 32 : lowestBit(apr);
    if (current === null) return false;
    for (let p = current.queues.inflightNext; p !== current.queues; p = p.inflightNext) {
      const level = p.priority >> 3;
      if (level >= mask || level >= active) return false;
      if (p.status & GIC_IRQ_GUEST_ENABLED) return true;
    }
    return false;
  }

  /** vgic_evtchn_irq_pending, which answers the reverse of what its name says: the interrupt is not in flight. */
  evtchnIrqPending(v: VgicVcpu, irq: number): boolean {
    return !v.domain.pendingOf(v, irq).inflight;
  }

  // context switches

  /** gic_save_state: nothing for the idle one. */
  saveState(here: GicCpu): void {
    const v = here.current;
    if (v === null) return;
    v.lrMask = here.lrMask;
    here.hw.saveState(v.gic);
  }

  /** gic_restore_state, of the virtual CPU that is `current` from now on; null: the idle one, whose registers stay. */
  restoreState(here: GicCpu, v: VgicVcpu | null): void {
    here.current = v;
    if (v === null) return;
    here.lrMask = v.lrMask;
    here.hw.restoreState(v.gic);
  }
}

/** gic_find_unused_lr: the first free one from `lr` on; the number there are, when there is none. */
function unusedLr(here: GicCpu, lr: number): number {
  const { nrLrs } = here.hw;
  const free = ~here.lrMask & ((1 << nrLrs) - 1) & (-1 << lr);
  return free === 0 ? nrLrs : lowestBit(free);
}

/** gic_add_to_lr_pending: by priority, behind its equals. */
function addToLrPending(v: VgicVcpu, p: PendingIrq): void {
  if (p.lrPending) return;
  const { queues } = v;
  let at = queues.lrNext;
  while (at !== queues && at.priority <= p.priority) at = at.lrNext;
  p.insertLrPending(at);
}

/** Back from `from` through those in flight; the list's head, which may lie on the way, is passed over. */
function findVictim(from: PendingIrq, priority: number): PendingIrq | null {
  for (let p = from.inflightPrev; p !== from; p = p.inflightPrev) {
    if (p.priority === priority) return null;
    if ((p.status & (GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_ACTIVE)) === GIC_IRQ_GUEST_VISIBLE) return p;
  }
  return null;
}
