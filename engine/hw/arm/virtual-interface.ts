/**
 * The virtual half of a CPU interface (GICv2: IHI 0048B chapter 5; GICv3: IHI 0069 chapter 6): list registers that a
 * hypervisor fills, and the guest's acknowledgement, EOI and deactivation, which work on them without an exit.
 * `gich.ts` and `ich.ts` are the registers of the two versions; here they are kept in GICv3's layout.
 *
 * Not modelled: LPIs, non-maskable interrupts, the trap bits of ICH_HCR_EL2 (the processor's business).
 */
import { type Changing, lowestBit, type Watcher } from '../../core/bits.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { VirtualInterfaceOptions } from './virtual-options.ts';
import {
  HCR_EN,
  HCR_EOI_COUNT,
  HCR_FIELDS,
  HCR_GROUPS,
  HCR_LRENPIE,
  HCR_MAINTENANCE,
  HCR_NPIE,
  HCR_UIE,
  HCR_VGRP0DIE,
  HCR_VGRP0EIE,
  HCR_VGRP1DIE,
  HCR_VGRP1EIE,
  IDLE_PRIORITY,
  LR_ACTIVE,
  LR_EOI,
  LR_FIELDS,
  LR_GROUP1,
  LR_HW,
  LR_LEVEL,
  LR_PENDING,
  LR_PINTID,
  LR_STATE,
  MISR_EOI,
  MISR_LRENP,
  MISR_NP,
  MISR_U,
  MISR_VGRP0D,
  MISR_VGRP0E,
  MISR_VGRP1D,
  MISR_VGRP1E,
  PRIORITY_BITS,
  VMCR_BPR0,
  VMCR_BPR1,
  VMCR_CBPR,
  VMCR_ENG0,
  VMCR_ENG1,
  VMCR_EOIM,
  VMCR_FIQEN,
  VMCR_PMR,
} from './virtual-regs.ts';

/** least binary points when all priority bits can preempt */
const LEAST_BPR0 = 7 - PRIORITY_BITS;
const LEAST_BPR1 = LEAST_BPR0 + 1;
/** of a level: the bits that preempt when all do */
const ALL_LEVEL_BITS = (1 << PRIORITY_BITS) - 1;

export interface VirtualInterfaceOutput {
  /** The guest's IRQ and FIQ lines (`virq`, `vfiq`) may have changed. */
  changed(): void;
  /** The guest is done with a physical interrupt. */
  deactivate(pirq: number): void;
  /** the maintenance interrupt's level */
  maintenance(level: boolean): void;
}

/** Sees each access to a register by its name; `high` is 0 but for list registers of 64 bits. */
export type AccessTrace = (register: string, write: boolean, low: number, high: number) => void;

export class VirtualInterface implements Part, Changing {
  readonly id: string;
  readonly options: VirtualInterfaceOptions;
  readonly lrs: number;
  /** list registers, bits 63-32 and 31-0 */
  readonly lrHigh: Int32Array;
  readonly lrLow: Int32Array;
  hcr = 0;
  /** active priorities of group 0, or in GICv2 of both: a bit for each level */
  ap0 = 0;
  /** of group 1 */
  ap1 = 0;
  /** signed: quick */
  private vmcrNow = 0;
  watcher: Watcher | undefined = undefined;
  /** of a level: bits that preempt, by group */
  private preempts0 = ALL_LEVEL_BITS;
  private preempts1 = ALL_LEVEL_BITS;
  private maintained = false;
  /** list registers that are pending or active, a bit each */
  private inUse = 0;
  /** and those that want a maintenance interrupt at their EOI */
  private eoiLrs = 0;

  constructor(
    name: string,
    options: VirtualInterfaceOptions,
    private readonly output: VirtualInterfaceOutput,
  ) {
    this.id = `${name}.virtual-interface`;
    this.options = options;
    this.lrs = options.lrs;
    this.lrHigh = new Int32Array(options.lrs);
    this.lrLow = new Int32Array(options.lrs);
    this.setVmcr(0);
  }

  // the hypervisor's side

  writeLr(n: number, high: number, low: number): void {
    const other = high & LR_HW ? LR_PINTID.mask : LR_EOI;
    this.lrHigh[n] = high & (LR_FIELDS | other);
    this.lrLow[n] = low;
    this.note(n, high);
    this.changed();
  }

  private note(n: number, high: number): void {
    const bit = 1 << n;
    this.inUse = high & LR_STATE ? this.inUse | bit : this.inUse & ~bit;
    this.eoiLrs = (high & (LR_HW | LR_EOI)) === LR_EOI ? this.eoiLrs | bit : this.eoiLrs & ~bit;
  }

  writeHcr(value: number): void {
    const { maintenance } = this.options;
    this.hcr = (value & (maintenance ? HCR_FIELDS : HCR_EN | HCR_UIE)) >>> 0;
    this.changed();
  }

