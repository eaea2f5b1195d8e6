/**
 * Where hypervisor and guest meet: what a virtual CPU offers to the kernel that runs on it, and the entry
 * points that kernel gives in return. Neither side knows the other's code.
 */
import type { Ns } from '../../core/clock.ts';

/** The virtual CPU as its kernel sees it. */
export interface VirtualCpu {
  /** number within the domain */
  readonly vcpu: number;
  /** the processor's time: the clock, plus what this processor has spent within the current event */
  readonly now: Ns;
  /** the physical CPU it runs on, for traces */
  readonly processor: number;
  /** Executes code for `ns`; `done` of the kernel is called at its end, unless an upcall comes between. */
  run(ns: Ns): void;
  /** SCHEDOP_block: nothing to do until an event arrives. Upcalls are unmasked. */
  block(): void;
  /** SCHEDOP_poll without timeout on one port: sleeps, upcalls masked or not, until the port is pending. */
  poll(port: number): void;
}

/** A kernel's entry points, called on its own virtual CPU. */
export interface GuestEntry {
  /** The stretch begun by `run` is over, or a block or poll has ended. The kernel goes on with `run`, `block` or `poll`. */
  done(): void;
  /** An upcall interrupts a stretch of which `remaining` is left. The kernel goes on with `run`. */
  upcall(remaining: Ns): void;
}
