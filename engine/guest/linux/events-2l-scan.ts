/**
 * In which order a 2-level kernel looks at its ports. Kernels go on where their last upcall stopped, so that low
 * ports do not starve high ones; whether and how well, is a matter of their age:
 *
 * - pvops before 2.6.39 (__xen_evtchn_do_upcall in drivers/xen/events.c) takes the lowest port of the lowest word,
 *   and reads the word anew after each: what is raised again and again there keeps all above it waiting.
 * - pvops (evtchn_2l_handle_events in drivers/xen/events/events_2l.c) starts at the port after the last one,
 *   goes round, and looks at the word it started in once more, all of it. A word's ports are read once,
 *   before the first is handled.
 * - The forward-ported trees (evtchn_do_upcall in their drivers/xen/core/evtchn.c) do the same, but the second
 *   time look only at the bits before the start.
 * - 2.6.18-xen (its drivers/xen/core/evtchn.c) starts at the word after the last one and reads a word anew
 *   after each port. Where all ports are in one word, that is a scan from the lowest port every time.
 */
import { lowestBit } from '../../core/bits.ts';
import type { Plain } from '../../core/state.ts';

export type ScanKind = 'pvops' | 'lowest-first' | 'forward-port' | '2.6.18';

/** Bits of a word of the event bitmap that are pending, not masked, and for this CPU; bits below `from` cut off. */
export interface ActiveBits {
  /** ascending, up to but without `to` */
  members(word: number, from: number, to: number): number[];
}

/** The scan of one CPU. */
export interface Scan {
  /** An upcall goes round: the selector's words are to be handled at. */
  begin(words: readonly number[]): void;
  /** The next port, as word * bits + bit; -1 when the words are done. */
  next(active: ActiveBits): number;
  save(): Plain;
  restore(state: Plain): void;
}

export function makeScan(kind: ScanKind, bits: number): Scan {
  switch (kind) {
    case 'lowest-first':
      return new LowestScan(bits);
    case '2.6.18':
      return new LastProcessedScan(bits);
    default:
      return new CircularScan(bits, kind === 'forward-port');
  }
}

/** pvops before 2.6.39. */
class LowestScan implements Scan {
  /** of the selector, not yet done */
  private words: number[] = [];

  constructor(private readonly bits: number) {}

  begin(words: readonly number[]): void {
    this.words = [...words];
  }

  next(active: ActiveBits): number {
    for (;;) {
      const [word] = this.words;
      if (word === undefined) return -1;
      const [bit] = active.members(word, 0, this.bits);
      if (bit !== undefined) return word * this.bits + bit;
      this.words.shift();
    }
  }

  save(): Plain {
    return this.words;
  }

  restore(state: Plain): void {
    this.words = [...(state as number[])];
  }
}

/** pvops and the forward ports: current_word_idx and current_bit_idx. */
class CircularScan implements Scan {
  private words: number[] = [];
  private round = 0;
  private at = 0;
  private startWord = 0;
  private startBit = 0;
  /** ports of the word that is being handled */
  private ports: number[] = [];
  private currentWord = 0;
  private currentBit = 0;

  constructor(
    private readonly bits: number,
    private readonly onlyBefore: boolean,
  ) {}

  begin(words: readonly number[]): void {
    this.words = [...words];
    this.ports = [];
    this.round = 0;
    this.startWord = this.currentWord;
    this.startBit = this.currentBit;
    this.at = this.startWord;
  }

  next(active: ActiveBits): number {
    while (this.ports.length === 0) {
      if (this.words.length === 0) return -1;
      this.readWord(active);
    }
    const port = this.ports.shift()!;
    // the next upcall starts at the one after it
    this.currentBit = (port + 1) % this.bits;
    this.currentWord = Math.floor((port + 1) / this.bits) % this.bits;
    return port;
  }

