/**
 * What one watcher sees of the trace: the records that his domain and filter choose, newest last. It goes on with
 * the machine, or is held where it stands; what was seen stays, however fast the ring of the trace forgets. The
 * rows are in the order of their times: a CPU's own time runs ahead of the machine's now and then.
 */
import type { EventSnapshot, Snapshot } from '../engine/index.ts';
import type { Driver } from './driver.ts';
import { clockTime, grouped, sanitize } from './format.ts';
import { isXen, type Subject, subjectsOf } from './subject.ts';
import { makeFilter, type Row } from './table-model.ts';

/** rows that are kept while it follows, and that are fetched at once while it is held */
const KEPT = 200;
const FETCHED = 500;
/** rows that it is held with at most */
const HELD = 5000;
/** records that a filter is put to at most between two frames, and when it is new */
const LOOKED_AT = 1500;
const FIRST_LOOK = 10_000;

export interface EventRow extends Row {
  /** null: records in between that no filter has looked at */
  readonly event: EventSnapshot | null;
  readonly time: number;
  /** the time where room is short */
  readonly short: string;
  readonly who: string;
  readonly name: string;
  readonly detail: string;
}

/** What a look is for. */
export interface Wanted {
  /** the domain that records concern; undefined: all there are */
  readonly domain: number | undefined;
  readonly filter: string;
  /** key of the row that it is held at; null: it goes on with what came since */
  readonly selected: string | null;
  readonly ascii: boolean;
}

export class EventLog {
  /** records written since the log is held */
  newer = 0;
  private rows: EventRow[] = [];
  private wanted: Wanted | undefined;
  /** the last record that was looked at, and what it was */
  private seen = 0;
  /** all records from this one on that are wanted are among the rows */
  private from = 1;
  private last: EventSnapshot | undefined;

  constructor(private readonly driver: Driver) {}

  look(wanted: Wanted): readonly EventRow[] {
    const { written } = this.driver.look().events({ last: 0 });
    const { domain, filter, selected } = wanted;
    const going = this.wanted?.domain === domain && this.wanted?.filter === filter && this.same(written);
    this.wanted = wanted;
    if (!going) {
      const until = selected === null || this.seen === 0 ? written : Math.min(this.seen, written);
      this.rows = [];
      this.seen = 0;
      this.read(until);
    } else if (selected === null) {
      if (written > this.seen) this.read(written);
    } else if (selected === this.rows[0]?.key) {
      this.readOlder();
    }
    this.newer = written - this.seen;
    return this.rows;
  }

  /** Is what was seen still what the machine has done? Time may have been turned back. */
  private same(written: number): boolean {
    const { last, seen } = this;
    if (!last) return written >= seen;
    const { oldest, events } = this.driver.look().events({ last: 1, since: seen, until: seen });
    const [now] = events;
    return seen < oldest || (now !== undefined && now.time === last.time && now.name === last.name);
  }

  private read(until: number): void {
    const first = this.seen === 0;
    const { rows, from } = this.fetch(this.seen + 1, until, KEPT, first ? FIRST_LOOK : LOOKED_AT);
    const before = this.rows.at(-1);
    const missed = from - this.seen - 1;
    const gap = before && missed > 0 ? [gapRow(before, missed)] : [];
    const all = [...this.rows, ...gap, ...rows].sort(inTime);
    this.rows = all.slice(-KEPT);
    const dropped = all.slice(0, -KEPT).map((row) => row.event?.seq ?? 0);
    this.from = Math.max(first ? from : this.from, ...dropped.map((seq) => seq + 1));
    this.seen = until;
    this.last = this.driver.look().events({ last: 1, since: until, until }).events[0];
  }

  /** What is chosen is the oldest row: there may be older ones. */
  private readOlder(): void {
    if (this.rows.length >= HELD) return;
    const known = new Set(this.rows.map((row) => row.key));
    const { rows, from } = this.fetch(1, this.from - 1, FETCHED, FIRST_LOOK);
    this.from = from;
    this.rows = [...rows.filter((row) => !known.has(row.key)), ...this.rows].sort(inTime);
  }

  /** @param most rows without a filter, and records that a filter is put to */
  private fetch(since: number, until: number, most: number, lookedAt: number) {
    const { filter, domain, ascii } = this.wanted!;
    const last = filter === '' ? most : lookedAt;
    const { events, from } = this.driver.look().events({ last, since, until, domain });
    // most are not wanted: their times are written only where the filter might mean them
    const timed = /[\d\\.^[]/.test(filter);
    const { matches } = makeFilter(filter, (event: EventSnapshot) => textOf(event, timed));
    return { rows: events.filter(matches).map((event) => rowOf(event, ascii)), from };
  }
}

function inTime(a: EventRow, b: EventRow): number {
  return a.time - b.time;
}

/** Whose records a subject is shown: the hypervisor sees all, as does a machine that is alone. */
export function domainShown(subject: Subject, snapshot: Snapshot): number | undefined {
  const host = snapshot.xen === undefined && subject.id === 0;
  return isXen(subject) || host || subjectsOf(snapshot).length === 1 ? undefined : subject.id;
}

/** What a filter looks at: every column. */
export function eventText({ event }: EventRow): string {
  return event ? textOf(event, true) : '';
}

function textOf({ time, cpu, mode, who, name, detail, journey }: EventSnapshot, timed: boolean): string {
  const at = timed ? clockTime(time, 9) : '';
  return `${at} CPU${cpu < 0 ? '-' : cpu} ${mode} ${who} ${name} ${detail} ${journey === 0 ? '' : `#${journey}`}`;
}

function rowOf(event: EventSnapshot, ascii: boolean): EventRow {
  const { seq, time, who, name, detail, journey } = event;
  return {
    key: `event ${seq}`,
    label: clockTime(time, 9),
    short: clockTime(time, 9).replace(/ /g, '').slice(0, -1),
    counts: [],
    total: 0,
    flagged: true,
    journey,
    event,
    time,
    who: sanitize(who, ascii),
    name: sanitize(name, ascii),
    detail: sanitize(detail, ascii),
  };
}

function gapRow({ key, time }: EventRow, records: number): EventRow {
  const row = { label: '', counts: [], total: 0, flagged: true, event: null, short: '', who: '', name: '' };
  return {
    ...row,
    key: `after ${key}`,
    time,
    detail: `${grouped(records)} records came too fast to be looked at`,
  };
}
