/**
 * One event looked at from inside: the machine as it was at each trace record that the event has written. The event has
 * run as a whole, and time cannot stop in the middle of it; but who steps may look at all of it, a record at a time.
 */
import { type EventChannelsSnapshot, type Machine, type Snapshot, takeSnapshot } from '../engine/index.ts';

/** Records of one event that are looked at; what comes after them is seen at its end. */
const MOST = 256;

/** The machine between two records. */
export interface Moment {
  readonly snapshot: Snapshot;
  /** the event channels of each domain that has any */
  readonly channels: ReadonlyMap<number, EventChannelsSnapshot>;
  /** records written by then */
  readonly written: number;
}

export class Walk {
  /** what was between the records: after the first, after the second, but not after the last */
  private moments: readonly Moment[] = [];
  private at = 0;

  constructor(private readonly machine: Machine) {}

  /** Lets an event run, and stands after its first record. */
  through<T>(event: () => T): T {
    const { trace } = this.machine.shop;
    const first = trace.written + 1;
    const moments: Moment[] = [];
    trace.watch = () => {
      if (trace.written >= first && moments.length < MOST) moments.push(this.look());
    };
    try {
      return event();
    } finally {
      trace.watch = undefined;
      this.moments = moments;
      this.at = 0;
    }
  }

  /** Where it stands; undefined: at the end of an event, where the machine is. */
  get moment(): Moment | undefined {
    return this.moments[this.at];
  }

  /** Which record was the last, of how many; undefined: there is no event to be inside of. */
  get place(): { readonly record: number; readonly of: number } | undefined {
    const { length } = this.moments;
    return length > 0 ? { record: this.at + 1, of: length + 1 } : undefined;
  }

  /** One record on or back. @returns whether the event has it */
  move(by: 1 | -1): boolean {
    const to = this.at + by;
    if (to < 0 || to > this.moments.length) return false;
    this.at = to;
    return true;
  }

  /** The event is over, and what was inside of it forgotten. */
  leave(): void {
    this.moments = [];
    this.at = 0;
  }

  private look(): Moment {
    const { machine } = this;
    const snapshot = takeSnapshot(machine);
    const channels = new Map<number, EventChannelsSnapshot>();
    for (const { id } of snapshot.domains) {
      const events = machine.platform.channels?.(id);
      if (events) channels.set(id, events);
    }
    return { snapshot, channels, written: machine.shop.trace.written };
  }
}
