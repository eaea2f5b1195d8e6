/**
 * Keeps the way of the interrupt that was fired last, hop by hop, until the next one is fired.
 *
 * The machine's trace is a ring: at full speed it forgets within a fraction of a second. So the hops are
 * read while the interrupt is under way, and what was seen stays.
 */
import type { JourneySnapshot, Machine } from '../engine/index.ts';

/** after the last handler further hops may follow for so much simulated time */
const REST_NS = 1e6;
/** an interrupt that nobody handles is watched for so much simulated time */
const LOST_NS = 10e9;
/** and either for so many real ms at least */
const LEAST_MS = 300;

export class JourneyWatch {
  private known: JourneySnapshot | null = null;
  private firedAt = Number.NEGATIVE_INFINITY;
  private watching = false;

  constructor(private readonly machine: Machine) {
    if (machine.lastFired) this.fired(Number.NEGATIVE_INFINITY);
  }

  get journey(): JourneySnapshot | null {
    return this.known;
  }

  /** Is it worth looking again? */
  get active(): boolean {
    return this.watching;
  }

  /** Something was fired. */
  fired(realMs: number): void {
    this.firedAt = realMs;
    this.watching = true;
    this.look();
  }

  /** Reads the hops so far; true if there are more than before. */
  look(): boolean {
    const last = this.machine.lastFired;
    if (!last || !this.watching) return false;
    const before = this.known?.journey === last.journey ? this.known.hops.length : -1;
    const hops = this.machine.platform.hops(last.journey);
    if (hops.length <= before) return false;
    this.known = { ...last, hops, latency: hops.findLast((h) => h.end)?.at ?? null };
    return true;
  }

  /** Stops watching once nothing more is to be expected. */
  settle(realMs: number): void {
    if (!this.known || realMs - this.firedAt < LEAST_MS) return;
    const { start, latency, hops } = this.known;
    const since = this.machine.clock.now - start;
    if (latency === null ? since > LOST_NS : since - hops.at(-1)!.at > REST_NS) this.watching = false;
  }
}
