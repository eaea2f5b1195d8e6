/**
 * Value change dumps (IEEE 1364-2005, clause 18) of a machine's wires and registers, as they change from record to record
 * and event to event, with a layout for GTKWave. Rates are reals, who runs on a CPU is a string of GTKWave's own kind.
 */
import type { Ns } from '../../core/clock.ts';
import type { TraceHost, TraceSignal } from '../../snapshot.ts';
import { encode } from './bytes.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** how often rates are taken */
const RATE_EVERY: Ns = 100_000_000;
const TOP = 'machine';

interface Shown {
  readonly id: string;
  /** when it changed last */
  at: Ns;
}

interface Wire extends Shown {
  readonly width: number;
  readonly read: () => number | Uint32Array;
  /** as last written; of words a copy */
  last: number;
  readonly words: Uint32Array | undefined;
}

interface Rate extends Shown {
  readonly read: () => number;
  last: number;
}

interface Name extends Shown {
  readonly read: () => string;
  last: string;
}

interface Change {
  readonly time: Ns;
  readonly line: string;
}

export class VcdWriter implements TraceWriter {
  private text: string;
  private readonly wires: Wire[] = [];
  private readonly rates: Rate[] = [];
  private readonly names: Name[] = [];
  /** still to be written: code that runs ahead of the clock changes what others change before */
  private changes: Change[] = [];
  /** the time that stands above what is written; -1: none yet */
  private stamped: Ns = -1;
  private rated: Ns = -1;

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const signals = byScope(host.signals());
    signals.forEach((signal, n) => {
      const shown = { id: idOf(n), at: 0 };
      if (signal.kind === 'rate') this.rates.push({ ...shown, read: signal.read, last: signal.read() });
      else if (signal.kind === 'name') this.names.push({ ...shown, read: signal.read, last: signal.read() });
      else {
        const { width, read } = signal;
        const value = read();
        const words = typeof value === 'number' ? undefined : Uint32Array.from(value);
        this.wires.push({ ...shown, width, read, last: typeof value === 'number' ? value : 0, words });
      }
    });
    this.text = header(host, signals);
    files.append(encode(layout(signals)), 'gtkw');
  }

  /** The values of the beginning. */
  private begin(now: Ns): void {
    this.stamped = now;
    this.rated = now;
    const values = [
      ...this.wires.map(wireLine),
      ...this.rates.map(({ id }) => `r0 ${id}\n`),
      ...this.names.map(nameLine),
    ];
    this.text += `#${now}\n$dumpvars\n${values.join('')}$end\n`;
  }

  readonly sample = (time: Ns): void => {
    if (this.stamped < 0) this.begin(time);
    const { wires, names } = this;
    for (let i = 0; i < wires.length; i++) {
      const wire = wires[i]!;
      const value = wire.read();
      if (typeof value === 'number') {
        if (value === wire.last) continue;
        wire.last = value;
      } else if (!copied(value, wire.words!)) continue;
      this.change(wire, time, wireLine(wire));
    }
    for (const name of names) {
      const value = name.read();
      if (value === name.last) continue;
      name.last = value;
      this.change(name, time, nameLine(name));
    }
    if (time >= this.rated + RATE_EVERY) this.rate(time);
  };

  /** Not before the change of it that was seen before. */
  private change(shown: Shown, time: Ns, line: string): void {
    if (time > shown.at) shown.at = time;
    this.changes.push({ time: shown.at, line });
  }

  private rate(now: Ns): void {
    const seconds = (now - this.rated) / 1e9;
    this.rated = now;
    for (const rate of this.rates) {
      const value = rate.read();
      this.change(rate, now, `r${Math.round((value - rate.last) / seconds)} ${rate.id}\n`);
      rate.last = value;
    }
  }

  flush(now: Ns): void {
    this.changes.sort((a, b) => a.time - b.time);
    const late = this.changes.findIndex(({ time }) => time >= now);
    const count = late < 0 ? this.changes.length : late;
    for (let i = 0; i < count; i++) {
      const { time, line } = this.changes[i]!;
      if (time > this.stamped) {
        this.stamped = time;
        this.text += `#${time}\n`;
      }
      this.text += line;
    }
    this.changes = this.changes.slice(count);
    if (this.text === '') return;
    this.files.append(encode(this.text));
    this.text = '';
  }

  end(now: Ns): void {
    if (this.stamped < 0) this.begin(now);
    if (now > this.rated) this.rate(now);
    this.flush(Infinity);
    if (now > this.stamped) this.files.append(encode(`#${now}\n`));
  }
}

