/**
 * Function calls to other CPUs (kernel/smp.c): to one, queued there with a single-call IPI if its queue was
 * empty; to all others, waited for by the caller, with the broadcast IPI.
 */
import type { Part, Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import type { LinuxCpu } from './entry.ts';
import type { Work } from './irq-core.ts';
import type { LinuxKernel } from './kernel.ts';

type Call = (cpu: LinuxCpu, arg: number) => void;

export class CrossCalls implements Part {
  readonly id: string;
  private readonly functions: Call[] = [];
  /** per CPU: function and argument of the calls waiting there */
  private queues: [fn: number, arg: number][][];

  constructor(private readonly kernel: LinuxKernel) {
    this.id = `${kernel.id}.calls`;
    this.queues = Array.from({ length: kernel.cpuCount }, () => []);
  }

  register(fn: Call): number {
    this.functions.push(fn);
    return this.functions.length - 1;
  }

  /** smp_call_function_single_async. */
  single(cpu: number, arg: number, fn: number, from: LinuxCpu): void {
    const queue = this.queues[cpu]!;
    queue.push([fn, arg]);
    if (queue.length === 1) this.kernel.sendIpi(this.singleKind, cpu, from);
  }

  /** smp_call_function with a function that has no effect on what is simulated. */
  many(from: LinuxCpu): void {
    for (const cpu of this.kernel.cpus) if (cpu !== from) this.kernel.sendIpi('callfunc', cpu.cpu, from);
  }

  /** Kernels before single calls had their own IPI use the broadcast's. */
  private get singleKind(): string {
    const { bootCpu } = this.kernel.profile;
    if (bootCpu.includes('callfuncsingle')) return 'callfuncsingle';
    return bootCpu.includes('call1func') ? 'call1func' : 'callfunc';
  }

  /** The handler of either IPI. */
  readonly interrupt: Work = {
    count: (cpu) => this.kernel.countArch('CAL', cpu.cpu),
    cost: (cpu) => timing.shortHandler * (1 + this.queues[cpu.cpu]!.length),
    run: (cpu) => {
      const queue = this.queues[cpu.cpu]!;
      this.queues[cpu.cpu] = [];
      for (const [fn, arg] of queue) this.functions[fn]!(cpu, arg);
    },
  };

  save(): Plain {
    return this.queues;
  }

  restore(state: Plain): void {
    this.queues = (state as [number, number][][]).map((q) => q.map(([fn, arg]) => [fn, arg]));
  }
}
