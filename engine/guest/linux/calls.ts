/**
 * Function calls to other CPUs (kernel/smp.c): queued there, with an IPI if the queue was empty. One CPU gets the
 * IPI for single calls, several the broadcast's. 2.6.18 has the broadcast only. Nobody waits for the end here.
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
  private readonly nothing: number;
  /** per CPU: function and argument of the calls waiting there */
  private queues: [fn: number, arg: number][][];

  constructor(private readonly kernel: LinuxKernel) {
    this.id = `${kernel.id}.calls`;
    this.queues = Array.from({ length: kernel.cpuCount }, () => []);
    this.nothing = this.register(() => {});
  }

  register(fn: Call): number {
    this.functions.push(fn);
    return this.functions.length - 1;
  }

  /** smp_call_function_single_async. */
  single(cpu: number, arg: number, fn: number, from: LinuxCpu): void {
    if (this.enqueue(cpu, arg, fn)) this.kernel.sendIpi(this.kernel.singleKind, cpu, from);
  }

  /** smp_call_function with a function that has no effect on what is simulated. */
  many(from: LinuxCpu): void {
    const others = this.kernel.cpus.filter((cpu) => cpu !== from);
    const idle = others.filter((cpu) => this.enqueue(cpu.cpu, 0, this.nothing));
    const kind = idle.length === 1 ? this.kernel.singleKind : 'callfunc';
    for (const { cpu } of idle) this.kernel.sendIpi(kind, cpu, from);
  }

  /** True if the queue was empty: the CPU must be told. */
  private enqueue(cpu: number, arg: number, fn: number): boolean {
    return this.queues[cpu]!.push([fn, arg]) === 1;
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