function wireLine({ id, width, last, words }: Wire): string {
  return width === 1 ? `${last}${id}\n` : `b${words ? bits(words) : last.toString(2)} ${id}\n`;
}

function nameLine({ id, last }: Name): string {
  return `s${word(last)} ${id}\n`;
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

/** From the highest one that is set on. */
function bits(words: Uint32Array): string {
  let text = '';
  for (let i = words.length - 1; i >= 0; i--) {
    if (text !== '') text += words[i]!.toString(2).padStart(32, '0');
    else if (words[i] !== 0) text = words[i]!.toString(2);
  }
  return text === '' ? '0' : text;
}

/** Printable characters, the lowest digit first. */
function idOf(n: number): string {
  let id = '';
  for (let rest = n; ; rest = Math.floor(rest / 94) - 1) {
    id += String.fromCharCode(33 + (rest % 94));
    if (rest < 94) return id;
  }
}

/** Blanks end a value, and most other characters have a meaning in a name. */
function word(text: string): string {
  return text.replace(/[^\w./-]+/g, '_');
}

function reference(signal: TraceSignal): string {
  const wide = signal.kind === 'wire' && signal.width > 1;
  return wide ? `${signal.name}[${signal.width - 1}:0]` : signal.name;
}

/** Those of one scope stand together. */
function byScope(signals: readonly TraceSignal[]): TraceSignal[] {
  const scopes = new Map<string, TraceSignal[]>();
  for (const signal of signals) {
    const path = signal.scope.join('\n');
    const there = scopes.get(path);
    if (there) there.push(signal);
    else scopes.set(path, [signal]);
  }
  return [...scopes.values()].flat();
}

function header({ scenario, seed, system }: TraceHost, signals: readonly TraceSignal[]): string {
  const lines = [
    `$version virqtop: ${word(scenario)}, seed ${seed}, ${system} $end`,
    '$timescale 1 ns $end',
    `$scope module ${TOP} $end`,
  ];
  let open: readonly string[] = [];
  for (const [n, signal] of signals.entries()) {
    let common = 0;
    while (common < open.length && open[common] === signal.scope[common]) common++;
    for (let i = open.length; i > common; i--) lines.push('$upscope $end');
    for (const name of signal.scope.slice(common)) lines.push(`$scope module ${word(name)} $end`);
    open = signal.scope;
    const name = reference(signal).replace('[', ' [');
    const id = idOf(n);
    if (signal.kind === 'wire') lines.push(`$var wire ${signal.width} ${id} ${name} $end`);
    else lines.push(`$var ${signal.kind === 'rate' ? 'real 64' : 'string 1'} ${id} ${name} $end`);
  }
  for (const _ of open) lines.push('$upscope $end');
  return `${[...lines, '$upscope $end', '$enddefinitions $end'].join('\n')}\n`;
}

const GTKW = { BINARY: '@28', HEX: '@22', DECIMAL: '@24', COMMENT: '@200' } as const;

/** A line a signal, with a heading for each scope; sets of 256 bits are folded by GTKWave itself. */
function layout(signals: readonly TraceSignal[]): string {
  const lines = ['[*] gtkwave TRACE.vcd TRACE.gtkw', '[timestart] 0', '[sst_expanded] 1'];
  let heading = '';
  let format = '';
  for (const signal of signals) {
    const path = signal.scope.map(word).join('.');
    if (path !== heading) {
      lines.push(GTKW.COMMENT, `-${path}`);
      heading = path;
      format = GTKW.COMMENT;
    }
    const wanted = formatOf(signal);
    if (wanted !== format) lines.push(wanted);
    format = wanted;
    lines.push(`${TOP}.${path}.${reference(signal)}`);
  }
  return `${lines.join('\n')}\n`;
}

function formatOf(signal: TraceSignal): string {
  if (signal.kind !== 'wire') return signal.kind === 'rate' ? GTKW.DECIMAL : GTKW.BINARY;
  return signal.width === 1 ? GTKW.BINARY : GTKW.HEX;
}
