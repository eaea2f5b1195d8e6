/** Kernel threads and processes: work that is woken, runs on one CPU, and sleeps again. */
import type { Ns } from '../../core/clock.ts';
import { Runstate } from '../../core/runstate.ts';
import type { LinuxCpu } from './entry.ts';

export interface ThreadWork {
  /** CPU time of its next step */
  cost(cpu: LinuxCpu): Ns;
  /**
   * What the step does, at its end. True: there is more to do at once. `guest`: the processor is in a virtual
   * machine, and the thread's next step begins when it has left that.
   */
  run(cpu: LinuxCpu): boolean | 'guest';
  /**
   * Its step is a loop that is over as soon as what it looks for has come, or another thread is ready on its CPU; `cost`
   * is what remains of it.
   */
  spins?(): boolean;
  /** another thread takes its place before its step is over (a preempt notifier) */
  preempted?(): void;
}

export class Thread {
  /** running or waiting for the CPU */
  ready = false;
  /** woken while it ran */
  again = false;
  /** it waits for its turn: it gave way, or another one was chosen; else it has just been woken and preempts */
  waits = false;
  /** preempted: time that its step still takes */
  left: Ns = 0;
  /** where its time goes, as far as its CPUs decide it (sum_exec_runtime and run_delay) */
  readonly runstate = new Runstate('blocked');

  constructor(
    readonly index: number,
    readonly name: string,
    /** the CPU it runs on, or ran on last */
    public cpu: number,
    readonly work: ThreadWork,
    /** CPUs it may move to; undefined: it stays */
    readonly allowed?: readonly number[],
  ) {}
}
