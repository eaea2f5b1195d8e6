/**
 * The hypercalls of an HVM guest: the same as a paravirtual one's, but made by VMCALL (hvm_hypercall), and its pirqs are
 * those of emulated devices (hvm_physdev_op of xen/arch/x86/hvm/hypercall.c).
 */
import { HYPERVISOR_HVM_OP, HYPERVISOR_PHYSDEV_OP } from '../../../abi/hypercall-numbers.ts';
import { EINVAL } from '../../../abi/xen.ts';
import type { Domain } from '../domain.ts';
import type { HvmCpu } from './hvm-cpu.ts';
import type { HvmDomain } from './hvm-domain.ts';
import { PvHypercalls } from './pv.ts';
import type { Xen } from './xen.ts';

/** An HVM guest has no hardware of its own to ask about. */
const NO_HARDWARE = { msix: () => false, level: () => false };

export class HvmHypercalls extends PvHypercalls {
  constructor(
    xen: Xen,
    domain: Domain,
    private readonly hvm: HvmDomain,
    private readonly cpu: HvmCpu,
  ) {
    super(xen, domain, cpu.v, NO_HARDWARE);
  }

  override mapPirq(_device: number, gsi: number): number {
    this.enter(HYPERVISOR_PHYSDEV_OP);
    return gsi < 0 ? -EINVAL : this.hvm.mapPirq(gsi);
  }

  override unmapPirq(pirq: number): number {
    this.enter(HYPERVISOR_PHYSDEV_OP);
    this.hvm.unmapPirq(pirq);
    return 0;
  }

  override eoi(pirq: number): number {
    this.enter(HYPERVISOR_PHYSDEV_OP);
    this.hvm.pirqEoi(pirq);
    return 0;
  }

  /** PHYSDEVOP_irq_status_query says yes to whoever has no pirq_eoi_map. */
  override needsEoi(): boolean {
    return true;
  }

  /** HVMOP_set_evtchn_upcall_vector */
  setUpcallVector(vcpu: number, vector: number): number {
    this.enter(HYPERVISOR_HVM_OP);
    return this.hvm.irq.setUpcallVector(vcpu, vector);
  }

  /** HVM_PARAM_CALLBACK_IRQ */
  setCallbackVia(low: number, high: number): void {
    this.enter(HYPERVISOR_HVM_OP);
    this.hvm.irq.setCallbackVia(low, high);
  }

  protected override enter(op?: number, command?: number): void {
    this.cpu.vmcall(op, command);
  }
}
