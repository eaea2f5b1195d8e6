/**
 * Records of Xen's trace buffers as xentrace writes them to a file (xen/include/public/trace.h of 4.17): a 32-bit head, the
 * cycle counter if the head says so, up to seven words more.
 */

export const TRC = {
  LOST_RECORDS: 0x1f001,
  TRACE_WRAP_BUFFER: 0x1f002,
  TRACE_CPU_CHANGE: 0x1f003,
  /** with room for the states: the old one from bit 8 on, the new one from bit 4 on */
  SCHED_RUNSTATE_CHANGE: 0x21001,
  SCHED_CONTINUE_RUNNING: 0x21002,
  SCHED_WAKE: 0x28004,
  SCHED_SWITCH: 0x2800a,
  HVM_VMENTRY: 0x81001,
  HVM_VMEXIT: 0x81002,
  HVM_VMEXIT64: 0x81102,
  HVM_INJ_EXC: 0x82003,
  HVM_INJ_VIRQ: 0x82004,
  HVM_MSR_READ: 0x8200c,
  HVM_MSR_WRITE: 0x8200d,
  HVM_INTR: 0x8200f,
  HVM_NMI: 0x82010,
  HVM_VMMCALL: 0x82012,
  HVM_HLT: 0x82013,
  HVM_IOPORT_READ: 0x82016,
  HVM_IOMEM_READ: 0x82017,
  HVM_INTR_WINDOW: 0x82020,
  HVM_NPF: 0x82021,
  /** an exception: its vector */
  HVM_TRAP: 0x82023,
  HVM_VLAPIC: 0x82025,
  HVM_IOPORT_WRITE: 0x82216,
  HVM_IOMEM_WRITE: 0x82217,
  HVM_EMUL_LAPIC_PIC_INTR: 0x84011,
  PV_HYPERCALL_V2: 0x20100d,
  HW_IRQ_UNMAPPED_VECTOR: 0x802007,
  HW_IRQ_HANDLED: 0x802008,
} as const;

/** What is left of SCHED_RUNSTATE_CHANGE without the states. */
export const RUNSTATE_CHANGE_MASK = 0xffff_f00f;
export const RUNSTATE_NEW_SHIFT = 4;
export const RUNSTATE_OLD_SHIFT = 8;

export const EVENT_MASK = 0x0fff_ffff;
export const EXTRA_SHIFT = 28;
export const EXTRA_MASK = 7;
export const CYCLES_FLAG = 0x8000_0000;

/** whose virtual CPUs idle */
export const DOMID_IDLE = 0x7fff;

/** in the number of PV_HYPERCALL_V2: the argument at that place follows */
export function hypercallArg(place: number): number {
  return 1 << (20 + 2 * place);
}
