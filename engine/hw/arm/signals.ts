/**
 * What a processor is told beside IRQ: FIQ, and SErrors (DDI 0487, section D1.13). An SError is the late answer to a store
 * that has failed somewhere on the bus: the processor has gone on meanwhile. A barrier (DSB, or ESB) waits for all answers,
 * so that what comes is of those before it.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';

export interface SignalOutput {
  /** An SError has come: the processor takes it as soon as PSTATE.A lets it. */
  serror(cpu: number): void;
  /** The processor's FIQ is up. */
  fiq(cpu: number): void;
}

export class ProcessorSignals implements Part {
  readonly id = 'signals';
  /** by CPU: nFIQ is asserted */
  readonly fiq: Uint8Array;
  /** by CPU: the journey of the store that has failed last, or of the FIQ; 0: none */
  readonly journeys: number[];
  /** by CPU: the answer that is under way */
  private readonly answers: readonly Task[];

  constructor(
    clock: Clock,
    cpus: number,
    private readonly output: SignalOutput,
  ) {
    this.fiq = new Uint8Array(cpus);
    this.journeys = new Array(cpus).fill(0);
    this.answers = Array.from({ length: cpus }, (_, cpu) =>
      clock.task(`cpu${cpu}.serror`, Priority.hardware, () => output.serror(cpu)),
    );
  }

  /** A store of this processor's fails; its answer comes at `when`. One that is under way already says it all. */
  storeFails(cpu: number, when: Ns, journey: number): void {
    const answer = this.answers[cpu]!;
    if (answer.queued) return;
    this.journeys[cpu] = journey;
    answer.at(when);
  }

  /** Is the answer to a failed store under way? */
  underWay(cpu: number): boolean {
    return this.answers[cpu]!.queued;
  }

  /** A barrier: what is under way has come when it is over. @returns how long it waits; -1: nothing is under way */
  barrier(cpu: number, now: Ns): Ns {
    const answer = this.answers[cpu]!;
    if (!answer.queued) return -1;
    const wait = Math.max(0, answer.when! - now);
    answer.cancel();
    return wait;
  }

  raiseFiq(cpu: number, journey: number): void {
    if (this.fiq[cpu]) return;
    this.fiq[cpu] = 1;
    this.journeys[cpu] = journey;
    this.output.fiq(cpu);
  }

  save(): Plain {
    return { fiq: Array.from(this.fiq), journeys: [...this.journeys] };
  }

  restore(state: Plain): void {
    const s = state as { fiq: number[]; journeys: number[] };
    this.fiq.set(s.fiq);
    this.journeys.splice(0, Infinity, ...s.journeys);
  }
}
