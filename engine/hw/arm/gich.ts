/**
 * GICv2's face of a virtual interface: GICH_* for the hypervisor (IHI 0048B, 5.3) and GICV_* for the guest, which sees
 * them as its CPU interface (5.5). `gich-regs.ts` has them by offset.
 */
import { GICC_IIDR, GROUP1_ONLY, MOST_INTIDS, SGIS, SPURIOUS } from './gic-regs.ts';
import type { AccessTrace, VirtualInterface } from './virtual-interface.ts';
import {
  GICH_LR_CPUID,
  GICH_LR_PHYSICAL_ID,
  GICH_LR_VIRTUAL_ID,
  LR_EOI,
  LR_HW,
  LR_PINTID,
  PRIORITY_BITS,
  VMCR_ACKCTL,
  VMCR_BPR0,
  VMCR_BPR1,
  VMCR_CBPR,
  VMCR_ENG0,
  VMCR_ENG1,
  VMCR_EOIM,
  VMCR_FIQEN,
  VMCR_PMR,
} from './virtual-regs.ts';

/** GICH_LR<n> and the upper half of ICH_LR<n>_EL2: state, priority, HW and group are as far apart in both. */
const STATE = 0x3000_0000;
const LEVEL = 0x0f80_0000;
const HW_GROUP = 0xc000_0000 | 0;
const ID_CPUID = GICH_LR_VIRTUAL_ID.mask | GICH_LR_CPUID.mask;
/** bits of GICV_CTLR at the same place in VMCR: enables, AckCtl, FIQEn, CBPR, EOImode */
const CTLR = VMCR_ENG0 | VMCR_ENG1 | VMCR_ACKCTL | VMCR_FIQEN | VMCR_CBPR | VMCR_EOIM;

const LR_NAMES = Array.from({ length: 64 }, (_, n) => `GICH_LR${n}`);

export class Gich {
  /** sees every access of hypervisor and guest */
  trace: AccessTrace | null = null;

  constructor(readonly core: VirtualInterface) {}

  // the hypervisor

  get lrs(): number {
    return this.core.lrs;
  }

  readHcr(): number {
    const { hcr } = this.core;
    if (this.trace) this.trace('GICH_HCR', false, hcr, 0);
    return hcr;
  }

  writeHcr(value: number): void {
    if (this.trace) this.trace('GICH_HCR', true, value, 0);
    this.core.writeHcr(value);
  }

  readVmcr(): number {
    const { vmcr } = this.core;
    if (this.trace) this.trace('GICH_VMCR', false, vmcr, 0);
    return vmcr;
  }

  writeVmcr(value: number): void {
    if (this.trace) this.trace('GICH_VMCR', true, value, 0);
    this.core.writeVmcr(value);
  }

  readApr(): number {
    const { ap0 } = this.core;
    if (this.trace) this.trace('GICH_APR', false, ap0, 0);
    return ap0;
  }

  writeApr(value: number): void {
    if (this.trace) this.trace('GICH_APR', true, value, 0);
    this.core.writeAp(0, value);
  }

  /** Signed. */
  readLr(n: number): number {
    const value = gichLr(this.core.lrHigh[n]!, this.core.lrLow[n]!);
    if (this.trace) this.trace(LR_NAMES[n]!, false, value >>> 0, 0);
    return value;
  }

  /** @param value signed */
  writeLr(n: number, value: number): void {
    if (this.trace) this.trace(LR_NAMES[n]!, true, value >>> 0, 0);
    this.core.writeLr(n, upperHalf(value), lowerHalf(value));
  }

  /** GICH_VTR: five bits of priority, all of which preempt. */
  get vtr(): number {
    return (((PRIORITY_BITS - 1) << 29) | ((PRIORITY_BITS - 1) << 26) | (this.core.lrs - 1)) >>> 0;
  }

  // the guest

  /** GICV_IAR: of group 1 only with AckCtl. */
  iar(): number {
    const { core } = this;
    const n = core.highest();
    let id = SPURIOUS;
    if (n >= 0 && core.canSignal(n)) {
      if (core.group(n) === 1 && !(core.vmcr & VMCR_ACKCTL)) id = GROUP1_ONLY;
      else {
        id = core.lrLow[n]!;
        core.activate(n, 0);
      }
    }
    if (this.trace) this.trace('GICV_IAR', false, id, 0);
    return id;
  }

