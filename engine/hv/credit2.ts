/**
 * The credit2 scheduler, Xen's default since 4.12 (xen/common/sched/credit2.c of 4.17), for one runqueue.
 *
 * Running burns credit, the faster the smaller the weight; whoever waits stands in one queue ordered by
 * credit. A virtual CPU that wakes takes an idle CPU, or that of a runner with less credit, but nobody is
 * disturbed in the first millisecond of a turn (ratelimit). When even the best of those who run or wait has no
 * credit left, everybody gets a new filling. There is no boost.
 *
 * Not modelled: several runqueues (one for each socket, of at most 16 CPUs) with the balancing between
 * them, soft affinity, hyperthreads, caps, yielding.
 */
import { ms, type Ns, us } from '../core/clock.ts';
import type { Plain } from '../core/state.ts';
import { Credit2Load } from './credit2-load.ts';
import type { Pcpu } from './pcpu.ts';
import { runnable, type Scheduler, type SchedulerHost } from './scheduler.ts';
import type { Vcpu } from './vcpu.ts';

const CREDIT_INIT = ms(10);
const CREDIT_MIN = -CREDIT_INIT;
const IDLE_CREDIT = CREDIT_MIN - 1;
const MIN_TIMER: Ns = us(500);
const MAX_TIMER: Ns = CREDIT_INIT;
const CARRYOVER_MAX = MIN_TIMER;
const MIGRATE_RESIST = us(500);
const MIGRATE_COMPENSATION = us(50);
const RATELIMIT: Ns = us(1_000);
/** a runner may be told to stop a little before the ratelimit is over: the message takes time */
const RATELIMIT_TICKLE_TOLERANCE: Ns = us(50);

export class Credit2 implements Scheduler {
  readonly id = 'credit2';
  readonly name = 'credit2';
  private readonly credit: number[];
  /** up to when a runner's credit is burnt */
  private readonly start: Ns[];
  private readonly weight: number[];
  private readonly residual: number[];
  private readonly maxWeight: number;
  /** indices of the waiting, most credit first */
  private runq: number[] = [];
  /** CPUs that were told to look and have not yet */
  private readonly tickled: boolean[];
  /** by virtual CPU: the one that was told to take it; -1 for none */
  private readonly tickledCpu: number[];
  readonly load: Credit2Load;
  /** the CPU chosen last for a new virtual CPU */
  readonly pickBias: number;

  constructor(private readonly host: SchedulerHost) {
    this.credit = host.vcpus.map(() => CREDIT_INIT);
    this.start = host.vcpus.map(() => 0);
    this.weight = host.vcpus.map((v) => host.weightOf(v.domain));
    this.residual = host.vcpus.map(() => 0);
    this.maxWeight = Math.max(...this.weight);
    this.tickled = host.cpus.map(() => false);
    this.tickledCpu = host.vcpus.map(() => -1);
    this.load = new Credit2Load(host.vcpus.length);
    this.pickBias = host.vcpus.at(-1)?.cpu.cpu ?? 0;
  }

  creditOf(v: Vcpu): number {
    return this.credit[v.index]!;
  }

  weightOf(v: Vcpu): number {
    return this.weight[v.index]!;
  }

  /** of all virtual CPUs in the queue, which has one for all CPUs */
  get greatestWeight(): number {
    return this.maxWeight;
  }

  /** Was the CPU told to look, and has not yet? */
  isTickled(cpu: Pcpu): boolean {
    return this.tickled[cpu.cpu]!;
  }

  /** Most credit first. */
  waiting(): number[] {
    return [...this.runq];
  }

  /** csched2_unit_wake. One that has not left its CPU yet is found runnable there. */
  wake(v: Vcpu): void {
    if (v.cpu.current === v) return;
    this.load.update(this.host.now, v.index, 1);
    this.insert(v);
    this.tickle(v);
  }

  /** csched2_unit_sleep */
  sleep(v: Vcpu): void {
    if (v.cpu.current === v) this.host.tickle(v.cpu);
    else if (this.runq.includes(v.index)) {
      this.load.update(this.host.now, v.index, -1);
      this.remove(v.index);
    }
  }

  /** csched2_schedule, and csched2_context_saved of whoever had to go. */
  schedule(cpu: Pcpu): void {
    const { now } = this.host;
    const { current } = cpu;
    this.tickled[cpu.cpu] = false;
    if (current) this.burn(current, now);
    const next = this.candidate(cpu, now);
    if (next) this.take(cpu, next, now);
    else this.load.update(now, -1, 0);
    this.host.setSlice(cpu, next ? now + this.runtime(cpu, next, now) : undefined);
    if (next === current) return;
    cpu.switchTo(next);
    if (!current) return;
    if (!runnable(current)) {
      this.load.update(now, current.index, -1);
      return;
    }
    this.insert(current);
    this.tickle(current);
  }

  /** The accounting for the one chosen; an epoch ends when the best of all has no credit left. */
  private take(cpu: Pcpu, next: Vcpu, now: Ns): void {
    const { index } = next;
    if (next !== cpu.current) this.remove(index);
    else this.load.update(now, index, 0);
    const first = this.runq[0];
    const top =
      first === undefined ? this.credit[index]! : Math.max(this.credit[index]!, this.credit[first]!);
    if (top <= 0) this.reset(next, now);
    this.start[index] = now;
    this.tickledCpu[index] = -1;
    if (next.cpu === cpu) return;
    this.credit[index]! += MIGRATE_COMPENSATION;
    next.cpu = cpu;
    this.host.moved(next);
  }

