/**
 * Xen's accesses to ICH_*_EL2 (xen/arch/arm/gic-v3.c), for guests with a GICv3.
 *
 * Not modelled: guests with a GICv2, and with them ICC_SRE_EL1, which Xen saves and restores too.
 */
import type { Ich } from '../../../hw/arm/ich.ts';
import type { VirtualInterface } from '../../../hw/arm/virtual-interface.ts';
import {
  HCR_EN,
  LR_ACTIVE,
  LR_EOI,
  LR_GROUP1,
  LR_HW,
  LR_PENDING,
  LR_PRIORITY,
  VMCR_ENG1,
  VMCR_EOIM,
} from '../../../hw/arm/virtual-regs.ts';
import type { GicHw, GicLr } from './gic-hw.ts';
import type { GicState } from './vgic-domain.ts';

/** ICH_VTR_EL2: list registers less one */
const VTR_LRS = 0x1f;
const STATE_SHIFT = 30;
const VIRTUAL_MASK = 0xffff;
/** ICH_LR_PHYSICAL_MASK: Xen looks at ten bits */
const PHYSICAL_MASK = 0x3ff;

export class GicV3Hw implements GicHw {
  readonly version = 3;
  readonly core: VirtualInterface;
  readonly nrLrs: number;

  constructor(private readonly ich: Ich) {
    this.core = ich.core;
    this.nrLrs = (ich.vtr & VTR_LRS) + 1;
  }

  hypInit(): void {
    this.ich.writeVmcr(VMCR_EOIM | VMCR_ENG1);
    this.ich.writeHcr(HCR_EN);
  }

  hypDisable(): void {
    this.ich.writeHcr(this.ich.readHcr() & ~HCR_EN);
  }

  /** Group 1: group 0 would be a FIQ in the guest. */
  updateLr(lr: number, virq: number, priority: number, pirq: number, state: number): void {
    let high = (state << STATE_SHIFT) | LR_GROUP1 | (priority << LR_PRIORITY.shift);
    if (pirq >= 0) high |= LR_HW | (pirq & PHYSICAL_MASK);
    this.ich.writeLr(lr, high, virq & VIRTUAL_MASK);
  }

  clearLr(lr: number): void {
    this.ich.writeLr(lr, 0, 0);
  }

  readLr(lr: number, into: GicLr): void {
    const high = this.ich.readLr(lr);
    into.virq = this.ich.core.lrLow[lr]! & VIRTUAL_MASK;
    into.priority = (high >> LR_PRIORITY.shift) & 0xff;
    into.pending = (high & LR_PENDING) !== 0;
    into.active = high < 0;
    const hw = (high & LR_HW) !== 0;
    into.pirq = hw ? high & PHYSICAL_MASK : -1;
    into.eoi = !hw && (high & LR_EOI) !== 0;
    into.source = 0;
  }

  writeLr(lr: number, from: GicLr): void {
    let high = LR_GROUP1 | (from.priority << LR_PRIORITY.shift);
    if (from.active) high |= LR_ACTIVE;
    if (from.pending) high |= LR_PENDING;
    if (from.pirq >= 0) high |= LR_HW | from.pirq;
    else if (from.eoi) high |= LR_EOI;
    this.ich.writeLr(lr, high, from.virq);
  }

  updateHcrStatus(flag: number, on: boolean): void {
    const hcr = this.ich.readHcr();
    this.ich.writeHcr(on ? hcr | flag : hcr & ~flag);
  }

  readVmcrPriority(): number {
    return this.ich.readVmcr() >>> 24;
  }

  readApr(): number {
    return this.ich.readAp1();
  }

  /** ICH_HCR_EL2 is left as it is. */
  saveState(into: GicState): void {
    const { ich, nrLrs } = this;
    for (let lr = nrLrs - 1; lr >= 0; lr--) {
      into.lrHigh[lr] = ich.readLr(lr);
      into.lrLow[lr] = ich.core.lrLow[lr]!;
    }
    into.ap0 = ich.readAp0();
    into.ap1 = ich.readAp1();
    into.vmcr = ich.readVmcr();
  }

  restoreState(from: GicState): void {
    const { ich, nrLrs } = this;
    ich.writeVmcr(from.vmcr);
    ich.writeAp0(from.ap0);
    ich.writeAp1(from.ap1);
    for (let lr = nrLrs - 1; lr >= 0; lr--) ich.writeLr(lr, from.lrHigh[lr]!, from.lrLow[lr]!);
  }

  peekLr(lr: number): readonly [high: number, low: number] {
    return [this.ich.core.lrHigh[lr]! >>> 0, this.ich.core.lrLow[lr]! >>> 0];
  }
}
