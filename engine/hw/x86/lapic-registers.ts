/**
 * The registers of a local APIC as software reaches them: at their page in xAPIC mode, as MSRs in x2APIC mode (SDM
 * volume 3, "Local APIC Register Address Map", "x2APIC Register Address Space").
 */
import {
  BASE_BSP,
  BASE_ENABLE,
  BASE_X2APIC,
  DEFAULT_BASE,
  Esr,
  Icr,
  LVT_MASKS,
  LVTS,
  Lvt,
  MSR_APIC_BASE,
  MSR_TSC_DEADLINE,
  MSR_X2APIC,
  MSR_X2APIC_LAST,
  Reg,
  Shorthand,
  SVR_MASK,
  TDCR_MASK,
  TimerMode,
  X2APIC_ICR_RESERVED,
} from './apic-regs.ts';
import type { Width } from './cpu.ts';
import type { LocalApic } from './lapic.ts';

const KINDS = {
  /** reserved, or for stores only */
  NONE: 0,
  READABLE: 1,
  /** readable at the page, unknown as an MSR */
  XAPIC_ONLY: 2,
} as const;

/** What can be read, by offset / 16. */
const READS = new Uint8Array(64);
for (const offset of [
  ...[Reg.ID, Reg.VERSION, Reg.TPR, Reg.PPR, Reg.LDR, Reg.SVR, Reg.ESR, Reg.ICR],
  ...[Reg.LVT_TIMER, Reg.LVT_THERMAL, Reg.LVT_PERF, Reg.LVT_LINT0, Reg.LVT_LINT1, Reg.LVT_ERROR],
  ...[Reg.TMICT, Reg.TMCCT, Reg.TDCR],
]) {
  READS[offset >> 4] = KINDS.READABLE;
}
for (const offset of [Reg.APR, Reg.DFR, Reg.ICR2]) READS[offset >> 4] = KINDS.XAPIC_ONLY;

const LAST = 0x3f0;

// at the page

/** A load; null: nobody answers, or nothing is put on the bus, as for reserved registers. */
export function load(apic: LocalApic, offset: number, width: Width): number | null {
  const all = width >= 4 ? 0xffff_ffff : (1 << (width * 8)) - 1;
  const { pageHole, plainPage, illegalRegisters } = apic.options;
  if (!apic.atPage) return pageHole ? all : null;
  const within = offset & 0xf;
  const register = offset & ~0xf;
  const fits = within + width <= 4;
  if (plainPage) {
    return fits && register <= Reg.TDCR ? ((readPlain(apic, register) >>> (within * 8)) & all) >>> 0 : 0;
  }
  const value = fits ? readRegister(apic, register) : null;
  if (value === null) {
    if (illegalRegisters) apic.error(Esr.REGISTER);
    return null;
  }
  return width === 4 ? value : (value >>> (within * 8)) & all;
}

/** A store. */
export function store(apic: LocalApic, offset: number, value: number, width: Width): void {
  if (!apic.atPage) return;
  if (width !== 4 || (offset & 0xf) !== 0) {
    if (apic.options.plainPage) storePart(apic, offset, value, width);
  } else if (!writeRegister(apic, offset, value >>> 0) && apic.options.illegalRegisters) {
    apic.error(Esr.REGISTER);
  }
}

/** A store narrower than the register: what is there stays beside it. */
function storePart(apic: LocalApic, offset: number, value: number, width: Width): void {
  const within = offset & 0xf;
  const register = offset & ~0xf;
  if (within + width > 4 || register > Reg.TDCR) return;
  const mask = ((1 << (width * 8)) - 1) << (within * 8);
  writeRegister(
    apic,
    register,
    ((readPlain(apic, register) & ~mask) | ((value << (within * 8)) & mask)) >>> 0,
  );
}

/** A page that is memory: whatever is there. */
function readPlain(apic: LocalApic, offset: number): number {
  return readRegister(apic, offset) ?? apic.regs[offset >> 4]!;
}

// a register

/** Null: not readable. */
function readRegister(apic: LocalApic, offset: number): number | null {
  if (offset >= Reg.ISR && offset < Reg.ESR) {
    const map = offset < Reg.TMR ? apic.isr : offset < Reg.IRR ? apic.tmr : apic.irr;
    return map.words[(offset >> 4) & 7]! >>> 0;
  }
  if (!readable(apic, offset)) return null;
  if (offset === Reg.TMICT && apic.options.fourthModeStops && apic.timer.mode > TimerMode.PERIODIC) return 0;
  if (offset === Reg.TMCCT) return apic.timer.count(apic.reg(Reg.TMICT));
  if (offset === Reg.PPR) return apic.updatePpr();
  return apic.reg(offset);
}

function readable(apic: LocalApic, offset: number): boolean {
  if (offset > LAST) return false;
  if (offset === Reg.LVT_CMCI) return apic.lvts === LVTS.length || apic.options.hollowCmci;
  const kind = READS[offset >> 4]!;
  return kind === KINDS.READABLE || (kind === KINDS.XAPIC_ONLY && !apic.x2apic);
}

