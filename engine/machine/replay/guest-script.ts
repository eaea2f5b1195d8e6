/**
 * What was recorded of a guest itself, done again: on each virtual CPU a thread that computes while the real one ran, and in
 * between does what that did; and a timer that expires when its own did. What wakes the thread is what woke the real one:
 * handlers tell it of what has come.
 */
import { type Ns, us } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { Work } from '../../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { Thread } from '../../guest/linux/threads.ts';
import { type RecordedGuest, type RecordedSource, STEP } from '../../import/capture.ts';
import { timing } from '../../timing.ts';
import type { Workshop } from '../machine.ts';
import { BEGIN } from './outside.ts';

/** What the platform's processors do. */
export interface GuestActs {
  fpu(cpu: LinuxCpu): void;
  cpuid(cpu: LinuxCpu): void;
  page(cpu: LinuxCpu): void;
  port(cpu: LinuxCpu): void;
}

/** no handler of a driver takes longer */
const LONGEST_HANDLER: Ns = us(10_000);

export class GuestScript implements Part {
  readonly id: string;
  /** by virtual CPU: the step that comes next */
  private readonly next: number[];
  /** by virtual CPU: expiries of its timer that have been */
  private readonly expired: number[];
  private readonly threads: Thread[];
  private readonly call: number;

  constructor(
    shop: Workshop,
    private readonly kernel: LinuxKernel,
    private readonly guest: RecordedGuest,
    private readonly acts: GuestActs,
  ) {
    this.id = `${kernel.id}.recorded`;
    this.next = guest.scripts.map(() => 0);
    this.expired = guest.scripts.map(() => 0);
    // the ticks of a busy kernel are among the recorded ones
    kernel.time.tickless = true;
    this.call = kernel.calls.register((cpu) => this.wake(cpu));
    this.threads = guest.scripts.map((_, n) => {
      const thread = kernel.thread(`recorded/${n}`, n, {
        cost: (on) => this.untilNext(on),
        run: (on) => this.step(on),
      });
      this.timer(n);
      return thread;
    });
    shop.parts.add(this);
  }

  /** A driver's handler: it takes as long as the recorded one did. */
  handler(source: RecordedSource): Work {
    const cost = Math.min(source.handler, LONGEST_HANDLER) || timing.shortHandler;
    return { cost: () => cost, run: (cpu) => this.wake(cpu) };
  }

  private timer(n: number): void {
    const source = this.guest.sources.find((s) => s.kind === 'timer' && s.vcpu === n);
    const times = source?.times ?? [];
    const due = (index: number) => (index < times.length ? BEGIN + times[index]! : Infinity);
    const timer = this.kernel.time.timer(n, (on) => {
      let index = this.expired[n]!;
      while (due(index) <= on.now) index++;
      this.expired[n] = index;
      this.wake(on);
      if (due(index) < Infinity) this.kernel.time.set(timer, due(index), on);
    });
    // one that ran when the recording began is woken by its timer
    const [what] = this.guest.scripts[n]!.what;
    const [at] = this.guest.scripts[n]!.at;
    timer.expires = what === STEP.run && at === 0 ? BEGIN : due(0);
  }

  /** Something has come: if the real one ran from then on, so does this one. */
  private wake(on: LinuxCpu): void {
    const n = on.cpu;
    const at = this.guest.scripts[n]?.at[this.next[n]!];
    if (at !== undefined && BEGIN + at <= on.now) this.kernel.wake(this.threads[n]!, on);
  }

  /** It computes until its next step. */
  private untilNext(on: LinuxCpu): Ns {
    const at = this.guest.scripts[on.cpu]!.at[this.next[on.cpu]!];
    return at === undefined ? 1 : Math.max(1, BEGIN + at - on.now);
  }

  private step(on: LinuxCpu): boolean {
    const n = on.cpu;
    const { at, what, arg } = this.guest.scripts[n]!;
    const index = this.next[n]!;
    if (index >= what.length) return false;
    this.next[n] = index + 1;
    this.act(on, what[index]!, arg[index]!);
    const following = at[index + 1];
    if (following === undefined) return false;
    // after a halt it sleeps until something comes
    return what[index] !== STEP.halt || BEGIN + following <= on.now;
  }

  private act(on: LinuxCpu, what: number, arg: number): void {
    const { kernel, acts } = this;
    if (arg < 0) return;
    switch (what) {
      case STEP.ipi:
        if (arg !== on.cpu) kernel.calls.single(arg, 0, this.call, on);
        return;
      case STEP.fpu:
        acts.fpu(on);
        return;
      case STEP.cpuid:
        acts.cpuid(on);
        return;
      case STEP.page:
        acts.page(on);
        return;
      case STEP.port:
        acts.port(on);
    }
  }

  save(): Plain {
    return { next: [...this.next], expired: [...this.expired] };
  }

  restore(state: Plain): void {
    const s = state as { next: number[]; expired: number[] };
    s.next.forEach((step, n) => {
      this.next[n] = step;
    });
    s.expired.forEach((count, n) => {
      this.expired[n] = count;
    });
  }
}
