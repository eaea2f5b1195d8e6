/**
 * Microbenchmarks as Dall et al. define them ("ARM Virtualization: Performance and Architectural Implications", ISCA 2016,
 * table I): a thread of a guest's kernel, or of the backend's, does one thing again and again. It says in the trace when it
 * begins; the rest of the trace tells how long it took (measure.ts).
 */
import { ms, us } from '../../core/clock.ts';
import type { Tracepoint } from '../../core/trace.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import { MICROBENCHMARKS, type MicrobenchmarkName } from '../../scenario/microbenchmarks.ts';
import { LOOK } from '../loops.ts';
import type { Workshop } from '../machine.ts';

/** One of a scenario's workloads. */
export interface MicrobenchmarkSpec {
  readonly run: MicrobenchmarkName;
  readonly vcpu: number;
  readonly rate: number;
  /** which of the workloads; they begin one after the other, so as not to meet */
  readonly order: number;
}

/** The records that a program writes: where it begins, and where it ends if no other record says so. */
export const BEGIN = 'microbenchmark_begin';
export const END = 'microbenchmark_end';

/** As the trace has it. */
export function numberOf(run: MicrobenchmarkName): number {
  return MICROBENCHMARKS.indexOf(run);
}

/** What a program writes to the trace. */
export class Marks {
  private readonly begin: Tracepoint;
  private readonly end: Tracepoint;
  private readonly number: number;

  constructor(
    private readonly shop: Workshop,
    run: MicrobenchmarkName,
  ) {
    this.number = numberOf(run);
    this.begin = shop.trace.point(BEGIN, 'dom', 'vcpu', 'run');
    this.end = shop.trace.point(END, 'dom', 'vcpu', 'run');
  }

  begins(on: LinuxCpu): void {
    this.emit(this.begin, on);
  }

  ends(on: LinuxCpu): void {
    this.emit(this.end, on);
  }

  private emit(point: Tracepoint, { now, vcpu, cpu, kernel }: LinuxCpu): void {
    this.shop.trace.emit(point, now, 0, vcpu.processor, kernel.init.domain, cpu, this.number);
  }
}

/**
 * The thread, on one CPU of a kernel.
 * @param act true: it has not done it yet, and goes on at once
 */
export function program(
  shop: Workshop,
  kernel: LinuxKernel,
  cpu: number,
  { run, rate, order }: MicrobenchmarkSpec,
  act: (on: LinuxCpu) => boolean,
): void {
  const source = shop.sources.add({
    name: `microbenchmark${order}`,
    what: `${kernel.id} ${run}`,
    rate,
    unit: 'a second',
  });
  const gap = () => (source.rate > 0 ? Math.round(1e9 / source.rate) : LOOK);
  const thread = kernel.thread(`${run}/${cpu}`, cpu, {
    cost: () => us(1),
    run: (on) => {
      if (source.rate > 0 && act(on)) return true;
      kernel.time.set(timer, on.now + gap(), on);
      return false;
    },
  });
  const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = ms(8) + us(97) * order;
}

/** A thread that says each time that it begins, and does it. */
export function marked(
  shop: Workshop,
  kernel: LinuxKernel,
  cpu: number,
  spec: MicrobenchmarkSpec,
  act: (on: LinuxCpu) => void,
): void {
  const marks = new Marks(shop, spec.run);
  program(shop, kernel, cpu, spec, (on) => {
    marks.begins(on);
    act(on);
    return false;
  });
}
