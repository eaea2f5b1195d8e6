/**
 * Timers and the tick of a paravirtual kernel (arch/x86/xen/time.c, kernel/time/tick-sched.c): one single-shot
 * timer in Xen for each CPU, set to whatever comes first. A busy CPU ticks; an idle one sleeps until its next
 * timer (NO_HZ).
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import { TimerQueue } from '../../core/timer-queue.ts';
import { timing } from '../../timing.ts';
import type { LinuxCpu } from './entry.ts';
import type { Work } from './irq-core.ts';
import type { LinuxKernel } from './kernel.ts';

const TIMER_SOFTIRQ = 1;
const SCHED_SOFTIRQ = 7;
const RCU_SOFTIRQ = 9;
/** jiffies_till_first_fqs: how long a grace period lets CPUs alone */
const RCU_JIFFIES = 3;
/** How long a thread runs while others wait (sched_min_granularity of a machine with four CPUs). */
const SLICE: Ns = 2_250_000;

export class KernelTimer {
  /** Infinity: not set */
  expires: Ns = Infinity;

  constructor(
    readonly cpu: number,
    readonly run: (cpu: LinuxCpu) => void,
  ) {}
}

export class HrTimer {
  expires: Ns = 0;
  /** where it is set; -1: it is not */
  cpu = -1;

  constructor(
    readonly index: number,
    readonly run: (cpu: LinuxCpu) => void,
  ) {}
}

interface CpuTime {
  /** time of the next tick; Infinity while ticks are stopped */
  nextTick: Ns;
  /** jiffies of the last look at the balance of run queues, and of the last report to RCU */
  balanced: number;
  quiescent: number;
  /** what Xen's timer is set to */
  programmed: Ns;
}

export class KernelTime implements Part {
  readonly id: string;
  private readonly timers: KernelTimer[] = [];
  private readonly hard: HrTimer[] = [];
  /** per CPU: those that are set */
  private readonly hardOn: TimerQueue<HrTimer>[];
  private readonly byCpu: KernelTimer[][];
  private readonly cpus: CpuTime[];
  private readonly tick: Ns;
  /** a busy CPU has no tick (nohz_full, with one thread at most on each) */
  tickless = false;

  constructor(private readonly kernel: LinuxKernel) {
    this.id = `${kernel.id}.time`;
    this.tick = Math.round(1e9 / kernel.profile.hz);
    this.byCpu = Array.from({ length: kernel.cpuCount }, () => []);
    this.hardOn = Array.from({ length: kernel.cpuCount }, () => new TimerQueue());
    this.cpus = Array.from({ length: kernel.cpuCount }, () => ({
      nextTick: Infinity,
      programmed: Infinity,
      balanced: 0,
      quiescent: 0,
    }));
  }

  /** Makes a timer on a CPU; run in the timer softirq. */
  timer(cpu: number, run: (cpu: LinuxCpu) => void): KernelTimer {
    const timer = new KernelTimer(cpu, run);
    this.timers.push(timer);
    this.byCpu[cpu]!.push(timer);
    return timer;
  }

  /** A timer that runs in the timer interrupt itself (hrtimer), on the CPU that set it. */
  hrtimer(run: (cpu: LinuxCpu) => void): HrTimer {
    const timer = new HrTimer(this.hard.length, run);
    this.hard.push(timer);
    return timer;
  }

  /** Sets it, from code that runs on `on`. */
  setHard(timer: HrTimer, expires: Ns, on: LinuxCpu): void {
    this.cancelHard(timer);
    timer.expires = expires;
    timer.cpu = on.cpu;
    if (this.hardOn[on.cpu]!.add(timer, expires)) this.program(on);
  }

  cancelHard(timer: HrTimer): void {
    if (timer.cpu < 0) return;
    this.hardOn[timer.cpu]!.remove(timer, timer.expires);
    timer.cpu = -1;
  }

  private runHard(cpu: LinuxCpu): void {
    const queue = this.hardOn[cpu.cpu]!;
    while (queue.next <= cpu.now) {
      const timer = queue.shift()!;
      timer.cpu = -1;
      timer.run(cpu);
    }
  }

  /** Sets a timer, from code that runs on `on`; another CPU's is programmed when that one next looks. */
  set(timer: KernelTimer, expires: Ns, on: LinuxCpu): void {
    timer.expires = Math.max(expires, on.now + 1);
    if (timer.cpu === on.cpu) this.program(on);
    else this.kernel.kickIdle(timer.cpu, on);
  }

  cancel(timer: KernelTimer): void {
    timer.expires = Infinity;
  }

