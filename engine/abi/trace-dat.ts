/**
 * What is in a trace.dat and how ring buffers of the kernel lay out their events (man trace-cmd.dat.v6,
 * include/linux/ring_buffer.h).
 */

/** its first bytes, before `tracing` and the version */
export const TRACE_DAT_MAGIC = [0x17, 0x08, 0x44] as const;

/** of a page of a ring buffer: its first event's time, and how much of it is used */
export const PAGE_HEADER = 16;

/** bits of an event's head: its length in words or its kind, then the time since the one before */
export const TYPE_LEN_BITS = 5;
export const DELTA_BITS = 27;
/** an event of more words than fit into its head's five bits has its length behind that */
export const MOST_WORDS = 28;
export const PADDING = 29;
export const TIME_EXTEND = 30;
export const TIME_STAMP = 31;

/** Delivery modes of an interrupt as trace/events/kvm.h prints them. */
export const DELIVERY_MODES = ['Fixed', 'LowPrio', 'SMI', 'Res3', 'NMI', 'INIT', 'SIPI', 'ExtINT'] as const;

/** kvm_exit's `isa` */
export const ISA_VMX = 1;
export const ISA_SVM = 2;
