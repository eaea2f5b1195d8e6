/**
 * Xen's timers (xen/common/timer.c): each sits on one physical CPU, whose hardware timer, that of
 * the local APIC or CNTHP, is set to the earliest. Its interrupt only raises the timer softirq, which runs what
 * is due and sets the next deadline; so does setting or stopping a timer that is the earliest of its CPU.
 *
 * To save interrupts deadlines are late by up to `timer_slop`. 4.17 sets none nearer than that; 3.4 takes
 * the latest timer that may still wait for the first one.
 */
import { type Clock, type Ns, type Task, us } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Part, Plain } from '../../core/state.ts';
import { TimerQueue } from '../../core/timer-queue.ts';
import { timing } from '../../timing.ts';
import type { Pcpu } from '../pcpu.ts';
import type { XenProfile } from './softirq.ts';

const TIMER_SLOP: Ns = us(50);

export class XenTimer {
  /** when it is due; undefined while it is not set */
  expires: Ns | undefined;
  /** the CPU it was last set on */
  cpu = 0;

  constructor(
    private readonly timers: XenTimers,
    readonly index: number,
    readonly run: (cpu: Pcpu) => void,
  ) {}

  /** migrate_timer and set_timer: due at `when` on this CPU. A moment in the past means at once. */
  set(cpu: Pcpu, when: Ns): void {
    this.stop();
    this.expires = when;
    this.cpu = cpu.cpu;
    this.timers.activate(this, cpu);
  }

  stop(): void {
    if (this.expires === undefined) return;
    this.timers.deactivate(this);
    this.expires = undefined;
  }
}

export class XenTimers implements Part {
  readonly id = 'xen.timers';
  private readonly all: XenTimer[] = [];
  /** per CPU: timers that are set */
  private readonly queues: TimerQueue<XenTimer>[];
  /** per CPU: the hardware's timer */
  private readonly deadlines: Task[];

  /**
   * @param interrupt the hardware's timer of a CPU is due
   * @param raise raises the timer softirq of a CPU (cpu_raise_softirq)
   */
  constructor(
    private readonly clock: Clock,
    private readonly cpus: readonly Pcpu[],
    private readonly profile: XenProfile,
    interrupt: (cpu: Pcpu) => void,
    private readonly raise: (cpu: Pcpu) => void,
  ) {
    this.queues = cpus.map(() => new TimerQueue());
    this.deadlines = cpus.map((cpu) =>
      clock.task(`cpu${cpu.cpu}.xen_timer`, Priority.hypervisor, () => interrupt(cpu)),
    );
  }

  timer(run: (cpu: Pcpu) => void): XenTimer {
    const timer = new XenTimer(this, this.all.length, run);
    this.all.push(timer);
    return timer;
  }

  /** When the CPU's hardware timer will interrupt; undefined while it is off. */
  deadlineOf(cpu: Pcpu): Ns | undefined {
    return this.deadlines[cpu.cpu]!.when;
  }

  /** timer_softirq_action: runs what is due, then reprograms the hardware's timer (reprogram_timer). */
  softirq(cpu: Pcpu): void {
    const queue = this.queues[cpu.cpu]!;
    const { now } = this.clock;
    while (queue.next < now) {
      const timer = queue.shift()!;
      timer.expires = undefined;
      cpu.charge(timing.xenTimer);
      timer.run(cpu);
    }
    const deadline = this.deadlines[cpu.cpu]!;
    if (queue.size === 0) deadline.cancel();
    else deadline.at(this.nextDeadline(queue, now));
  }

  private nextDeadline(queue: TimerQueue<XenTimer>, now: Ns): Ns {
    if (this.profile !== '3.4') return Math.max(queue.next, now + TIMER_SLOP);
    // due this very instant: the softirq is raised again until it is past
    return Math.max(queue.lastBy(queue.next + TIMER_SLOP), now + 1);
  }

  /** activate_timer, add_entry. */
  activate(timer: XenTimer, cpu: Pcpu): void {
    if (this.queues[cpu.cpu]!.add(timer, timer.expires!)) this.raise(cpu);
  }

  /** deactivate_timer, remove_entry. */
  deactivate(timer: XenTimer): void {
    if (this.queues[timer.cpu]!.remove(timer, timer.expires!)) this.raise(this.cpus[timer.cpu]!);
  }

  save(): Plain {
    return {
      cpus: this.all.map((t) => t.cpu),
      queues: this.queues.map((q) => q.entries().map(([t, when]) => [t.index, when])),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { cpus: number[]; queues: [number, number][][] };
    this.all.forEach((timer, i) => {
      timer.cpu = s.cpus[i]!;
      timer.expires = undefined;
    });
    s.queues.forEach((saved, cpu) => {
      const queue = this.queues[cpu]!;
      queue.clear();
      for (const [index, expires] of saved) {
        const timer = this.all[index]!;
        timer.expires = expires;
        queue.add(timer, expires);
      }
    });
  }
}
