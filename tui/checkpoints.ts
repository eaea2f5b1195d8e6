/**
 * States of the machine to go back to. What the machine runs on from is small (20 to 80 kB packed); its trace is not,
 * so it is left out, and who goes back starts early enough for all of it to be written again.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Machine } from '../engine/index.ts';
import { compare, type Moment } from './journal.ts';

interface Checkpoint {
  readonly moment: Moment;
  /** records that the trace had written */
  readonly written: number;
  readonly state: Uint8Array;
}

/** events between two checkpoints: some 50 to 100 ms of the machine's work */
const DISTANCE = 65_536;
/** so many of the newest are that near each other, older ones so many times as far */
const NEWEST = 16;
const SPARSE = 4;
/** taking them may take this share of the machine's time */
const SHARE = 0.03;
/** bytes of all together */
export const BUDGET = 16 * 1024 * 1024;

export class Checkpoints {
  private list: Checkpoint[] = [];
  private bytes = 0;
  private distance = DISTANCE;
  /** real ms that the dearest took lately */
  private cost = 0;

  constructor(
    private readonly machine: Machine,
    private readonly now: () => number,
    private readonly budget = BUDGET,
  ) {}

  get count(): number {
    return this.list.length;
  }

  /** bytes that are held */
  get size(): number {
    return this.bytes;
  }

  /** Takes one if the last is far enough away. @param worked real ms that the machine has run since */
  consider(here: Moment, worked: number): boolean {
    const last = this.list.at(-1);
    if (last && here.events - last.moment.events < this.distance) return false;
    if (last && worked * SHARE < this.cost) return false;
    const start = this.now();
    this.take(here);
    const cost = this.now() - start;
    this.cost = Math.max(cost, this.cost * 0.9);
    return true;
  }

  private take(moment: Moment): void {
    const { machine } = this;
    // the first one has the records of the boot too, as nothing is before it to run from
    const text = this.list.length === 0 ? JSON.stringify(machine.save().parts) : machine.checkpoint();
    // a copy, as the original has room to spare
    const state = new Uint8Array(deflateRawSync(text, { level: 1 }));
    this.list.push({ moment, written: machine.shop.trace.written, state });
    this.bytes += state.length;
    this.age();
    if (this.bytes > this.budget) this.thinOut();
  }

  /** The one that is not among the newest any more goes if there is another near before it. */
  private age(): void {
    const { list } = this;
    const at = list.length - 1 - NEWEST;
    if (at < 1 || list[at]!.moment.events - list[at - 1]!.moment.events >= SPARSE * this.distance) return;
    const next = list[at + 1]!.moment.events - list[at - 1]!.moment.events;
    if (next > SPARSE * this.distance) return;
    this.bytes -= list[at]!.state.length;
    list.splice(at, 1);
  }

  /** Every second one goes, but never the first. */
  private thinOut(): void {
    this.keep((_, i) => i % 2 === 0);
    this.distance *= 2;
  }

  /**
   * Brings the machine to the last checkpoint from which running to the moment writes all records again that the
   * trace keeps. Where the machine is may be nearer: then it stays. @returns where it was brought; undefined: it stays
   */
  restoreFor(target: Moment, here: Moment): Moment | undefined {
    const { machine } = this;
    const { moment, state } = this.list[this.indexFor(target)]!;
    const ahead = compare(here, target) <= 0;
    if (ahead && moment.events - here.events < this.distance) return undefined;
    machine.goBack(inflateRawSync(state).toString());
    return moment;
  }

  /** The last from which running to the moment fills the trace; the first one has all there was before it. */
  private indexFor(target: Moment): number {
    const { list } = this;
    const { capacity } = this.machine.shop.trace;
    const near = list.findLastIndex(({ moment }) => compare(moment, target) <= 0);
    let from = Math.max(0, near);
    while (from > 0 && list[near]!.written - list[from]!.written < capacity) from--;
    return from;
  }

  /** Nobody goes back to before the moment, unless to the first checkpoint. */
  dropBefore(oldest: Moment): void {
    const from = this.indexFor(oldest);
    this.keep((_, i) => i === 0 || i >= from);
    if (this.bytes < this.budget / 4) this.distance = Math.max(DISTANCE, this.distance / 2);
  }

  /** What comes after the moment is not to be. */
  forget(after: Moment): void {
    this.keep(({ moment }, i) => i === 0 || compare(moment, after) <= 0);
  }

  private keep(wanted: (checkpoint: Checkpoint, index: number) => boolean): void {
    this.list = this.list.filter(wanted);
    this.bytes = this.list.reduce((n, { state }) => n + state.length, 0);
  }
}
