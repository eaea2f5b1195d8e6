/** What every scheduler of virtual CPUs does; credit.ts and credit2.ts are the two that Xen had by default. */
import type { Ns } from '../core/clock.ts';
import type { Part } from '../core/state.ts';
import type { Pcpu } from './pcpu.ts';
import type { Vcpu } from './vcpu.ts';

/** Weight of a domain that was given none; both schedulers have the same. */
export const DEFAULT_WEIGHT = 256;

export interface Scheduler extends Part {
  /** as `xl info` names it, e.g. `credit2` */
  readonly name: string;
  /** vcpu_wake: the virtual CPU has become runnable; decides which CPU is told to look. */
  wake(v: Vcpu): void;
  /** vcpu_sleep: it is paused, wherever it is, and is not to run until it is woken. */
  sleep(v: Vcpu): void;
  /** The scheduling softirq of a CPU: switches to whoever should run. */
  schedule(cpu: Pcpu): void;
  /** Virtual CPUs that wait for a physical one, by index, in no particular order. */
  waiting(): number[];
}

/** What a scheduler needs of the hypervisor. */
export interface SchedulerHost {
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  /** NOW(); a decision is taken in one instant */
  readonly now: Ns;
  weightOf(domain: number): number;
  /** raises the scheduling softirq on a CPU */
  tickle(cpu: Pcpu): void;
  /** calls `schedule` of this CPU again at a time; undefined: not before it is tickled */
  setSlice(cpu: Pcpu, until: Ns | undefined): void;
  /** runs on another CPU than before */
  moved(v: Vcpu): void;
}

/** vcpu_runnable: it wants a CPU, or has one and wants to keep it. */
export function runnable(v: Vcpu): boolean {
  return !v.blocked && v.paused === 0 && v.state !== 'offline';
}
