/**
 * One counter of the 8254 (Intel 231164): its modes as functions of the clocks since it was loaded, and the way
 * its count is written and read a byte at a time. A new count takes effect at once, also in modes 2 and 3, where
 * the chip ends the period first. The gate is high; modes 1 and 5 need edges of it and never count. BCD is not
 * modelled.
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';

/** 105/88 MHz, the clock of a PC's timer */
export const PIT_HZ = 1_193_182;

const SECOND = 1_000_000_000;

/** Whole clocks in this time. */
export function clocksIn(ns: Ns): number {
  const whole = Math.floor(ns / SECOND);
  return whole * PIT_HZ + Math.floor(((ns - whole * SECOND) * PIT_HZ) / SECOND);
}

/** Time until the n-th clock has been counted. */
export function timeOf(clocks: number): Ns {
  const whole = Math.floor(clocks / PIT_HZ);
  return whole * SECOND + Math.ceil(((clocks - whole * PIT_HZ) * SECOND) / PIT_HZ);
}

/** Which bytes of the count are accessed: the RW field of the control word. */
const LSB = 1;
const BOTH = 3;

export class Counter {
  mode = 0;
  /** RW of the control word */
  access = BOTH;
  /** the initial count, 1 to 65,536 */
  count = 0x1_0000;
  loadedAt: Ns = 0;
  /** a control word came and no count since (null count) */
  nullCount = true;
  private writeLow = -1;
  private readHigh = false;
  /** latched count, -1 for none */
  private latch = -1;
  private latchedStatus = -1;

  control(word: number): void {
    this.access = (word >> 4) & 3;
    const mode = (word >> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.nullCount = true;
    this.writeLow = -1;
    this.readHigh = false;
    this.latch = -1;
  }

  /** A byte of the count is written. True: the count is whole, and loaded. */
  write(value: number, now: Ns): boolean {
    if (this.access === BOTH && this.writeLow < 0) {
      this.writeLow = value;
      return false;
    }
    const low = this.access === BOTH ? this.writeLow : this.access === LSB ? value : 0;
    const high = this.access === LSB ? 0 : value;
    this.writeLow = -1;
    this.count = (high << 8) | low || 0x1_0000;
    this.loadedAt = now;
    this.nullCount = false;
    return true;
  }

  read(now: Ns): number {
    if (this.latchedStatus >= 0) {
      const status = this.latchedStatus;
      this.latchedStatus = -1;
      return status;
    }
    const value = this.latch >= 0 ? this.latch : this.value(now);
    if (this.access === BOTH && !this.readHigh) {
      this.readHigh = true;
      return value & 0xff;
    }
    this.readHigh = false;
    this.latch = -1;
    return this.access === LSB ? value & 0xff : value >> 8;
  }

  /** Counter latch command: ignored while an earlier one has not been read. */
  latchCount(now: Ns): void {
    if (this.latch < 0) this.latch = this.value(now);
  }

  /** Read-back command, status. */
  latchStatus(now: Ns): void {
    if (this.latchedStatus >= 0) return;
    const out = this.output(now) ? 0x80 : 0;
    this.latchedStatus = out | (this.nullCount ? 0x40 : 0) | (this.access << 4) | (this.mode << 1);
  }

  /** In modes 2 and 3 it starts over by itself. */
  get periodic(): boolean {
    return this.mode === 2 || this.mode === 3;
  }

  /** The counting element. */
  private value(now: Ns): number {
    if (this.nullCount || this.gated) return this.count & 0xffff;
    const clocks = clocksIn(now - this.loadedAt);
    if (this.mode === 2) return (this.count - (clocks % this.count)) & 0xffff;
    if (this.mode === 3) return (this.count - ((2 * clocks) % this.count)) & 0xffff;
    return (this.count - clocks) & 0xffff;
  }

  private get gated(): boolean {
    return this.mode === 1 || this.mode === 5;
  }

  /** OUT. */
  output(now: Ns): boolean {
    if (this.nullCount || this.gated) return this.mode !== 0;
    const clocks = clocksIn(now - this.loadedAt);
    if (this.mode === 0) return clocks >= this.count;
    if (this.mode === 4) return clocks !== this.count;
    const phase = clocks % this.count;
    return this.mode === 2 ? phase !== this.count - 1 : phase < (this.count + 1) >> 1;
  }

  /** When OUT changes next; undefined: not until it is loaded again. */
  nextEdge(now: Ns): Ns | undefined {
    if (this.nullCount || this.gated) return undefined;
    const { count } = this;
    const clocks = clocksIn(now - this.loadedAt);
    const at = (n: number) => this.loadedAt + timeOf(n);
    if (!this.periodic) {
      if (clocks < count) return at(count);
      return this.mode === 4 && clocks === count ? at(count + 1) : undefined;
    }
    const phase = clocks % count;
    const start = clocks - phase;
    const edge = this.mode === 2 ? count - 1 : (count + 1) >> 1;
    return at(start + (phase < edge ? edge : count));
  }

  save(): Plain {
    const { mode, access, count, loadedAt, writeLow, latch, latchedStatus } = this;
    const flags = [this.nullCount, this.readHigh].map(Number);
    return [mode, access, count, loadedAt, writeLow, latch, latchedStatus, ...flags];
  }

  restore(state: Plain): void {
    const [mode, access, count, loadedAt, writeLow, latch, status, nullCount, readHigh] = state as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    Object.assign(this, { mode, access, count, loadedAt, writeLow, latch, latchedStatus: status });
    this.nullCount = nullCount === 1;
    this.readHigh = readHigh === 1;
  }
}
