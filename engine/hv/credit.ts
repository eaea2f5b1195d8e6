/**
 * The credit scheduler of Xen 3.4 (xen/common/sched_credit.c).
 *
 * Each CPU has a queue ordered by priority: BOOST for who has just woken with credit left, UNDER, OVER. A
 * tick every 10 ms takes 100 credits from the runner and ends its boost; every 30 ms the credits of all
 * CPUs are shared out among the domains that were seen running, by weight, and by each domain among its
 * virtual CPUs that were. A turn lasts 30 ms; a CPU about to run nothing better than OVER looks at its
 * peers' queues first.
 *
 * Not modelled: caps, the migration delay (0 by default), moving a runner away from a busy hyperthread or
 * socket at a tick (csched_cpu_pick finds no reason on one socket without hyperthreads).
 */
import { ms, type Ns } from '../core/clock.ts';
import type { Plain } from '../core/state.ts';
import type { Pcpu } from './pcpu.ts';
import { runnable, type Scheduler, type SchedulerHost } from './scheduler.ts';
import type { Vcpu } from './vcpu.ts';

export const TICK: Ns = ms(10);
/** from one accounting to the next */
export const ACCOUNTING: Ns = ms(30);
export const TSLICE: Ns = ms(30);
export const CREDITS_PER_TICK = 100;
const CREDITS_PER_TSLICE = 300;
const CREDITS_PER_ACCT = 300;

const BOOST = 0;
const UNDER = -1;
const OVER = -2;
export const IDLE = -64;

/** A domain of which a virtual CPU was seen running (struct csched_dom). */
interface ActiveDomain {
  readonly id: number;
  /** indices of those virtual CPUs, the latest first */
  readonly vcpus: number[];
}

/** What it knows of the whole host. */
export interface CreditStatus {
  /** credits that an accounting shares out */
  readonly credit: number;
  readonly balance: number;
  /** of the active domains together */
  readonly weight: number;
  readonly accountings: number;
  /** indices of the active virtual CPUs, by domain, the latest first */
  readonly active: readonly number[];
}

export class Credit implements Scheduler {
  readonly id = 'credit';
  readonly name = 'credit';
  private readonly credit: number[];
  private readonly priority: number[];
  /** domains that share in the next accounting, the latest first */
  private active: ActiveDomain[] = [];
  /** sum of the credits that the last accounting left; negative: more was used than there was */
  private balance = 0;
  /** per CPU: indices of the waiting, highest priority first */
  private readonly runq: number[][];
  /** per CPU: the accounting after which its queue was sorted */
  private readonly sorted: number[];
  private accountings = 0;

  constructor(private readonly host: SchedulerHost) {
    this.credit = host.vcpus.map(() => 0);
    this.priority = host.vcpus.map(() => UNDER);
    this.runq = host.cpus.map(() => []);
    this.sorted = host.cpus.map(() => 0);
  }

  /** BOOST 0, UNDER -1, OVER -2 */
  priorityOf(v: Vcpu): number {
    return this.priority[v.index]!;
  }

  creditOf(v: Vcpu): number {
    return this.credit[v.index]!;
  }

  waiting(): number[] {
    return this.runq.flat();
  }

  // to look at

  weightOf(v: Vcpu): number {
    return this.host.weightOf(v.domain);
  }

  /** Indices of those that wait for a CPU, highest priority first. */
  queueOf(cpu: Pcpu): readonly number[] {
    return this.runq[cpu.cpu]!;
  }

  /** The accounting after which the queue was sorted. */
  sortedAt(cpu: Pcpu): number {
    return this.sorted[cpu.cpu]!;
  }

  get status(): CreditStatus {
    return {
      credit: this.host.cpus.length * CREDITS_PER_ACCT,
      balance: this.balance,
      weight: this.active.reduce((sum, d) => sum + this.host.weightOf(d.id), 0),
      accountings: this.accountings,
      active: this.active.flatMap((d) => d.vcpus),
    };
  }

  /** csched_vcpu_wake. One that has not left its CPU yet is found runnable there. */
  wake(v: Vcpu): void {
    if (v.cpu.current === v) return;
    if (this.priority[v.index] === UNDER) this.priority[v.index] = BOOST;
    this.insert(v);
    this.tickle(v);
  }

  /** csched_vcpu_sleep */
  sleep(v: Vcpu): void {
    if (v.cpu.current === v) {
      this.host.tickle(v.cpu);
      return;
    }
    for (const queue of this.runq) {
      const at = queue.indexOf(v.index);
      if (at >= 0) queue.splice(at, 1);
    }
  }

  /** csched_tick of one CPU, every 10 ms while it does not idle. */
  tick(cpu: Pcpu): void {
    if (cpu.current) this.pay(cpu.current);
    if (this.sorted[cpu.cpu] === this.accountings) return;
    this.sorted[cpu.cpu] = this.accountings;
    this.sort(cpu);
  }

  /** csched_vcpu_acct: who runs at a tick pays for all of it. */
  private pay({ index, domain }: Vcpu): void {
    if (this.priority[index] === BOOST) this.priority[index] = UNDER;
    this.credit[index]! -= CREDITS_PER_TICK;
    let entry = this.active.find((d) => d.id === domain);
    if (!entry) {
      entry = { id: domain, vcpus: [] };
      this.active.unshift(entry);
    }
    if (!entry.vcpus.includes(index)) entry.vcpus.unshift(index);
  }

