/**
 * Random numbers by name. Each stream is its own generator, seeded from the scenario's seed and the
 * stream's name, so that adding a device does not change what another one draws.
 *
 * sfc32 (Chris Doty-Humphrey, PractRand), seeded with a hash of the name and both halves of the seed, so
 * that two (seed, name) share a sequence only if 96 bits agree. Nothing here uses Math.log or Math.pow, whose last bit may differ between machines: the exponential distribution comes
 * from von Neumann's comparison method (1951), which needs only uniform numbers, and the power of the
 * Pareto distribution from a series of additions and multiplications.
 */
import type { Part, Plain } from './state.ts';

export class Stream implements Part {
  readonly id: string;
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** @param seed an integer of up to 53 bits */
  constructor(seed: number, name: string) {
    this.id = `rng.${name}`;
    this.a = hash(name, 0x811c9dc5) ^ seed;
    this.b = hash(name, 0x9e3779b1) ^ Math.floor(seed / 2 ** 32);
    this.c = hash(name, 0x85ebca6b);
    this.d = 1;
    for (let i = 0; i < 15; i++) this.u32();
  }

  /** An integer in [0, 2^32). */
  u32(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    this.c |= 0;
    return t >>> 0;
  }

  /** In [0, 1), a multiple of 2^-32. */
  unit(): number {
    return this.u32() / 4294967296;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.unit() < p;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** Exponentially distributed with the given mean, by von Neumann's method. */
  exponential(mean: number): number {
    for (let whole = 0; ; whole++) {
      const first = this.unit();
      let last = first;
      let run = 1;
      for (;;) {
        const u = this.unit();
        if (u > last) break;
        last = u;
        run++;
      }
      if (run % 2 === 1) return mean * (whole + first);
    }
  }

  /** Pareto distributed: never below `low`, heavier tail for smaller `alpha`. */
  pareto(low: number, alpha: number): number {
    return low * exp(this.exponential(1) / alpha);
  }

  choice<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  save(): Plain {
    return [this.a, this.b, this.c, this.d];
  }

  restore(state: Plain): void {
    [this.a, this.b, this.c, this.d] = state as [number, number, number, number];
  }
}

/** FNV-1a over the name from a basis of one's own, finished as MurmurHash3 finishes. */
function hash(name: string, basis: number): number {
  let h = basis;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** e^x for x >= 0 from halving and squaring: the same bits on every machine. */
function exp(x: number): number {
  let halvings = 0;
  let y = x;
  while (y > 0.5) {
    y /= 2;
    halvings++;
  }
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 18; n++) {
    term = (term * y) / n;
    sum += term;
  }
  for (; halvings > 0; halvings--) sum *= sum;
  return sum;
}

export class Rng {
  private readonly streams = new Map<string, Stream>();

  constructor(
    readonly seed: number,
    private readonly added: (stream: Stream) => void = () => {},
  ) {}

  /** The stream of this name, always the same one; made at build time. */
  stream(name: string): Stream {
    let stream = this.streams.get(name);
    if (!stream) {
      stream = new Stream(this.seed, name);
      this.streams.set(name, stream);
      this.added(stream);
    }
    return stream;
  }
}
