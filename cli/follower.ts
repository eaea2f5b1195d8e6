/** Follows the interrupts that --fire raises to their handlers. */
import { setImmediate } from 'node:timers/promises';
import { JourneyLog, type JourneySnapshot, type Machine } from '../engine/index.ts';
import type { Fire } from './values.ts';

/** events between two looks at the world outside */
const STRIDE = 4096;

/** Runs event by event while anything that was fired is under way. */
export class Follower {
  private readonly ways: (JourneyLog | JourneySnapshot)[] = [];
  private open: JourneyLog[] = [];

  constructor(private readonly machine: Machine) {}

  fire({ device, times }: Fire): void {
    const { machine } = this;
    const before = machine.lastFired?.journey;
    machine.fire(device, times);
    const last = machine.lastFired;
    if (!last || last.journey === before) {
      this.ways.push({ device, journey: 0, start: machine.clock.now, hops: [], latency: null });
      return;
    }
    const log = new JourneyLog(machine, last);
    this.ways.push(log);
    this.open.push(log);
  }

  async run(until: number): Promise<void> {
    const { machine } = this;
    for (let n = 1; this.open.length > 0 && machine.clock.next <= until; n++) {
      machine.step();
      for (const log of this.open) log.look();
      if (n % 64 === 0) this.open = this.open.filter((log) => !log.over);
      if (n % STRIDE === 0) await setImmediate();
    }
  }

  journeys(): JourneySnapshot[] {
    return this.ways.map((way) => (way instanceof JourneyLog ? way.snapshot : way));
  }
}
