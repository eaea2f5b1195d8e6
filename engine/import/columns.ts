/** Records of a trace, each CPU's in order, put into the order of their times: what was written first comes first. */
import { ofFile } from './problem.ts';

/** what a trace of a busy host has in some minutes */
export const MOST_RECORDS = 8_000_000;
const GROW = 4_096;

/** Rows of numbers: the time, then so many values. */
export class Columns {
  length = 0;
  private rows: Float64Array;

  constructor(
    private readonly file: string,
    readonly width: number,
  ) {
    this.rows = new Float64Array(GROW * width);
  }

  /** @throws UserError if there are more than the reader bears */
  add(time: number, ...values: readonly number[]): void {
    if (this.length === MOST_RECORDS) {
      throw ofFile(
        this.file,
        `more than ${MOST_RECORDS} records that matter here; a shorter trace would be right`,
      );
    }
    const at = this.length * this.width;
    if (at === this.rows.length) {
      const rows = new Float64Array(this.rows.length * 2);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.rows[at] = time;
    for (let i = 0; i < values.length; i++) this.rows[at + 1 + i] = values[i]!;
    this.length++;
  }

  /** Each row in the order of times; `at` is where its values begin, behind its time. */
  inOrder(take: (time: number, rows: Float64Array, at: number) => void): void {
    const { rows, width, length } = this;
    const order = new Uint32Array(length);
    for (let i = 0; i < length; i++) order[i] = i;
    order.sort((a, b) => rows[a * width]! - rows[b * width]! || a - b);
    for (const i of order) take(rows[i * width]!, rows, i * width + 1);
  }

  /** The earliest and the latest time; undefined if there is none. */
  span(): { readonly from: number; readonly to: number } | undefined {
    if (this.length === 0) return undefined;
    let from = Infinity;
    let to = -Infinity;
    for (let i = 0; i < this.length; i++) {
      const time = this.rows[i * this.width]!;
      if (time < from) from = time;
      if (time > to) to = time;
    }
    return { from, to };
  }
}

const DAY = 86_400;

/** @throws UserError if a trace is so long that its times cannot be right */
export function checkLength(file: string, ns: number): void {
  if (ns <= DAY * 1e9) return;
  throw ofFile(file, `its records are ${Math.round(ns / 1e9)} s apart; a day at most would be right`);
}
