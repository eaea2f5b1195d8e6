/**
 * GICv3's face of a virtual interface: ICH_*_EL2 for the hypervisor (IHI 0069, 12.4) and ICV_*_EL1, which the guest
 * gets when it names ICC_*_EL1 (12.3). Registers of 64 bits are two halves.
 */
import { MOST_INTIDS, SPURIOUS } from './gic-regs.ts';
import type { AccessTrace, VirtualInterface } from './virtual-interface.ts';
import {
  PRIORITY_BITS,
  VMCR_BPR0,
  VMCR_BPR1,
  VMCR_CBPR,
  VMCR_ENG0,
  VMCR_ENG1,
  VMCR_EOIM,
  VMCR_PMR,
} from './virtual-regs.ts';

const LR_NAMES = Array.from({ length: 16 }, (_, n) => `ICH_LR${n}_EL2`);
/** ICH_VTR_EL2: 24 bits of id, affinity level 3, no direct injection */
const VTR_FIXED = (1 << 23) | (1 << 21) | (1 << 20);
/** the same in ICV_CTLR_EL1, with its priority bits */
const CTLR_FIXED = (1 << 15) | (1 << 11) | ((PRIORITY_BITS - 1) << 8);
const CTLR_CBPR = 1 << 0;
const CTLR_EOIMODE = 1 << 1;

export class Ich {
  /** sees every access of hypervisor and guest */
  trace: AccessTrace | null = null;

  constructor(readonly core: VirtualInterface) {}

  // the hypervisor

  get lrs(): number {
    return this.core.lrs;
  }

  readHcr(): number {
    const { hcr } = this.core;
    if (this.trace) this.trace('ICH_HCR_EL2', false, hcr, 0);
    return hcr;
  }

  writeHcr(value: number): void {
    if (this.trace) this.trace('ICH_HCR_EL2', true, value, 0);
    this.core.writeHcr(value);
  }

  readVmcr(): number {
    const { vmcr } = this.core;
    if (this.trace) this.trace('ICH_VMCR_EL2', false, vmcr, 0);
    return vmcr;
  }

  writeVmcr(value: number): void {
    if (this.trace) this.trace('ICH_VMCR_EL2', true, value, 0);
    this.core.writeVmcr(value);
  }

  readAp0(): number {
    const { ap0 } = this.core;
    if (this.trace) this.trace('ICH_AP0R0_EL2', false, ap0, 0);
    return ap0;
  }

  writeAp0(value: number): void {
    if (this.trace) this.trace('ICH_AP0R0_EL2', true, value, 0);
    this.core.writeAp(0, value);
  }

  readAp1(): number {
    const { ap1 } = this.core;
    if (this.trace) this.trace('ICH_AP1R0_EL2', false, ap1, 0);
    return ap1;
  }

  writeAp1(value: number): void {
    if (this.trace) this.trace('ICH_AP1R0_EL2', true, value, 0);
    this.core.writeAp(1, value);
  }

  /** Bits 63-32 of a list register, signed; `core.lrLow` has the others. */
  readLr(n: number): number {
    const high = this.core.lrHigh[n]!;
    if (this.trace) this.trace(LR_NAMES[n]!, false, this.core.lrLow[n]! >>> 0, high >>> 0);
    return high;
  }

  writeLr(n: number, high: number, low: number): void {
    if (this.trace) this.trace(LR_NAMES[n]!, true, low >>> 0, high >>> 0);
    this.core.writeLr(n, high, low);
  }

  /** ICH_VTR_EL2 */
  get vtr(): number {
    const bits = ((PRIORITY_BITS - 1) << 29) | ((PRIORITY_BITS - 1) << 26) | VTR_FIXED;
    return (bits | (this.core.lrs - 1)) >>> 0;
  }

  get misr(): number {
    return this.core.misr;
  }

  get eisr(): number {
    return this.core.eisr;
  }

  get elrsr(): number {
    return this.core.elrsr;
  }

  // the guest

  /** ICV_IAR0_EL1, ICV_IAR1_EL1: what is most urgent, if it is of the group. */
  iar(group: 0 | 1): number {
    const { core } = this;
    const n = core.highest();
    let id = SPURIOUS;
    if (n >= 0 && core.group(n) === group && core.canSignal(n)) {
      id = core.lrLow[n]! >>> 0;
      core.activate(n, group);
    }
    if (this.trace) this.trace(group === 1 ? 'ICV_IAR1_EL1' : 'ICV_IAR0_EL1', false, id, 0);
    return id;
  }

  /** ICV_EOIR0_EL1, ICV_EOIR1_EL1 */
  eoir(group: 0 | 1, id: number): void {
    if (this.trace) this.trace(group === 1 ? 'ICV_EOIR1_EL1' : 'ICV_EOIR0_EL1', true, id, 0);
    if (id < MOST_INTIDS || id > SPURIOUS) this.core.endOfInterrupt(id | 0, group);
  }

  /** ICV_DIR_EL1 */
  dir(id: number): void {
    if (this.trace) this.trace('ICV_DIR_EL1', true, id, 0);
    this.core.deactivateInterrupt(id | 0);
  }

  /** ICV_HPPIR0_EL1, ICV_HPPIR1_EL1 */
  hppir(group: 0 | 1): number {
    const n = this.core.highest();
    return n >= 0 && this.core.group(n) === group ? this.core.lrLow[n]! >>> 0 : SPURIOUS;
  }

  readPmr(): number {
    return VMCR_PMR.get(this.core.vmcr) << (8 - PRIORITY_BITS);
  }

  writePmr(value: number): void {
    this.core.writeVmcrField(VMCR_PMR.mask, value << 24);
  }

  readRpr(): number {
    return this.core.runningPriority;
  }

  /** With CBPR, group 1 reads group 0's plus one, at most 7. */
  readBpr(group: 0 | 1): number {
    const { vmcr } = this.core;
    if (group === 0) return VMCR_BPR0.get(vmcr);
    return vmcr & VMCR_CBPR ? Math.min(VMCR_BPR0.get(vmcr) + 1, 7) : VMCR_BPR1.get(vmcr);
  }

  /** With CBPR, a write of group 1's is ignored. */
  writeBpr(group: 0 | 1, value: number): void {
    const field = group === 0 ? VMCR_BPR0 : VMCR_BPR1;
    if (group === 1 && this.core.vmcr & VMCR_CBPR) return;
    this.core.writeVmcrField(field.mask, value << field.shift);
  }

  readIgrpen(group: 0 | 1): number {
    return (this.core.vmcr >>> group) & 1;
  }

  writeIgrpen(group: 0 | 1, value: number): void {
    this.core.writeVmcrField(group === 0 ? VMCR_ENG0 : VMCR_ENG1, (value & 1) << group);
  }

  readCtlr(): number {
    const { vmcr } = this.core;
    return CTLR_FIXED | (vmcr & VMCR_CBPR ? CTLR_CBPR : 0) | (vmcr & VMCR_EOIM ? CTLR_EOIMODE : 0);
  }

  writeCtlr(value: number): void {
    const cbpr = value & CTLR_CBPR ? VMCR_CBPR : 0;
    this.core.writeVmcrField(VMCR_CBPR | VMCR_EOIM, cbpr | (value & CTLR_EOIMODE ? VMCR_EOIM : 0));
  }
}
