/**
 * The expected state beside the model's, kind by kind.
 *
 * A kind of element (the pending bits of a domain, its ports) is a block: the values the vector expects, in
 * one typed array, and a look at the model's as an array of the same layout. Comparing everything after
 * every operation is then a walk over a few arrays of numbers.
 */
import { BadVector } from './suite.ts';

export interface Difference {
  readonly key: string;
  readonly expected: unknown;
  readonly got: unknown;
}

export interface Block {
  /** The first element that differs. */
  difference(): Difference | undefined;
}

/** Elements of one or more values each; all 0 at the start. */
export class ValueBlock implements Block {
  private readonly want: Int32Array | Uint32Array;
  /** values set so far end here; those behind are 0 */
  private high = 0;

  /**
   * @param name key and leading indices, e.g. `['V', 1, 0]`
   * @param size elements
   * @param width values per element
   * @param live the model's values now; what it is too short for counts as 0
   */
  constructor(
    private readonly name: readonly (string | number)[],
    private readonly size: number,
    private readonly width: number,
    private readonly live: () => ArrayLike<number>,
    unsigned = false,
  ) {
    this.want = unsigned ? new Uint32Array(size * width) : new Int32Array(size * width);
  }

  /** Sets values of an element. @param first index of the first value in it */
  set(element: number, values: readonly number[], first = 0): void {
    if (element < 0 || element >= this.size) {
      throw new BadVector(`no element ${JSON.stringify([...this.name, element])}`);
    }
    if (first + values.length > this.width) {
      throw new BadVector(`${JSON.stringify([...this.name, element])} has ${this.width} values`);
    }
    const at = element * this.width + first;
    this.want.set(values, at);
    this.high = Math.max(this.high, at + values.length);
  }

  difference(): Difference | undefined {
    const { want } = this;
    const live = this.live();
    const shared = Math.min(live.length, want.length);
    for (let i = 0; i < shared; i++) if (live[i] !== want[i]) return this.describe(i, live);
    for (let i = shared; i < this.high; i++) if (want[i] !== 0) return this.describe(i, live);
    for (let i = shared; i < live.length; i++) if (live[i] !== 0) return this.describe(i, live);
    return undefined;
  }

  private describe(value: number, live: ArrayLike<number>): Difference {
    const { width } = this;
    const element = Math.floor(value / width);
    const pick = (from: ArrayLike<number>) => {
      const values = Array.from({ length: width }, (_, i) => from[element * width + i] ?? 0);
      return width === 1 ? values[0] : values;
    };
    const key = this.size === 1 ? this.name : [...this.name, element];
    return { key: JSON.stringify(key), expected: pick(this.want), got: pick(live) };
  }
}

/** Elements of one bit; all 0 at the start. */
export class BitBlock implements Block {
  private readonly want: Uint32Array;

  /** @param live the model's bits in words of 32, as long as the block */
  constructor(
    private readonly name: readonly (string | number)[],
    private readonly size: number,
    private readonly live: () => Uint32Array,
  ) {
    this.want = new Uint32Array((size + 31) >> 5);
  }

  set(bit: number, value: number): void {
    if (bit < 0 || bit >= this.size) throw new BadVector(`no element ${JSON.stringify([...this.name, bit])}`);
    const mask = 1 << (bit & 31);
    const word = this.want[bit >> 5]!;
    this.want[bit >> 5] = value === 0 ? word & ~mask : word | mask;
  }

  difference(): Difference | undefined {
    const { want } = this;
    const live = this.live();
    for (let w = 0; w < want.length; w++) {
      const differ = live[w]! ^ want[w]!;
      if (differ === 0) continue;
      const bit = 31 - Math.clz32(differ & -differ);
      return {
        key: JSON.stringify([...this.name, w * 32 + bit]),
        expected: (want[w]! >>> bit) & 1,
        got: (live[w]! >>> bit) & 1,
      };
    }
    return undefined;
  }
}

/** A list of numbers whose order counts; empty at the start. */
export class ListBlock implements Block {
  private want: readonly number[] = [];

  constructor(
    private readonly name: readonly (string | number)[],
    private readonly live: () => readonly number[],
  ) {}

  set(values: readonly number[]): void {
    this.want = values;
  }

  difference(): Difference | undefined {
    const { want } = this;
    const live = this.live();
    const same = live.length === want.length && live.every((value, i) => value === want[i]);
    return same ? undefined : { key: JSON.stringify(this.name), expected: want, got: live };
  }
}

/** The blocks of one state, and by its key who takes a change of it. */
export abstract class ExpectedState implements Block {
  private readonly blocks: Block[] = [];
  /** each takes the indices and the values of a change */
  protected readonly keys = new Map<string, (numbers: readonly number[]) => void>();

  difference(): Difference | undefined {
    for (const block of this.blocks) {
      const difference = block.difference();
      if (difference) return difference;
    }
    return undefined;
  }

  protected add<B extends Block>(block: B): B {
    this.blocks.push(block);
    return block;
  }
}