  /** GICV_AIAR: of group 1 only. */
  aiar(): number {
    const { core } = this;
    const n = core.highest();
    let id = SPURIOUS;
    if (n >= 0 && core.group(n) === 1 && core.canSignal(n)) {
      id = core.lrLow[n]!;
      core.activate(n, 0);
    }
    if (this.trace) this.trace('GICV_AIAR', false, id, 0);
    return id;
  }

  eoir(value: number): void {
    this.end('GICV_EOIR', 0, value);
  }

  aeoir(value: number): void {
    this.end('GICV_AEOIR', 1, value);
  }

  private end(register: string, group: number, value: number): void {
    if (this.trace) this.trace(register, true, value, 0);
    const id = idOf(value);
    if (id < MOST_INTIDS || id > SPURIOUS) this.core.endOfInterrupt(id, group);
  }

  dir(value: number): void {
    if (this.trace) this.trace('GICV_DIR', true, value, 0);
    this.core.deactivateInterrupt(idOf(value));
  }

  readCtlr(): number {
    return this.core.vmcr & CTLR;
  }

  writeCtlr(value: number): void {
    this.core.writeVmcrField(CTLR, value);
  }

  readPmr(): number {
    return VMCR_PMR.get(this.core.vmcr) << (8 - PRIORITY_BITS);
  }

  writePmr(value: number): void {
    this.core.writeVmcrField(VMCR_PMR.mask, value << 24);
  }

  readBpr(): number {
    return VMCR_BPR0.get(this.core.vmcr);
  }

  writeBpr(value: number): void {
    this.core.writeVmcrField(VMCR_BPR0.mask, value << VMCR_BPR0.shift);
  }

  readAbpr(): number {
    return VMCR_BPR1.get(this.core.vmcr);
  }

  writeAbpr(value: number): void {
    this.core.writeVmcrField(VMCR_BPR1.mask, value << VMCR_BPR1.shift);
  }

  readRpr(): number {
    return this.core.runningPriority;
  }

  /** The most urgent of what is pending, whether it may interrupt or not. */
  hppir(): number {
    const { core } = this;
    const n = core.highest();
    if (n < 0) return SPURIOUS;
    if (core.group(n) === 1 && !(core.vmcr & VMCR_ACKCTL)) return GROUP1_ONLY;
    return core.lrLow[n]!;
  }

  ahppir(): number {
    const n = this.core.highest();
    return n >= 0 && this.core.group(n) === 1 ? this.core.lrLow[n]! : SPURIOUS;
  }

  get iidr(): number {
    return GICC_IIDR;
  }
}

/** What IAR answered: the id, and for an SGI the CPU that asked. */
function idOf(value: number): number {
  const id = value & GICH_LR_VIRTUAL_ID.mask;
  return id < SGIS ? value & ID_CPUID : id;
}

/** GICH_LR<n> of a list register in GICv3's layout, signed. */
export function gichLr(high: number, low: number): number {
  const same = ((high >>> 2) & STATE) | ((high << 4) & LEVEL) | ((high << 2) & HW_GROUP);
  if (high & LR_HW) return same | ((high & LR_PINTID.mask) << GICH_LR_PHYSICAL_ID.shift) | low;
  return same | ((high & LR_EOI) << 10) | low;
}

/** Of GICH_LR<n>, signed, bits 63-32 in GICv3's layout. */
export function upperHalf(value: number): number {
  const same = ((value & STATE) << 2) | ((value & LEVEL) >>> 4) | ((value & HW_GROUP) >>> 2);
  if (value < 0) return same | ((value >>> GICH_LR_PHYSICAL_ID.shift) & 0x3ff);
  return same | ((value >>> 10) & LR_EOI);
}

/** And bits 31-0: the id, and who asked for an SGI. */
export function lowerHalf(value: number): number {
  return value & (value < 0 ? GICH_LR_VIRTUAL_ID.mask : ID_CPUID);
}
