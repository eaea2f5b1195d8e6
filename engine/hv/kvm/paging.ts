/**
 * Pages of a virtual CPU's that the host has taken back (memory.reclaim of its machine's control group): the delivery of
 * the next interrupt touches two, the stack that the processor pushes its frame on and per-CPU data that the entry code
 * uses before the EOI. Each is an EPT violation, and the thread sleeps in KVM until the page has been read from the
 * swap device (kvm_mmu_page_fault, hva_to_pfn).
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Processor } from '../../hw/x86/processor.ts';
import type { KvmVcpu } from './vcpu.ts';

/** stack and per-CPU data */
const PAGES = 2;

const PRESENT = 0;
/** the guest has touched one that is not there; its thread has yet to ask for it */
const FAULTED = 1;
const READING = 2;

/** The gate of an interrupt that the guest is behind, its handler's first instructions still to come. */
export interface HeldGate {
  /** -1: the NMI's */
  readonly vector: number;
  /** time that is left of what it has interrupted */
  readonly left: Ns;
}

export class ReclaimedPages implements Part {
  readonly id: string;
  /** how many of them are not in memory */
  private out = 0;
  private state = PRESENT;
  private gate: HeldGate | undefined;

  constructor(private readonly v: KvmVcpu) {
    this.id = `${v.id}.pages`;
  }

  /** The host takes them. */
  reclaim(): void {
    this.out = PAGES;
  }

  /** Would the delivery of an event find the stack gone? */
  get stackAbsent(): boolean {
    return this.out === PAGES;
  }

  /** Would its handler, before the EOI? */
  get dataAbsent(): boolean {
    return this.out > 0;
  }

  /** Is its thread to sleep until one has been read? */
  get waiting(): boolean {
    return this.state !== PRESENT;
  }

  /** The guest has touched one of them, if any is out. */
  touched(): void {
    if (this.out === 0) return;
    this.out--;
    this.state = FAULTED;
  }

  /** Its thread, in KVM: reads the page. */
  read(on: Processor): void {
    if (this.state !== FAULTED) return;
    this.state = READING;
    this.v.kvm.host.readPage(this.v.index, on);
  }

  /** The page is in memory. */
  arrived(on: Processor): void {
    this.state = PRESENT;
    this.v.kvm.host.wake(this.v.index, on);
  }

  /** The interrupt has gone through the gate, and the handler stops at a page. */
  hold(gate: HeldGate): void {
    this.gate = gate;
  }

  /** Is the handler of this vector held so? */
  holds(vector: number): boolean {
    return this.gate?.vector === vector;
  }

  /** The guest goes on: with this handler, if one was held. */
  release(): HeldGate | undefined {
    const { gate } = this;
    this.gate = undefined;
    return gate;
  }

  save(): Plain {
    return [this.out, this.state, ...(this.gate ? [this.gate.vector, this.gate.left] : [])];
  }

  restore(state: Plain): void {
    const [out, reading, vector, left] = state as number[];
    this.out = out!;
    this.state = reading!;
    this.gate = vector === undefined ? undefined : { vector, left: left! };
  }
}
