/**
 * Devices that only say "something happened": keyboard and mouse, real-time clock, serial line, USB
 * controllers. Edge devices pulse their wire; level devices hold it until their driver has looked.
 */
import type { Part, Plain } from '../core/state.ts';

/** What a device holds of its interrupt: a pulse or message; the answer is the journey of the raise. */
export type Raise = () => number;

export class PulseDevice implements Part {
  readonly id: string;
  /** events since boot */
  events = 0;

  constructor(
    readonly name: string,
    private readonly raise: Raise,
  ) {
    this.id = `device.${name}`;
  }

  fire(): number {
    this.events++;
    return this.raise();
  }

  save(): Plain {
    return this.events;
  }

  restore(state: Plain): void {
    this.events = state as number;
  }
}

export class LevelDevice implements Part {
  readonly id: string;
  events = 0;
  /** its status register says: I need service */
  asserted = false;

  constructor(
    readonly name: string,
    private readonly assert: Raise,
    private readonly deassert: () => void,
  ) {
    this.id = `device.${name}`;
  }

  fire(): number {
    this.events++;
    this.asserted = true;
    return this.assert();
  }

  /** Its driver has read and cleared the status. */
  serviced(): void {
    if (!this.asserted) return;
    this.asserted = false;
    this.deassert();
  }

  save(): Plain {
    return [this.events, Number(this.asserted)];
  }

  restore(state: Plain): void {
    const [events, asserted] = state as [number, number];
    this.events = events;
    this.asserted = asserted === 1;
  }
}