  /** runq_candidate. */
  private candidate(cpu: Pcpu, now: Ns): Vcpu | null {
    const { current } = cpu;
    const stays = current !== null && runnable(current);
    if (stays && now - current.since < RATELIMIT) return current;
    const credit = stays ? this.credit[current.index]! : IDLE_CREDIT;
    for (const index of this.runq) {
      if (this.credit[index]! <= credit) break;
      const v = this.host.vcpus[index]!;
      if (!v.mayRunOn(cpu)) continue;
      const promised = this.tickledCpu[index]!;
      if (promised >= 0 && promised !== cpu.cpu && this.tickled[promised]) continue;
      if (v.cpu !== cpu && credit + MIGRATE_RESIST > this.credit[index]!) continue;
      return v;
    }
    return stays ? current : null;
  }

  /** runq_tickle: an idle CPU, else the one whose runner has so much less credit that it is worth it. */
  private tickle(v: Vcpu): void {
    const target = this.idleFor(v) ?? this.weakestFor(v);
    if (!target) return;
    this.tickled[target.cpu] = true;
    this.tickledCpu[v.index] = target.cpu;
    this.host.tickle(target);
  }

  /** Its own CPU, or the next one round, that idles and was not told of someone else. */
  private idleFor(v: Vcpu): Pcpu | undefined {
    const { cpus } = this.host;
    for (let i = 0; i < cpus.length; i++) {
      const cpu = cpus[(v.cpu.cpu + i) % cpus.length]!;
      if (cpu.current === null && !this.tickled[cpu.cpu] && v.mayRunOn(cpu)) return cpu;
    }
    return undefined;
  }

  private weakestFor(v: Vcpu): Pcpu | undefined {
    const { now, cpus } = this.host;
    if (this.score(v, v.cpu, now) > 0) return v.cpu;
    let best = 0;
    let target: Pcpu | undefined;
    for (const cpu of cpus) {
      const score = cpu === v.cpu ? 0 : this.score(v, cpu, now);
      if (score <= best) continue;
      best = score;
      target = cpu;
    }
    return target;
  }

  /** tickle_score: by how much it should run there rather than who does; not positive: it should not. */
  private score(v: Vcpu, cpu: Pcpu, now: Ns): number {
    const { current } = cpu;
    if (!current || this.tickled[cpu.cpu] || !v.mayRunOn(cpu)) return -1;
    if (now - current.since <= RATELIMIT - RATELIMIT_TICKLE_TOLERANCE) return -1;
    this.burn(current, now);
    const resist = v.cpu === cpu ? 0 : MIGRATE_RESIST;
    return this.credit[v.index]! - this.credit[current.index]! - resist;
  }

  /** csched2_runtime: until its credit is 0, or that of the first in the queue. */
  private runtime(cpu: Pcpu, v: Vcpu, now: Ns): Ns {
    const turn = v === cpu.current ? v.since + RATELIMIT - now : RATELIMIT;
    const least = Math.max(MIN_TIMER, turn);
    const first = this.runq[0];
    const waiting = first === undefined ? 0 : Math.max(0, this.credit[first]!);
    const credit = this.credit[v.index]! - waiting;
    const time = credit > 0 ? Math.floor((credit * this.weight[v.index]!) / this.maxWeight) : 0;
    return time < least ? least : Math.min(MAX_TIMER, time);
  }

  /** burn_credits, t2c_update. */
  private burn(v: Vcpu, now: Ns): void {
    const { index } = v;
    const time = now - this.start[index]!;
    if (time <= 0) return;
    const cost = time * this.maxWeight + this.residual[index]!;
    const weight = this.weight[index]!;
    this.residual[index] = cost % weight;
    this.credit[index] = Math.max(CREDIT_MIN, this.credit[index]! - Math.floor(cost / weight));
    this.start[index] = now;
  }

  /** reset_credit. Everybody's gain is the same, so the queue stays in order. */
  private reset(next: Vcpu, now: Ns): void {
    const gain = this.credit[next.index] === CREDIT_MIN ? 2 * CREDIT_INIT : CREDIT_INIT;
    for (const v of this.host.vcpus) {
      if (v.cpu.current === v) this.burn(v, now);
      this.credit[v.index] = Math.min(this.credit[v.index]! + gain, CREDIT_INIT + CARRYOVER_MAX);
      this.start[v.index] = now;
    }
  }

  private insert(v: Vcpu): void {
    const { runq } = this;
    const credit = this.credit[v.index]!;
    let at = runq.length;
    for (; at > 0 && this.credit[runq[at - 1]!]! < credit; at--) runq[at] = runq[at - 1]!;
    runq[at] = v.index;
  }

  private remove(index: number): void {
    const { runq } = this;
    for (let i = runq.indexOf(index) + 1; i < runq.length; i++) runq[i - 1] = runq[i]!;
    runq.pop();
  }

  save(): Plain {
    return {
      credit: [...this.credit],
      start: [...this.start],
      residual: [...this.residual],
      runq: [...this.runq],
      tickled: this.tickled.map(Number),
      tickledCpu: [...this.tickledCpu],
      load: this.load.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      credit: number[];
      start: number[];
      residual: number[];
      runq: number[];
      tickled: number[];
      tickledCpu: number[];
      load: Plain;
    };
    this.credit.forEach((_, i) => {
      this.credit[i] = s.credit[i]!;
      this.start[i] = s.start[i]!;
      this.residual[i] = s.residual[i]!;
      this.tickledCpu[i] = s.tickledCpu[i]!;
    });
    this.runq = [...s.runq];
    this.load.restore(s.load);
    s.tickled.forEach((on, cpu) => {
      this.tickled[cpu] = on === 1;
    });
  }
}
