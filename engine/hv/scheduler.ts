/** What every scheduler of virtual CPUs does; credit.ts and credit2.ts are the two that Xen had by default. */
import type { Ns } from '../core/clock.ts';
import type { Part } from '../core/state.ts';
import type { Pcpu, Vcpu } from './pcpu.ts';

export interface Scheduler extends Part {
  /** as `xl info` names it, e.g. `credit2` */
  readonly name: string;
  /** The virtual CPU has become runnable; decides which CPU is told to look. */
  wake(v: Vcpu): void;
  /** The scheduling softirq of a CPU: switches to whoever should run. */
  schedule(cpu: Pcpu): void;
}

/** What a scheduler needs of the hypervisor. */
export interface SchedulerHost {
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  /** raises the scheduling softirq on a CPU */
  tickle(cpu: Pcpu): void;
  /** calls `schedule` of this CPU again at a time; undefined: not before it is tickled */
  setSlice(cpu: Pcpu, until: Ns | undefined): void;
  /** about to run on another CPU than before */
  moved(v: Vcpu): void;
}

export function mayRunOn(v: Vcpu, cpu: Pcpu): boolean {
  return v.affinity.includes(cpu.cpu);
}