  get vmcr(): number {
    return this.vmcrNow >>> 0;
  }

  writeVmcr(value: number): void {
    this.setVmcr(value);
    this.changed();
  }

  /** The guest's own registers show parts of VMCR. */
  writeVmcrField(mask: number, value: number): void {
    this.writeVmcr((this.vmcrNow & ~mask) | (value & mask));
  }

  /** A binary point below the least there is becomes that one. */
  private setVmcr(value: number): void {
    const { vmcrFields, vmcrOnes, binaryPoints } = this.options;
    let vmcr = (value & vmcrFields) | vmcrOnes;
    if (binaryPoints) {
      vmcr = VMCR_BPR0.set(vmcr, Math.max(VMCR_BPR0.get(vmcr), LEAST_BPR0));
      vmcr = VMCR_BPR1.set(vmcr, Math.max(VMCR_BPR1.get(vmcr), LEAST_BPR1));
      const bpr0 = VMCR_BPR0.get(vmcr) - LEAST_BPR0;
      const bpr1 = VMCR_BPR1.get(vmcr) - LEAST_BPR1;
      this.preempts0 = (ALL_LEVEL_BITS << bpr0) & ALL_LEVEL_BITS;
      this.preempts1 = vmcr & VMCR_CBPR ? this.preempts0 : (ALL_LEVEL_BITS << bpr1) & ALL_LEVEL_BITS;
    }
    this.vmcrNow = vmcr | 0;
  }

  writeAp(group: number, value: number): void {
    if (group === 0) this.ap0 = value >>> 0;
    else this.ap1 = value >>> 0;
    this.changed();
  }

  // what the guest is told

  /** The list register with the most urgent of what is pending in an enabled group, the first of equals; -1: none. */
  highest(): number {
    const { lrHigh, vmcrNow, lrs } = this;
    let best = -1;
    let level = ALL_LEVEL_BITS + 1;
    for (let n = 0; n < lrs; n++) {
      const high = lrHigh[n]!;
      if ((high & LR_STATE) !== LR_PENDING) continue;
      const own = (high >> LR_LEVEL.shift) & ALL_LEVEL_BITS;
      if (own < level && vmcrNow & (high & LR_GROUP1 ? VMCR_ENG1 : VMCR_ENG0)) {
        level = own;
        best = n;
      }
    }
    return best;
  }

  /** May a list register interrupt the guest: above the priority mask and above what is active? */
  canSignal(n: number): boolean {
    if (!(this.hcr & HCR_EN)) return false;
    const high = this.lrHigh[n]!;
    const level = (high >> LR_LEVEL.shift) & ALL_LEVEL_BITS;
    if (level >= this.vmcrNow >>> VMCR_PMR.shift) return false;
    const active = this.ap0 | this.ap1;
    if (active === 0) return true;
    const bits = high & LR_GROUP1 ? this.preempts1 : this.preempts0;
    return (level & bits) < (lowestBit(active) & bits);
  }

  group(n: number): number {
    return this.lrHigh[n]! & LR_GROUP1 ? 1 : 0;
  }

  get virq(): boolean {
    return this.signals(false);
  }

  get vfiq(): boolean {
    return this.signals(true);
  }

  private signals(fiq: boolean): boolean {
    const n = this.highest();
    if (n < 0 || !this.canSignal(n)) return false;
    return (this.group(n) === 0 && (this.vmcrNow & VMCR_FIQEN) !== 0) === fiq;
  }

  /** What is active with the highest priority, as running priority. */
  get runningPriority(): number {
    const active = this.ap0 | this.ap1;
    return active === 0 ? IDLE_PRIORITY : lowestBit(active) << (8 - PRIORITY_BITS);
  }

  // the guest's side

  /** The guest acknowledges a list register; `apGroup` says which active priorities know of it. */
  activate(n: number, apGroup: number): void {
    const high = this.lrHigh[n]!;
    const level = (high >> LR_LEVEL.shift) & (high & LR_GROUP1 ? this.preempts1 : this.preempts0);
    this.lrHigh[n] = (high & ~LR_PENDING) | LR_ACTIVE;
    if (apGroup === 0) this.ap0 = (this.ap0 | (1 << level)) >>> 0;
    else this.ap1 = (this.ap1 | (1 << level)) >>> 0;
    this.changed();
  }

  /**
   * The guest writes EOIR: the highest active priority is dropped, whatever the id, and without EOImode its list register
   * is deactivated.
   */
  endOfInterrupt(id: number, group: number): void {
    const { ap0, ap1 } = this;
    const active = ap0 | ap1;
    if (active === 0) return;
    const dropped = active & -active;
    if (ap0 & dropped) this.ap0 = (ap0 & ~dropped) >>> 0;
    else this.ap1 = (ap1 & ~dropped) >>> 0;
    if (!(this.vmcrNow & VMCR_EOIM)) {
      const n = this.findActive(id);
      if (n < 0) this.countEoi();
      else if (!this.options.eoiByPriority || this.isAt(n, group, dropped)) this.deactivate(n);
    }
    this.changed();
  }

