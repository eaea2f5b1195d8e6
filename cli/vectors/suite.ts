/**
 * Golden vectors: cases of operations on a chip, each with its results and its whole change of state, as
 * the real code produced them. A suite knows how to replay the cases of one model.
 */

/** One case, a line of a vector file. */
export interface Vector {
  readonly id: string;
  readonly init: Fields;
  readonly ops: readonly unknown[];
  /** where the state before the first operation is not what `init` says alone */
  readonly s0?: unknown;
}

export type Fields = { readonly [name: string]: unknown };

/** Where the model and the vector part. */
export interface Mismatch {
  readonly case: string;
  /** index in the case's ops */
  readonly op: number;
  /** what the operation is, e.g. `send` */
  readonly name: string;
  /** a result, e.g. `r`, or an element of the state, e.g. `["P",1,5]` */
  readonly key: string;
  readonly expected: unknown;
  readonly got: unknown;
}

export interface Suite {
  readonly name: string;
  /**
   * Runs a case and compares after every operation.
   * @param meta the file's metadata line, where it has one
   * @throws BadVector if the case makes no sense
   */
  replay(vector: Vector, meta: Fields | undefined): Mismatch | undefined;
}

/** The vector itself is wrong: not the model's fault. */
export class BadVector extends Error {
  override readonly name = 'BadVector';
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that must be an integer, in a range. @throws BadVector */
export function integer(fields: Fields, name: string, min = -(2 ** 53), max = 2 ** 53): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new BadVector(`"${name}" must be an integer${max < 2 ** 53 ? ` from ${min} to ${max}` : ''}`);
  }
  return value;
}

/** A member that must be a list of integers. @throws BadVector */
export function integers(fields: Fields, name: string): number[] {
  const value = fields[name];
  if (!Array.isArray(value) || !value.every(Number.isInteger)) {
    throw new BadVector(`"${name}" must be a list of integers`);
  }
  return value as number[];
}
