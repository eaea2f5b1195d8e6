/**
 * Interrupt vectors of the CPUs of a native kernel. Since 4.15 a matrix (kernel/irq/matrix.c): an interrupt gets
 * the lowest free vector of the CPU that has most of them left. Before, one allocator for all CPUs in steps of
 * eight (__assign_irq_vector of arch/x86/kernel/apic/io_apic.c).
 */
import { Bitmap } from '../../core/bits.ts';
import { type Plain, restoreArray, saveArray } from '../../core/state.ts';

const FIRST_EXTERNAL = 0x20;
const SYSCALL = 0x80;
export const ISA_VECTOR = 0x30;

export interface Vectors {
  /** a vector on one of these CPUs; undefined when there is none */
  allocate(cpus: readonly number[]): { readonly cpu: number; readonly vector: number } | undefined;
  /** takes a vector for good */
  assign(cpu: number, vector: number): void;
  free(cpu: number, vector: number): void;
  save(): Plain;
  restore(state: Plain): void;
}

export class VectorMatrix implements Vectors {
  private readonly used: Bitmap[];
  private readonly left: number[];

  /** @param firstSystem the lowest vector that is the kernel's own */
  constructor(
    cpus: number,
    private readonly firstSystem: number,
  ) {
    this.used = Array.from({ length: cpus }, () => new Bitmap(256));
    this.left = new Array(cpus).fill(firstSystem - FIRST_EXTERNAL);
    for (let cpu = 0; cpu < cpus; cpu++) {
      // IRQ_MOVE_CLEANUP_VECTOR, and the system call
      this.assign(cpu, FIRST_EXTERNAL);
      this.assign(cpu, SYSCALL);
    }
  }

  assign(cpu: number, vector: number): void {
    if (this.used[cpu]!.set(vector)) this.left[cpu]!--;
  }

  free(cpu: number, vector: number): void {
    if (this.used[cpu]!.has(vector)) this.left[cpu]!++;
    this.used[cpu]!.clear(vector);
  }

  allocate(cpus: readonly number[]): { cpu: number; vector: number } | undefined {
    let best = -1;
    for (const cpu of cpus) if (best < 0 || this.left[cpu]! > this.left[best]!) best = cpu;
    if (best < 0) return undefined;
    for (let vector = FIRST_EXTERNAL; vector < this.firstSystem; vector++) {
      if (this.used[best]!.has(vector)) continue;
      this.assign(best, vector);
      return { cpu: best, vector };
    }
    return undefined;
  }

  save(): Plain {
    return { used: this.used.map(({ words }) => saveArray(words)), left: [...this.left] };
  }

  restore(state: Plain): void {
    const s = state as { used: Plain[]; left: number[] };
    this.used.forEach(({ words }, cpu) => {
      restoreArray(words, s.used[cpu]!);
      this.left[cpu] = s.left[cpu]!;
    });
  }
}

/** 2.6.36: starts above the legacy vectors; every interrupt goes to the first CPU that its mask names. */
export class VectorSteps implements Vectors {
  private readonly used: Bitmap[];
  private vector = ISA_VECTOR + 0x10 + 1;
  private offset = 1;

  constructor(
    cpus: number,
    private readonly firstSystem: number,
  ) {
    this.used = Array.from({ length: cpus }, () => new Bitmap(256));
  }

  assign(cpu: number, vector: number): void {
    this.used[cpu]!.set(vector);
  }

  free(cpu: number, vector: number): void {
    this.used[cpu]!.clear(vector);
  }

  allocate(cpus: readonly number[]): { cpu: number; vector: number } | undefined {
    const cpu = cpus[0]!;
    for (let tries = 0; tries < 256; tries++) {
      this.vector += 8;
      if (this.vector >= this.firstSystem) {
        this.offset = (this.offset + 1) % 8;
        this.vector = ISA_VECTOR + 0x10 + this.offset;
      }
      if (this.vector === SYSCALL || this.used[cpu]!.has(this.vector)) continue;
      this.used[cpu]!.set(this.vector);
      return { cpu, vector: this.vector };
    }
    return undefined;
  }

  save(): Plain {
    const { vector, offset } = this;
    return { used: this.used.map(({ words }) => saveArray(words)), vector, offset };
  }

  restore(state: Plain): void {
    const s = state as { used: Plain[]; vector: number; offset: number };
    this.used.forEach(({ words }, cpu) => {
      restoreArray(words, s.used[cpu]!);
    });
    this.vector = s.vector;
    this.offset = s.offset;
  }
}
