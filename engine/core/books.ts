/**
 * The books: every raise of an interrupt is accounted for.
 *
 * A raise has a source (who asked for an interrupt) and a destination (who should get it). It ends in one
 * of four ways: delivered to a handler, coalesced into one that was still pending, ignored for a reason, or
 * still pending. Per (source, destination), at any moment:
 *
 *     raised = delivered + coalesced + ignored + pending
 *
 * What is pending sits in a slot: a request bit of a local APIC, the pending bit of an event channel, a
 * latched interrupt of a disabled line. The slot remembers whose raise it holds and its journey; the bit
 * itself belongs to the chip. A test compares the two. It remembers when that raise was made as well: what is coalesced
 * into it later does not change that, so latencies are those of the first raise.
 */
import type { Ns } from './clock.ts';
import type { Part, Plain } from './state.ts';

export type SourceId = number;
export type DestinationId = number;
export type SlotId = number;

export interface Account {
  readonly source: string;
  readonly destination: string;
  readonly raised: number;
  readonly delivered: number;
  readonly coalesced: number;
  readonly pending: number;
  /** reason -> count */
  readonly ignored: { readonly [why: string]: number };
}

interface Entry {
  readonly source: SourceId;
  readonly destination: DestinationId;
  raised: number;
  delivered: number;
  coalesced: number;
  readonly ignored: Map<string, number>;
}

/** What `save` gives; entries name sources and destinations by their place in the lists. */
interface Saved {
  readonly source: number;
  readonly journey: number;
  readonly journeys: number;
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
  readonly slots: number;
  readonly held: readonly (readonly [slot: number, entry: number, journey: number, raised: number | null])[];
  /** when the latest journeys began, in their order */
  readonly recent: readonly number[];
  readonly resumed: readonly [journey: number, raised: number | null];
  readonly entries: readonly (readonly [
    source: number,
    destination: number,
    raised: number,
    delivered: number,
    coalesced: number,
    ignored: readonly (readonly [why: string, count: number])[],
  ])[];
}

/**
 * The time of so many journeys is known, a power of two, that wait in no slot but are on a wire or in the hands of a
 * thread.
 */
const RECENT = 8192;

/** A raise that no destination was chosen for. */
export const NOWHERE: DestinationId = 0;

export class Books implements Part {
  readonly id = 'books';
  /** the raise that is being carried on; who starts or resumes one sets it */
  source: SourceId = 0;
  journey = 0;
  /** what time it is for whoever raises; who puts a machine together says so */
  now: () => Ns = () => 0;
  /** the journey that the next raise goes on with; 0: it begins its own. Nothing is carried from one event to the next */
  carried = 0;
  private journeys = 0;
  /** when each of the latest journeys began */
  private readonly recent = new Float64Array(RECENT);
  /** the raise that was resumed last, until a handler is known to run for it */
  private resumed = 0;
  private resumedRaise: Ns = Number.NaN;
  private readonly sources: string[] = [];
  private readonly sourceIds = new Map<string, SourceId>();
  private readonly destinations: string[] = ['-'];
  private readonly destinationIds = new Map<string, DestinationId>([['-', NOWHERE]]);
  private readonly entries: Entry[] = [];
  /** source -> destination -> index of the entry */
  private readonly bySource: Map<DestinationId, number>[] = [];
  private slotEntry = new Int32Array(256).fill(-1);
  private slotJourney = new Float64Array(256);
  private slotRaised = new Float64Array(256);
  private slots = 0;

  sourceOf(name: string): SourceId {
    let id = this.sourceIds.get(name);
    if (id === undefined) {
      id = this.sources.length;
      this.sources.push(name);
      this.sourceIds.set(name, id);
      this.bySource.push(new Map());
    }
    return id;
  }

  destinationOf(name: string): DestinationId {
    let id = this.destinationIds.get(name);
    if (id === undefined) {
      id = this.destinations.length;
      this.destinations.push(name);
      this.destinationIds.set(name, id);
    }
    return id;
  }

  sourceName(id: SourceId): string {
    return this.sources[id]!;
  }

  /** Reserves `count` slots in a row; the answer is the first. */
  addSlots(count: number): SlotId {
    const first = this.slots;
    this.slots += count;
    this.makeRoom();
    return first;
  }