  private readWord(active: ActiveBits): void {
    const first = this.round++ === 0;
    const word = this.words.find((w) => w >= this.at);
    if (word === undefined) {
      this.at = 0;
      return;
    }
    const atStart = word === this.startWord;
    const from = atStart && first ? this.startBit : 0;
    const to = atStart && !first && this.onlyBefore ? this.startBit : this.bits;
    this.ports = active.members(word, from, to).map((bit) => word * this.bits + bit);
    // the word it started in is handled at twice
    if (!atStart || !first) this.words.splice(this.words.indexOf(word), 1);
    this.at = (word + 1) % this.bits;
  }

  save(): Plain {
    return [
      [this.round, this.at, this.startWord, this.startBit, this.currentWord, this.currentBit],
      this.words,
      this.ports,
    ];
  }

  restore(state: Plain): void {
    const [numbers, words, ports] = state as [number[], number[], number[]];
    [this.round, this.at, this.startWord, this.startBit, this.currentWord, this.currentBit] = numbers as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.words = [...words];
    this.ports = [...ports];
  }
}

/** 2.6.18-xen: last_processed_l1i and last_processed_l2i. */
class LastProcessedScan implements Scan {
  private words: number[] = [];
  /** the word being handled at; -1: the next one is to be found */
  private word = -1;
  /** a port of this word has been handled */
  private handled = false;
  private l1i: number;
  private l2i: number;
  private lastL1i: number;
  private lastL2i: number;

  constructor(private readonly bits: number) {
    this.lastL1i = bits - 1;
    this.lastL2i = bits - 1;
    this.l1i = this.lastL1i;
    this.l2i = this.lastL2i;
  }

  begin(words: readonly number[]): void {
    this.words = [...words];
    this.word = -1;
    this.l1i = this.lastL1i;
    this.l2i = this.lastL2i;
  }

  next(active: ActiveBits): number {
    const end = this.bits - 1;
    for (;;) {
      if (this.word < 0 && !this.findWord()) return -1;
      // after its last bit a word is left without another look
      const [bit] = this.handled && this.l2i === end ? [] : this.look(active);
      if (bit === undefined) {
        this.l2i = end;
        if (active.members(this.word, 0, this.bits).length === 0) {
          this.words.splice(this.words.indexOf(this.word), 1);
        }
        this.word = -1;
        continue;
      }
      this.handled = true;
      this.l2i = bit;
      this.lastL1i = this.l1i;
      this.lastL2i = bit;
      return this.word * this.bits + bit;
    }
  }

  private look(active: ActiveBits): number[] {
    return active.members(this.word, (this.l2i + 1) % this.bits, this.bits);
  }

  private findWord(): boolean {
    if (this.words.length === 0) return false;
    const from = (this.l1i + 1) % this.bits;
    let word = this.words.find((w) => w >= from);
    if (word === undefined) {
      word = this.words[0]!;
      this.l2i = this.bits - 1;
    }
    this.l1i = word;
    this.word = word;
    this.handled = false;
    return true;
  }

  save(): Plain {
    return [[this.word, this.l1i, this.l2i, this.lastL1i, this.lastL2i, Number(this.handled)], this.words];
  }

  restore(state: Plain): void {
    const [numbers, words] = state as [[number, number, number, number, number, number], number[]];
    const [word, l1i, l2i, lastL1i, lastL2i, handled] = numbers;
    this.word = word;
    this.l1i = l1i;
    this.l2i = l2i;
    this.lastL1i = lastL1i;
    this.lastL2i = lastL2i;
    this.handled = handled === 1;
    this.words = [...words];
  }
}

/** The set bits of a word of 32 or 64 bits in two halves, within [from, to). */
export function bitsBetween(low: number, high: number, from: number, to: number): number[] {
  const out: number[] = [];
  for (let half = 0; half < 2; half++) {
    for (let rest = half === 0 ? low : high; rest !== 0; rest &= rest - 1) {
      const bit = half * 32 + lowestBit(rest);
      if (bit >= from && bit < to) out.push(bit);
    }
  }
  return out;
}
