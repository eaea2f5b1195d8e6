/**
 * kvm_vcpu_halt of virt/kvm/kvm_main.c, as of 6.1: before the thread of a virtual CPU that has halted sleeps, it looks for a
 * while by itself whether something comes, on a processor that nobody else wants. How long adapts to how long halts last.
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import { Stat } from './stats.ts';
import type { KvmVcpu } from './vcpu.ts';

/** Parameters of the module kvm. */
export interface HaltPollOptions {
  /** halt_poll_ns: the longest that is polled; 0: not at all */
  readonly most: Ns;
  /** halt_poll_ns_grow: what a window that was too short is multiplied by; 0: it stays */
  readonly grow: number;
  /** halt_poll_ns_grow_start: the least that one grows to; a shorter one becomes 0 */
  readonly growStart: Ns;
  /** halt_poll_ns_shrink: what it is divided by behind a long halt; 0: it becomes 0 */
  readonly shrink: number;
}

export class VcpuHalt implements Part {
  readonly id: string;
  /** vcpu->halt_poll_ns */
  window: Ns = 0;
  /** its thread is in the loop that looks for events */
  polling = false;
  /** something has come, or another thread is ready: the loop is to look at once */
  private look = false;
  /** when kvm_vcpu_halt was called; -1: it is not in there */
  private start: Ns = -1;
  /** when the loop looked last */
  private pollEnd: Ns = -1;
  /** do_halt_poll */
  private polled = false;

  constructor(private readonly v: KvmVcpu) {
    this.id = `${v.id}.halt`;
  }

  private get options(): HaltPollOptions {
    return this.v.kvm.options.haltPoll;
  }

  /** Nothing has ended the halt so far. False: kvm_vcpu_block is next, and the thread sleeps. */
  poll(): boolean {
    const { v } = this;
    const { now } = v.on;
    if (this.start < 0) this.begin(now);
    else if (!this.polling) return false;
    if (this.polled) this.pollEnd = now;
    this.polling = this.polled && now < this.start + this.window && this.alone;
    this.look = false;
    return this.polling;
  }

  private begin(now: Ns): void {
    const { v } = this;
    // the VMX-preemption timer counts in the guest alone
    v.timer.unloaded();
    this.window = Math.min(this.window, this.options.most);
    this.polled = this.window > 0;
    this.start = now;
    this.pollEnd = now;
  }

  /** single_task_running */
  private get alone(): boolean {
    return this.v.kvm.host.singleTaskRunning(this.v.on.processor);
  }

  /** CPU time until the loop is over at the latest. */
  get left(): Ns {
    return this.look || !this.alone ? 0 : Math.max(0, this.start + this.window - this.v.on.now);
  }

  /** The virtual CPU may have become runnable. The loop, if it is in that, finds out by itself. */
  noticed(): void {
    if (!this.polling) return;
    this.look = true;
    this.v.kvm.host.spinOver(this.v.index);
  }

  /** Something ends the halt: its statistics, and the window for the next one. */
  over(): void {
    const { v } = this;
    if (this.start < 0) return;
    const { now } = v.on;
    const waited = !this.polling;
    const halted = now - this.start;
    if (this.polling) {
      this.pollEnd = now;
      this.polling = false;
      v.timer.loaded();
    } else this.count(Stat.halt_wait_ns, now - this.pollEnd);
    if (this.polled) this.countPoll(!waited);
    this.start = -1;
    this.adapt(halted);
    const { kvm } = v;
    kvm.trace.emit(
      kvm.points.halted,
      now,
      v.journey,
      v.on.processor,
      v.index,
      halted,
      Number(waited),
      1, // vcpu_valid_wakeup
    );
  }

  /** update_halt_poll_stats; every wake-up is a valid one on x86 */
  private countPoll(success: boolean): void {
    this.count(Stat.halt_attempted_poll, 1);
    if (success) this.count(Stat.halt_successful_poll, 1);
    this.count(success ? Stat.halt_poll_success_ns : Stat.halt_poll_fail_ns, this.pollEnd - this.start);
  }

  private adapt(halted: Ns): void {
    const { most, grow, growStart, shrink } = this.options;
    const old = this.window;
    if (most === 0) this.window = 0;
    else if (halted <= old) return;
    else if (old > 0 && halted > most) {
      const less = shrink === 0 ? 0 : Math.floor(old / shrink);
      this.change(less < growStart ? 0 : less, false);
    } else if (old < most && halted < most)
      this.change(grow === 0 ? old : Math.max(growStart, old * grow), true);
  }

  /** It may grow beyond the most; the next halt cuts it back. */
  private change(to: Ns, grow: boolean): void {
    const { v, window: from } = this;
    const { kvm } = v;
    this.window = to;
    kvm.trace.emit(kvm.points.haltPoll, v.on.now, 0, v.on.processor, v.index, Number(grow), to, from);
  }

  private count(stat: number, by: number): void {
    this.v.kvm.stats.count(this.v.index, stat, by);
  }

  save(): Plain {
    const { window, polling, look, start, pollEnd, polled } = this;
    return [window, Number(polling), Number(look), start, pollEnd, Number(polled)];
  }

  restore(state: Plain): void {
    const [window, polling, look, start, pollEnd, polled] = state as number[];
    this.window = window!;
    this.polling = polling === 1;
    this.look = look === 1;
    this.start = start!;
    this.pollEnd = pollEnd!;
    this.polled = polled === 1;
  }
}
