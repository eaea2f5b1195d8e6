/**
 * The hypercalls of a guest on ARM (do_trap_hypercall of xen/arch/arm/traps.c): those of event channels. There are no
 * physical interrupts behind event channels: devices have their SPIs.
 */
import type { Hypercalls } from '../../../abi/hypercalls.ts';
import { ENOSYS } from '../../../abi/xen.ts';
import type { Domain } from '../domain.ts';
import { EvtchnCalls } from '../evtchn-calls.ts';
import type { ArmGuestCpu } from './arm-cpu.ts';
import type { XenArm } from './xen.ts';

export class ArmHypercalls extends EvtchnCalls implements Hypercalls {
  constructor(
    xen: XenArm,
    domain: Domain,
    private readonly cpu: ArmGuestCpu,
  ) {
    super(xen, domain, cpu.v);
  }

  protected enter(): void {
    this.cpu.hypercall();
  }

  /** The timer is the processor's; VCPUOP_set_singleshot_timer has no number here. */
  setTimer(): void {
    this.enter();
  }

  mapPirq(): number {
    this.enter();
    return -ENOSYS;
  }

  unmapPirq(): number {
    this.enter();
    return -ENOSYS;
  }

  eoi(): number {
    this.enter();
    return -ENOSYS;
  }

  needsEoi(): boolean {
    return false;
  }
}
