/**
 * Exceptions of an ARMv8-A processor that has EL2, as far as interrupts need them (DDI 0487, chapter D1 and the registers
 * HCR_EL2 and ESR_EL2): where they go, when they are taken, which entry of the vector table, what the syndrome says.
 */
import { bit, Field } from '../../core/bits.ts';
import { ICC } from './gic-regs.ts';
import { CNT } from './timer-regs.ts';

/** HCR_EL2, lower half. */
export const Hcr = {
  /** stage 2 translation */
  vm: bit(0),
  swio: bit(1),
  ptw: bit(2),
  /** physical FIQ, IRQ and SError go to EL2, virtual ones can come to EL1 */
  fmo: bit(3),
  imo: bit(4),
  amo: bit(5),
  /** virtual ones that the hypervisor makes pending */
  vf: bit(6),
  vi: bit(7),
  vse: bit(8),
  fb: bit(9),
  /** barriers reach inner shareable at least */
  bsuInner: bit(10),
  twi: bit(13),
  twe: bit(14),
  tid3: bit(18),
  tsc: bit(19),
  tidcp: bit(20),
  tacr: bit(21),
  tsw: bit(22),
  /** general exceptions: all of EL0's go to EL2 */
  tge: bit(27),
  /** EL1 is AArch64 */
  rw: bit(31),
} as const;

/** PSTATE.DAIF, as SPSR has it: exceptions that are masked. */
export const Daif = { f: bit(6), i: bit(7), a: bit(8), d: bit(9) } as const;
export const DAIF_ALL = Daif.f.mask | Daif.i.mask | Daif.a.mask | Daif.d.mask;

