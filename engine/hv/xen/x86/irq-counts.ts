/**
 * What Xen has done on each CPU, counted: interrupts by vector (irq_count, perfc irqs), softirqs by number. And Xen's
 * own side of interrupts, to look at.
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { Pcpu } from '../../pcpu.ts';
import { SOFTIRQS, type XenProfile } from '../softirq.ts';
import { apicHandler } from './apic-vectors.ts';
import type { PhysicalIrqs } from './do-irq.ts';
import type { HookRecord, HookView, InterruptHook } from './hook.ts';
import type { PendingEoi } from './pending-eoi.ts';

/** Interrupts that a CPU has taken by one vector. */
export interface VectorCount {
  readonly vector: number;
  readonly count: number;
}

/** What a vector stands for now. */
export interface VectorName {
  /** a function of the local APIC's vectors, or an interrupt and its type */
  readonly what: string;
  /** Xen's own: the action of the interrupt, if it is one; null: not Xen's */
  readonly own: string | null;
  /** the domains that have it */
  readonly guests: readonly { readonly domain: number; readonly pirq: number }[];
}

/** One CPU of Xen's. */
export interface XenCpuView {
  readonly cpu: number;
  /** those that have come, by vector */
  readonly vectors: readonly VectorCount[];
  /** all there are, in the order they run */
  readonly softirqs: readonly { readonly name: string; readonly count: number; readonly pending: boolean }[];
  /** interrupts of guests that wait for their EOI, from the bottom up */
  readonly pendingEoi: readonly Readonly<Omit<PendingEoi, 'journey'>>[];
  /** non-maskable interrupts */
  readonly nmis: number;
  readonly hook: HookView;
}

/** Xen as a domain of its own. */
export interface XenView {
  readonly cpus: readonly XenCpuView[];
  /** event-check IPIs sent, and those saved as the CPU monitored its softirq word */
  readonly eventChecks: { readonly sent: number; readonly skipped: number };
  readonly hook: boolean;
  /** what the hook has recorded last, oldest first */
  readonly records: readonly HookRecord[];
}

export class XenCounts implements Part {
  readonly id = 'xen.counts';
  private readonly vectors: readonly Uint32Array[];
  /** by vector: the interrupt that it stood for when it came last; negative: none */
  private readonly irqs = new Int16Array(256).fill(-1);
  private readonly softirqs: readonly Uint32Array[];

  constructor(
    private readonly profile: XenProfile,
    private readonly cpus: readonly Pcpu[],
  ) {
    this.vectors = cpus.map(() => new Uint32Array(256));
    this.softirqs = cpus.map(() => new Uint32Array(SOFTIRQS[profile].length));
  }

  took(cpu: Pcpu, vector: number, irq: number): void {
    this.vectors[cpu.cpu]![vector]!++;
    this.irqs[vector] = irq;
  }

  ran(cpu: Pcpu, softirq: number): void {
    this.softirqs[cpu.cpu]![softirq]!++;
  }

  inspect({ guests }: PhysicalIrqs, nmis: readonly number[], hook: InterruptHook): XenCpuView[] {
    return this.cpus.map((cpu) => {
      const n = cpu.cpu;
      const vectors: VectorCount[] = [];
      this.vectors[n]!.forEach((count, vector) => {
        if (count > 0) vectors.push({ vector, count });
      });
      const softirqs = SOFTIRQS[this.profile].map((name, nr) => ({
        name,
        count: this.softirqs[n]![nr]!,
        pending: cpu.softirqPending(nr),
      }));
      const pendingEoi = guests.pendingEoi[n]!.list().map((entry) => ({ ...entry }));
      return { cpu: n, vectors, softirqs, pendingEoi, nmis: nmis[n]!, hook: hook.inspect(n) };
    });
  }

  nameOf({ table, descs }: PhysicalIrqs, vector: number): VectorName {
    const handler = apicHandler(this.profile, vector);
    if (handler !== undefined) return { what: handler, own: '', guests: [] };
    const desc = descs[table.vectors.irqOf(vector)];
    if (!desc) return { what: this.formerly(vector), own: null, guests: [] };
    const guests = desc.action?.guests.map(({ domain, pirq }) => ({ domain, pirq })) ?? [];
    return { what: `irq ${desc.irq} ${desc.type}`, own: desc.own, guests };
  }

  private formerly(vector: number): string {
    const irq = this.irqs[vector]!;
    return irq < 0 ? 'no interrupt' : `was irq ${irq}`;
  }

  save(): Plain {
    return {
      irqs: Array.from(this.irqs),
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
    const s = state as unknown as { irqs: number[]; vectors: [number, number][][]; softirqs: number[][] };
    this.irqs.set(s.irqs);
    s.vectors.forEach((used, cpu) => {
      this.vectors[cpu]!.fill(0);
      for (const [vector, n] of used) this.vectors[cpu]![vector] = n;
    });
    s.softirqs.forEach((counts, cpu) => {
      this.softirqs[cpu]!.set(counts);
    });
  }
}
