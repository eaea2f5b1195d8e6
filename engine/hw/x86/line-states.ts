/** Wires that several sources drive: each pin is high while any of up to 64 sources holds it high. */
import type { Changing, Watcher } from '../../core/bits.ts';
import { type Plain, restoreArray, saveArray } from '../../core/state.ts';

export const SOURCES = 64;

export class LineStates implements Changing {
  /** per pin: sources 0 to 31, then 32 to 63 */
  private readonly words: Uint32Array;
  watcher: Watcher | undefined = undefined;

  constructor(pins: number) {
    this.words = new Uint32Array(pins * 2);
  }

  /** A source drives a pin; the answer is the level of the wire. */
  drive(pin: number, source: number, high: boolean): boolean {
    if (source >>> 0 >= SOURCES) throw new Error(`source ${source} of an interrupt, there are ${SOURCES}`);
    const { words } = this;
    const at = pin * 2 + (source >> 5);
    if (high) words[at]! |= 1 << (source & 31);
    else words[at]! &= ~(1 << (source & 31));
    this.watcher?.changed();
    return (words[pin * 2]! | words[pin * 2 + 1]!) !== 0;
  }

  high(pin: number): boolean {
    return (this.words[pin * 2]! | this.words[pin * 2 + 1]!) !== 0;
  }

  /** The source lets go of every pin; nobody looks at the wires again for that. */
  forget(source: number): void {
    for (let at = source >> 5; at < this.words.length; at += 2) this.words[at]! &= ~(1 << (source & 31));
    this.watcher?.changed();
  }

  save(): Plain {
    return saveArray(this.words);
  }

  restore(state: Plain): void {
    restoreArray(this.words, state as number[]);
    this.watcher?.changed();
  }
}
