/**
 * Tasklets: work put off from an interrupt's handler (xen/common/tasklet.c; on 3.4 xen/common/softirq.c).
 *
 * On 3.4 all CPUs share one list, worked off one at a time in the TASKLET softirq of whoever put something there. On 4.17
 * each CPU has a list for that softirq and a second one, whose work needs a stack of its own: SCHEDULE is raised, and the
 * idle virtual CPU does it in place of whoever has the CPU, then raises SCHEDULE again.
 */
import type { Books } from '../../core/books.ts';
import type { Part, Plain } from '../../core/state.ts';
import { timing } from '../../timing.ts';
import type { Pcpu } from '../pcpu.ts';
import { softirqNumber, type XenProfile } from './softirq.ts';

export interface Tasklet {
  readonly index: number;
  readonly name: string;
  /** 4.17: is_softirq; else the idle virtual CPU does it */
  readonly inSoftirq: boolean;
  /** Charges the time it takes. */
  run(cpu: Pcpu): void;
}

/** One that waits, with the raise in whose name it was scheduled. */
type Waiting = readonly [tasklet: number, source: number, journey: number];

export class Tasklets implements Part {
  readonly id = 'xen.tasklets';
  private readonly all: Tasklet[] = [];
  /** per CPU; on 3.4 the first is everybody's */
  private readonly softirqLists: Waiting[][];
  /** per CPU: for the idle virtual CPU */
  private readonly idleLists: Waiting[][];
  private readonly nr: number;
  private readonly schedule: number;
  /** one is at work, behind whatever its CPU did before in the same event */
  running = false;

  /** @param raise cpu_raise_softirq */
  constructor(
    private readonly profile: XenProfile,
    cpus: number,
    private readonly books: Books,
    private readonly raise: (cpu: Pcpu, nr: number) => void,
  ) {
    this.softirqLists = Array.from({ length: cpus }, () => []);
    this.idleLists = Array.from({ length: cpus }, () => []);
    this.nr = softirqNumber(profile, 'TASKLET');
    this.schedule = softirqNumber(profile, 'SCHEDULE');
  }

  /** tasklet_init, softirq_tasklet_init */
  add(name: string, inSoftirq: boolean, run: (cpu: Pcpu) => void): Tasklet {
    const tasklet = { index: this.all.length, name, inSoftirq: inSoftirq || this.profile === '3.4', run };
    this.all.push(tasklet);
    return tasklet;
  }

  /** tasklet_schedule, on this CPU. One that waits already stays one: on 3.4 where it is, on 4.17 at the end of the list. */
  scheduleOn(cpu: Pcpu, tasklet: Tasklet): void {
    const lists = tasklet.inSoftirq ? this.softirqLists : this.idleLists;
    const list = this.listOf(lists, cpu);
    const waits = lists.some((l) => l.some(([index]) => index === tasklet.index));
    if (!waits || this.profile !== '3.4') {
      for (const l of lists) {
        const at = l.findIndex(([index]) => index === tasklet.index);
        if (at >= 0) l.splice(at, 1);
      }
      list.push([tasklet.index, this.books.source, this.books.journey]);
    }
    if (this.profile === '3.4' || list.length === 1) {
      this.raise(cpu, tasklet.inSoftirq ? this.nr : this.schedule);
    }
  }

  private listOf(lists: readonly Waiting[][], cpu: Pcpu): Waiting[] {
    return lists[this.profile === '3.4' ? 0 : cpu.cpu]!;
  }

  /** tasklet_action, tasklet_softirq_action: one, so that other softirqs get their turn before the next. */
  softirq(cpu: Pcpu): void {
    const list = this.listOf(this.softirqLists, cpu);
    this.runFirst(cpu, list);
    if (list.length > 0) cpu.raiseSoftirq(this.nr);
  }

  private runFirst(cpu: Pcpu, list: Waiting[]): void {
    const first = list.shift();
    if (!first) return;
    const [index, source, journey] = first;
    this.books.source = source;
    this.books.journey = journey;
    this.running = true;
    this.all[index]!.run(cpu);
    this.running = false;
  }

  /**
   * The SCHEDULE softirq of 4.17 finds work for the idle virtual CPU: switches to it and back, and do_tasklet between.
   * Whoever has the CPU stays current here meanwhile; its turn goes on.
   * @returns true if there was some: the scheduler's turn comes with the next SCHEDULE
   */
  doTasklet(cpu: Pcpu): boolean {
    const list = this.idleLists[cpu.cpu]!;
    if (list.length === 0) return false;
    if (cpu.current) cpu.charge(timing.xenSwitch);
    while (list.length > 0) this.runFirst(cpu, list);
    if (cpu.current) cpu.charge(timing.xenSwitch);
    cpu.raiseSoftirq(this.schedule);
    return true;
  }

  save(): Plain {
    return { softirq: this.softirqLists.map((l) => [...l]), idle: this.idleLists.map((l) => [...l]) };
  }

  restore(state: Plain): void {
    const s = state as unknown as { softirq: Waiting[][]; idle: Waiting[][] };
    s.softirq.forEach((list, cpu) => {
      this.softirqLists[cpu] = [...list];
      this.idleLists[cpu] = [...s.idle[cpu]!];
    });
  }
}
