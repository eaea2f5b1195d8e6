/**
 * What the counters did during the last 30 seconds that somebody watched.
 *
 * The time axis is the watcher's: half-second buckets that fill while the machine runs and stand still
 * while it is paused. Each bucket remembers how much simulated time passed in it, so that rates are per
 * second of simulated time whatever the speed. Memory is bounded: 60 buckets a counter, and a counter
 * that is no longer fed is dropped.
 */

export const BUCKET_MS = 500;
export const BUCKETS = 60;
export const SPAN_MS = BUCKET_MS * BUCKETS;
/** rates look back over this much simulated time, if there is so much */
const RATE_NS = 1e9;
const WRAP = 2 ** 32;

interface Series {
  /** the counter when it was last fed */
  value: number;
  /** what the last sample added */
  delta: number;
  readonly buckets: Float64Array;
  /** newest bucket that is clean */
  head: number;
  picture: { epoch: number; columns: number; levels: Float64Array } | undefined;
}

/** Widths a sparkline may have: so that every column covers the same number of buckets. */
export const SPARK_WIDTHS = [10, 12, 15, 20, 30, 60] as const;

export class History {
  private readonly series = new Map<string, Series>();
  /** simulated ns that passed in each bucket */
  private readonly sims = new Float64Array(BUCKETS);
  private simTime: number | undefined;
  private watched = 0;
  private head = 0;
  /** the buckets that the current sample covers and its share in each */
  private spread: { bucket: number; share: number }[] = [];
  private windowFrom = 0;
  private windowNs = 0;

  /** Buckets that are complete; sparklines change when it does. */
  get epoch(): number {
    return this.head;
  }

  /** Counters that are remembered. */
  get size(): number {
    return this.series.size;
  }

  /** Begins a sample at a moment of simulated and of watched time; `count` follows for every counter. */
  sample(simNs: number, watchedMs: number): void {
    const from = this.watched;
    const passed = this.simTime === undefined ? 0 : Math.max(0, simNs - this.simTime);
    this.simTime = simNs;
    this.watched = watchedMs;
    const first = Math.floor(from / BUCKET_MS);
    const head = Math.floor(watchedMs / BUCKET_MS);
    for (let b = Math.max(first + 1, head - BUCKETS + 1); b <= head; b++) this.sims[b % BUCKETS] = 0;
    this.head = head;
    this.spread = [];
    for (let b = Math.max(first, head - BUCKETS + 1); b <= head; b++) {
      const overlap = Math.min(watchedMs, (b + 1) * BUCKET_MS) - Math.max(from, b * BUCKET_MS);
      const share = watchedMs > from ? overlap / (watchedMs - from) : 1;
      if (share <= 0 && b !== head) continue;
      this.spread.push({ bucket: b, share });
      this.sims[b % BUCKETS] = this.sims[b % BUCKETS]! + passed * share;
    }
    this.findWindow();
    if (head % BUCKETS < first % BUCKETS) this.dropStale();
  }

  /** Feeds a counter that only grows (or wraps at 2^32, or starts anew). */
  count(key: string, value: number): void {
    let s = this.series.get(key);
    if (!s) {
      s = { value, delta: 0, buckets: new Float64Array(BUCKETS), head: this.head, picture: undefined };
      this.series.set(key, s);
      return;
    }
    let delta = value - s.value;
    if (delta < 0) delta = s.value < WRAP && delta < -WRAP / 2 ? delta + WRAP : 0;
    s.value = value;
    s.delta = delta;
    this.advance(s);
    if (delta === 0) return;
    for (const { bucket, share } of this.spread) {
      s.buckets[bucket % BUCKETS] = s.buckets[bucket % BUCKETS]! + delta * share;
    }
  }

  /** What the last sample added to the counter. */
  delta(key: string): number {
    return this.series.get(key)?.delta ?? 0;
  }

  /** Per simulated second, over the last simulated second or what there is; NaN before time passed. */
  rate(key: string): number {
    const s = this.series.get(key);
    if (!s || this.windowNs === 0) return Number.NaN;
    let sum = 0;
    for (let b = this.windowFrom; b <= s.head; b++) sum += s.buckets[b % BUCKETS]!;
    // an old sample lies partly outside the window: interrupts come in whole numbers
    return (Math.round(sum) * 1e9) / this.windowNs;
  }

  /** Did the counter stand still for as long as we remember? */
  idle(key: string): boolean {
    const s = this.series.get(key);
    if (!s) return true;
    for (let b = Math.max(0, this.head - BUCKETS + 1); b <= s.head; b++) {
      if (s.buckets[b % BUCKETS]! > 0) return false;
    }
    return true;
  }

  /** Rates of the complete buckets in so many columns, oldest first, as shares of the highest; -1: no time. */
  levels(key: string, columns: number): Float64Array {
    const s = this.series.get(key);
    if (!s) return new Float64Array(columns).fill(-1);
    if (s.picture?.epoch === this.head && s.picture.columns === columns) return s.picture.levels;
    const levels = new Float64Array(columns);
    const group = Math.floor(BUCKETS / columns);
    const last = Math.floor((this.head - 1) / group);
    let max = 0;
    for (let c = 0; c < columns; c++) {
      const start = (last - columns + 1 + c) * group;
      let sum = 0;
      let ns = 0;
      for (let b = Math.max(start, 0, this.head - BUCKETS + 1); b < start + group && b < this.head; b++) {
        ns += this.sims[b % BUCKETS]!;
        if (b <= s.head) sum += s.buckets[b % BUCKETS]!;
      }
      levels[c] = ns > 0 ? sum / ns : -1;
      if (levels[c]! > max) max = levels[c]!;
    }
    if (max > 0) for (let c = 0; c < columns; c++) levels[c] = levels[c]! < 0 ? -1 : levels[c]! / max;
    s.picture = { epoch: this.head, columns, levels };
    return levels;
  }

  /** Forgets the past; the counters go on from here. */
  reset(): void {
    this.series.clear();
    this.sims.fill(0);
    this.windowNs = 0;
  }

  private findWindow(): void {
    let ns = 0;
    let b = this.head;
    const oldest = Math.max(0, this.head - BUCKETS + 1);
    for (; b >= oldest; b--) {
      ns += this.sims[b % BUCKETS]!;
      if (ns >= RATE_NS) break;
    }
    this.windowFrom = Math.max(b, oldest);
    this.windowNs = ns;
  }

  /** Clears the buckets that were begun since the series was last fed. */
  private advance(s: Series): void {
    if (s.head === this.head) return;
    for (let b = Math.max(s.head + 1, this.head - BUCKETS + 1); b <= this.head; b++)
      s.buckets[b % BUCKETS] = 0;
    s.head = this.head;
  }

  private dropStale(): void {
    for (const [key, s] of this.series) {
      if (s.head < this.head - BUCKETS) this.series.delete(key);
    }
  }
}
