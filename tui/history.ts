/**
 * What the counters did during the last minutes that somebody watched.
 *
 * The time axis is the watcher's: half-second buckets that fill while the machine runs and stand still
 * while it is paused. How much simulated time passed in each is remembered, so that rates are per second of
 * simulated time whatever the speed. Each counter is kept as what it had come to at the end of each bucket, so
 * the past can be looked at from any moment of it. Memory is bounded: so many buckets a counter, and a counter
 * that is no longer fed is dropped.
 */

export const BUCKET_MS = 500;
/** of the short span */
export const BUCKETS = 60;
const SPAN_MS = BUCKET_MS * BUCKETS;
/** the long span is so many times the short one: 5 minutes */
const LONG = 10;
/** buckets that are kept, some more than the long span */
export const KEPT = BUCKETS * (LONG + 1);
/** rates look back over this much simulated time, if there is so much */
const RATE_NS = 1e9;
const WRAP = 2 ** 32;

/** Widths a sparkline may have: so that every column covers the same number of buckets. */
export const SPARK_WIDTHS = [10, 12, 15, 20, 30, 60] as const;

/** What sparklines cover. */
export const SPANS = ['short', 'long'] as const;
export type Span = (typeof SPANS)[number];

export const spanMs = (span: Span): number => (span === 'short' ? SPAN_MS : SPAN_MS * LONG);

/** A quantity that only grows, and what it had come to at the end of each bucket. */
class Growth {
  /** what it has come to by now */
  total = 0;
  /** newest bucket that is complete */
  complete: number;
  /** total when each bucket ended; of what never grew there is none */
  private ends: Float64Array | undefined;

  /** @param first the bucket in which it begins */
  constructor(private readonly first: number) {
    this.complete = first - 1;
  }

  /** It grows evenly from one moment to another. */
  grow(by: number, from: number, to: number): void {
    const last = Math.floor(to / BUCKET_MS) - 1;
    if (!this.ends && by === 0) {
      this.complete = Math.max(this.complete, last);
      return;
    }
    this.ends ??= new Float64Array(KEPT);
    for (let b = Math.max(this.complete + 1, last - KEPT + 1); b <= last; b++) {
      const share = to > from ? ((b + 1) * BUCKET_MS - from) / (to - from) : 0;
      this.ends[b % KEPT] = this.total + by * Math.max(0, Math.min(1, share));
    }
    this.complete = Math.max(this.complete, last);
    this.total += by;
  }

  /** What it had come to when a bucket ended. */
  at(bucket: number): number {
    if (bucket < this.first) return 0;
    return bucket > this.complete ? this.total : (this.ends?.[bucket % KEPT] ?? 0);
  }

  /** What comes after is not to be. @param head the bucket under way */
  forget(head: number, total: number): void {
    this.complete = Math.min(this.complete, head - 1);
    this.total = total;
  }
}

interface Series {
  /** the counter when it was last fed */
  value: number;
  /** what the last sample added */
  delta: number;
  readonly growth: Growth;
  /** the counter at the moment that is looked at, what it had come to, and which look that was */
  stood: number;
  seen: number;
  look: number;
  picture: { key: string; levels: Float64Array } | undefined;
}

/** A moment of the past that is looked at. */
interface Look {
  readonly watched: number;
  /** simulated time that had passed */
  readonly sim: number;
  readonly number: number;
}

export class History {
  private readonly series = new Map<string, Series>();
  private sims = new Growth(0);
  private simTime: number | undefined;
  private watched = 0;
  /** what is added to the watcher's time as it is told */
  private shift = 0;
  /** where the current sample begins */
  private from = 0;
  /** buckets where the past was forgotten, the last one last */
  private floors: number[] = [0];
  private looked: Look | undefined;
  private looks = 0;
  private windowFrom = 0;
  private windowNs = 0;

  /** Counters that are remembered. */
  get size(): number {
    return this.series.size;
  }

  /** How much was watched by the last sample, in ms; what `lookAt` takes. */
  get position(): number {
    return this.watched;
  }

  /** Begins a sample at a moment of simulated and of watched time; `count` follows for every counter. */
  sample(simNs: number, watchedMs: number): void {
    this.looked = undefined;
    const passed = this.simTime === undefined ? 0 : Math.max(0, simNs - this.simTime);
    const before = Math.floor(this.watched / BUCKET_MS);
    this.simTime = simNs;
    this.from = this.watched;
    this.watched = Math.max(this.watched, watchedMs + this.shift);
    this.sims.grow(passed, this.from, this.watched);
    this.findWindow();
    if (this.head % KEPT < before % KEPT) this.dropStale();
  }

  /**
   * Looks back: until the next sample all is as it was at that moment. `count` follows for every counter.
   * @param position how much was watched by then
   */
  lookAt(simNs: number, position: number): void {
    const sim = this.sims.total - ((this.simTime ?? simNs) - simNs);
    this.looked = { watched: position, sim, number: ++this.looks };
    this.findWindow();
  }

  /** What came after the moment that is looked at is not to be. */
  forgetLater(): void {
    const { looked } = this;
    if (!looked) return;
    const { watched, sim, number } = looked;
    const head = Math.floor(watched / BUCKET_MS);
    this.simTime = (this.simTime ?? 0) - (this.sims.total - sim);
    this.shift -= this.watched - watched;
    this.watched = watched;
    this.sims.forget(head, sim);
    for (const [key, s] of this.series) {
      if (s.look !== number) this.series.delete(key);
      s.growth.forget(head, s.seen);
      s.value = s.stood;
      s.delta = 0;
    }
    this.floors = this.floors.filter((floor) => floor <= head);
    this.looked = undefined;
  }

