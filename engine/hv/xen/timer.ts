/**
 * Xen's timers: each sits on one physical CPU, whose local APIC timer interrupts when it is due; the timer
 * softirq then runs it (xen/common/timer.c). A timer that is due waits in its CPU's list, so that it may be
 * stopped until it has run.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import type { Pcpu } from '../pcpu.ts';
import { APIC_TIMER_VECTOR } from './softirq.ts';

export class XenTimer {
  private cpu: Pcpu | undefined;

  constructor(
    private readonly timers: XenTimers,
    readonly index: number,
    private readonly task: Task,
    readonly run: (cpu: Pcpu) => void,
  ) {}

  /** set_timer and migrate_timer in one: due at `when` on this CPU. */
  set(cpu: Pcpu, when: Ns): void {
    this.stop();
    this.cpu = cpu;
    this.task.at(Math.max(when, cpu.time), cpu.cpu);
  }

  stop(): void {
    this.task.cancel();
    if (this.cpu) this.timers.forget(this.cpu, this.index);
  }

  /** When it is due; undefined while it is not set. */
  get expires(): Ns | undefined {
    return this.task.when;
  }
}

export class XenTimers implements Part {
  readonly id = 'xen.timers';
  private readonly all: XenTimer[] = [];
  /** per CPU: timers whose time has come and whose softirq has not run yet */
  private due: number[][];

  constructor(
    private readonly clock: Clock,
    private readonly cpus: readonly Pcpu[],
  ) {
    this.due = cpus.map(() => []);
  }

  timer(name: string, run: (cpu: Pcpu) => void): XenTimer {
    const index = this.all.length;
    const task = this.clock.task(`timer.${name}`, Priority.hypervisor, (cpu) => {
      this.due[cpu]!.push(index);
      this.cpus[cpu]!.lapic.accept(APIC_TIMER_VECTOR);
    });
    const timer = new XenTimer(this, index, task, run);
    this.all.push(timer);
    return timer;
  }

  /** timer_softirq_action. */
  softirq(cpu: Pcpu): void {
    const due = this.due[cpu.cpu]!;
    for (let index = due.shift(); index !== undefined; index = due.shift()) {
      cpu.charge(timing.xenTimer);
      this.all[index]!.run(cpu);
    }
  }

  forget(cpu: Pcpu, index: number): void {
    const due = this.due[cpu.cpu]!;
    const at = due.indexOf(index);
    if (at >= 0) due.splice(at, 1);
  }

  save(): Plain {
    return this.due;
  }

  restore(state: Plain): void {
    this.due = (state as number[][]).map((list) => [...list]);
  }
}
