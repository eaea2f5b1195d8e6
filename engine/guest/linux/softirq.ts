/**
 * Softirqs of one CPU (kernel/softirq.c): which are raised, which run in this round, and when the rest is left
 * to ksoftirqd. Rounds are repeated while softirqs raise softirqs, ten times at most; since 3.9 not beyond
 * 2 ms, and not when a thread waits for the CPU.
 */
import { lowestBit } from '../../core/bits.ts';
import type { Plain } from '../../core/state.ts';
import type { KernelProfile } from './profiles.ts';

const MAX_SOFTIRQ_RESTART = 10;
/** MAX_SOFTIRQ_TIME in ms */
const MAX_SOFTIRQ_MS = 2;

export class Softirqs {
  /** raised and not run: a bit each */
  pending = 0;
  /** each interrupt of an upcall has its own irq_exit, and thus its softirqs (do_IRQ of 2.6.18-xen) */
  readonly perIrq: boolean;
  /** while ksoftirqd wants to run, softirqs are its business alone (4.9 to 6.4) */
  readonly leftToKsoftirqd: boolean;
  private readonly limited: boolean;
  /** MAX_SOFTIRQ_TIME in jiffies */
  private readonly longest: number;
  private round = 0;
  private restarts = 0;
  /** jiffies */
  private deadline = 0;

  constructor(profile: KernelProfile) {
    this.perIrq = profile.arch === 'xen-2.6.18';
    this.leftToKsoftirqd = profile.arch.startsWith('linux-6.1-');
    this.limited = profile.numbering === 'sparse';
    this.longest = Math.ceil((MAX_SOFTIRQ_MS * profile.hz) / 1000);
  }

  raise(nr: number): void {
    this.pending |= 1 << nr;
  }

  raised(nr: number): boolean {
    return (this.pending & (1 << nr)) !== 0;
  }

  /** __do_softirq begins. */
  begin(jiffies: number): void {
    this.restarts = MAX_SOFTIRQ_RESTART;
    this.deadline = jiffies + this.longest;
    this.startRound();
  }

  /** The next softirq of the round, the lowest number first; -1 when the round is over. */
  next(): number {
    if (this.round === 0) return -1;
    const nr = lowestBit(this.round);
    this.round &= ~(1 << nr);
    return nr;
  }

  /** The round is over: is there another? */
  restart(jiffies: number, needResched: boolean): boolean {
    if (this.pending === 0) return false;
    if (this.limited && (jiffies >= this.deadline || needResched)) return false;
    if (--this.restarts === 0) return false;
    this.startRound();
    return true;
  }

  private startRound(): void {
    this.round = this.pending;
    this.pending = 0;
  }

  save(): Plain {
    return [this.pending, this.round, this.restarts, this.deadline];
  }

  restore(state: Plain): void {
    [this.pending, this.round, this.restarts, this.deadline] = state as [number, number, number, number];
  }
}