  private isAt(n: number, group: number, apBit: number): boolean {
    const high = this.lrHigh[n]!;
    const bits = high & LR_GROUP1 ? this.preempts1 : this.preempts0;
    const level = (high >> LR_LEVEL.shift) & bits;
    return this.group(n) === group && 1 << level === apBit;
  }

  /** The guest writes DIR; that means nothing without EOImode. */
  deactivateInterrupt(id: number): void {
    if (!(this.vmcrNow & VMCR_EOIM)) return;
    const n = this.findActive(id);
    if (n < 0) this.countEoi();
    else this.deactivate(n);
    this.changed();
  }

  /** The first list register in which the id is active; -1: none. */
  private findActive(id: number): number {
    const { lrHigh, lrLow, lrs } = this;
    for (let n = 0; n < lrs; n++) if (lrHigh[n]! & LR_ACTIVE && lrLow[n] === id) return n;
    return -1;
  }

  private deactivate(n: number): void {
    const high = this.lrHigh[n]!;
    this.lrHigh[n] = high & ~LR_ACTIVE;
    this.watcher?.changed();
    if (!(high & LR_PENDING)) this.inUse &= ~(1 << n);
    if (high & LR_HW) this.output.deactivate(high & LR_PINTID.mask);
  }

  private countEoi(): void {
    if (!this.options.eoiCount) return;
    this.hcr = HCR_EOI_COUNT.set(this.hcr, HCR_EOI_COUNT.get(this.hcr) + 1);
  }

  // maintenance

  private changed(): void {
    this.watcher?.changed();
    if (this.hcr & HCR_MAINTENANCE || this.eoiLrs !== 0 || this.maintained) this.maintain();
    this.output.changed();
  }

  private maintain(): void {
    if (!this.options.maintenance) return;
    const level = (this.hcr & HCR_EN) !== 0 && this.misr !== 0;
    if (level === this.maintained) return;
    this.maintained = level;
    this.output.maintenance(level);
  }

  /** Why there is a maintenance interrupt. */
  get misr(): number {
    const { hcr, inUse } = this;
    let misr = this.eisr === 0 ? 0 : MISR_EOI;
    // no more than one bit is set
    if (hcr & HCR_UIE && (inUse & (inUse - 1)) === 0) misr |= MISR_U;
    if (hcr & HCR_LRENPIE && HCR_EOI_COUNT.has(hcr)) misr |= MISR_LRENP;
    if (hcr & HCR_NPIE && !this.lrHigh.some((high) => (high & LR_STATE) === LR_PENDING)) misr |= MISR_NP;
    if (!(hcr & HCR_GROUPS)) return misr;
    const on0 = (this.vmcrNow & VMCR_ENG0) !== 0;
    const on1 = (this.vmcrNow & VMCR_ENG1) !== 0;
    if (hcr & HCR_VGRP0EIE && on0) misr |= MISR_VGRP0E;
    if (hcr & HCR_VGRP0DIE && !on0) misr |= MISR_VGRP0D;
    if (hcr & HCR_VGRP1EIE && on1) misr |= MISR_VGRP1E;
    if (hcr & HCR_VGRP1DIE && !on1) misr |= MISR_VGRP1D;
    return misr;
  }

  /** List registers whose EOI asks for a maintenance interrupt, a bit each. */
  get eisr(): number {
    return this.eoiLrs & ~this.inUse;
  }

  /** List registers that can be used, a bit each. */
  get elrsr(): number {
    return ((1 << this.lrs) - 1) & ~(this.inUse | this.eoiLrs);
  }

  inspect() {
    return {
      hcr: this.hcr,
      vmcr: this.vmcr,
      ap0: this.ap0,
      ap1: this.ap1,
      misr: this.misr,
      maintenance: this.maintained,
      lrs: Array.from(this.lrHigh, (high, n) => ({ high: high >>> 0, low: this.lrLow[n]! >>> 0 })),
    };
  }

  save(): Plain {
    return {
      high: saveArray(this.lrHigh),
      low: saveArray(this.lrLow),
      hcr: this.hcr,
      vmcr: this.vmcr,
      ap0: this.ap0,
      ap1: this.ap1,
      maintained: this.maintained,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      high: number[];
      low: number[];
      hcr: number;
      vmcr: number;
      ap0: number;
      ap1: number;
      maintained: boolean;
    };
    restoreArray(this.lrHigh, s.high);
    restoreArray(this.lrLow, s.low);
    this.hcr = s.hcr;
    this.setVmcr(s.vmcr);
    this.ap0 = s.ap0;
    this.ap1 = s.ap1;
    this.maintained = s.maintained;
    this.watcher?.changed();
    for (let n = 0; n < this.lrs; n++) this.note(n, this.lrHigh[n]!);
  }
}
