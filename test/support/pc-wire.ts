/** Wires and messages of a device under test: what they did, with the times. */
import type { Clock, Ns } from '../../engine/core/clock.ts';
import type { LineDriver, MsiSender } from '../../engine/core/line.ts';

/** A wire that remembers its edges. */
export class Wire implements LineDriver {
  high = false;
  /** times of rising edges */
  rises: Ns[] = [];

  constructor(private readonly clock: Clock) {}

  set(high: boolean): void {
    if (high && !this.high) this.rises.push(this.clock.now);
    this.high = high;
  }
}

/** A bus for messages that remembers them. */
export class Messages {
  sent: [addressLow: number, addressHigh: number, data: number][] = [];

  readonly send: MsiSender = (low, high, data) => {
    this.sent.push([low, high, data]);
  };

  /** The data of those sent since the last look. */
  take(): number[] {
    const data = this.sent.map(([, , d]) => d);
    this.sent = [];
    return data;
  }
}

/** State as it travels: through JSON. */
export function travelled<T>(state: T): T {
  return JSON.parse(JSON.stringify(state)) as T;
}
