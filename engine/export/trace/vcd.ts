/**
 * Value change dumps (IEEE 1364-2005, clause 18) of a machine's wires and registers, as they change from record to record
 * and event to event, with a layout for GTKWave. Rates are reals, who runs on a CPU is a string of GTKWave's own kind.
 */
import type { Changing, Watcher } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';
import type { TraceHost } from '../../snapshot.ts';
import { encode, Label } from './bytes.ts';
import { Text } from './text.ts';
import { byScope, header, idOf, layout, word } from './vcd-header.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** how often rates are taken */
const RATE_EVERY: Ns = 100_000_000;
/** groups of names come behind as many of wires */
const NAMES = 2 ** 30;

const [HASH, NEWLINE, BLANK, BINARY, REAL, STRING] = [0x23, 0x0a, 0x20, 0x62, 0x72, 0x73];

interface Shown {
  readonly id: Label;
  /** when it changed last */
  at: Ns;
}

interface Wire extends Shown {
  readonly width: number;
  readonly read: () => number | Uint32Array;
  /** as last written, in words */
  readonly last: Uint32Array;
}

/** Wires, or a name, that change together: they are looked at when who has them says so. */
class Group implements Watcher {
  readonly wires: Wire[] = [];
  readonly names: Name[] = [];
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

interface Rate extends Shown {
  readonly read: () => number;
  last: number;
}

interface Name extends Shown {
  readonly read: () => string;
  last: string;
}

export class VcdWriter implements TraceWriter {
  private readonly out = new Text();
  private readonly groups: Group[] = [];
  private readonly due = new Due();
  private readonly rates: Rate[] = [];
  private readonly names: Name[] = [];
  /** of these nobody tells a change */
  private readonly untold: Name[] = [];
  /** what names are called here, with the blank behind it */
  private readonly words = new Map<string, Label>();
  /** still to be written: code that runs ahead of the clock changes what others change before */
  private changes = new Changes();
  private spare = new Changes();
  /** the time that stands above what is written; -1: none yet */
  private stamped: Ns = -1;
  private rated: Ns = -1;

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const signals = byScope(host.signals());
    signals.forEach((signal, n) => {
      const shown = { id: new Label(idOf(n)), at: 0 };
      if (signal.kind === 'rate') this.rates.push({ ...shown, read: signal.read, last: signal.read() });
      else if (signal.kind === 'name')
        this.addName({ ...shown, read: signal.read, last: signal.read() }, signal.of);
      else {
        const { width, read, of } = signal;
        const value = read();
        const last = Uint32Array.from(typeof value === 'number' ? [value] : value);
        let group = this.groups.at(-1);
        if (!group || group.of !== of) {
          group = new Group(of, this.groups.length, this.due);
          this.groups.push(group);
        }
        group.wires.push({ ...shown, width, read, last });
      }
    });
    this.out.text(header(host, signals));
    files.append(encode(layout(signals)), 'gtkw');
  }

  /** Names come behind all wires of their moment. */
  private addName(name: Name, of: readonly Changing[] | undefined): void {
    this.names.push(name);
    if (!of) {
      this.untold.push(name);
      return;
    }
    const group = new Group(of, NAMES + this.names.length, this.due);
    group.names.push(name);
    this.groups.push(group);
  }

  /** The values of the beginning. */
  private begin(now: Ns): void {
    this.stamped = now;
    this.rated = now;
    const { out } = this;
    this.stamp(now);
    out.text('$dumpvars\n');
    for (const { wires } of this.groups) for (const wire of wires) wireLine(out, wire);
    for (const rate of this.rates) rateLine(out, rate, 0);
    for (const name of this.names) this.nameLine(out, name);
    out.text('$end\n');
  }

  private stamp(time: Ns): void {
    this.out.u8(HASH);
    this.out.decimal(time);
    this.out.u8(NEWLINE);
  }

  readonly sample = (time: Ns): void => {
    if (this.stamped < 0) this.begin(time);
    const { due, untold } = this;
    for (let i = 0; i < due.length; i++) {
      const group = due.groups[i]!;
      group.looked();
      this.look(group, time);
    }
    due.length = 0;
    for (let i = 0; i < untold.length; i++) this.lookAtName(untold[i]!, time);
    if (time >= this.rated + RATE_EVERY) this.rate(time);
  };

