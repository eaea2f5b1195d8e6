/**
 * What is printed of numbers and names: text that stands there, and operands between it. One loop prints them all, as a
 * record has a handful and a call for each costs more than its digits.
 */
import { Label, putLabel } from './bytes.ts';
import { decimal as decimalDigits, hex as hexDigits, MOST_DIGITS, padded as paddedDigits } from './digits.ts';
import type { Text } from './text.ts';

type Values = Float64Array;

/** How an operand is printed. */
const Kind = {
  decimal: 0,
  hex: 1,
  padded: 2,
  string: 3,
  named: 4,
  decimalOf: 5,
  hexOf: 6,
  oneOf: 7,
  hexWide: 8,
} as const;

export interface Operand {
  readonly kind: (typeof Kind)[keyof typeof Kind];
  /** among the values, or the strings */
  readonly place: number;
  readonly digits: number;
  readonly labels: readonly (Label | undefined)[];
  readonly of: (values: Values) => number | boolean;
}

function operand(kind: Operand['kind'], fields: Partial<Operand>): Operand {
  return { kind, place: 0, digits: 1, labels: [], of: () => 0, ...fields };
}

/** The value at a place. */
export function decimal(place: number): Operand {
  return operand(Kind.decimal, { place });
}

/** With zeros before it up to so many digits. */
export function hex(place: number, digits = 1): Operand {
  return operand(Kind.hex, { place, digits });
}

/** Of 64 bits: the lower half at that place, the upper behind it. */
export function hexWide(place: number): Operand {
  return operand(Kind.hexWide, { place });
}

/** Its lowest decimal digits, with zeros before them. */
export function padded(place: number, digits: number): Operand {
  return operand(Kind.padded, { place, digits });
}

export function string(place: number): Operand {
  return operand(Kind.string, { place });
}

/** What the value is called; one without a name is in hexadecimal. */
export function named(place: number, names: readonly (readonly [number, string])[]): Operand {
  const labels: (Label | undefined)[] = [];
  for (const [n, name] of names) labels[n] = new Label(name);
  return operand(Kind.named, { place, labels });
}

/** A number made of an event's values, in hexadecimal. */
export function hexOf(of: (values: Values) => number): Operand {
  return operand(Kind.hexOf, { of });
}

/** One of some texts, as an event's values say: its place, or true for the second of two. */
export function oneOf(texts: readonly string[], of: (values: Values) => number | boolean): Operand {
  return operand(Kind.oneOf, { labels: texts.map((text) => new Label(text)), of });
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
/** what an operand takes that is no string: a number, or a label and a number */
const MOST = MOST_DIGITS + 8;

export class Printer {
  private readonly labels: readonly Label[];
  private readonly operands: readonly Operand[];
  /** bytes that it takes at most, beside strings */
  private readonly most: number;

  constructor({ literals, operands }: Phrase) {
    this.labels = literals.map((text) => new Label(text));
    this.operands = operands;
    const own = operands.map(({ labels, digits }) => Math.max(MOST + digits, ...Array.from(labels, roomFor)));
    this.most = [...this.labels.map(roomFor), ...own].reduce((sum, n) => sum + n, 0);
  }

  /** @param base where the values begin */
  print(to: Text, values: Values, base: number, strings: readonly Label[]): void {
    const { labels, operands } = this;
    let most = this.most;
    for (let i = 0; i < strings.length; i++) most += roomFor(strings[i]);
    const view = to.viewFor(most);
    let at = putLabel(view, to.length, labels[0]!);
    for (let i = 0; i < operands.length; i++) {
      const operand = operands[i]!;
      const value = base + operand.place;
      switch (operand.kind) {
        case Kind.decimal:
          at = decimalDigits(view, at, values, value);
          break;
        case Kind.hex:
          at = hexDigits(view, at, values[value]!, operand.digits);
          break;
        case Kind.padded:
          at = paddedDigits(view, at, values[value]!, operand.digits);
          break;
        case Kind.string:
          at = putLabel(view, at, strings[operand.place]!);
          break;
        case Kind.named: {
          const label = operand.labels[values[value]!];
          at = putLabel(view, at, label ?? UNNAMED);
          if (!label) at = hexDigits(view, at, values[value]!, 1);
          break;
        }
        case Kind.hexOf:
          at = hexDigits(view, at, Number(operand.of(values)), 1);
          break;
        case Kind.hexWide: {
          const high = values[value + 1]!;
          if (high !== 0) at = hexDigits(view, at, high, 1);
          at = hexDigits(view, at, values[value]!, high === 0 ? 1 : 8);
          break;
        }
        case Kind.oneOf:
          at = putLabel(view, at, operand.labels[Number(operand.of(values))]!);
      }
      at = putLabel(view, at, labels[i + 1]!);
    }
    to.length = at;
  }
}

/** As it is copied eight bytes at a time. */
function roomFor(label: Label | undefined): number {
  return label ? label.eights.length * 8 : 0;
}
