/**
 * Registers of the local APIC (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)", table "Local APIC
 * Register Address Map"), by offset in its page; as MSRs they are 0x800 + offset / 16.
 */
import { Field } from '../../core/bits.ts';

export const Reg = {
  ID: 0x20,
  VERSION: 0x30,
  TPR: 0x80,
  APR: 0x90,
  PPR: 0xa0,
  EOI: 0xb0,
  RRD: 0xc0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  LVT_CMCI: 0x2f0,
  ICR: 0x300,
  ICR2: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERF: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TMICT: 0x380,
  TMCCT: 0x390,
  TDCR: 0x3e0,
  SELF_IPI: 0x3f0,
} as const;

/** Vectors below are reserved. */
export const FIRST_VECTOR = 16;

/** The LVT entries from the timer's on; CMCI's, where there is one, is the seventh. */
export const LVTS = [
  Reg.LVT_TIMER,
  Reg.LVT_THERMAL,
  Reg.LVT_PERF,
  Reg.LVT_LINT0,
  Reg.LVT_LINT1,
  Reg.LVT_ERROR,
  Reg.LVT_CMCI,
] as const;

export const MSR_APIC_BASE = 0x1b;
export const MSR_TSC_DEADLINE = 0x6e0;
export const MSR_X2APIC = 0x800;
export const MSR_X2APIC_LAST = 0x8ff;

/** IA32_APIC_BASE */
export const BASE_BSP = 1 << 8;
export const BASE_X2APIC = 1 << 10;
export const BASE_ENABLE = 1 << 11;
export const DEFAULT_BASE = 0xfee0_0000;

/** Delivery modes, as ICR, LVT, redirection entries and messages encode them. */
export const Mode = {
  FIXED: 0,
  LOWEST: 1,
  SMI: 2,
  REMOTE_READ: 3,
  NMI: 4,
  INIT: 5,
  SIPI: 6,
  EXTINT: 7,
} as const;

/** Destination shorthands of the ICR. */
export const Shorthand = { NONE: 0, SELF: 1, ALL: 2, ALL_BUT_SELF: 3 } as const;

/** Interrupt command register, low half. */
export const Icr = {
  vector: new Field(0, 8),
  mode: new Field(8, 3),
  logical: new Field(11, 1),
  /** delivery status; reads as idle */
  busy: new Field(12, 1),
  assert: new Field(14, 1),
  level: new Field(15, 1),
  shorthand: new Field(18, 2),
} as const;

/** Bits of the ICR's low half that raise #GP as an MSR: 31-20, 17, 16 and 13; KVM forgives the delivery status. */
export const X2APIC_ICR_RESERVED = 0xfff3_2000;

/** Local vector table entries. */
export const Lvt = {
  vector: new Field(0, 8),
  mode: new Field(8, 3),
  sendPending: new Field(12, 1),
  polarity: new Field(13, 1),
  remoteIrr: new Field(14, 1),
  level: new Field(15, 1),
  masked: new Field(16, 1),
  timerMode: new Field(17, 2),
} as const;

export const LVT_MASKED = 1 << 16;

const LVT_COMMON = Lvt.vector.mask | Lvt.sendPending.mask | Lvt.masked.mask;
const LVT_WITH_MODE = LVT_COMMON | Lvt.mode.mask;
const LVT_LINT = LVT_WITH_MODE | Lvt.polarity.mask | Lvt.remoteIrr.mask | Lvt.level.mask;

/** What can be written of each LVT entry, in the order of LVTS; the timer's mode comes on top. */
export const LVT_MASKS = [
  LVT_COMMON,
  LVT_WITH_MODE,
  LVT_WITH_MODE,
  LVT_LINT,
  LVT_LINT,
  LVT_COMMON,
  LVT_WITH_MODE,
] as const;

export const TimerMode = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;

export const SVR_ENABLE = 1 << 8;
/** what can be written of SVR: vector, enable, focus checking */
export const SVR_MASK = 0x3ff;
/** TDCR */
export const TDCR_MASK = 0xb;
export const DFR_FLAT = 0xffff_ffff;
export const DFR_CLUSTER = 0x0fff_ffff;

/** Error status register. */
export const Esr = { SEND_ILLEGAL: 1 << 5, RECEIVE_ILLEGAL: 1 << 6, REGISTER: 1 << 7 } as const;

/** LDR of an x2APIC: cluster in the upper half, a bit for the place in it (SDM, "Logical Destination Mode in x2APIC Mode"). */
export function x2apicLdr(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}
