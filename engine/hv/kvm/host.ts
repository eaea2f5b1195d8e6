/** What KVM needs of the Linux it is a module of, and of the threads of its virtual CPUs. */
import type { Ns } from '../../core/clock.ts';
import type { Processor } from '../../hw/x86/processor.ts';

/** A timer of the host that runs in its timer interrupt (hrtimer). */
export interface HostTimer {
  /** Sets it, from code that runs on the given CPU; it fires there. */
  set(when: Ns, on: Processor): void;
  cancel(): void;
}

export interface HostKernel {
  /** wake_up_process on the thread of a virtual CPU, by its index, from code that runs on `on` */
  wake(vcpu: number, on: Processor): void;
  /** smp_send_reschedule: the CPU is to look up from what it does */
  reschedule(cpu: number, on: Processor): void;
  /** the raise that waits for a vector of the host at a processor's local APIC; 0: none does */
  journeyOf(cpu: number, vector: number): number;
  /** does another thread want this CPU? */
  needResched(cpu: number): boolean;
  /** is the virtual CPU's thread, or whatever else runs there, the only one that is ready? */
  singleTaskRunning(cpu: number): boolean;
  /** what the thread of a virtual CPU looks for in a loop has come, said by code at the present time */
  spinOver(vcpu: number): void;
  /** apic->send_IPI_mask of one CPU */
  sendIpi(cpu: number, vector: number, on: Processor): void;
  /** a page of the virtual CPU's is read from the swap device; its `pages` are told when it is there */
  readPage(vcpu: number, on: Processor): void;
  hrtimer(run: (on: Processor) => void): HostTimer;
}

/** Vectors of the host's table that are KVM's (asm/irq_vectors.h). */
export const POSTED_INTR_VECTOR = 0xf2;
export const POSTED_INTR_WAKEUP_VECTOR = 0xf1;