  private makeRoom(): void {
    if (this.slots <= this.slotEntry.length) return;
    const size = Math.max(this.slots, this.slotEntry.length * 2);
    const { slotEntry, slotJourney, slotRaised } = this;
    this.slotEntry = new Int32Array(size).fill(-1);
    this.slotEntry.set(slotEntry);
    this.slotJourney = new Float64Array(size);
    this.slotJourney.set(slotJourney);
    this.slotRaised = new Float64Array(size);
    this.slotRaised.set(slotRaised);
  }

  /**
   * A raise begins: what follows is done in its name. The answer is its journey id.
   * @param raised when, if that was before
   */
  begin(source: SourceId, raised: Ns = this.now()): number {
    this.source = source;
    this.journey = this.carried === 0 ? ++this.journeys : this.carried;
    this.carried = 0;
    // one that is carried on may be so old that its place is another's by now
    if (this.journey > this.journeys - RECENT) this.recent[this.journey & (RECENT - 1)] = raised;
    return this.journey;
  }

  /** Journeys begun so far; the last one's id. */
  get begun(): number {
    return this.journeys;
  }

  /** The journey of what nobody raised: an exception, a non-maskable interrupt. It is in no account. */
  beside(): number {
    this.recent[++this.journeys & (RECENT - 1)] = this.now();
    return this.journeys;
  }

  /** When the current raise was made; NaN: none, or it is forgotten. */
  private raised(): Ns {
    const { journey } = this;
    const known = journey > 0 && journey > this.journeys - RECENT;
    return known ? this.recent[journey & (RECENT - 1)]! : Number.NaN;
  }

  /** What is in the slot, if anything, is carried on: what follows is done in the name of that raise. */
  resume(slot: SlotId): void {
    const entry = this.slotEntry[slot]!;
    if (entry < 0) return;
    this.source = this.entries[entry]!.source;
    this.journey = this.slotJourney[slot]!;
    this.resumed = this.journey;
    this.resumedRaise = this.slotRaised[slot]!;
  }

  /** The current raise asks for the destination and waits in the slot. False: the slot was taken, coalesced. */
  pend(slot: SlotId, destination: DestinationId): boolean {
    const index = this.entryOf(this.source, destination);
    const entry = this.entries[index]!;
    entry.raised++;
    if (this.slotEntry[slot]! >= 0) {
      entry.coalesced++;
      return false;
    }
    this.slotEntry[slot] = index;
    this.slotJourney[slot] = this.journey;
    this.slotRaised[slot] = this.raised();
    return true;
  }

  /** The current raise asks for what is asked for already, and waits nowhere. */
  coalesce(destination: DestinationId): void {
    const entry = this.entries[this.entryOf(this.source, destination)]!;
    entry.raised++;
    entry.coalesced++;
  }

  /** The current raise is lost. */
  ignore(destination: DestinationId, why: string): void {
    const entry = this.entries[this.entryOf(this.source, destination)]!;
    entry.raised++;
    entry.ignored.set(why, (entry.ignored.get(why) ?? 0) + 1);
  }

  /** The raise of one slot goes on to another; if that is taken the raise is coalesced. */
  move(from: SlotId, to: SlotId): boolean {
    const index = this.slotEntry[from]!;
    if (index < 0) return false;
    this.slotEntry[from] = -1;
    if (this.slotEntry[to]! >= 0) {
      this.entries[index]!.coalesced++;
      return false;
    }
    this.slotEntry[to] = index;
    this.slotJourney[to] = this.slotJourney[from]!;
    this.slotRaised[to] = this.slotRaised[from]!;
    return true;
  }

  /** The handler of what waits in the slot runs. The answer is its journey, 0 if nothing waited. */
  deliver(slot: SlotId): number {
    const index = this.slotEntry[slot]!;
    if (index < 0) return 0;
    this.slotEntry[slot] = -1;
    this.entries[index]!.delivered++;
    return this.slotJourney[slot]!;
  }

  /** A handler runs for the current raise: when that was made; NaN if it was not resumed for this handler just now. */
  handled(): Ns {
    if (this.resumed !== this.journey) return Number.NaN;
    this.resumed = 0;
    return this.resumedRaise;
  }

  /** What waits in the slot is lost after all. */
  discard(slot: SlotId, why: string): void {
    const index = this.slotEntry[slot]!;
    if (index < 0) return;
    this.slotEntry[slot] = -1;
    const { ignored } = this.entries[index]!;
    ignored.set(why, (ignored.get(why) ?? 0) + 1);
  }

