/**
 * Xen's hold on the virtual interface of a physical CPU (struct gic_hw_operations, xen/include/asm-arm/gic.h): one
 * implementation for each version of the GIC, which makes the same accesses in the same order as Xen's.
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { VirtualInterface } from '../../../hw/arm/virtual-interface.ts';
import type { GicState, GicVersion, VgicVcpu } from './vgic-domain.ts';

// states of a list register as Xen passes them
export const GICH_LR_PENDING = 1;

/** struct gic_lr: a list register in parts. */
export class GicLr {
  virq = 0;
  priority = 0;
  pending = false;
  active = false;
  /** the physical interrupt; -1: none */
  pirq = -1;
  /** without one: a maintenance interrupt at EOI */
  eoi = false;
  /** without one, an SGI in GICv2: the CPU that asked */
  source = 0;
}

export interface GicHw {
  readonly version: GicVersion;
  /** for who looks on */
  readonly core: VirtualInterface;
  readonly nrLrs: number;
  /** what a CPU does with its virtual interface when it is brought up, and when it goes down */
  hypInit(): void;
  hypDisable(): void;
  /** Writes a list register. @param pirq -1: no physical interrupt */
  updateLr(lr: number, virq: number, priority: number, pirq: number, state: number): void;
  clearLr(lr: number): void;
  readLr(lr: number, into: GicLr): void;
  writeLr(lr: number, from: GicLr): void;
  updateHcrStatus(flag: number, on: boolean): void;
  /** as wide as the version's register has it: 5 bits or 8 */
  readVmcrPriority(): number;
  readApr(): number;
  saveState(into: GicState): void;
  restoreState(from: GicState): void;
  /** a list register as it is, seen by nobody: bits 63-32 and 31-0 */
  peekLr(lr: number): readonly [high: number, low: number];
}

/** What Xen keeps for each physical CPU. */
export class GicCpu implements Part {
  readonly id: string;
  /** list registers in use */
  lrMask = 0;
  /** the virtual CPU that has this CPU; null: the idle one */
  current: VgicVcpu | null = null;

  /** @param vcpuOf where to find a virtual CPU by its domain and number, after a restore */
  constructor(
    readonly cpu: number,
    readonly hw: GicHw,
    private readonly vcpuOf: (domain: number, vcpu: number) => VgicVcpu,
  ) {
    this.id = `xen.hardware.gic${cpu}`;
  }

  save(): Plain {
    const { lrMask, current } = this;
    return { lrMask, current: current ? [current.domain.domain, current.id] : null };
  }

  restore(state: Plain): void {
    const s = state as unknown as { lrMask: number; current: [number, number] | null };
    this.lrMask = s.lrMask;
    this.current = s.current ? this.vcpuOf(...s.current) : null;
  }
}
