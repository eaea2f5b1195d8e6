/**
 * Looks at a machine's signals whenever an event is over, and within one whenever a record is written, and makes a row of
 * each change: like records of a trace, but of what is, not of what is done.
 */
import type { Changing, Watcher } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';
import { ROW_WIDTH } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import type { TraceFollower } from './exporter.ts';
import { byScope } from './vcd-header.ts';

/**
 * Where the numbers of a change are in its row: its signal by number, in the order of scopes, or BEGIN; of a set which
 * of its words, the lowest first, and whether another one changes with it. A rate's value is a growth in a second. Who orders
 * rows reads a CPU where the word is (ROW.cpu): so small a number is one.
 */
export const CHANGE = { time: 0, signal: 1, more: 2, word: 3, value: 4 } as const;

/** The first row: signals have the values that they had when the trace began. */
export const BEGIN = -1;

/** how often rates are taken */
const RATE_EVERY: Ns = 100_000_000;
/** groups of names come behind as many of wires */
const NAMES = 2 ** 30;
/** changes that are handed over at a time, at most */
const ROWS = 1024;

/** A signal, and what has been told of it. */
class Value {
  /** when it changed last */
  at: Ns = 0;
  last: number;

  constructor(
    readonly signal: number,
    readonly read: () => number,
  ) {
    this.last = read();
  }
}

/** The same of a set. */
class Members {
  at: Ns = 0;
  readonly last: Uint32Array;

  constructor(
    readonly signal: number,
    readonly read: () => Uint32Array,
  ) {
    this.last = read().slice();
  }
}

/** Signals that change together: they are looked at when who has them says so. */
class Group implements Watcher {
  readonly values: Value[] = [];
  readonly sets: Members[] = [];
  /** it is among the due ones already */
  private noted = false;

  constructor(
    readonly of: readonly Changing[],
    private readonly place: number,
    private readonly due: Due,
  ) {
    for (const changing of of) changing.watcher = this;
  }

  changed(): void {
    if (this.noted) return;
    this.noted = true;
    const { due, place } = this;
    const { groups } = due;
    let i = due.length++;
    for (; i > 0 && groups[i - 1]!.place > place; i--) groups[i] = groups[i - 1]!;
    groups[i] = this;
  }

  looked(): void {
    this.noted = false;
  }

  release(): void {
    for (const changing of this.of) changing.watcher = undefined;
  }
}

/** Groups that may have changed, in the order of all groups; the list is used again. */
class Due {
  readonly groups: Group[] = [];
  length = 0;
}

export class Sampler implements TraceFollower {
  private readonly groups: Group[] = [];
  private readonly rates: Value[] = [];
  private readonly due = new Due();
  private rated: Ns = -1;
  private readonly rows = new Float64Array(ROWS * ROW_WIDTH);
  /** numbers in use there */
  private length = 0;

  /** @param to is given changes as its records, nearly in the order of their times */
  constructor(
    host: TraceHost,
    private readonly to: TraceFollower,
  ) {
    byScope(host.signals()).forEach((signal, n) => {
      const { kind, of } = signal;
      if (kind === 'rate') {
        this.rates.push(new Value(n, signal.read));
        return;
      }
      let group = this.groups.at(-1);
      if (!group || group.of !== of) {
        // names come behind all wires of their moment
        group = new Group(of, kind === 'name' ? NAMES + n : n, this.due);
        this.groups.push(group);
      }
      if (kind === 'set') group.sets.push(new Members(n, signal.read));
      else group.values.push(new Value(n, signal.read));
    });
  }

  private begin(now: Ns): void {
    this.rated = now;
    for (const rate of this.rates) rate.at = now;
    for (const { values, sets } of this.groups) for (const shown of [...values, ...sets]) shown.at = now;
    this.put(now, BEGIN, 0, 0, 0);
  }

  readonly sample = (time: Ns): void => {
    if (this.rated < 0) this.begin(time);
    const { due } = this;
    for (let i = 0; i < due.length; i++) {
      const group = due.groups[i]!;
      group.looked();
      const { values, sets } = group;
      for (let n = 0; n < values.length; n++) this.look(values[n]!, time);
      for (let n = 0; n < sets.length; n++) this.lookAtSet(sets[n]!, time);
    }
    due.length = 0;
    if (time >= this.rated + RATE_EVERY) this.rate(time);
  };

  private look(shown: Value, time: Ns): void {
    const value = shown.read();
    if (value === shown.last) return;
    shown.last = value;
    this.change(shown, time, 0, value, 0);
  }

  private lookAtSet(shown: Members, time: Ns): void {
    const { last } = shown;
    const words = shown.read();
    let changed = -1;
    for (let i = 0; i < last.length; i++) {
      if (words[i] === last[i]) continue;
      last[i] = words[i]!;
      if (changed >= 0) this.change(shown, time, changed, last[changed]!, 1);
      changed = i;
    }
    if (changed >= 0) this.change(shown, time, changed, last[changed]!, 0);
  }

  private rate(now: Ns): void {
    const seconds = (now - this.rated) / 1e9;
    this.rated = now;
    for (const shown of this.rates) {
      const value = shown.read();
      this.change(shown, now, 0, Math.round((value - shown.last) / seconds), 0);
      shown.last = value;
    }
  }

  /** Its time is not before the change of it that was seen before. */
  private change(shown: Value | Members, time: Ns, word: number, value: number, more: number): void {
    if (time > shown.at) shown.at = time;
    this.put(shown.at, shown.signal, word, value, more);
  }

  private put(time: Ns, signal: number, word: number, value: number, more: number): void {
    if (this.length === this.rows.length) this.handOver();
    const { rows, length: at } = this;
    rows[at + CHANGE.time] = time;
    rows[at + CHANGE.signal] = signal;
    rows[at + CHANGE.more] = more;
    rows[at + CHANGE.word] = word;
    rows[at + CHANGE.value] = value;
    this.length = at + ROW_WIDTH;
  }

  private handOver(): void {
    const { length } = this;
    this.length = 0;
    this.to.records!(this.rows, 0, length);
  }

  release(before: Ns): void {
    this.handOver();
    this.to.release(before);
  }

  flush(now: Ns): void {
    this.to.flush(now);
  }

  end(now: Ns): void {
    if (this.rated < 0) this.begin(now);
    if (now > this.rated) this.rate(now);
    this.handOver();
    for (const group of this.groups) group.release();
    this.to.end(now);
  }
}