  jiffies(now: Ns): number {
    return Math.floor(now / this.tick);
  }

  /** Woken by another CPU: its timers may have changed. */
  look(cpu: LinuxCpu): void {
    if (this.expired(cpu).length > 0) cpu.raiseSoftirq(TIMER_SOFTIRQ);
    this.program(cpu);
  }

  /** A thread starts to run: ticks begin. True: they had been stopped. */
  busy(cpu: LinuxCpu): boolean {
    const t = this.cpus[cpu.cpu]!;
    if (t.nextTick !== Infinity || this.tickless) return false;
    t.nextTick = (this.jiffies(cpu.now) + 1) * this.tick;
    this.program(cpu);
    return true;
  }

  /** The CPU goes idle: ticks stop. */
  idle(cpu: LinuxCpu): void {
    this.cpus[cpu.cpu]!.nextTick = Infinity;
    this.program(cpu);
  }

  /** The handler of VIRQ_TIMER. */
  readonly interrupt: Work = {
    cost: () => timing.tickHandler,
    run: (cpu) => {
      const t = this.cpus[cpu.cpu]!;
      const now = cpu.now;
      t.programmed = Infinity;
      this.runHard(cpu);
      if (this.byCpu[cpu.cpu]!.some((timer) => timer.expires <= now)) cpu.raiseSoftirq(TIMER_SOFTIRQ);
      const jiffies = this.jiffies(now);
      if (t.nextTick <= now) cpu.tick(SLICE);
      if (t.nextTick <= now) t.nextTick = (jiffies + 1) * this.tick;
      // update_process_times, whether the CPU ticks or only woke for a timer
      if (jiffies > t.balanced) {
        t.balanced = jiffies;
        cpu.raiseSoftirq(SCHED_SOFTIRQ);
      }
      if (jiffies >= t.quiescent + RCU_JIFFIES) {
        t.quiescent = jiffies;
        cpu.raiseSoftirq(RCU_SOFTIRQ);
      }
      this.program(cpu);
    },
  };

  /** run_timer_softirq. */
  readonly softirq: Work = {
    cost: (cpu) => timing.shortHandler * (1 + this.expired(cpu).length),
    run: (cpu) => {
      const due = this.expired(cpu);
      for (const timer of due) timer.expires = Infinity;
      for (const timer of due) timer.run(cpu);
      this.program(cpu);
    },
  };

  private expired(cpu: LinuxCpu): KernelTimer[] {
    return this.byCpu[cpu.cpu]!.filter((timer) => timer.expires <= cpu.now);
  }

  /**
   * Sets Xen's timer to what comes first. What has expired is left to the timer softirq if that is raised; else
   * it expired while this was decided, and Xen's timer fires at once.
   */
  private program(cpu: LinuxCpu): void {
    const t = this.cpus[cpu.cpu]!;
    const past = cpu.softirqRaised(TIMER_SOFTIRQ) ? cpu.now : -Infinity;
    let first = t.nextTick;
    const hard = this.hardOn[cpu.cpu]!.next;
    if (hard < first) first = Math.max(hard, cpu.now);
    for (const { expires } of this.byCpu[cpu.cpu]!) if (expires < first && expires > past) first = expires;
    if (first === t.programmed) return;
    t.programmed = first;
    this.kernel.setTimer(cpu, first);
  }

  save(): Plain {
    const finite = (n: Ns) => (n === Infinity ? -1 : n);
    return {
      timers: this.timers.map((t) => finite(t.expires)),
      hard: this.hardOn.map((queue) => queue.entries().map(([t, when]) => [t.index, when])),
      cpus: this.cpus.map((c) => [finite(c.nextTick), finite(c.programmed), c.balanced, c.quiescent]),
    };
  }

  restore(state: Plain): void {
    const s = state as {
      timers: number[];
      hard: [number, number][][];
      cpus: [number, number, number, number][];
    };
    for (const timer of this.hard) timer.cpu = -1;
    s.hard.forEach((saved, cpu) => {
      const queue = this.hardOn[cpu]!;
      queue.clear();
      for (const [index, expires] of saved) {
        const timer = this.hard[index]!;
        timer.cpu = cpu;
        timer.expires = expires;
        queue.add(timer, expires);
      }
    });
    const infinite = (n: number) => (n < 0 ? Infinity : n);
    s.timers.forEach((expires, i) => {
      this.timers[i]!.expires = infinite(expires);
    });
    s.cpus.forEach(([nextTick, programmed, balanced, quiescent], i) => {
      this.cpus[i] = { nextTick: infinite(nextTick), programmed: infinite(programmed), balanced, quiescent };
    });
  }
}
