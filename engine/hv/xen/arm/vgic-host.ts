/** What the virtual GIC needs of the rest of Xen. */
import type { GicCpu } from './gic-hw.ts';
import type { HwIrq, PendingIrq } from './pending-irq.ts';
import type { VgicVcpu } from './vgic-domain.ts';

export interface VgicHost {
  // virtual CPUs

  /** vcpu_kick, by the CPU `here`: wakes it, or makes its CPU, if that is another, leave the guest. */
  kick(here: GicCpu, v: VgicVcpu): void;
  /** it has been brought up (not _VPF_down) */
  isOnline(v: VgicVcpu): boolean;
  /** the physical CPU it runs on, or ran on last */
  processor(v: VgicVcpu): number;

  // physical interrupts, done by the CPU `here`

  /** desc->handler->enable: clears IRQ_DISABLED, and lets it through at the distributor */
  enable(here: GicCpu, desc: HwIrq): void;
  /** desc->handler->disable: sets IRQ_DISABLED */
  disable(here: GicCpu, desc: HwIrq): void;
  /** gic_set_pending_state(desc, true) */
  setPending(here: GicCpu, desc: HwIrq): void;
  /** gic_set_irq_type */
  setType(here: GicCpu, desc: HwIrq, edge: boolean): void;
  /** irq_set_affinity */
  setAffinity(here: GicCpu, desc: HwIrq, cpu: number): void;

  readonly raises: VgicRaises;
  /** a line on Xen's console */
  printk?(line: string): void;
}

/** What becomes of raises, told as it happens. One waits in one of two places: in the queue, or in a list register. */
export interface VgicRaises {
  /** A raise is queued; one that was there already takes it in. */
  raised(p: PendingIrq, v: VgicVcpu): void;
  /** A raise goes nowhere. */
  ignored(p: PendingIrq, v: VgicVcpu, why: string): void;
  /** What is queued is pending in a list register from now on; one that was there already takes it in. */
  entersLr(p: PendingIrq): void;
  /** What is pending in a list register is queued once more. */
  leavesLr(p: PendingIrq): void;
  /** What is queued is lost. */
  lost(p: PendingIrq, why: string): void;
}

/** Nobody keeps books. */
export const NO_RAISES: VgicRaises = { raised() {}, ignored() {}, entersLr() {}, leavesLr() {}, lost() {} };
