/**
 * What Xen has done on each CPU, counted: interrupts by vector (irq_count, perfc irqs), softirqs by number. And Xen's
 * own side of interrupts, to look at.
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { Pcpu } from '../../pcpu.ts';
import { SOFTIRQS, type XenProfile } from '../softirq.ts';
import { apicHandler } from './apic-vectors.ts';
import type { PhysicalIrqs } from './do-irq.ts';
import type { HookView, InterruptHook } from './hook.ts';
import type { PendingEoi } from './pending-eoi.ts';

/** Interrupts that a CPU has taken by one vector. */
export interface VectorCount {
  readonly vector: number;
  /** what the vector stands for now: Xen's function, or an interrupt, its type and whose it is */
  readonly name: string;
  readonly count: number;
}

/** One CPU of Xen's. */
export interface XenCpuView {
  readonly cpu: number;
  /** those that have come, by vector */
  readonly vectors: readonly VectorCount[];
  /** all there are, in the order they run */
  readonly softirqs: readonly { readonly name: string; readonly count: number; readonly pending: boolean }[];
  /** interrupts of guests that wait for their EOI, from the bottom up */
  readonly pendingEoi: readonly Readonly<PendingEoi>[];
  readonly hook: HookView;
}

/** Xen as a domain of its own. */
export interface XenView {
  readonly cpus: readonly XenCpuView[];
  /** event-check IPIs sent, and those saved as the CPU monitored its softirq word */
  readonly eventChecks: { readonly sent: number; readonly skipped: number };
  readonly hook: boolean;
}

export class XenCounts implements Part {
  readonly id = 'xen.counts';
  private readonly vectors: readonly Uint32Array[];
  private readonly softirqs: readonly Uint32Array[];

  constructor(
    private readonly profile: XenProfile,
    private readonly cpus: readonly Pcpu[],
  ) {
    this.vectors = cpus.map(() => new Uint32Array(256));
    this.softirqs = cpus.map(() => new Uint32Array(SOFTIRQS[profile].length));
  }

  took(cpu: Pcpu, vector: number): void {
    this.vectors[cpu.cpu]![vector]!++;
  }

  ran(cpu: Pcpu, softirq: number): void {
    this.softirqs[cpu.cpu]![softirq]!++;
  }

  inspect(irqs: PhysicalIrqs, hook: InterruptHook): XenCpuView[] {
    return this.cpus.map((cpu) => {
      const n = cpu.cpu;
      const vectors: VectorCount[] = [];
      this.vectors[n]!.forEach((count, vector) => {
        if (count > 0) vectors.push({ vector, name: this.nameOf(irqs, vector), count });
      });
      const softirqs = SOFTIRQS[this.profile].map((name, nr) => ({
        name,
        count: this.softirqs[n]![nr]!,
        pending: cpu.softirqPending(nr),
      }));
      const pendingEoi = irqs.guests.pendingEoi[n]!.list().map((entry) => ({ ...entry }));
      return { cpu: n, vectors, softirqs, pendingEoi, hook: hook.inspect(n) };
    });
  }

  private nameOf({ table, descs }: PhysicalIrqs, vector: number): string {
    const handler = apicHandler(this.profile, vector);
    if (handler !== undefined) return handler;
    const desc = descs[table.vectors.irqOf(vector)];
    if (!desc) return 'no interrupt';
    const guests = desc.action?.guests.map((g) => `d${g.domain}:${g.pirq}`).join(' ');
    return `irq ${desc.irq} ${desc.type} ${desc.own ?? guests ?? 'unbound'}`;
  }

  save(): Plain {
    return {
      vectors: this.vectors.map((counts) => {
        const used: [number, number][] = [];
        counts.forEach((n, vector) => {
          if (n > 0) used.push([vector, n]);
        });
        return used;
      }),
      softirqs: this.softirqs.map((counts) => Array.from(counts)),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { vectors: [number, number][][]; softirqs: number[][] };
    s.vectors.forEach((used, cpu) => {
      this.vectors[cpu]!.fill(0);
      for (const [vector, n] of used) this.vectors[cpu]![vector] = n;
    });
    s.softirqs.forEach((counts, cpu) => {
      this.softirqs[cpu]!.set(counts);
    });
  }
}
