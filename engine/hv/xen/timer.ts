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
  /** per CPU: timers that are set, the earliest first */
  private readonly queues: XenTimer[][];
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
    this.queues = cpus.map(() => []);
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
    while (queue.length > 0 && queue[0]!.expires! < now) {
      const timer = queue.shift()!;
      timer.expires = undefined;
      cpu.charge(timing.xenTimer);
      timer.run(cpu);
    }
    const deadline = this.deadlines[cpu.cpu]!;
    if (queue.length === 0) deadline.cancel();
    else deadline.at(this.nextDeadline(queue, now));
  }

  private nextDeadline(queue: readonly XenTimer[], now: Ns): Ns {
    const first = queue[0]!.expires!;
    if (this.profile !== '3.4') return Math.max(first, now + TIMER_SLOP);
    let last = first;
    for (const { expires } of queue) {
      if (expires! > first + TIMER_SLOP) break;
      last = expires!;
    }
    // due this very instant: the softirq is raised again until it is past
    return Math.max(last, now + 1);
  }

  /** activate_timer, add_entry. */
  activate(timer: XenTimer, cpu: Pcpu): void {
    const queue = this.queues[cpu.cpu]!;
    const at = place(queue, timer.expires!);
    for (let i = queue.length; i > at; i--) queue[i] = queue[i - 1]!;
    queue[at] = timer;
    if (at === 0) this.raise(cpu);
  }

  /** deactivate_timer, remove_entry. */
  deactivate(timer: XenTimer): void {
    const queue = this.queues[timer.cpu]!;
    let at = place(queue, timer.expires!) - 1;
    while (queue[at] !== timer) at--;
    for (let i = at + 1; i < queue.length; i++) queue[i - 1] = queue[i]!;
    queue.pop();
    if (at === 0) this.raise(this.cpus[timer.cpu]!);
  }

  save(): Plain {
    return {
      cpus: this.all.map((t) => t.cpu),
      queues: this.queues.map((q) => q.map((t) => [t.index, t.expires!])),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { cpus: number[]; queues: [number, number][][] };
    this.all.forEach((timer, i) => {
      timer.cpu = s.cpus[i]!;
      timer.expires = undefined;
    });
    s.queues.forEach((saved, cpu) => {
      this.queues[cpu] = saved.map(([index, expires]) => {
        const timer = this.all[index]!;
        timer.expires = expires;
        return timer;
      });
    });
  }
}

/** The place of a new timer: behind those that are due at the same time. */
function place(queue: readonly XenTimer[], expires: Ns): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (queue[middle]!.expires! <= expires) low = middle + 1;
    else high = middle;
  }
  return low;
}
