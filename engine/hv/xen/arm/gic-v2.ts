/** Xen's accesses to GICH_* (xen/arch/arm/gic-v2.c). */
import { type Gich, gichLr } from '../../../hw/arm/gich.ts';
import type { VirtualInterface } from '../../../hw/arm/virtual-interface.ts';
import {
  GICH_LR_CPUID,
  GICH_LR_EOI,
  GICH_LR_HW,
  GICH_LR_PHYSICAL_ID,
  GICH_LR_PRIORITY,
  GICH_LR_STATE,
  GICH_LR_VIRTUAL_ID,
  HCR_EN,
  VMCR_PMR,
} from '../../../hw/arm/virtual-regs.ts';
import type { GicHw, GicLr } from './gic-hw.ts';
import type { GicState } from './vgic-domain.ts';

/** GICH_VTR: list registers less one */
const VTR_LRS = 0x3f;
const PENDING = 1 << GICH_LR_STATE.shift;
const ACTIVE = 2 << GICH_LR_STATE.shift;
const HW = GICH_LR_HW.mask | 0;

export class GicV2Hw implements GicHw {
  readonly version = 2;
  readonly core: VirtualInterface;
  readonly nrLrs: number;

  constructor(private readonly gich: Gich) {
    this.core = gich.core;
    this.nrLrs = (gich.vtr & VTR_LRS) + 1;
  }

  /** gicv2_hyp_init only counts the list registers; the interface is on while a virtual CPU has this CPU. */
  hypInit(): void {}

  hypDisable(): void {
    this.gich.writeHcr(0);
  }

  /** Group 0, as all of a GICv2 guest's are. */
  updateLr(lr: number, virq: number, priority: number, pirq: number, state: number): void {
    let value = (state << GICH_LR_STATE.shift) | ((priority >> 3) << GICH_LR_PRIORITY.shift) | virq;
    if (pirq >= 0) value |= HW | (pirq << GICH_LR_PHYSICAL_ID.shift);
    this.gich.writeLr(lr, value);
  }

  clearLr(lr: number): void {
    this.gich.writeLr(lr, 0);
  }

  readLr(lr: number, into: GicLr): void {
    const value = this.gich.readLr(lr);
    into.virq = value & GICH_LR_VIRTUAL_ID.mask;
    into.priority = (value >> GICH_LR_PRIORITY.shift) & 0x1f;
    into.pending = (value & PENDING) !== 0;
    into.active = (value & ACTIVE) !== 0;
    const hw = value < 0;
    into.pirq = hw ? (value >> GICH_LR_PHYSICAL_ID.shift) & 0x3ff : -1;
    into.eoi = !hw && (value & GICH_LR_EOI.mask) !== 0;
    into.source = hw ? 0 : (value >> GICH_LR_CPUID.shift) & 7;
  }

  writeLr(lr: number, from: GicLr): void {
    let value = from.virq | (from.priority << GICH_LR_PRIORITY.shift);
    if (from.active) value |= ACTIVE;
    if (from.pending) value |= PENDING;
    if (from.pirq >= 0) value |= HW | (from.pirq << GICH_LR_PHYSICAL_ID.shift);
    else value |= (from.eoi ? GICH_LR_EOI.mask : 0) | (from.source << GICH_LR_CPUID.shift);
    this.gich.writeLr(lr, value);
  }

  updateHcrStatus(flag: number, on: boolean): void {
    const hcr = this.gich.readHcr();
    this.gich.writeHcr(on ? hcr | flag : hcr & ~flag);
  }

  readVmcrPriority(): number {
    return this.gich.readVmcr() >>> VMCR_PMR.shift;
  }

  readApr(): number {
    return this.gich.readApr();
  }

  /** The interface is off until another virtual CPU has this CPU. */
  saveState(into: GicState): void {
    const { gich, nrLrs } = this;
    for (let lr = 0; lr < nrLrs; lr++) into.lrLow[lr] = gich.readLr(lr);
    into.ap0 = gich.readApr();
    into.vmcr = gich.readVmcr();
    gich.writeHcr(0);
  }

  restoreState(from: GicState): void {
    const { gich, nrLrs } = this;
    for (let lr = 0; lr < nrLrs; lr++) gich.writeLr(lr, from.lrLow[lr]!);
    gich.writeApr(from.ap0);
    gich.writeVmcr(from.vmcr);
    gich.writeHcr(HCR_EN);
  }

  peekLr(lr: number): readonly [high: number, low: number] {
    return [0, gichLr(this.core.lrHigh[lr]!, this.core.lrLow[lr]!) >>> 0];
  }
}
