/** The values of the options: text of the command line in, numbers out, or a line saying what would be right. */

import type { Setting } from '../engine/index.ts';
import { isSpeed } from '../tui/speeds.ts';
import { hint, quoted, UsageError } from './usage.ts';

/** Nanoseconds of simulated time stay below this: 104 days, the integers a double holds exactly. */
const LONGEST = Number.MAX_SAFE_INTEGER;

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
};

const FORM = /^(\d+\.?\d*|\.\d+)\s*([a-zµ]*)$/;

const TIME = 'a time as 5, 0.5s, 250ms or 10us';

/** A time of zero or more, in nanoseconds; a bare number is seconds. */
export function time(option: string, text: string): number {
  return nanoseconds(text, (what) => new UsageError(`${option} ${quoted(text)}: ${what}`));
}

/** A time above zero. */
export function duration(option: string, text: string): number {
  const ns = time(option, text);
  if (ns === 0) throw new UsageError(`${option} ${quoted(text)}: must be above zero, ${TIME}`);
  return ns;
}

function nanoseconds(text: string, wrong: (what: string) => UsageError): number {
  const match = FORM.exec(text);
  const unit = match ? UNITS[match[2] || 's'] : undefined;
  if (!match || unit === undefined) throw wrong(`must be ${TIME}`);
  const ns = Math.round(Number(match[1]) * unit);
  if (ns > LONGEST) throw wrong('too long, at most 104 days');
  return ns;
}

/** A whole number from `least` to `most`, in decimal digits alone. */
export function whole(option: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const n = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (n > most) throw new UsageError(`${option} ${quoted(text)}: too large, at most ${most}`);
  if (!(n >= least))
    throw new UsageError(`${option} ${quoted(text)}: must be a whole number, ${least} or more`);
  return n;
}

const PREFIXES: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** Cycles in a second, as `2.6G` or `2600MHz`. */
export function frequency(option: string, text: string): number {
  const match = /^(\d+\.?\d*|\.\d+)\s*([kmg]?)(?:hz)?$/i.exec(text);
  const hz = match ? Math.round(Number(match[1]) * PREFIXES[match[2]!.toLowerCase()]!) : Number.NaN;
  if (hz >= 1e6 && hz <= 1e11) return hz;
  throw new UsageError(`${option} ${quoted(text)}: must be from 1 MHz to 100 GHz, as 2.6G or 2600MHz`);
}

/** Seeds are the integers that a double holds exactly. */
export function seed(option: string, text: string): number {
  return whole(option, text, 0, Number.MAX_SAFE_INTEGER);
}

/** Simulated seconds in one real second; `max` is as fast as the machine goes: Infinity. */
export function speed(option: string, text: string): number {
  if (text === 'max') return Infinity;
  const x = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?x?$/i.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!isSpeed(x)) {
    throw new UsageError(
      `${option} ${quoted(text)}: must be simulated seconds per second, 1e-6 to 1e6, or max`,
    );
  }
  return x;
}

export function oneOf<T extends string>(option: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === text);
  if (found === undefined) throw new UsageError(`${option} ${quoted(text)}: unknown${hint(text, allowed)}`);
  return found;
}

/** The user fires a device: `--fire disk@2x10`. */
export interface Fire {
  readonly device: string;
  /** ns since boot */
  readonly at: number;
  readonly times: number;
}

const MOST_FIRES = 1_000_000;

/** `dev@time` or `dev@timexN`. */
export function fire(option: string, text: string): Fire {
  const wrong = (what: string) => new UsageError(`${option} ${quoted(text)}: ${what}`);
  const match = /^([^@]+)@([^@x]*)(?:x\s*(\d+))?$/.exec(text);
  if (!match) throw wrong('must be DEVICE@TIME or DEVICE@TIMExN, as kbd@1.5 or disk@2sx10');
  const [, device, at, count] = match;
  const times = count === undefined ? 1 : Number(count);
  if (times < 1 || times > MOST_FIRES) throw wrong(`must fire 1 to ${MOST_FIRES} times`);
  return { device: device!, at: nanoseconds(at!.trim(), wrong), times };
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const SMALLEST: Size = { columns: 60, rows: 15 };
const LARGEST: Size = { columns: 500, rows: 200 };

/** `120x40`: columns and rows of a screen. */
export function size(option: string, text: string): Size {
  const [, columns, rows] = /^(\d{1,4})x(\d{1,4})$/.exec(text) ?? [];
  const found = { columns: Number(columns), rows: Number(rows) };
  const fits = (n: number, least: number, most: number) => n >= least && n <= most;
  if (
    fits(found.columns, SMALLEST.columns, LARGEST.columns) &&
    fits(found.rows, SMALLEST.rows, LARGEST.rows)
  ) {
    return found;
  }
  throw new UsageError(`${option} ${quoted(text)}: must be COLUMNSxROWS, from 60x15 to 500x200`);
}

/** `path=value`: keys with dots between them, indices in brackets, then YAML. */
export function setting(option: string, text: string): Setting {
  const label = `${option} ${quoted(text)}`;
  const [, path, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const steps = path?.match(/[^.[\]]+|\[\d{1,9}\]/g) ?? [];
  if (path === undefined || !/^[^.[\]]+(?:\.[^.[\]]+|\[\d{1,9}\])*$/.test(path)) {
    throw new UsageError(`${label}: must be PATH=VALUE, as apicv=true or guests[0].fifo=false`);
  }
  const place = steps.map((s) => (s[0] === '[' ? Number(s.slice(1, -1)) : s));
  return { label, asked: text, place, text: value! };
}

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:9464`, `[::1]:9464`; port 0 takes a free one. */
export function address(option: string, text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new UsageError(`${option} ${quoted(text)}: must be an address and a port, as 127.0.0.1:9464`);
  }
  return { host: match[1] ?? match[2]!, port };
}
