/** GICs as plain data: a domain's virtual one with its list registers, and the machine's own. */
import type { VcpuInterrupts } from '../hv/xen/arm/vgic-inspect.ts';
import type { GicCpuState, GicInterrupt } from '../hw/arm/gic.ts';

/** The virtual GIC of one domain, by its virtual CPUs. */
export interface ArmSnapshot {
  readonly version: 2 | 3;
  readonly vcpus: readonly ArmVcpuSnapshot[];
  /** who in its kernel an interrupt is for, by INTID; interrupts that nobody handles are missing */
  readonly names: { readonly [intid: number]: string };
}

/** What a virtual CPU has in list registers, and what Xen still keeps for it. */
export interface ArmVcpuSnapshot extends VcpuInterrupts {
  /** e.g. `running on CPU1, EL1` */
  readonly place: string;
  /** PSTATE.I: its kernel takes no interrupt now */
  readonly irqsMasked: boolean;
}

/** The physical GIC, as a hypervisor at EL2 has it. */
export interface GicSnapshot {
  readonly version: 2 | 3;
  readonly cpus: readonly GicCpuSnapshot[];
  /** those that are enabled, pending, active or whose wire is high: private ones of each CPU, then the shared */
  readonly interrupts: readonly GicInterruptSnapshot[];
}

/** A CPU interface, and the virtual interface beside it. */
export interface GicCpuSnapshot extends GicCpuState {
  readonly cpu: number;
  /** whose registers are in the virtual interface; null: nobody's */
  readonly vcpu: string | null;
  readonly hcr: number;
  readonly misr: number;
  /** list registers there are, and those that Xen counts as used, a bit each */
  readonly lrs: number;
  readonly lrMask: number;
  /** the virtual IRQ is signalled */
  readonly virq: boolean;
}

export interface GicInterruptSnapshot extends GicInterrupt {
  /** as in Xen's rows of interrupts */
  readonly owner: string;
}
