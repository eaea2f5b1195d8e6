/**
 * A virtual CPU of a paravirtual guest: it is interrupted by upcalls, which Xen makes on the way into the guest
 * (test_all_events of xen/arch/x86/x86_64/entry.S, vcpu_block and do_poll of xen/common/sched).
 */
import {
  HYPERVISOR_IRET,
  HYPERVISOR_SCHED_OP,
  SCHEDOP_BLOCK,
  SCHEDOP_POLL,
} from '../../../abi/hypercall-numbers.ts';
import type { Plain } from '../../../core/state.ts';
import type { GuestEntry, VirtualCpu } from '../../../hw/x86/cpu.ts';
import { pvHypercall, timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import { Vcpu } from '../../vcpu.ts';

/** What Xen does for it. */
export interface PvHost {
  /** An event is to be delivered now, in place of going on. */
  injects(v: PvVcpu): boolean;
  /** SCHEDOP_block: sets `blocked` and asks for scheduling, unless an event is there already. */
  block(v: PvVcpu): void;
  /** SCHEDOP_poll: the same, unless there is no reason to sleep. */
  poll(v: PvVcpu, port: number): void;
  /** trace_hypercall */
  traceHypercall(v: PvVcpu, op: number, command: number): void;
  /** A machine check is to be delivered now: were upcalls let in? They are masked then. undefined: there is none. */
  injectsMachineCheck(v: PvVcpu): boolean | undefined;
  /** HYPERVISOR_iret at the end of its handler. */
  machineCheckReturn(v: PvVcpu): void;
  /** A non-maskable interrupt is to be delivered now. */
  injectsNmi(v: PvVcpu): boolean;
}

export class PvVcpu extends Vcpu implements VirtualCpu {
  entry!: GuestEntry;
  /** a non-maskable interrupt waits (nmi_pending) */
  nmiPending = false;

  constructor(
    private readonly xen: PvHost,
    index: number,
    domain: number,
    vcpu: number,
    cpu: Pcpu,
    affinity: readonly number[],
  ) {
    super(index, domain, vcpu, cpu, affinity);
  }

  block(): void {
    this.left = 0;
    this.xen.traceHypercall(this, HYPERVISOR_SCHED_OP, SCHEDOP_BLOCK);
    this.cpu.charge(pvHypercall());
    this.xen.block(this);
  }

  poll(port: number): void {
    this.left = 0;
    this.xen.traceHypercall(this, HYPERVISOR_SCHED_OP, SCHEDOP_POLL);
    this.cpu.charge(pvHypercall());
    this.xen.poll(this, port);
  }

  stretchOver(): void {
    this.entry.done();
  }

  machineCheckReturn(): void {
    this.cpu.charge(pvHypercall());
    this.xen.machineCheckReturn(this);
  }

  enter(interrupted: boolean): boolean {
    const upcalls = this.xen.injectsMachineCheck(this);
    if (upcalls !== undefined) {
      this.cpu.charge(timing.irqEntry);
      const { left } = this;
      this.left = -1;
      this.entry.machineCheck(left, upcalls);
      return true;
    }
    if (this.xen.injectsNmi(this)) {
      this.cpu.charge(timing.irqEntry);
      const { left } = this;
      this.left = -1;
      this.entry.nmi(left);
      return true;
    }
    if (this.xen.injects(this)) {
      this.cpu.charge(timing.irqEntry);
      this.upcalls++;
      const { left } = this;
      this.left = -1;
      this.entry.upcall(left);
      return true;
    }
    if (interrupted) this.cpu.charge(timing.irqEntry);
    return false;
  }

  /** HYPERVISOR_iret at the end of the NMI's handler. */
  nmiReturn(): void {
    this.upcallReturn();
    this.cpu.charge(pvHypercall());
  }

  upcallReturn(): void {
    this.xen.traceHypercall(this, HYPERVISOR_IRET, 0);
  }

  override save(): Plain {
    return [super.save(), this.nmiPending];
  }

  override restore(saved: Plain): void {
    const [common, nmiPending] = saved as [Plain, boolean];
    super.restore(common);
    this.nmiPending = nmiPending;
  }
}
