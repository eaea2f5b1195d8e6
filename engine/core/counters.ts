/** Named counters in one dense array: the name is looked up when the machine is built, never while it runs. */
import { type Part, type Plain, saveArray } from './state.ts';

export class Counters implements Part {
  readonly id: string;
  private values = new Float64Array(32);
  private readonly names: string[] = [];
  private readonly index = new Map<string, number>();

  constructor(name: string) {
    this.id = `counters.${name}`;
  }

  /** The index of a counter, made if new. */
  counter(name: string): number {
    let i = this.index.get(name);
    if (i === undefined) {
      i = this.names.length;
      this.names.push(name);
      this.index.set(name, i);
      if (i === this.values.length) {
        const grown = new Float64Array(i * 2);
        grown.set(this.values);
        this.values = grown;
      }
    }
    return i;
  }

  add(index: number, n = 1): void {
    this.values[index]! += n;
  }

  get(index: number): number {
    return this.values[index]!;
  }

  /** Every counter with its name, in the order they were made. */
  list(): { readonly name: string; readonly value: number }[] {
    return this.names.map((name, i) => ({ name, value: this.values[i]! }));
  }

  save(): Plain {
    return { names: [...this.names], values: saveArray(this.values.subarray(0, this.names.length)) };
  }

  restore(state: Plain): void {
    const { names, values } = state as { names: string[]; values: number[] };
    this.values.fill(0);
    names.forEach((name, i) => {
      const index = this.counter(name); // may grow the array
      this.values[index] = values[i]!;
    });
  }
}

/** A counter as the kernel's unsigned int prints it. */
export function asU32(n: number): number {
  return n % 4294967296;
}
