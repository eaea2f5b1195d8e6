/**
 * Where hypervisor and guest meet: what a processor offers to the kernel that runs on it, and the entry points
 * that kernel gives in return. Neither side knows the other's code.
 *
 * A kernel that knows Xen runs on a `VirtualCpu` and is interrupted by upcalls. A native kernel runs on a
 * `NativeCpu`: a real processor or a virtual one that looks like it. It is interrupted through its interrupt
 * descriptor table and programs its interrupt controllers and devices; on a virtual processor such an
 * instruction may leave the guest, which costs time and is invisible otherwise.
 */
import type { Ns } from '../../core/clock.ts';
import type { Width } from '../../core/registers.ts';
import type { Processor } from '../cpu.ts';

export type { Width };

/** The virtual CPU of a Xen domain as its kernel sees it. */
export interface VirtualCpu extends Processor {
  /** SCHEDOP_block: nothing to do until an event arrives. Upcalls are unmasked. */
  block(): void;
  /** SCHEDOP_poll without timeout on one port: sleeps, upcalls masked or not, until the port is pending. */
  poll(port: number): void;
  /** HYPERVISOR_iret that ends the handler of a machine check, which has cleared MCIP. */
  machineCheckReturn(): void;
  /** HYPERVISOR_iret that ends the handler of an NMI. */
  nmiReturn(): void;
  /** HYPERVISOR_iret back to what an upcall has interrupted; its time is part of the upcall's end. */
  upcallReturn(): void;
}

/** A kernel's entry points, called on its own virtual CPU. */
export interface GuestEntry {
  /** The stretch begun by `run` is over, or a block or poll has ended. The kernel goes on with `run`, `block` or `poll`. */
  done(): void;
  /** An upcall interrupts a stretch of which `remaining` is left. The kernel goes on with `run`. */
  upcall(remaining: Ns): void;
  /** The trap of a machine check, upcalls masked now. @param upcalls they were let in where it interrupts */
  machineCheck(remaining: Ns, upcalls: boolean): void;
  /** The trap of an NMI. */
  nmi(remaining: Ns): void;
}

/** A processor as a native kernel sees it. */
export interface NativeCpu extends Processor {
  /**
   * RFLAGS.IF. An interrupt that waits while it is set is taken when the kernel's code in hand has said how it
   * goes on, never in the middle of it.
   */
  interruptFlag: boolean;
  /** The kernel's code in hand takes so long, before it goes on. */
  spend(ns: Ns): void;
  /** sti; hlt: sleeps until an interrupt comes. The kernel says nothing else afterwards. */
  halt(): void;
  /** OUT */
  out(port: number, value: number, width?: Width): void;
  /** IN */
  in(port: number, width?: Width): number;
  /** a store to a device's or interrupt controller's register at a physical address */
  store(address: number, value: number, width?: Width): void;
  /** a load from one */
  load(address: number, width?: Width): number;
  /** WRMSR; false: it raised #GP */
  wrmsr(msr: number, low: number, high?: number): boolean;
  /** IRET that ends the handler of an NMI: the next one may come. */
  nmiReturn(): void;
  /** Another processor, whose time is `now`, stores to a line that this one monitors while it is halted (MWAIT), or reads in a loop. */
  monitorStore?(now: Ns): void;
  /** RDMSR, the low half; undefined: it raised #GP */
  rdmsr(msr: number): number | undefined;
}

/** Entry points of a native kernel, called on its own processor. */
export interface NativeEntry {
  /** The stretch begun by `run` is over, or a halt has ended without an interrupt. */
  done(): void;
  /** A line was stored to. True: a loop that runs now, with nothing over it, is over by that; `done` is called. */
  spinOver(): boolean;
  /**
   * The gate of this vector, an interrupt gate: IF is clear now. It interrupts a stretch of which `remaining` is
   * left, or a halt (0 left). The kernel goes on with `run`.
   */
  interrupt(vector: number, remaining: Ns): void;
  /** The NMI gate: the same, IF clear or not. */
  nmi(remaining: Ns): void;
  /** The #MC gate, IF clear now. @param interrupts IF of what is interrupted */
  machineCheck(remaining: Ns, interrupts: boolean): void;
}
