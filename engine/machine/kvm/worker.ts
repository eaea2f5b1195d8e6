/** A thread of the host that does what it is told, one thing after the other: QEMU's main loop, vhost. */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { Thread } from '../../guest/linux/threads.ts';

type Job = (cpu: LinuxCpu, a: number, b: number) => void;

export class Worker implements Part {
  readonly id: string;
  private readonly jobs: Job[] = [];
  private queue: [job: number, a: number, b: number][] = [];
  private readonly thread: Thread;

  /**
   * @param wakeCost time of a step, beside
   * @param jobCost that of each job
   */
  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    cpu: number,
    allowed: readonly number[],
    wakeCost: Ns,
    jobCost: Ns,
  ) {
    this.id = `${kernel.id}.worker.${name}`;
    const work = {
      cost: () => wakeCost + jobCost * this.queue.length,
      run: (on: LinuxCpu) => {
        const todo = this.queue;
        this.queue = [];
        for (const [job, a, b] of todo) this.jobs[job]!(on, a, b);
        return this.queue.length > 0;
      },
    };
    this.thread = kernel.thread(name, cpu, work, allowed);
    kernel.init.parts.add(this);
  }

  /** Something it can be told to do; the answer is its number. */
  job(run: Job): number {
    this.jobs.push(run);
    return this.jobs.length - 1;
  }

  /** Tells it, from code that runs on `from`. */
  post(job: number, a: number, b: number, from: LinuxCpu): void {
    this.queue.push([job, a, b]);
    this.kernel.wake(this.thread, from);
  }

  save(): Plain {
    return this.queue;
  }

  restore(state: Plain): void {
    this.queue = (state as [number, number, number][]).map(([job, a, b]) => [job, a, b]);
  }
}
