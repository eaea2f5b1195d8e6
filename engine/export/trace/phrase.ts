/**
 * What is printed of numbers and names: text that stands there, and operands between it. A trace has a few dozen kinds of
 * lines and millions of each, so each has code of its own, made when a trace begins: text becomes stores of constants, eight
 * bytes at a time, and nothing is asked that the kind of line answers.
 */
import { Label, putLabel } from './bytes.ts';
import {
  decimal as decimalDigits,
  hex as hexDigits,
  MOST_DIGITS,
  padded as paddedDigits,
  SHORT,
  SHORT_FROM,
  SHORTS,
} from './digits.ts';
import type { Text } from './text.ts';

type Values = Float64Array;

export interface Operand {
  /**
   * Writes it and moves `at` behind it: statements of `view`, `at`, `values`, `base` and `strings`, what they call, and the
   * operand itself, which they find as `own`.
   */
  readonly code: (own: string) => string;
  /** bytes that it takes at most; of a string that comes with a record it is not known */
  readonly most: number;
  readonly string?: boolean;
  readonly labels?: readonly (Label | undefined)[];
  readonly of?: (values: Values) => number | boolean;
}

/** a number, or a label and a number */
const MOST = MOST_DIGITS + 8;

function value(place: number): string {
  return `values[base + ${place}]`;
}

/** The value at a place. Most are short, and those are written without a call. */
export function decimal(place: number): Operand {
  return {
    most: MOST,
    code: () => `{
const n = ${value(place)}, integer = n | 0, i = integer - ${SHORT_FROM};
if (integer === n && i >>> 0 < ${SHORTS}) { view.setInt32(at, SHORT[2 * i], true); at += SHORT[2 * i + 1]; }
else at = decimal(view, at, values, base + ${place});
}`,
  };
}

/** With zeros before it up to so many digits. */
export function hex(place: number, digits = 1): Operand {
  return { most: MOST + digits, code: () => `at = hex(view, at, ${value(place)}, ${digits})` };
}

/** Of 64 bits: the lower half at that place, the upper behind it. */
export function hexWide(place: number): Operand {
  return { most: MOST, code: () => `at = wide(view, at, ${value(place)}, ${value(place + 1)})` };
}

/** Its lowest decimal digits, with zeros before them. */
export function padded(place: number, digits: number): Operand {
  return { most: MOST + digits, code: () => `at = padded(view, at, ${value(place)}, ${digits})` };
}

export function string(place: number): Operand {
  return { most: 0, string: true, code: () => `at = putLabel(view, at, strings[${place}])` };
}

/** What the value is called; one without a name is in hexadecimal. */
export function named(place: number, names: readonly (readonly [number, string])[]): Operand {
  const labels: (Label | undefined)[] = [];
  for (const [n, name] of names) labels[n] = new Label(name);
  return {
    most: mostOf(labels),
    labels,
    code: (own) => `at = named(view, at, ${value(place)}, ${own}.labels)`,
  };
}

/** A number made of an event's values, in hexadecimal. */
export function hexOf(of: (values: Values) => number): Operand {
  return { most: MOST, of, code: (own) => `at = hex(view, at, ${own}.of(values), 1)` };
}

/** One of some texts, as an event's values say: its place, or true for the second of two. */
export function oneOf(texts: readonly string[], of: (values: Values) => number | boolean): Operand {
  const labels = texts.map((text) => new Label(text));
  return {
    most: mostOf(labels),
    labels,
    of,
    code: (own) => `at = putLabel(view, at, ${own}.labels[Number(${own}.of(values))])`,
  };
}

function mostOf(labels: readonly (Label | undefined)[]): number {
  return Math.max(MOST, ...Array.from(labels, roomFor));
}

export class Phrase {
  constructor(
    /** before, between and behind the operands */
    readonly literals: readonly string[],
    readonly operands: readonly Operand[],
  ) {}

  /** With other text around it. */
  within(before: string, behind: string): Phrase {
    const literals = [...this.literals];
    literals[0] = before + literals[0];
    literals[literals.length - 1] += behind;
    return new Phrase(literals, this.operands);
  }
}

/** A template: ``phrase`irq=${decimal(0)} name=${string(0)}` ``. */
export function phrase(literals: readonly string[], ...operands: readonly Operand[]): Phrase {
  return new Phrase(literals, operands);
}

const UNNAMED = new Label('0x');

function putNamed(view: DataView, at: number, n: number, labels: readonly (Label | undefined)[]): number {
  const label = labels[n];
  return label ? putLabel(view, at, label) : hexDigits(view, putLabel(view, at, UNNAMED), n, 1);
}

function putWide(view: DataView, at: number, low: number, high: number): number {
  return high === 0 ? hexDigits(view, at, low, 1) : hexDigits(view, hexDigits(view, at, high, 1), low, 8);
}

/** What the code of operands calls. */
const CALLS = {
  decimal: decimalDigits,
  SHORT,
  hex: hexDigits,
  padded: paddedDigits,
  putLabel,
  named: putNamed,
  wide: putWide,
} as const;

type Print = (view: DataView, at: number, values: Values, base: number, strings: readonly Label[]) => number;

/** Text becomes numbers: no character of it is part of the code. */
function storing(text: string): string {
  const { eights, length } = new Label(text);
  const stores = Array.from(eights, (n, i) => `view.setFloat64(at + ${8 * i}, ${n}, true);`);
  return `${stores.join(' ')} at += ${length};`;
}

function compile({ literals, operands }: Phrase): Print {
  const parts = operands.map(({ code }, i) => `${code(`operands[${i}]`)}\n${storing(literals[i + 1]!)}`);
  const body = [storing(literals[0]!), ...parts, 'return at;'].join('\n');
  const make = new Function(
    ...Object.keys(CALLS),
    'operands',
    `return (view, at, values, base, strings) => {\n${body}\n};`,
  );
  return make(...Object.values(CALLS), operands);
}

export class Printer {
  /** Into a view that has room for it. @returns where it ends */
  readonly write: Print;
  /** bytes that it takes at most, beside strings */
  private readonly most: number;
  private readonly strings: boolean;

  constructor(phrase: Phrase) {
    const { literals, operands } = phrase;
    this.write = compile(phrase);
    const most = [...literals.map((text) => roomFor(new Label(text))), ...operands.map((o) => o.most)];
    this.most = most.reduce((sum, n) => sum + n, 0);
    this.strings = operands.some((o) => o.string);
  }

  /** Bytes that it takes at most. */
  room(strings: readonly Label[]): number {
    let { most } = this;
    if (this.strings) for (let i = 0; i < strings.length; i++) most += roomFor(strings[i]);
    return most;
  }

  /** @param base where the values begin */
  print(to: Text, values: Values, base: number, strings: readonly Label[]): void {
    to.length = this.write(to.viewFor(this.room(strings)), to.length, values, base, strings);
  }
}

/** As it is copied eight bytes at a time. */
function roomFor(label: Label | undefined): number {
  return label ? label.eights.length * 8 : 0;
}
