/**
 * The credit scheduler of Xen 3.4 (xen/common/sched_credit.c).
 *
 * Each CPU has a queue ordered by priority: BOOST for who has just woken with credit left, UNDER, OVER. A
 * tick every 10 ms takes 100 credits from the runner and ends its boost; every third tick hands out new
 * credits among the active, equal weights here. A turn lasts 30 ms; a CPU about to run nothing better than
 * OVER looks at its peers' queues first. Caps are not modelled.
 */
import { ms, type Ns } from '../core/clock.ts';
import type { Plain } from '../core/state.ts';
import type { Pcpu, Vcpu } from './pcpu.ts';
import { mayRunOn, type Scheduler, type SchedulerHost } from './scheduler.ts';

export const TICK: Ns = ms(10);
const TSLICE: Ns = ms(30);
const TICKS_PER_TSLICE = 3;
const CREDITS_PER_TICK = 100;
const CREDITS_PER_TSLICE = CREDITS_PER_TICK * TICKS_PER_TSLICE;

const BOOST = 0;
const UNDER = -1;
const OVER = -2;
const IDLE = -64;

export class Credit implements Scheduler {
  readonly id = 'credit';
  readonly name = 'credit';
  private readonly credit: number[];
  private readonly priority: number[];
  /** took part in the last accounting: it shares in the next */
  private readonly active: boolean[];
  /** per CPU: indices of the waiting, highest priority first */
  private runq: number[][];
  private ticks = 0;

  constructor(private readonly host: SchedulerHost) {
    this.credit = host.vcpus.map(() => 0);
    this.priority = host.vcpus.map(() => UNDER);
    this.active = host.vcpus.map(() => false);
    this.runq = host.cpus.map(() => []);
  }

  /** csched_vcpu_wake. */
  wake(v: Vcpu): void {
    v.state = 'runnable';
    if (v.cpu.current === v) {
      this.host.tickle(v.cpu);
      return;
    }
    if (this.priority[v.index] === UNDER) this.priority[v.index] = BOOST;
    this.insert(v);
    this.tickle(v);
  }

  /** csched_tick of one CPU, every 10 ms; the first CPU's also counts for the accounting. */
  tick(cpu: Pcpu): void {
    const { current } = cpu;
    if (current) {
      if (this.priority[current.index] === BOOST) this.priority[current.index] = UNDER;
      this.credit[current.index]! -= CREDITS_PER_TICK;
      this.active[current.index] = true;
    }
    if (cpu.cpu === 0 && ++this.ticks % TICKS_PER_TSLICE === 0) this.account();
  }

  /** csched_schedule. */
  schedule(cpu: Pcpu): void {
    const { current } = cpu;
    const queue = this.runq[cpu.cpu]!;
    if (current && (current.state === 'running' || current.state === 'runnable')) {
      current.state = 'runnable';
      this.insert(current);
    }
    let next = queue.length > 0 ? this.host.vcpus[queue[0]!]! : null;
    if (!next || this.priority[next.index]! <= OVER) {
      next = this.steal(cpu, next ? this.priority[next.index]! : IDLE) ?? next;
    }
    if (next) {
      const from = this.runq[next.cpu.cpu]!;
      from.splice(from.indexOf(next.index), 1);
      if (next.cpu !== cpu) {
        next.cpu = cpu;
        this.host.moved(next);
      }
    }
    if (next === current) {
      if (next) next.state = 'running';
    } else cpu.switchTo(next);
    this.host.setSlice(cpu, next ? cpu.time + TSLICE : undefined);
  }

  /** csched_acct: credits for the active, priorities from the credit that each has then. */
  private account(): void {
    const sharers = this.host.vcpus.filter((v) => this.active[v.index]);
    if (sharers.length === 0) return;
    const share = Math.floor((CREDITS_PER_TSLICE * this.host.cpus.length) / sharers.length);
    for (const { index } of sharers) {
      const credit = this.credit[index]! + Math.min(share, CREDITS_PER_TSLICE);
      if (credit < 0) {
        this.priority[index] = OVER;
        this.credit[index] = Math.max(credit, -CREDITS_PER_TSLICE);
        continue;
      }
      this.priority[index] = UNDER;
      this.credit[index] = credit;
      if (credit > CREDITS_PER_TSLICE) {
        this.active[index] = false;
        this.credit[index] = 0;
      }
    }
    for (const queue of this.runq) {
      queue.sort((a, b) => this.priority[b]! - this.priority[a]!);
    }
  }

  /** csched_runq_steal over all peers, the next one first: someone better than `priority`. */
  private steal(cpu: Pcpu, priority: number): Vcpu | undefined {
    const { cpus, vcpus } = this.host;
    for (let i = 1; i < cpus.length; i++) {
      const peer = cpus[(cpu.cpu + i) % cpus.length]!;
      for (const index of this.runq[peer.cpu]!) {
        if (this.priority[index]! <= priority) break;
        if (mayRunOn(vcpus[index]!, cpu)) return vcpus[index];
      }
    }
    return undefined;
  }

  /** __runq_tickle: its own CPU if it is better than who runs there; idle CPUs may take it over. */
  private tickle(v: Vcpu): void {
    const { current } = v.cpu;
    if (!current || this.priority[v.index]! > this.priority[current.index]!) this.host.tickle(v.cpu);
    if (!current) return;
    for (const cpu of this.host.cpus) {
      if (cpu.current === null && mayRunOn(v, cpu)) this.host.tickle(cpu);
    }
  }

  private insert(v: Vcpu): void {
    const queue = this.runq[v.cpu.cpu]!;
    const priority = this.priority[v.index]!;
    let at = 0;
    while (at < queue.length && this.priority[queue[at]!]! >= priority) at++;
    queue.splice(at, 0, v.index);
  }

  save(): Plain {
    const { credit, priority, active, runq, ticks } = this;
    return { credit, priority, active, runq, ticks };
  }

  restore(state: Plain): void {
    const s = state as {
      credit: number[];
      priority: number[];
      active: boolean[];
      runq: number[][];
      ticks: number;
    };
    for (let i = 0; i < this.credit.length; i++) {
      this.credit[i] = s.credit[i]!;
      this.priority[i] = s.priority[i]!;
      this.active[i] = s.active[i]!;
    }
    this.runq = s.runq.map((q) => [...q]);
    this.ticks = s.ticks;
  }
}
