/**
 * A histogram of latencies with bounded memory: buckets grow with the value, 16 to each doubling, so a
 * percentile is off by at most 1/16 of itself.
 */
import type { Plain } from './state.ts';

const SUB = 16;
const BUCKETS = SUB * 50;
/** to begin with: up to half a millisecond in nanoseconds */
const FIRST = SUB * 16;

export class Histogram {
  private buckets = new Uint32Array(FIRST);
  count = 0;
  sum = 0;
  min = Infinity;
  max = 0;

  /** @param value an integer of at least 0 */
  add(value: number): void {
    const bucket = bucketOf(value);
    if (bucket >= this.buckets.length) this.grow();
    this.buckets[bucket]!++;
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  private grow(): void {
    const { buckets } = this;
    this.buckets = new Uint32Array(BUCKETS);
    this.buckets.set(buckets);
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** The value that the share `p` (0 to 1) of all values does not exceed; 0 when empty. */
  percentile(p: number): number {
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(p * this.count));
    const { buckets } = this;
    let seen = 0;
    for (let b = bucketOf(this.min); b < buckets.length; b++) {
      seen += buckets[b]!;
      if (seen >= rank) return Math.min(this.max, upperEdge(b));
    }
    return this.max;
  }

  /** The filled buckets: upper edge and count. */
  filled(): { readonly upTo: number; readonly count: number }[] {
    return this.counts().map(([b, count]) => ({ upTo: upperEdge(b), count }));
  }

  save(): Plain {
    const { count, sum, min, max } = this;
    return { count, sum, min: count ? min : 0, max, filled: this.counts() };
  }

  private counts(): [bucket: number, count: number][] {
    const { buckets } = this;
    const out: [number, number][] = [];
    for (let b = 0; b < buckets.length; b++) if (buckets[b]! > 0) out.push([b, buckets[b]!]);
    return out;
  }

  restore(state: Plain): void {
    const s = state as { count: number; sum: number; min: number; max: number; filled: number[][] };
    this.buckets = new Uint32Array(FIRST);
    for (const [b, count] of s.filled) {
      if (b! >= this.buckets.length) this.grow();
      this.buckets[b!] = count!;
    }
    this.count = s.count;
    this.sum = s.sum;
    this.min = s.count ? s.min : Infinity;
    this.max = s.max;
  }
}

function bucketOf(value: number): number {
  if (value < SUB) return value;
  if (value < 2 ** 31) {
    const high = 31 - Math.clz32(value);
    return (high - 3) * SUB + (value >> (high - 4)) - SUB;
  }
  const high = 62 - Math.clz32(value / 2 ** 31);
  const within = Math.floor(value / 2 ** (high - 4)) - SUB;
  return Math.min(BUCKETS - 1, (high - 3) * SUB + within);
}

function upperEdge(b: number): number {
  if (b < SUB) return b;
  const high = Math.floor(b / SUB) + 3;
  return (SUB + (b % SUB) + 1) * 2 ** (high - 4) - 1;
}