  /** csched_runq_sort: who is not OVER moves up; among themselves all stay in order. */
  private sort(cpu: Pcpu): void {
    const queue = this.runq[cpu.cpu]!;
    const over = queue.filter((i) => this.priority[i]! < UNDER);
    if (over.length === 0 || over.length === queue.length) return;
    const rest = queue.filter((i) => this.priority[i]! >= UNDER);
    queue.splice(0, queue.length, ...rest, ...over);
  }

  /** csched_schedule. */
  schedule(cpu: Pcpu): void {
    const { current } = cpu;
    const queue = this.runq[cpu.cpu]!;
    if (current && runnable(current)) this.insert(current);
    let next = queue.length > 0 ? this.host.vcpus[queue[0]!]! : null;
    const priority = next ? this.priority[next.index]! : IDLE;
    const stolen = priority > OVER ? undefined : this.steal(cpu, priority);
    if (stolen) next = stolen;
    else if (next) queue.shift();
    this.host.setSlice(cpu, next ? this.host.now + TSLICE : undefined);
    if (next !== current) cpu.switchTo(next);
  }

  /** csched_load_balance, csched_runq_steal: someone better than that from a busy peer, the next one first. */
  private steal(cpu: Pcpu, priority: number): Vcpu | undefined {
    const { cpus, vcpus } = this.host;
    for (let i = 1; i < cpus.length; i++) {
      const peer = cpus[(cpu.cpu + i) % cpus.length]!;
      // an idle peer is about to take from its queue itself
      if (peer.current === null) continue;
      const queue = this.runq[peer.cpu]!;
      for (let at = 0; at < queue.length && this.priority[queue[at]!]! > priority; at++) {
        const v = vcpus[queue[at]!]!;
        if (!v.mayRunOn(cpu)) continue;
        queue.splice(at, 1);
        v.cpu = cpu;
        this.host.moved(v);
        return v;
      }
    }
    return undefined;
  }

  /** __runq_tickle: its own CPU if it is better than who runs there; if somebody does, the idle ones too. */
  private tickle(v: Vcpu): void {
    const { current } = v.cpu;
    const better = !current || this.priority[v.index]! > this.priority[current.index]!;
    if (!current) {
      this.host.tickle(v.cpu);
      return;
    }
    for (const cpu of this.host.cpus) {
      if (cpu === v.cpu ? better : cpu.current === null && v.mayRunOn(cpu)) this.host.tickle(cpu);
    }
  }

  private insert(v: Vcpu): void {
    const queue = this.runq[v.cpu.cpu]!;
    const priority = this.priority[v.index]!;
    let at = 0;
    while (at < queue.length && this.priority[queue[at]!]! >= priority) at++;
    for (let i = queue.length; i > at; i--) queue[i] = queue[i - 1]!;
    queue[at] = v.index;
  }

  /** csched_acct, every 30 ms. */
  account(): void {
    this.accountings++;
    const weights = this.active.reduce((sum, d) => sum + this.host.weightOf(d.id), 0);
    const debt = Math.max(0, -this.balance);
    this.balance = 0;
    if (weights === 0) return;
    let total = this.host.cpus.length * CREDITS_PER_ACCT + debt;
    let left = weights;
    let extra = false;
    for (const domain of [...this.active]) {
      const weight = this.host.weightOf(domain.id);
      left -= weight;
      const peak = domain.vcpus.length * CREDITS_PER_ACCT + Math.ceil((debt * weight) / weights);
      let fair = Math.ceil((total * weight) / weights);
      if (fair < peak) extra = true;
      else {
        // what it cannot use is for those that come after it
        if (left !== 0) total += Math.ceil(((fair - peak) * weights) / left);
        if (extra) this.active = [domain, ...this.active.filter((d) => d !== domain)];
        fair = peak;
      }
      this.give(domain, Math.ceil(fair / domain.vcpus.length));
    }
    this.active = this.active.filter((d) => d.vcpus.length > 0);
  }

  /** Credits for the active virtual CPUs of a domain; who has enough for a turn stops earning. */
  private give(domain: ActiveDomain, share: number): void {
    for (const index of [...domain.vcpus]) {
      let credit = this.credit[index]! + share;
      this.priority[index] = credit < 0 ? OVER : UNDER;
      if (credit < -CREDITS_PER_TSLICE) credit = -CREDITS_PER_TSLICE;
      if (credit > CREDITS_PER_TSLICE) {
        domain.vcpus.splice(domain.vcpus.indexOf(index), 1);
        credit = 0;
      }
      this.credit[index] = credit;
      this.balance += credit;
    }
  }

  save(): Plain {
    return {
      credit: [...this.credit],
      priority: [...this.priority],
      active: this.active.map((d) => [d.id, ...d.vcpus]),
      balance: this.balance,
      runq: this.runq.map((q) => [...q]),
      sorted: [...this.sorted],
      accountings: this.accountings,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      credit: number[];
      priority: number[];
      active: number[][];
      balance: number;
      runq: number[][];
      sorted: number[];
      accountings: number;
    };
    this.credit.forEach((_, i) => {
      this.credit[i] = s.credit[i]!;
      this.priority[i] = s.priority[i]!;
    });
    this.active = s.active.map(([id, ...vcpus]) => ({ id: id!, vcpus }));
    this.balance = s.balance;
    s.runq.forEach((queue, cpu) => {
      this.runq[cpu] = [...queue];
      this.sorted[cpu] = s.sorted[cpu]!;
    });
    this.accountings = s.accountings;
  }
}