/** False: there is no such register, or it cannot be written (#GP as an MSR). */
function writeRegister(apic: LocalApic, offset: number, value: number): boolean {
  const { regs, x2apic } = apic;
  switch (offset) {
    case Reg.EOI:
      apic.eoi();
      return true;
    case Reg.ID: {
      if (x2apic) return false;
      const { idMask } = apic.options;
      regs[Reg.ID >> 4] = (value & idMask) | (regs[Reg.ID >> 4]! & ~idMask);
      apic.readdressed();
      return true;
    }
    case Reg.TPR:
      apic.tpr = value;
      return true;
    case Reg.LDR:
      if (x2apic) return false;
      regs[Reg.LDR >> 4] = value & 0xff00_0000;
      apic.readdressed();
      return true;
    case Reg.DFR:
      if (x2apic) return false;
      regs[Reg.DFR >> 4] = value | 0x0fff_ffff;
      apic.readdressed();
      return true;
    case Reg.SVR:
      apic.writeSvr(value & SVR_MASK);
      return true;
    case Reg.ESR:
      if (x2apic && value !== 0) return false;
      apic.latchErrors();
      return true;
    case Reg.ICR: {
      const low = value & ~Icr.busy.mask;
      apic.command(low, regs[Reg.ICR2 >> 4]! >>> 24);
      regs[Reg.ICR >> 4] = low;
      return true;
    }
    case Reg.ICR2:
      if (x2apic) return false;
      regs[Reg.ICR2 >> 4] = value & 0xff00_0000;
      return true;
    case Reg.TMICT:
      apic.startTimer(value);
      return true;
    case Reg.TDCR:
      apic.writeDivisor(value & TDCR_MASK);
      return true;
    case Reg.SELF_IPI:
      if (!x2apic || value > 0xff) return false;
      apic.command((Shorthand.SELF << 18) | value, 0);
      if (apic.options.selfIpiInIcr) regs[Reg.ICR >> 4] = (Shorthand.SELF << 18) | value;
      return true;
    default:
      return writeLvt(apic, offset, value);
  }
}

function writeLvt(apic: LocalApic, offset: number, value: number): boolean {
  const index = LVTS.indexOf(offset as (typeof LVTS)[number]);
  if (index < 0) return false;
  if (index >= apic.lvts) return apic.options.hollowCmci;
  apic.writeLvt(offset, value & (LVT_MASKS[index]! | (offset === Reg.LVT_TIMER ? apic.timerModes : 0)));
  return true;
}

// MSRs

/** WRMSR; false: #GP. */
export function wrmsr(apic: LocalApic, msr: number, low: number, high: number): boolean {
  if (msr === MSR_APIC_BASE) return writeBase(apic, low, high);
  if (msr === MSR_TSC_DEADLINE) {
    if (apic.hardwareEnabled) apic.timer.setDeadline(low, high);
    return true;
  }
  if (msr < MSR_X2APIC || msr > MSR_X2APIC_LAST || !apic.x2apic) return false;
  const offset = (msr - MSR_X2APIC) << 4;
  const { reservedFaults, wideTmict } = apic.options;
  if (reservedFaults && (low & reserved(offset)) !== 0) return false;
  if (offset === Reg.ICR) {
    if (low & X2APIC_ICR_RESERVED) return false;
    const command = low & ~Icr.busy.mask;
    apic.command(command, high);
    apic.regs[Reg.ICR >> 4] = command;
    apic.icrHigh = high;
    return true;
  }
  if (high !== 0 && !(wideTmict && offset === Reg.TMICT)) return false;
  return writeRegister(apic, offset, low >>> 0);
}

/** Bits 31-0 of an MSR that must be 0. */
function reserved(offset: number): number {
  switch (offset) {
    case Reg.TPR:
      return ~0xff;
    case Reg.EOI:
    case Reg.ESR:
      return ~0;
    case Reg.SVR:
      return ~SVR_MASK;
    case Reg.ICR:
      return X2APIC_ICR_RESERVED | Icr.busy.mask;
    case Reg.TDCR:
      return ~TDCR_MASK;
    case Reg.LVT_TIMER:
      return ~(LVT_MASKS[0] | Lvt.timerMode.mask);
    default: {
      const index = LVTS.indexOf(offset as (typeof LVTS)[number]);
      return index < 0 ? 0 : ~LVT_MASKS[index]!;
    }
  }
}

/** RDMSR; undefined: #GP. */
export function rdmsr(apic: LocalApic, msr: number): readonly [low: number, high: number] | undefined {
  if (msr === MSR_APIC_BASE) return [apic.base >>> 0, apic.baseHigh];
  if (msr === MSR_TSC_DEADLINE) {
    const { low, high } = apic.hardwareEnabled ? apic.timer.deadline : { low: 0, high: 0 };
    return [low, high];
  }
  if (msr < MSR_X2APIC || msr > MSR_X2APIC_LAST || !apic.x2apic) return undefined;
  const offset = (msr - MSR_X2APIC) << 4;
  if (offset === Reg.ICR) return [apic.reg(Reg.ICR), apic.icrHigh];
  const value = readRegister(apic, offset);
  return value === null ? undefined : [value, 0];
}

/** IA32_APIC_BASE; false: reserved bits, or a change of mode that there is none of. */
function writeBase(apic: LocalApic, low: number, high: number): boolean {
  const { baseHighReserved, fixedPage, hasX2apic } = apic.options;
  if (!hasX2apic) {
    apic.setBase(low, high);
    return true;
  }
  if (low & 0xfff & ~(BASE_BSP | BASE_X2APIC | BASE_ENABLE) || high & baseHighReserved) return false;
  const mode = low & (BASE_X2APIC | BASE_ENABLE);
  if (mode === BASE_X2APIC) return false;
  if (fixedPage && mode === BASE_ENABLE && (high !== 0 || (low & ~0xfff) >>> 0 !== DEFAULT_BASE))
    return false;
  if (apic.x2apic && mode === BASE_ENABLE) return false;
  if (!apic.hardwareEnabled && (low & BASE_X2APIC) !== 0) return false;
  apic.setBase(low, high);
  return true;
}
