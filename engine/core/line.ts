/**
 * A wire: several drivers OR-ed, one sink. A device holds its end and sets a level; where the wire goes is
 * the board's business.
 */
import type { Part, Plain } from './state.ts';

export class Line implements Part {
  readonly id: string;
  private level = false;
  private drivers: boolean[] = [];

  /** @param sink told about every change of the wire's level */
  constructor(
    readonly name: string,
    private readonly sink: (high: boolean) => void,
  ) {
    this.id = `line.${name}`;
  }

  get high(): boolean {
    return this.level;
  }

  /** One more driver of the wire. */
  driver(): LineDriver {
    const index = this.drivers.length;
    this.drivers.push(false);
    return { set: (high) => this.drive(index, high) };
  }

  private drive(index: number, high: boolean): void {
    if (this.drivers[index] === high) return;
    this.drivers[index] = high;
    const level = high || this.drivers.includes(true);
    if (level === this.level) return;
    this.level = level;
    this.sink(level);
  }

  save(): Plain {
    return this.drivers.map(Number);
  }

  restore(state: Plain): void {
    this.drivers = (state as number[]).map(Boolean);
    this.level = this.drivers.includes(true);
  }
}

/** A device's end of a wire. */
export interface LineDriver {
  set(high: boolean): void;
}

/** A device's message-signalled interrupt: a store of `data` to an address that interrupt controllers answer at. */
export type MsiSender = (addressLow: number, addressHigh: number, data: number) => void;
