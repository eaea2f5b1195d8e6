/**
 * The credit2 scheduler, Xen's default since 4.12 (xen/common/sched/credit2.c), for one runqueue.
 *
 * Running burns credit; whoever waits stands in one queue ordered by credit. A virtual CPU that wakes takes
 * an idle CPU, or that of a runner with less credit, but nobody is disturbed in the first millisecond of a
 * turn (ratelimit). When the one chosen has no credit left everybody gets a new filling. Weights are equal;
 * load balancing between runqueues does not arise, caps are not modelled.
 */
import { ms, type Ns, us } from '../core/clock.ts';
import type { Plain } from '../core/state.ts';
import type { Pcpu, Vcpu } from './pcpu.ts';
import { mayRunOn, type Scheduler, type SchedulerHost } from './scheduler.ts';

const CREDIT_INIT = ms(10);
const CARRYOVER_MAX = us(500);
const MIN_TIMER = us(500);
const MAX_TIMER = CREDIT_INIT;
const MIGRATE_RESIST = us(500);
const RATELIMIT = ms(1);

export class Credit2 implements Scheduler {
  readonly id = 'credit2';
  readonly name = 'credit2';
  private readonly credit: number[];
  /** up to when a runner's credit is burnt */
  private readonly start: Ns[];
  /** indices of the waiting, most credit first */
  private runq: number[] = [];
  private tickled: boolean[];

  constructor(private readonly host: SchedulerHost) {
    this.credit = host.vcpus.map(() => CREDIT_INIT);
    this.start = host.vcpus.map(() => 0);
    this.tickled = host.cpus.map(() => false);
  }

  creditOf(v: Vcpu): number {
    return this.credit[v.index]!;
  }

  /** csched2_unit_wake. */
  wake(v: Vcpu): void {
    v.state = 'runnable';
    if (v.cpu.current === v) {
      // still on its CPU, which has not switched away yet: let it look again
      this.host.tickle(v.cpu);
      return;
    }
    this.insert(v);
    this.tickle(v);
  }

  /** csched2_schedule. */
  schedule(cpu: Pcpu): void {
    const now = cpu.time;
    this.tickled[cpu.cpu] = false;
    const { current } = cpu;
    if (current) this.burn(current, now);
    const next = this.candidate(cpu, now);
    if (next !== current) {
      if (next) this.runq.splice(this.runq.indexOf(next.index), 1);
      if (current && (current.state === 'running' || current.state === 'runnable')) {
        current.state = 'runnable';
        this.insert(current);
      }
      if (next && this.credit[next.index]! <= 0) this.reset(now);
      if (next && next.cpu !== cpu) {
        next.cpu = cpu;
        this.host.moved(next);
      }
      cpu.switchTo(next);
      if (next) this.start[next.index] = cpu.time;
    } else if (next) {
      next.state = 'running';
      if (this.credit[next.index]! <= 0) this.reset(now);
    }
    this.host.setSlice(cpu, next ? cpu.time + this.runtime(cpu, next) : undefined);
  }

  /** runq_candidate. */
  private candidate(cpu: Pcpu, now: Ns): Vcpu | null {
    const { current } = cpu;
    const stays = current !== null && (current.state === 'running' || current.state === 'runnable');
    if (stays && now - current.since < RATELIMIT) return current;
    for (const index of this.runq) {
      const v = this.host.vcpus[index]!;
      if (!mayRunOn(v, cpu)) continue;
      if (!stays) return v;
      const resist = v.cpu === cpu ? 0 : MIGRATE_RESIST;
      return this.credit[index]! - resist > this.credit[current.index]! ? v : current;
    }
    return stays ? current : null;
  }

  /** runq_tickle. */
  private tickle(v: Vcpu): void {
    const free = (cpu: Pcpu) => cpu.current === null && !this.tickled[cpu.cpu] && mayRunOn(v, cpu);
    let target = free(v.cpu) ? v.cpu : this.host.cpus.find(free);
    if (!target) {
      let best = 0;
      for (const cpu of this.host.cpus) {
        const { current } = cpu;
        if (!current || this.tickled[cpu.cpu] || !mayRunOn(v, cpu)) continue;
        const now = cpu.time;
        if (now - current.since < RATELIMIT) continue;
        this.burn(current, now);
        const score =
          this.credit[v.index]! - this.credit[current.index]! - (v.cpu === cpu ? 0 : MIGRATE_RESIST);
        if (score > best) {
          best = score;
          target = cpu;
        }
      }
    }
    if (!target) return;
    this.tickled[target.cpu] = true;
    this.host.tickle(target);
  }

  /** csched2_runtime: until the credit falls to that of the first in the queue. */
  private runtime(cpu: Pcpu, v: Vcpu): Ns {
    const first = this.runq.find((i) => mayRunOn(this.host.vcpus[i]!, cpu));
    const until = first === undefined ? 0 : Math.max(0, this.credit[first]!);
    const time = this.credit[v.index]! - until;
    return Math.max(first === undefined ? MIN_TIMER : RATELIMIT, Math.min(MAX_TIMER, time));
  }

  private burn(v: Vcpu, now: Ns): void {
    const start = this.start[v.index]!;
    if (now <= start) return;
    this.credit[v.index]! -= now - start;
    this.start[v.index] = now;
  }

  /** reset_credit. */
  private reset(now: Ns): void {
    for (const v of this.host.vcpus) {
      if (v.cpu.current === v) this.burn(v, now);
      this.credit[v.index] = Math.min(this.credit[v.index]!, CARRYOVER_MAX) + CREDIT_INIT;
    }
    this.runq.sort((a, b) => this.credit[b]! - this.credit[a]! || a - b);
  }

  private insert(v: Vcpu): void {
    const credit = this.credit[v.index]!;
    let at = 0;
    while (at < this.runq.length && this.credit[this.runq[at]!]! >= credit) at++;
    this.runq.splice(at, 0, v.index);
  }

  save(): Plain {
    return { credit: this.credit, start: this.start, runq: this.runq, tickled: this.tickled };
  }

  restore(state: Plain): void {
    const s = state as { credit: number[]; start: number[]; runq: number[]; tickled: boolean[] };
    for (let i = 0; i < this.credit.length; i++) {
      this.credit[i] = s.credit[i]!;
      this.start[i] = s.start[i]!;
    }
    this.runq = [...s.runq];
    this.tickled = [...s.tickled];
  }
}
