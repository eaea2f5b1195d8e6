/** A thread of the host that does what it is told, one thing after the other: QEMU's main loop, vhost. */
import type { Ns } from '../core/clock.ts';
import type { Part, Plain } from '../core/state.ts';
import type { LinuxCpu } from '../guest/linux/entry.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { Thread } from '../guest/linux/threads.ts';

type Job = (cpu: LinuxCpu, a: number, b: number) => void;

export class Worker implements Part {
  readonly id: string;
  private readonly jobs: Job[] = [];
  private queue: [job: number, a: number, b: number, journey: number][] = [];
  private readonly thread: Thread;

  /**
   * @param wakeCost time of a step, beside
   * @param jobCost that of each job
   * @param carry told before each job of the journey that it carries on
   */
  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    cpu: number,
    allowed: readonly number[],
    wakeCost: Ns,
    jobCost: Ns,
    carry: (journey: number) => void,
  ) {
    this.id = `${kernel.id}.worker.${name}`;
    const work = {
      cost: () => wakeCost + jobCost * this.queue.length,
      run: (on: LinuxCpu) => {
        const { queue } = this;
        this.queue = [];
        for (const [job, a, b, journey] of queue) {
          carry(journey);
          this.jobs[job]!(on, a, b);
        }
        carry(0);
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

  /**
   * Tells it, from code that runs on `from`.
   * @param journey that the job carries on; 0: none
   */
  post(job: number, a: number, b: number, from: LinuxCpu, journey = 0): void {
    this.queue.push([job, a, b, journey]);
    this.kernel.wake(this.thread, from);
  }

  save(): Plain {
    return this.queue;
  }

  restore(state: Plain): void {
    this.queue = (state as [number, number, number, number][]).map((entry) => [...entry]);
  }
}
