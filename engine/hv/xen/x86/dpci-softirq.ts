/**
 * The softirq of 4.17 that takes interrupts of passed-through devices on (HVM_DPCI_SOFTIRQ,
 * xen/drivers/passthrough/x86/hvm.c).
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Dpci } from './dpci.ts';

/** What each CPU is to assist with (dpci_list). */
export class DpciSoftirq implements Part {
  readonly id = 'xen.dpci';
  private lists: [domain: number, pirq: number][][];

  /** @param raise raises HVM_DPCI_SOFTIRQ on this CPU */
  constructor(
    cpus: number,
    private readonly raise: (cpu: Pcpu) => void,
    private readonly dpci: (domain: number) => Dpci | undefined,
  ) {
    this.lists = Array.from({ length: cpus }, () => []);
  }

  /** raise_softirq_for: one that is scheduled already, on whatever CPU, stays there. */
  raiseFor(cpu: Pcpu, domain: number, pirq: number): void {
    if (this.lists.some((list) => list.some(([d, p]) => d === domain && p === pirq))) return;
    this.lists[cpu.cpu]!.push([domain, pirq]);
    this.raise(cpu);
  }

  /** dpci_softirq */
  run(cpu: Pcpu): void {
    const list = this.lists[cpu.cpu]!;
    this.lists[cpu.cpu] = [];
    for (const [domain, pirq] of list) this.dpci(domain)?.softirq(pirq);
  }

  save(): Plain {
    return this.lists.map((list) => list.map((entry) => [...entry]));
  }

  restore(state: Plain): void {
    this.lists = (state as [number, number][][]).map((list) => list.map(([d, p]) => [d, p]));
  }
}
