/**
 * What the virtual-machine control structure holds and why a processor leaves a guest, under the SDM's names and
 * numbers (volume 3, chapters "Virtual Machine Control Structures" and "VM Exits", appendix C).
 */
import { Field } from '../../core/bits.ts';

/** Basic exit reasons. */
export const Exit = {
  EXCEPTION_NMI: 0,
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  INIT_SIGNAL: 3,
  SIPI_SIGNAL: 4,
  INTERRUPT_WINDOW: 7,
  NMI_WINDOW: 8,
  TASK_SWITCH: 9,
  CPUID: 10,
  HLT: 12,
  INVD: 13,
  INVLPG: 14,
  RDPMC: 15,
  RDTSC: 16,
  VMCALL: 18,
  CR_ACCESS: 28,
  DR_ACCESS: 29,
  IO_INSTRUCTION: 30,
  MSR_READ: 31,
  MSR_WRITE: 32,
  INVALID_STATE: 33,
  MWAIT_INSTRUCTION: 36,
  MONITOR_INSTRUCTION: 39,
  PAUSE_INSTRUCTION: 40,
  TPR_BELOW_THRESHOLD: 43,
  APIC_ACCESS: 44,
  EOI_INDUCED: 45,
  EPT_VIOLATION: 48,
  EPT_MISCONFIG: 49,
  PREEMPTION_TIMER: 52,
  WBINVD: 54,
  XSETBV: 55,
  APIC_WRITE: 56,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Exit).map(([name, n]) => [n, name]));

/** As Linux spells it since 5.8; older ones say PENDING_INTERRUPT for a window. */
export function exitName(reason: number): string {
  return NAMES.get(reason) ?? `reason ${reason}`;
}

/** one more than the largest reason above */
export const EXIT_REASONS = 57;

/** Interruption-information fields: of VM entry, VM exit, and IDT vectoring. */
export const Info = {
  vector: new Field(0, 8),
  type: new Field(8, 3),
  errorCode: new Field(11, 1),
  nmiUnblocking: new Field(12, 1),
  valid: new Field(31, 1),
} as const;

export const INFO_VALID = 0x8000_0000;

/** Interruption types. */
export const Type = {
  EXTERNAL: 0,
  NMI: 2,
  HARDWARE_EXCEPTION: 3,
  SOFTWARE_INTERRUPT: 4,
  SOFTWARE_EXCEPTION: 6,
} as const;

/** Pin-based controls. */
export const Pin = {
  externalInterruptExiting: 1 << 0,
  nmiExiting: 1 << 3,
  virtualNmis: 1 << 5,
  preemptionTimer: 1 << 6,
  postedInterrupts: 1 << 7,
} as const;

/** Primary processor-based controls. */
export const Proc = {
  interruptWindow: 1 << 2,
  hltExiting: 1 << 7,
  invlpgExiting: 1 << 9,
  rdtscExiting: 1 << 12,
  cr3LoadExiting: 1 << 15,
  cr3StoreExiting: 1 << 16,
  tprShadow: 1 << 21,
  nmiWindow: 1 << 22,
  movDrExiting: 1 << 23,
  secondary: 0x8000_0000,
} as const;

/** Secondary processor-based controls. */
export const Proc2 = {
  virtualizeApicAccesses: 1 << 0,
  ept: 1 << 1,
  virtualizeX2apic: 1 << 4,
  apicRegisterVirtualization: 1 << 8,
  virtualInterruptDelivery: 1 << 9,
} as const;

/** VM-exit controls. */
export const ExitControl = { acknowledgeInterrupt: 1 << 15 } as const;

/** Guest interruptibility state. */
export const Blocking = { sti: 1 << 0, movSs: 1 << 1, smi: 1 << 2, nmi: 1 << 3 } as const;

/** Activity state. */
export const Activity = { active: 0, hlt: 1 } as const;

/** An interruption-information field that is valid. */
export function info(vector: number, type: number): number {
  return (INFO_VALID | (type << 8) | vector) >>> 0;
}
