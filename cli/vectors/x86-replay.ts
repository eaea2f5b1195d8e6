/**
 * Replays a case of the x86 suites: operations as `[name, arguments..., {r, s, k}]`, state as keys and values. What
 * a case does not list as changed is compared too, after every operation.
 */
import { BadVector, type Fields, isFields, type Mismatch, type Vector } from './suite.ts';

export type Value = number | string;

/** A machine of chips under test. */
export interface X86Model {
  /** every element of the state by its key, as the model has it now */
  readonly state: ReadonlyMap<string, () => Value>;
  /**
   * Runs an operation. The answer is its result, undefined where it has none.
   * @throws BadVector if there is no such operation
   */
  run(name: string, args: readonly unknown[]): unknown;
  /** the list `k` of the operation that has just run */
  notes?(): readonly unknown[];
}

/** The state a case expects: values by the same keys. */
class Expected {
  private readonly keys: string[] = [];
  private readonly live: (() => Value)[] = [];
  private readonly want: Value[] = [];
  private readonly index = new Map<string, number>();

  constructor(model: X86Model, reset: Fields) {
    for (const [key, live] of model.state) {
      const value = reset[key];
      if (typeof value !== 'number' && typeof value !== 'string') {
        throw new BadVector(`the metadata's "reset" must have a value for ${JSON.stringify(key)}`);
      }
      this.index.set(key, this.keys.length);
      this.keys.push(key);
      this.live.push(live);
      this.want.push(value);
    }
  }

  apply(changes: unknown): void {
    if (changes === undefined) return;
    if (!isFields(changes)) throw new BadVector('"s" must be an object');
    for (const [key, value] of Object.entries(changes)) {
      const at = this.index.get(key);
      if (at === undefined) throw new BadVector(`no element ${JSON.stringify(key)} in this case`);
      if (typeof value !== 'number' && typeof value !== 'string') {
        throw new BadVector(`${JSON.stringify(key)} must be a number or text`);
      }
      this.want[at] = value;
    }
  }

  difference(): { key: string; expected: Value; got: Value } | undefined {
    const { live, want } = this;
    for (let i = 0; i < want.length; i++) {
      const got = live[i]!();
      if (got !== want[i]) return { key: this.keys[i]!, expected: want[i]!, got };
    }
    return undefined;
  }
}

/** @throws BadVector */
export function replayX86(vector: Vector, meta: Fields | undefined, model: X86Model): Mismatch | undefined {
  const reset = meta?.reset;
  if (!isFields(reset)) throw new BadVector('the file must begin with metadata that has a "reset"');
  const expected = new Expected(model, reset);
  expected.apply(vector.s0);
  const start = expected.difference();
  if (start) return { case: vector.id, op: -1, name: 's0', ...start };
  for (const [i, op] of vector.ops.entries()) {
    const { name, args, want } = parse(op);
    const got = model.run(name, args) ?? null;
    expected.apply(want.s);
    const difference = results(want, got, model.notes?.()) ?? expected.difference();
    if (difference) return { case: vector.id, op: i, name, ...difference };
  }
  return undefined;
}

/** `r` that is null is not specified. */
function results(want: Fields, got: unknown, notes: readonly unknown[] = []) {
  if (want.r !== undefined && want.r !== null && JSON.stringify(want.r) !== JSON.stringify(got)) {
    return { key: 'r', expected: want.r, got };
  }
  const k = want.k ?? [];
  if (JSON.stringify(k) !== JSON.stringify(notes)) return { key: 'k', expected: k, got: notes };
  return undefined;
}

export function parse(op: unknown): { name: string; args: readonly unknown[]; want: Fields } {
  if (!Array.isArray(op)) throw new BadVector('an operation must be a list');
  const [name, ...args] = op as unknown[];
  const want = args.pop();
  if (typeof name !== 'string' || !isFields(want)) {
    throw new BadVector('an operation must be a name, arguments, and what is expected');
  }
  return { name, args, want };
}

/** An integer among the arguments, or text like `"0x12"` that stands for one of up to 64 bits. @throws BadVector */
export function argument(args: readonly unknown[], n: number): number {
  const value = args[n];
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new BadVector(`argument ${n + 1} must be an integer`);
}

/** The halves of a 64-bit argument, given as a number or as `"0x..."`. @throws BadVector */
export function wide(args: readonly unknown[], n: number): { low: number; high: number } {
  const value = args[n];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) {
    return { low: value >>> 0, high: Math.floor(value / 2 ** 32) };
  }
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(value)) {
    throw new BadVector(`argument ${n + 1} must be a number of up to 64 bits`);
  }
  const digits = value.slice(2).padStart(16, '0');
  return { low: Number.parseInt(digits.slice(8), 16), high: Number.parseInt(digits.slice(0, 8), 16) };
}

/** `"0x..."` without leading zeros. */
export function hex(low: number, high: number): string {
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

/** `"0x..."` with 16 digits. */
export function hex16(low: number, high: number): string {
  return `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}
