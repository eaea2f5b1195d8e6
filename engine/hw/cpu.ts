/** What any processor offers to the kernel that runs on it; the rest is in x86/cpu.ts and arm/. */
import type { Ns } from '../core/clock.ts';

export interface Processor {
  /** number within its machine or domain */
  readonly vcpu: number;
  /** the processor's time: the clock, plus what this processor has spent within the current event */
  readonly now: Ns;
  /** the physical CPU it runs on, for traces */
  readonly processor: number;
  /** Executes code for `ns`; `done` of the kernel is called at its end, unless an interrupt comes between. */
  run(ns: Ns): void;
}