  /** Feeds a counter that only grows (or wraps at 2^32, or starts anew). */
  count(key: string, value: number): void {
    const { looked } = this;
    const s = this.series.get(key);
    if (looked) {
      if (s) this.remember(s, value, looked);
      return;
    }
    if (!s) {
      const growth = new Growth(this.head);
      this.series.set(key, { value, delta: 0, growth, stood: 0, seen: 0, look: 0, picture: undefined });
      return;
    }
    let delta = value - s.value;
    if (delta < 0) delta = s.value < WRAP && delta < -WRAP / 2 ? delta + WRAP : 0;
    s.value = value;
    s.delta = delta;
    s.growth.grow(delta, this.from, this.watched);
  }

  /** The counter stood there at the moment that is looked at. */
  private remember(s: Series, value: number, { number }: Look): void {
    const { growth } = s;
    // it may have wrapped or started anew since
    const least = growth.at(this.head - 1);
    const most = this.head > growth.complete ? growth.total : growth.at(this.head);
    s.seen = Math.max(least, Math.min(most, growth.total - (s.value - value)));
    s.stood = value;
    s.look = number;
  }

  /** What the last sample added to the counter. */
  delta(key: string): number {
    return this.series.get(key)?.delta ?? 0;
  }

  /** Per simulated second, over the last simulated second or what there is; NaN before time passed. */
  rate(key: string): number {
    const s = this.shown(key);
    if (!s || this.windowNs === 0) return Number.NaN;
    const sum = this.totalOf(s) - s.growth.at(this.windowFrom - 1);
    // an old sample lies partly outside the window: interrupts come in whole numbers
    return (Math.round(sum) * 1e9) / this.windowNs;
  }

  /** Did the counter stand still for the short span? */
  idle(key: string): boolean {
    const s = this.shown(key);
    return !s || this.totalOf(s) === s.growth.at(Math.max(this.head - BUCKETS, this.oldest - 1));
  }

  /** Rates of the complete buckets in so many columns, oldest first, as shares of the highest; -1: no time. */
  levels(key: string, columns: number, span: Span = 'short'): Float64Array {
    const s = this.shown(key);
    if (!s) return new Float64Array(columns).fill(-1);
    const { head, oldest } = this;
    const picture = `${head} ${oldest} ${columns} ${span}`;
    if (s.picture?.key === picture) return s.picture.levels;
    const levels = new Float64Array(columns);
    const group = Math.floor((BUCKETS * (span === 'short' ? 1 : LONG)) / columns);
    const last = Math.floor((head - 1) / group);
    let max = 0;
    for (let c = 0; c < columns; c++) {
      const start = (last - columns + 1 + c) * group;
      const before = Math.max(start, oldest, head - BUCKETS * LONG + 1) - 1;
      const end = Math.min(start + group, head) - 1;
      const ns = end > before ? this.sims.at(end) - this.sims.at(before) : 0;
      levels[c] = ns > 0 ? (s.growth.at(end) - s.growth.at(before)) / ns : -1;
      if (levels[c]! > max) max = levels[c]!;
    }
    if (max > 0) for (let c = 0; c < columns; c++) levels[c] = levels[c]! < 0 ? -1 : levels[c]! / max;
    s.picture = { key: picture, levels };
    return levels;
  }

  /** Forgets the past; the counters go on from here. Who looks back to before finds it again. */
  reset(): void {
    const next = Math.floor(this.watched / BUCKET_MS) + 1;
    this.sample(this.simTime ?? 0, next * BUCKET_MS - this.shift);
    for (const s of this.series.values()) s.growth.grow(0, this.from, this.watched);
    this.shift += this.watched - this.from;
    this.floors = [...this.floors.filter((floor) => floor > next - KEPT), next];
    this.findWindow();
  }

  /** The bucket under way at the moment that is shown. */
  private get head(): number {
    return Math.floor((this.looked?.watched ?? this.watched) / BUCKET_MS);
  }

  /** The first bucket that is known and counts at the moment that is shown. */
  private get oldest(): number {
    const { head } = this;
    const floor = this.floors.findLast((f) => f <= head) ?? 0;
    return Math.max(floor, Math.floor(this.watched / BUCKET_MS) - KEPT + 1, 0);
  }

  private shown(key: string): Series | undefined {
    const s = this.series.get(key);
    return s && this.looked && s.look !== this.looked.number ? undefined : s;
  }

  private totalOf(s: Series): number {
    return this.looked ? s.seen : s.growth.total;
  }

  private findWindow(): void {
    const { head, oldest, sims } = this;
    const now = this.looked?.sim ?? sims.total;
    let b = head;
    while (b > oldest && b > head - BUCKETS + 1 && now - sims.at(b - 1) < RATE_NS) b--;
    this.windowFrom = b;
    this.windowNs = now - sims.at(b - 1);
  }

  private dropStale(): void {
    for (const [key, { growth }] of this.series) {
      if (growth.complete < this.head - KEPT) this.series.delete(key);
    }
  }
}
