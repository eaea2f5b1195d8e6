/**
 * Value change dumps (IEEE 1364-2005, clause 18) of a machine's wires and registers, as they change from record to record
 * and event to event, with a layout for GTKWave. Rates are reals, who runs on a CPU is a string of GTKWave's own kind.
 */
import { highestOf } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';
import type { TakeRow } from '../../core/trace.ts';
import type { TraceHost, TraceSignal } from '../../snapshot.ts';
import { encode, Label } from './bytes.ts';
import { BEGIN, CHANGE } from './sampler.ts';
import { Text } from './text.ts';
import { byScope, header, highestWave, idOf, layout, wavesOf, word } from './vcd-header.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const [HASH, NEWLINE, BINARY, REAL] = [0x23, 0x0a, 0x62, 0x72];

/** A signal, and the value that it has where the dump is. */
interface Line {
  set(word: number, value: number): void;
  write(to: Text): void;
}

class Wire implements Line {
  protected readonly words: Uint32Array;
  private readonly id: Label;
  private readonly wide: boolean;

  constructor(id: string, width: number, value: number | Uint32Array) {
    this.words = Uint32Array.from(typeof value === 'number' ? [value] : value);
    this.wide = width > 1;
    this.id = new Label(this.wide ? ` ${id}\n` : `${id}\n`);
  }

  set(word: number, value: number): void {
    this.words[word] = value;
  }

  write(to: Text): void {
    if (this.wide) to.u8(BINARY);
    to.binary(this.words);
    to.put(this.id);
  }
}

/** All members of a set, and before them the highest, if that is another one. */
class Members extends Wire {
  private highest = -1;

  constructor(
    private readonly top: Wire,
    id: string,
    width: number,
    value: Uint32Array,
  ) {
    super(id, width, value);
  }

  override write(to: Text): void {
    const highest = Math.max(0, highestOf(this.words));
    if (highest !== this.highest) {
      this.highest = highest;
      this.top.set(0, highest);
      this.top.write(to);
    }
    super.write(to);
  }
}

class Rate implements Line {
  private readonly id: Label;
  private value = 0;

  constructor(id: string) {
    this.id = new Label(` ${id}\n`);
  }

  set(_: number, value: number): void {
    this.value = value;
  }

  write(to: Text): void {
    to.u8(REAL);
    to.decimal(this.value);
    to.put(this.id);
  }
}

class Name implements Line {
  private readonly lines: readonly Label[];

  constructor(
    id: string,
    names: readonly string[],
    private value: number,
  ) {
    this.lines = names.map((name) => new Label(`s${word(name)} ${id}\n`));
  }

  set(_: number, value: number): void {
    this.value = value;
  }

  write(to: Text): void {
    to.put(this.lines[this.value]!);
  }
}

/** @param id the next one, for each of its waves */
function lineOf(signal: TraceSignal, id: () => string): Line {
  switch (signal.kind) {
    case 'rate':
      return new Rate(id());
    case 'wire':
      return new Wire(id(), signal.width, signal.read());
    case 'name':
      return new Name(id(), signal.names, signal.read());
    case 'set':
      return new Members(new Wire(id(), highestWave(signal).width, 0), id(), signal.width, signal.read());
  }
}

/** Is given changes as its records (sampler.ts). */
export class VcdWriter implements TraceWriter {
  private readonly out = new Text();
  private readonly lines: readonly Line[];
  /** the time that stands above what is written */
  private stamped: Ns = -1;

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const signals = byScope(host.signals());
    const waves = wavesOf(signals);
    let ids = 0;
    this.lines = signals.map((signal) => lineOf(signal, () => idOf(ids++)));
    this.out.text(header(host, waves));
    files.append(encode(layout(waves)), 'gtkw');
  }

  readonly record: TakeRow = (rows, at) => {
    const time = rows[at + CHANGE.time]!;
    const signal = rows[at + CHANGE.signal]!;
    if (signal === BEGIN) {
      this.begin(time);
      return;
    }
    const line = this.lines[signal]!;
    line.set(rows[at + CHANGE.word]!, rows[at + CHANGE.value]!);
    if (rows[at + CHANGE.more] !== 0) return;
    const { out } = this;
    if (time > this.stamped) this.stamp(time);
    line.write(out);
    out.spill(this.files);
  };

  /** The values of the beginning, by kind. */
  private begin(now: Ns): void {
    const { out, lines } = this;
    this.stamp(now);
    out.text('$dumpvars\n');
    for (const Kind of [Wire, Rate, Name])
      for (const line of lines) if (line instanceof Kind) line.write(out);
    out.text('$end\n');
  }

  private stamp(time: Ns): void {
    this.stamped = time;
    this.out.u8(HASH);
    this.out.decimal(time);
    this.out.u8(NEWLINE);
  }

  flush(): void {}

  end(now: Ns): void {
    if (now > this.stamped) this.stamp(now);
    this.out.handOver(this.files);
  }
}
