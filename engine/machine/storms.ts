/** Devices that fire by themselves, at a steady rate, until they are told to stop. */
import { type Clock, Priority, type Task } from '../core/clock.ts';
import type { Part, Plain } from '../core/state.ts';

/** events in a second, unless told otherwise */
export const STORM_RATE = 10_000;
/** what a device can do at most: one event in 100 ns */
export const MOST_A_SECOND = 10_000_000;

/** What storms need of a device. */
export interface Stormy {
  readonly name: string;
  fire(): number;
}

export class Storms implements Part {
  readonly id = 'storms';
  /** by device: events in a second; 0: it is quiet */
  private readonly rates = new Map<string, number>();
  private readonly tasks = new Map<string, Task>();

  constructor(
    private readonly clock: Clock,
    devices: readonly Stormy[],
  ) {
    for (const device of devices) {
      // two keys may fire one device
      if (this.rates.has(device.name)) continue;
      this.rates.set(device.name, 0);
      this.tasks.set(
        device.name,
        clock.task(`storm.${device.name}`, Priority.outside, () => this.fire(device)),
      );
    }
  }

  /** 0: it does not storm. */
  rateOf(device: string): number {
    return this.rates.get(device) ?? 0;
  }

  /** @param rate 0: it stops. One that storms goes on at the new rate from its next event on. */
  set(device: string, rate: number): void {
    const task = this.tasks.get(device)!;
    const before = this.rateOf(device);
    this.rates.set(device, rate);
    if (rate === 0) task.cancel();
    else if (before === 0 || task.when! > this.clock.now + gap(rate)) task.after(gap(rate));
  }

  private fire(device: Stormy): void {
    this.tasks.get(device.name)!.after(gap(this.rateOf(device.name)));
    device.fire();
  }

  save(): Plain {
    return [...this.rates].filter(([, rate]) => rate > 0);
  }

  /** What is queued comes back with the clock. */
  restore(state: Plain): void {
    for (const name of this.rates.keys()) this.rates.set(name, 0);
    for (const [name, rate] of state as [string, number][]) this.rates.set(name, rate);
  }
}

function gap(rate: number): number {
  return Math.max(1, Math.round(1e9 / rate));
}
