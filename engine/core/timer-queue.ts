/**
 * Timers that are set on one CPU, in the order they are due; those of one moment in the order they were set.
 *
 * Their times are kept beside them in one flat array, so to find a place touches none of the timers. The first comes
 * last in the arrays: what is set is mostly due soon, and then few others move, however many wait for later.
 */
import type { Ns } from './clock.ts';

export class TimerQueue<T> {
  private whens = new Float64Array(8);
  private readonly timers: T[] = [];

  get size(): number {
    return this.timers.length;
  }

  /** When the first is due; Infinity: none is set. */
  get next(): Ns {
    const { length } = this.timers;
    return length === 0 ? Infinity : this.whens[length - 1]!;
  }

  /** True: it is the first now. */
  add(timer: T, when: Ns): boolean {
    const { timers } = this;
    const at = this.place(when);
    if (timers.length === this.whens.length) this.grow();
    const { whens } = this;
    timers.push(timer);
    for (let i = timers.length - 1; i > at; i--) {
      whens[i] = whens[i - 1]!;
      timers[i] = timers[i - 1]!;
    }
    whens[at] = when;
    timers[at] = timer;
    return at === timers.length - 1;
  }

  /**
   * Takes out one that is set.
   * @param when as it was added
   * @returns true: it was the first
   */
  remove(timer: T, when: Ns): boolean {
    const { timers, whens } = this;
    let at = this.place(when);
    while (timers[at] !== timer) at++;
    for (let i = at + 1; i < timers.length; i++) {
      whens[i - 1] = whens[i]!;
      timers[i - 1] = timers[i]!;
    }
    timers.pop();
    return at === timers.length;
  }

  /** Takes out the first; undefined: none is set. */
  shift(): T | undefined {
    return this.timers.pop();
  }

  /** When the last is due of those that are due by `until`; Infinity: none is. */
  lastBy(until: Ns): Ns {
    const at = this.place(until);
    return at === this.timers.length ? Infinity : this.whens[at]!;
  }

  /** All of them in order, with their times. */
  entries(): [timer: T, when: Ns][] {
    return this.timers.map((timer, i): [T, Ns] => [timer, this.whens[i]!]).reverse();
  }

  clear(): void {
    this.timers.length = 0;
  }

  /** The place of a new one: behind those of its moment, which are after it here. */
  private place(when: Ns): number {
    const { whens } = this;
    let low = 0;
    let high = this.timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (whens[middle]! > when) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private grow(): void {
    const { whens } = this;
    this.whens = new Float64Array(whens.length * 2);
    this.whens.set(whens);
  }
}
