/**
 * What is the same under every scheduler (xen/common/sched/core.c of 4.17, xen/common/schedule.c of 3.4): the
 * scheduling softirq, the timer that ends a turn, waking and going to sleep.
 */
import type { Clock, Ns } from '../../core/clock.ts';
import { ACCOUNTING, Credit, TICK } from '../credit.ts';
import { Credit2 } from '../credit2.ts';
import type { Pcpu } from '../pcpu.ts';
import { DEFAULT_WEIGHT, type Scheduler, type SchedulerHost } from '../scheduler.ts';
import type { Vcpu } from '../vcpu.ts';
import { type EventCheck, softirqNumber, type XenProfile } from './softirq.ts';
import type { XenTimer, XenTimers } from './timer.ts';

export interface ScheduleWiring {
  readonly clock: Clock;
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  readonly profile: XenProfile;
  readonly timers: XenTimers;
  readonly eventCheck: EventCheck;
  /** share of the CPUs by domain; 256 where there is none */
  readonly weights: readonly (number | undefined)[];
  /** about to run on another CPU than before */
  moved(v: Vcpu): void;
}

export class Schedule implements SchedulerHost {
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  readonly scheduler: Scheduler;
  /** SCHEDULE_SOFTIRQ */
  readonly softirq: number;
  /** per CPU: end of the turn (s_timer) */
  private readonly slices: XenTimer[];
  /** credit: per CPU, the tick */
  private readonly ticks: XenTimer[];

  constructor(private readonly wiring: ScheduleWiring) {
    const { cpus, vcpus, profile, timers } = wiring;
    this.cpus = cpus;
    this.vcpus = vcpus;
    this.softirq = softirqNumber(profile, 'SCHEDULE');
    this.slices = cpus.map(() => timers.timer((on) => on.raiseSoftirq(this.softirq)));
    if (profile === '3.4') {
      const credit = new Credit(this);
      this.scheduler = credit;
      this.ticks = this.startTicks(credit);
    } else {
      this.scheduler = new Credit2(this);
      this.ticks = [];
    }
  }

  /** csched_start_tickers: the accounting is done on the first CPU, idle or not. */
  private startTicks(credit: Credit): XenTimer[] {
    const { timers, cpus } = this.wiring;
    const accounting = timers.timer((on) => {
      credit.account();
      accounting.set(on, this.now + ACCOUNTING);
    });
    accounting.set(cpus[0]!, ACCOUNTING);
    return cpus.map(({ cpu }) =>
      timers.timer((on) => {
        credit.tick(on);
        this.ticks[cpu]!.set(on, this.now + TICK);
      }),
    );
  }

  // the softirq

  /** schedule(). An idle CPU does not tick (sched_tick_suspend, sched_tick_resume). */
  schedule(cpu: Pcpu): void {
    const before = cpu.current;
    this.scheduler.schedule(cpu);
    if (before?.migrating && before !== cpu.current) this.migrate(before);
    const tick = this.ticks[cpu.cpu];
    if (!tick) return;
    if (!cpu.current) tick.stop();
    else if (tick.expires === undefined) tick.set(cpu, this.now + TICK - (this.now % TICK));
  }

  get now(): Ns {
    return this.wiring.clock.now;
  }

  weightOf(domain: number): number {
    return this.wiring.weights[domain] ?? DEFAULT_WEIGHT;
  }

  tickle(cpu: Pcpu): void {
    this.wiring.eventCheck.raiseSoftirq(cpu, this.softirq);
  }

  setSlice(cpu: Pcpu, until: Ns | undefined): void {
    const timer = this.slices[cpu.cpu]!;
    if (until === undefined) timer.stop();
    else timer.set(cpu, until);
  }

  moved(v: Vcpu): void {
    this.wiring.moved(v);
  }

  // sleeping and waking

  /** The domain is unpaused: its virtual CPUs begin. */
  start(v: Vcpu): void {
    v.left = 0;
    v.become('blocked');
    if (v.paused === 0) this.wake(v);
  }

  /** vcpu_block, do_poll: it keeps its CPU until the softirq has run. */
  block(v: Vcpu): void {
    v.blocked = true;
    v.cpu.raiseSoftirq(this.softirq);
  }

  /** vcpu_pause_nosync: it stops wherever it is, until as many have unpaused it. */
  pause(v: Vcpu): void {
    if (v.paused++ > 0 || v.state === 'offline') return;
    if (v.state === 'runnable') v.become('blocked');
    this.scheduler.sleep(v);
  }

  /** vcpu_unpause; one that has blocked goes on waiting. */
  unpause(v: Vcpu): void {
    if (--v.paused === 0 && !v.blocked) this.wake(v);
  }

  /** vcpu_unblock, of one that has blocked. */
  unblock(v: Vcpu): void {
    v.blocked = false;
    if (v.paused === 0) this.wake(v);
  }

  /** vcpu_wake */
  private wake(v: Vcpu): void {
    if (v.state === 'blocked') v.become('runnable');
    this.scheduler.wake(v);
  }

  // where it may run

  /** vcpu_set_affinity, to this CPU alone. */
  pin(v: Vcpu, cpu: Pcpu): void {
    v.pinned = cpu.cpu;
    this.affinityChanged(v);
  }

  /** The affinity is what it was before. */
  unpin(v: Vcpu): void {
    if (v.pinned < 0) return;
    v.pinned = -1;
    this.affinityChanged(v);
  }

  /** vcpu_sleep_nosync and vcpu_migrate: one that runs where it may not any more leaves its CPU first. */
  private affinityChanged(v: Vcpu): void {
    if (v.mayRunOn(v.cpu) || v.migrating) return;
    v.migrating = true;
    const runs = v.cpu.current === v;
    this.pause(v);
    if (!runs) this.migrate(v);
  }

  /** vcpu_migrate, of one that has left its CPU: an idle one, or the first that it may run on. */
  private migrate(v: Vcpu): void {
    const able = this.cpus.filter((cpu) => v.mayRunOn(cpu));
    const next = able.find((cpu) => cpu.idle) ?? able[0]!;
    v.migrating = false;
    if (next !== v.cpu) {
      v.cpu = next;
      this.moved(v);
    }
    this.unpause(v);
  }
}