/** Kinds of exceptions in the order of the vector table. */
export const Kind = { SYNC: 0, IRQ: 1, FIQ: 2, SERROR: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Where an exception that goes to EL2 comes from, in the order of the vector table. */
export const From = { EL2T: 0, EL2H: 1, LOWER_64: 2, LOWER_32: 3 } as const;
export type From = (typeof From)[keyof typeof From];

export interface VectorEntry {
  /** from VBAR_EL2 */
  readonly offset: number;
  readonly from: From;
  readonly kind: Kind;
  readonly name: string;
}

const KINDS = ['Synchronous', 'IRQ', 'FIQ', 'SError'] as const;
const FROM = ['EL2t', 'EL2h', '64-bit EL0/EL1', '32-bit EL0/EL1'] as const;

/** The 16 entries of EL2's vector table, as they lie. */
export const VECTORS: readonly VectorEntry[] = FROM.flatMap((where, from) =>
  KINDS.map((what, kind) => ({
    offset: vectorOffset(from as From, kind as Kind),
    from: from as From,
    kind: kind as Kind,
    name: `${what} ${where}`,
  })),
);

export function vectorOffset(from: From, kind: Kind): number {
  return from * 0x200 + kind * 0x80;
}

const ROUTE = [0, Hcr.imo.mask, Hcr.fmo.mask, Hcr.amo.mask] as const;
const MASK = [0, Daif.i.mask, Daif.f.mask, Daif.a.mask] as const;

/** The exception level that a physical IRQ, FIQ or SError goes to. */
export function routedTo(kind: Kind, hcr: number): 1 | 2 {
  return hcr & (ROUTE[kind] | Hcr.tge.mask) ? 2 : 1;
}

/**
 * Is a physical IRQ, FIQ or SError that is pending taken now? What goes to a higher level cannot be masked there, what
 * goes to a lower one waits until that runs.
 */
export function isTaken(kind: Kind, hcr: number, el: 0 | 1 | 2, daif: number): boolean {
  const target = routedTo(kind, hcr);
  if (target < el) return false;
  if (target === 2 && el < 2) return true;
  return (daif & MASK[kind]) === 0;
}

/** The same of a virtual one, which only a guest whose physical ones go to EL2 can take. */
export function isVirtualTaken(kind: Kind, hcr: number, el: 0 | 1 | 2, daif: number): boolean {
  return el < 2 && (hcr & ROUTE[kind]) !== 0 && !Hcr.tge.has(hcr) && (daif & MASK[kind]) === 0;
}

/** ESR_EL2: why an exception was taken. */
export const Esr = {
  /** what the class says more */
  iss: new Field(0, 25),
  /** the instruction was of 32 bits */
  il: bit(25),
  ec: new Field(26, 6),
} as const;

/** Exception classes. */
export const Ec = {
  UNKNOWN: 0x00,
  WFX: 0x01,
  CP15_32: 0x03,
  CP15_64: 0x04,
  CP14_MR: 0x05,
  CP14_LS: 0x06,
  FP_ASIMD: 0x07,
  CP10_ID: 0x08,
  CP14_64: 0x0c,
  SVC32: 0x11,
  HVC32: 0x12,
  SMC32: 0x13,
  SVC64: 0x15,
  HVC64: 0x16,
  SMC64: 0x17,
  SYS64: 0x18,
  SVE: 0x19,
  IABT_LOW: 0x20,
  IABT_CUR: 0x21,
  PC_ALIGN: 0x22,
  DABT_LOW: 0x24,
  DABT_CUR: 0x25,
  SP_ALIGN: 0x26,
  SERROR: 0x2f,
  BRK64: 0x3c,
} as const;
export type Ec = (typeof Ec)[keyof typeof Ec];

/** Class -> its name, as above; others that there are not here are undefined. */
export const EC_NAMES: readonly (string | undefined)[] = namesOf(Ec);

function namesOf(classes: { readonly [name: string]: number }): (string | undefined)[] {
  const names: (string | undefined)[] = new Array(64).fill(undefined);
  for (const [name, ec] of Object.entries(classes)) names[ec] = name;
  return names;
}

/** Syndrome of an access to memory that stage 2 does not map: the instruction is told, so that it can be emulated. */
export const Dabt = {
  dfsc: new Field(0, 6),
  write: bit(6),
  s1ptw: bit(7),
  /** register that is loaded or stored, of 64 bits or not */
  srt: new Field(16, 5),
  sf: bit(15),
  /** log2 of the width in bytes */
  sas: new Field(22, 2),
  /** the fields of the instruction are valid */
  isv: bit(24),
} as const;

/** DFSC: translation fault, level 3 */
export const TRANSLATION_FAULT = 0x07;

/** Syndrome of a system register. */
export const Sys64 = {
  read: bit(0),
  rt: new Field(5, 5),
  /** which register, as `sysreg` of gic-regs.ts makes it */
  register: 0x3f_fc1e,
} as const;

/** Syndrome of WFI and WFE. */
export const Wfx = { wfe: bit(0), cond: new Field(20, 4), cv: bit(24) } as const;

/** ESR_EL2 of a class. */
export function syndrome(ec: Ec, iss: number): number {
  return Esr.ec.set(Esr.il.mask | iss, ec);
}

/** ESR_EL2 of a load or store of a guest. */
export function dataAbort(width: 1 | 2 | 4 | 8, write: boolean, register: number): number {
  let iss = Dabt.isv.mask | TRANSLATION_FAULT | (write ? Dabt.write.mask : 0);
  iss = Dabt.sas.set(iss, 31 - Math.clz32(width));
  iss = Dabt.srt.set(iss, register) | (width === 8 ? Dabt.sf.mask : 0);
  return syndrome(Ec.DABT_LOW, iss);
}

/** ESR_EL2 of MRS or MSR. */
export function systemRegister(register: number, read: boolean, rt: number): number {
  return syndrome(Ec.SYS64, register | Sys64.rt.set(0, rt) | (read ? 1 : 0));
}

/** ESR_EL2 of HVC and SMC. That of an AArch32 guest's SMC, which can be conditional, does not have the immediate. */
export function call(ec: CallClass, immediate: number): number {
  return syndrome(ec, ec === Ec.SMC32 ? 0 : immediate & 0xffff);
}

export type CallClass = typeof Ec.HVC64 | typeof Ec.SMC64 | typeof Ec.HVC32 | typeof Ec.SMC32;

/** ESR_EL2 of WFI or WFE. */
export function waitFor(event: boolean): number {
  return syndrome(Ec.WFX, Wfx.cv.mask | Wfx.cond.set(0, 0xe) | (event ? Wfx.wfe.mask : 0));
}

const SYSREG_NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(ICC).map(([name, register]) => [register, `ICC_${name}`] as const),
  ...Object.entries(CNT).map(([name, register]) => [register, name] as const),
]);

/** What an exit to EL2 was for, in words: the class, and the register of SYS64. */
export function reasonOf(esr: number): string {
  const ec = Esr.ec.get(esr);
  const name = EC_NAMES[ec] ?? `EC 0x${ec.toString(16)}`;
  if (ec !== Ec.SYS64) return name;
  const register = esr & Sys64.register;
  return `${name} ${SYSREG_NAMES.get(register) ?? `0x${register.toString(16)}`}`;
}
