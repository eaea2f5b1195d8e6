/** VM exits by reason: how often each virtual CPU leaves its guest for it, and how long it stays away. */

import type { Ns } from '../core/clock.ts';
import { Histogram } from '../core/histogram.ts';
import { type Part, type Plain, saveArray } from '../core/state.ts';

export interface ExitTotals {
  readonly reason: number;
  readonly name: string;
  /** per virtual CPU asked for */
  readonly counts: readonly number[];
  readonly totalNs: Ns;
  readonly p99Ns: Ns;
}

/** Times from exit to entry, of all virtual CPUs of a machine. */
export interface ExitSpan {
  readonly min: Ns;
  readonly mean: Ns;
  readonly p50: Ns;
  readonly p99: Ns;
  readonly max: Ns;
}

export class ExitTable implements Part {
  /** per virtual CPU and reason */
  private readonly counts: Float64Array;
  private readonly times: Float64Array;
  /** per machine and reason, made when first needed */
  private readonly spans: (Histogram | undefined)[];
  /** per virtual CPU: the exit under way, and when it began; -1 for none */
  private readonly reason: Int32Array;
  private readonly since: Float64Array;

  /**
   * @param machine of each virtual CPU
   * @param reasons how many there are
   * @param nameOf what the hypervisor calls a reason
   */
  constructor(
    readonly id: string,
    private readonly machine: readonly number[],
    private readonly reasons: number,
    private readonly nameOf: (reason: number) => string,
  ) {
    const vcpus = machine.length;
    this.counts = new Float64Array(vcpus * this.reasons);
    this.times = new Float64Array(vcpus * this.reasons);
    this.spans = new Array((Math.max(-1, ...machine) + 1) * this.reasons).fill(undefined);
    this.reason = new Int32Array(vcpus).fill(-1);
    this.since = new Float64Array(vcpus);
  }

  begin(vcpu: number, reason: number, now: Ns): void {
    this.counts[vcpu * this.reasons + reason]!++;
    this.reason[vcpu] = reason;
    this.since[vcpu] = now;
  }

  /** The exit under way is over without an entry: the firmware's and the kernel's first steps. */
  drop(vcpu: number): void {
    this.reason[vcpu] = -1;
  }

  /** VM entry. */
  end(vcpu: number, now: Ns): void {
    const reason = this.reason[vcpu]!;
    if (reason < 0) return;
    this.reason[vcpu] = -1;
    const ns = Math.max(0, now - this.since[vcpu]!);
    this.times[vcpu * this.reasons + reason]! += ns;
    const at = this.machine[vcpu]! * this.reasons + reason;
    let span = this.spans[at];
    if (!span) {
      span = new Histogram();
      this.spans[at] = span;
    }
    span.add(ns);
  }

  /** Exits of these virtual CPUs so far. */
  count(vcpus: readonly number[]): number {
    let n = 0;
    for (const v of vcpus) {
      for (let i = v * this.reasons; i < (v + 1) * this.reasons; i++) n += this.counts[i]!;
    }
    return n;
  }

  /** Exits of all virtual CPUs so far. */
  get total(): number {
    return this.counts.reduce((a, b) => a + b, 0);
  }

  /** What has occurred on these virtual CPUs of one machine, by number. */
  totals(vcpus: readonly number[]): ExitTotals[] {
    const out: ExitTotals[] = [];
    for (let reason = 0; reason < this.reasons; reason++) {
      if (!vcpus.some((v) => this.counts[v * this.reasons + reason] !== 0)) continue;
      const counts = vcpus.map((v) => this.counts[v * this.reasons + reason]!);
      const span = this.spans[this.machine[vcpus[0]!]! * this.reasons + reason];
      out.push({
        reason,
        name: this.nameOf(reason),
        counts,
        totalNs: vcpus.reduce((n, v) => n + this.times[v * this.reasons + reason]!, 0),
        p99Ns: span ? span.percentile(0.99) : 0,
      });
    }
    return out;
  }

  /** How long the machine of this virtual CPU was away for a reason; undefined: it never was, to the end. */
  spanOf(vcpu: number, reason: number): ExitSpan | undefined {
    const span = this.spans[this.machine[vcpu]! * this.reasons + reason];
    if (!span) return undefined;
    const { min, mean, max } = span;
    return { min, mean, max, p50: span.percentile(0.5), p99: span.percentile(0.99) };
  }

  save(): Plain {
    return {
      counts: sparse(this.counts),
      times: sparse(this.times),
      spans: this.spans.flatMap((s, i) => (s ? [[i, s.save()] as const] : [])),
      reason: saveArray(this.reason),
      since: saveArray(this.since),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      counts: [number, number][];
      times: [number, number][];
      spans: [number, Plain][];
      reason: number[];
      since: number[];
    };
    this.counts.fill(0);
    this.times.fill(0);
    this.spans.fill(undefined);
    for (const [i, n] of s.counts) this.counts[i] = n;
    for (const [i, n] of s.times) this.times[i] = n;
    for (const [i, saved] of s.spans) {
      const span = new Histogram();
      span.restore(saved);
      this.spans[i] = span;
    }
    this.reason.set(s.reason);
    this.since.set(s.since);
  }
}

function sparse(values: Float64Array): [number, number][] {
  const out: [number, number][] = [];
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) out.push([i, values[i]!]);
  return out;
}
