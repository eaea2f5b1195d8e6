/** What there is to see of a machine at the moment that is shown, which may be within an event. */
import {
  type EventChannelsSnapshot,
  type EventLog,
  type EventQuery,
  type JourneySnapshot,
  type Machine,
  type Passage,
  pastJourney,
  pastJourneys,
  recentEvents,
  type Snapshot,
  takeSnapshot,
} from '../engine/index.ts';
import type { Walk } from './walk.ts';

export class Sights {
  constructor(
    private readonly machine: Machine,
    private readonly walk: Walk,
  ) {}

  /** Records of the trace that had been written. */
  get written(): number {
    return this.walk.moment?.written ?? this.machine.shop.trace.written;
  }

  /** The machine; on it the interrupt that was fired last. */
  snapshot(lastFired: JourneySnapshot | null): Snapshot {
    const { moment } = this.walk;
    return moment ? { ...moment.snapshot, lastFired } : takeSnapshot(this.machine, lastFired ?? undefined);
  }

  /** The event channels of a domain; undefined: it has none. */
  channels(domain: number): EventChannelsSnapshot | undefined {
    const { moment } = this.walk;
    return moment ? moment.channels.get(domain) : this.machine.platform.channels?.(domain);
  }

  /** Interrupts that came to a handler's row, or by a vector, as far as the trace goes back, oldest first. */
  past(by: Passage, name: string): JourneySnapshot[] {
    return pastJourneys(this.machine, by, name, this.written);
  }

  /** One interrupt; null if the trace has lost it. */
  pastOne(journey: number, name: string): JourneySnapshot | null {
    return pastJourney(this.machine, journey, name, this.written);
  }

  /** The last records of the trace, in words. */
  events(query: EventQuery): EventLog {
    const { written } = this;
    const until = Math.min(query.until ?? written, written);
    return { ...recentEvents(this.machine, { ...query, until }), written };
  }
}