  private look({ wires, names }: Group, time: Ns): void {
    for (let i = 0; i < wires.length; i++) {
      const wire = wires[i]!;
      const value = wire.read();
      if (typeof value === 'number') {
        if (value === wire.last[0]) continue;
        wire.last[0] = value;
      } else if (!copied(value, wire.last)) continue;
      wireLine(this.changed(wire, time), wire);
    }
    for (let i = 0; i < names.length; i++) this.lookAtName(names[i]!, time);
  }

  private lookAtName(name: Name, time: Ns): void {
    const value = name.read();
    if (value === name.last) return;
    name.last = value;
    this.nameLine(this.changed(name, time), name);
  }

  /** Where the line is to be written; its time is not before the change of it that was seen before. */
  private changed(shown: Shown, time: Ns): Text {
    if (time > shown.at) shown.at = time;
    return this.changes.at(shown.at);
  }

  private nameLine(to: Text, { id, last }: Name): void {
    let label = this.words.get(last);
    if (!label) {
      label = new Label(`${word(last)} `);
      this.words.set(last, label);
    }
    to.u8(STRING);
    to.put(label);
    to.put(id);
    to.u8(NEWLINE);
  }

  private rate(now: Ns): void {
    const seconds = (now - this.rated) / 1e9;
    this.rated = now;
    for (const rate of this.rates) {
      const value = rate.read();
      rateLine(this.changed(rate, now), rate, Math.round((value - rate.last) / seconds));
      rate.last = value;
    }
  }

  flush(now: Ns): void {
    const { changes, spare, out } = this;
    for (let n = 0; n < changes.length; n++) {
      const time = changes.time(n);
      if (time >= now) {
        changes.copyLine(n, spare.at(time));
        continue;
      }
      if (time > this.stamped) {
        this.stamped = time;
        this.stamp(time);
      }
      changes.copyLine(n, out);
      out.spill(this.files);
    }
    changes.clear();
    this.changes = spare;
    this.spare = changes;
  }

  end(now: Ns): void {
    if (this.stamped < 0) this.begin(now);
    if (now > this.rated) this.rate(now);
    this.flush(Infinity);
    for (const group of this.groups) group.release();
    if (now > this.stamped) this.stamp(now);
    this.out.handOver(this.files);
  }
}

/** Lines with their times. */
class Changes {
  private readonly text = new Text();
  /** of a line, as they came: its time, and where it begins, which is where the one before ends */
  private times = new Float64Array(1024);
  private starts = new Int32Array(1024);
  /** lines by their times, then as they came */
  private order = new Int32Array(1024);
  length = 0;

  /** The line of a change is to be written there next. */
  at(time: Ns): Text {
    if (this.length === this.times.length) this.grow();
    const { times, order, length } = this;
    times[length] = time;
    this.starts[length] = this.text.length;
    let i = this.length++;
    for (; i > 0 && times[order[i - 1]!]! > time; i--) order[i] = order[i - 1]!;
    order[i] = length;
    return this.text;
  }

  /** Of the line that is the nth by time. */
  time(n: number): Ns {
    return this.times[this.order[n]!]!;
  }

  copyLine(n: number, to: Text): void {
    const i = this.order[n]!;
    const { starts, text, length } = this;
    to.copy(text, starts[i]!, i + 1 < length ? starts[i + 1]! : text.length);
  }

  clear(): void {
    this.length = 0;
    this.text.drop();
  }

  private grow(): void {
    const { times, starts, order, length } = this;
    this.times = new Float64Array(length * 2);
    this.times.set(times);
    this.starts = new Int32Array(length * 2);
    this.starts.set(starts);
    this.order = new Int32Array(length * 2);
    this.order.set(order);
  }
}

function wireLine(to: Text, { id, width, last }: Wire): void {
  if (width > 1) to.u8(BINARY);
  to.binary(last);
  if (width > 1) to.u8(BLANK);
  to.put(id);
  to.u8(NEWLINE);
}

function rateLine(to: Text, { id }: Rate, rate: number): void {
  to.u8(REAL);
  to.decimal(rate);
  to.u8(BLANK);
  to.put(id);
  to.u8(NEWLINE);
}

/** True if there was a difference. */
function copied(from: Uint32Array, to: Uint32Array): boolean {
  let differs = false;
  for (let i = 0; i < to.length; i++) {
    if (from[i] === to[i]) continue;
    to[i] = from[i]!;
    differs = true;
  }
  return differs;
}