  /** Is a raise waiting in the slot? */
  holds(slot: SlotId): boolean {
    return this.slotEntry[slot]! >= 0;
  }

  /** The journey waiting in the slot; meaningless when none is. */
  journeyIn(slot: SlotId): number {
    return this.slotJourney[slot]!;
  }

  /** When the raise was made that waits in the slot; meaningless when none does. */
  raisedIn(slot: SlotId): Ns {
    return this.slotRaised[slot]!;
  }

  /** What waits in the slot goes on to where it is accounted for anew: what follows is done in its name. False: nothing did. */
  handOn(slot: SlotId): boolean {
    const index = this.slotEntry[slot]!;
    if (index < 0) return false;
    this.resume(slot);
    this.slotEntry[slot] = -1;
    this.entries[index]!.raised--;
    return true;
  }

  /** All accounts, in the order they were opened. */
  accounts(): Account[] {
    const pending = new Map<number, number>();
    for (let s = 0; s < this.slots; s++) {
      const entry = this.slotEntry[s]!;
      if (entry >= 0) pending.set(entry, (pending.get(entry) ?? 0) + 1);
    }
    return this.entries.map((e, i) => ({
      source: this.sources[e.source]!,
      destination: this.destinations[e.destination]!,
      raised: e.raised,
      delivered: e.delivered,
      coalesced: e.coalesced,
      pending: pending.get(i) ?? 0,
      ignored: Object.fromEntries(e.ignored),
    }));
  }

  private entryOf(source: SourceId, destination: DestinationId): number {
    const map = this.bySource[source]!;
    let index = map.get(destination);
    if (index === undefined) {
      index = this.entries.length;
      this.entries.push({
        source,
        destination,
        raised: 0,
        delivered: 0,
        coalesced: 0,
        ignored: new Map(),
      });
      map.set(destination, index);
    }
    return index;
  }

  save(): Plain {
    const held: Saved['held'][number][] = [];
    for (let s = 0; s < this.slots; s++) {
      if (this.slotEntry[s]! < 0) continue;
      held.push([s, this.slotEntry[s]!, this.slotJourney[s]!, orNull(this.slotRaised[s]!)]);
    }
    const recent: number[] = [];
    for (let j = Math.max(1, this.journeys - RECENT + 1); j <= this.journeys; j++)
      recent.push(this.recent[j & (RECENT - 1)]!);
    return {
      source: this.source,
      journey: this.journey,
      journeys: this.journeys,
      sources: [...this.sources],
      destinations: [...this.destinations],
      slots: this.slots,
      held,
      recent,
      resumed: [this.resumed, orNull(this.resumedRaise)],
      entries: this.entries.map((e) => [
        e.source,
        e.destination,
        e.raised,
        e.delivered,
        e.coalesced,
        [...e.ignored],
      ]),
    };
  }

  /**
   * Ids that were handed out here keep their meaning: names are matched, and only those that this machine
   * has not opened yet get new ids, in the order of the saved run.
   */
  restore(state: Plain): void {
    const s = state as unknown as Saved;
    const sources = s.sources.map((name) => this.sourceOf(name));
    const destinations = s.destinations.map((name) => this.destinationOf(name));
    this.source = sources[s.source] ?? 0;
    this.journey = s.journey;
    this.journeys = s.journeys;
    this.entries.length = 0;
    for (const map of this.bySource) map.clear();
    for (const [source, destination, raised, delivered, coalesced, ignored] of s.entries) {
      const entry = this.entries[this.entryOf(sources[source]!, destinations[destination]!)]!;
      entry.raised = raised;
      entry.delivered = delivered;
      entry.coalesced = coalesced;
      for (const [why, n] of ignored) entry.ignored.set(why, n);
    }
    this.slots = s.slots;
    this.makeRoom();
    this.slotEntry.fill(-1);
    for (const [slot, entry, journey, raised] of s.held) {
      this.slotEntry[slot] = entry;
      this.slotJourney[slot] = journey;
      this.slotRaised[slot] = raised ?? Number.NaN;
    }
    const first = this.journeys - s.recent.length + 1;
    s.recent.forEach((at, i) => {
      this.recent[(first + i) & (RECENT - 1)] = at;
    });
    this.resumed = s.resumed[0];
    this.resumedRaise = s.resumed[1] ?? Number.NaN;
  }
}

/** Plain data knows no NaN. */
function orNull(ns: Ns): Ns | null {
  return Number.isNaN(ns) ? null : ns;
}
