/**
 * Where hypervisor and guest meet on ARM: what a processor offers to the kernel that runs on it at EL1, and the entry
 * points that kernel gives in return. Neither side knows the other's code.
 *
 * Interrupts come through the kernel's vector table. It programs its GIC, its timer and its devices by instructions; on a
 * virtual processor some of them leave the guest by an exception to EL2 (exceptions.ts), which costs time and is invisible
 * otherwise: a register of a device by DABT_LOW, a system register by SYS64, waiting by WFX, calls by HVC64 and SMC64.
 */
import type { Ns } from '../../core/clock.ts';
import type { Width } from '../../core/registers.ts';

export type { Width };

/** A processor as a kernel at EL1 sees it. */
export interface ArmCpu {
  /** number within its machine or domain */
  readonly vcpu: number;
  /** the processor's time: the clock, plus what this processor has spent within the current event */
  readonly now: Ns;
  /** the physical CPU it runs on, for traces */
  readonly processor: number;
  /**
   * PSTATE.I. An interrupt that waits while it is clear is taken when the kernel's code in hand has said how it goes on,
   * never in the middle of it.
   */
  irqsMasked: boolean;
  /** Executes code for `ns`; `done` of the kernel is called at its end, unless an interrupt comes between. */
  run(ns: Ns): void;
  /**
   * WFI: sleeps until an interrupt is there, masked or not. The kernel says nothing else afterwards: if it is not masked it
   * comes, else `done` does.
   */
  wfi(): void;
  /** a store to a register of a device or of the GIC at a physical address */
  store(address: number, value: number, width?: Width): void;
  /** a load from one */
  load(address: number, width?: Width): number;
  /** MSR of a register named by `sysreg` of gic-regs.ts; false: it is undefined */
  msr(register: number, low: number, high?: number): boolean;
  /** MRS, a whole number; undefined: the register is */
  mrs(register: number): number | undefined;
  /** HVC with its immediate; X0 is the function, the answer X0 afterwards (SMCCC; PSCI of a guest) */
  hvc(immediate: number, x0: number, x1?: number, x2?: number, x3?: number): number;
  /** SMC #0, likewise */
  smc(x0: number, x1?: number, x2?: number, x3?: number): number;
}

/** Addresses of code and stack, their lower halves; the upper ones are the kernel's. */
export interface CodePlace {
  readonly pc: number;
  readonly lr: number;
  /** what the exception that it handles has interrupted; 0: it handles none */
  readonly elr: number;
  readonly sp: number;
}

/** Entry points of such a kernel, called on its own processor. */
export interface ArmEntry {
  /** Where its code is, for who looks at registers; absent where nobody knows. */
  where?(): CodePlace;
  /** The stretch begun by `run` is over, or a wait has ended without an interrupt that can be taken. */
  done(): void;
  /**
   * The IRQ entry: PSTATE.I is set now. It interrupts a stretch of which `remaining` is left, or a wait (0 left). The kernel
   * goes on with `run`.
   */
  irq(remaining: Ns): void;
  /** The SError entry: the same, with what ESR_EL1 says of it; a kernel that does not expect it panics. */
  serror?(remaining: Ns, syndrome: number): void;
}
