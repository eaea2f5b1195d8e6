/**
 * Follows one raise through the trace, event by event. The trace is a ring that forgets within a fraction of a second
 * at full speed; what was seen stays here, with what waited in the chips when each hop was over.
 */
import type { Ns } from '../core/clock.ts';
import type { TraceRecord } from '../core/trace.ts';
import { inOrder, journeysTo, lineUp, type Passage, type Passed } from './hops.ts';
import type { JourneySnapshot } from './inspect.ts';
import type { Machine } from './machine.ts';

/** After the last handler further hops may follow for so much simulated time. */
const REST: Ns = 1e6;
/** After a handler of the host so long: a guest may be told by one of its threads. */
const HANDED_ON: Ns = 100e6;
/** An interrupt that nobody handles is waited for so long. */
const LOST: Ns = 10e9;

/** Journeys of a row that are looked up at most. */
const MOST = 20;

/** Records of one that are kept: a line that nobody lowers interrupts again and again in the same name. */
const LONGEST = 500;

/** Whose way it is. */
export interface Followed {
  /** the device that was fired, or the row whose handler ran */
  readonly device: string;
  readonly journey: number;
  /** when it was raised; of an old one the time of its first hop */
  readonly start?: Ns | undefined;
}

export class JourneyLog {
  private passed: Passed[] = [];
  /** how many events had run when each was seen */
  private events: number[] = [];
  /** records of the trace that were looked at */
  private seen: number;
  private made: { readonly hops: number; readonly snapshot: JourneySnapshot } | undefined;

  /** @param live it is under way: what waits in the chips now belongs to its hops */
  constructor(
    private readonly machine: Machine,
    readonly followed: Followed,
    private readonly live = true,
  ) {
    this.seen = machine.shop.trace.oldest - 1;
    this.look();
  }

  /** Reads what was traced since the last look, after each event; true if the journey went on. */
  look(): boolean {
    const { trace } = this.machine.shop;
    if (trace.written <= this.seen || this.passed.length >= LONGEST) return false;
    const records = trace.journey(this.followed.journey, this.seen + 1);
    this.seen = trace.written;
    if (records.length === 0) return false;
    this.add(records);
    return true;
  }

  private add(records: readonly TraceRecord[]): void {
    const { platform, clock } = this.machine;
    const all = [...this.passed.map((p) => p.record), ...records];
    const pending = this.live ? platform.waiting(all) : '';
    for (const record of records) {
      this.passed.push({ record, hop: platform.hop(record), pending });
      this.events.push(clock.events);
    }
  }

  /** Hops that are known. */
  get length(): number {
    return this.passed.length;
  }

  /** As far as it is known. */
  get snapshot(): JourneySnapshot {
    return this.make(this.passed.length);
  }

  /** As it was when so many records had been written. */
  before(written: number): JourneySnapshot {
    return this.make(this.passedBy(written));
  }

  /** Hops that had been passed when so many records had been written. */
  passedBy(written: number): number {
    const { passed } = this;
    let n = passed.length;
    while (n > 0 && passed[n - 1]!.record.seq > written) n--;
    return n;
  }

  /** How many events had run when each of its first hops was passed; in the order of the hops. */
  eventsOf(hops: number): number[] {
    const order = this.passed.slice(0, hops).map((passed, i) => ({ passed, events: this.events[i]! }));
    return order.sort((a, b) => inOrder(a.passed, b.passed)).map(({ events }) => events);
  }

  /** What was written after so many records is not to be. */
  forget(written: number): void {
    const kept = this.passedBy(written);
    this.passed = this.passed.slice(0, kept);
    this.events = this.events.slice(0, kept);
    this.made = undefined;
    this.seen = Math.min(this.seen, written);
  }

  private make(hops: number): JourneySnapshot {
    if (this.made?.hops !== hops) this.made = { hops, snapshot: this.pictureOf(this.passed.slice(0, hops)) };
    return this.made.snapshot;
  }

  private pictureOf(passed: readonly Passed[]): JourneySnapshot {
    const { device, journey } = this.followed;
    const start = this.followed.start ?? passed[0]?.record.time ?? 0;
    const hops = lineUp(passed, start);
    return { device, journey, start, hops, latency: hops.findLast((h) => h.end)?.at ?? null };
  }

  /** Is nothing more to be expected of it? */
  get over(): boolean {
    if (this.passed.length >= LONGEST) return true;
    const { start, hops } = this.snapshot;
    const { now } = this.machine.clock;
    const last = start + (hops.at(-1)?.at ?? 0);
    switch (Math.max(0, ...this.passed.map(({ hop }) => hop.end))) {
      case 0:
        return now - start > LOST;
      case 1:
        return now - last > HANDED_ON;
      default:
        return now - last > REST;
    }
  }
}

/** The journey of the interrupt that was fired last; null before the first. */
export function lastFired(machine: Machine): JourneySnapshot | null {
  const last = machine.lastFired;
  return last ? new JourneyLog(machine, last).snapshot : null;
}

/**
 * The last journeys that the trace still knows to have come to a handler's row, or by a vector, oldest first.
 * @param until the last record that is looked at
 */
export function pastJourneys(
  machine: Machine,
  by: Passage,
  device: string,
  until = machine.shop.trace.written,
): JourneySnapshot[] {
  const ids = journeysTo(machine.platform, machine.shop.trace, by, MOST, until);
  return ids.map((journey) => new JourneyLog(machine, { device, journey }, false).before(until));
}

/** One of them; null if the trace does not know it any more. */
export function pastJourney(
  machine: Machine,
  journey: number,
  device: string,
  until = machine.shop.trace.written,
): JourneySnapshot | null {
  const snapshot = new JourneyLog(machine, { device, journey }, false).before(until);
  return snapshot.hops.length > 0 ? snapshot : null;
}
