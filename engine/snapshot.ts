/** takeSnapshot: the whole machine at one moment as plain data. */
import type { JourneySnapshot, Snapshot } from './machine/inspect.ts';
import { lastFired } from './machine/journey.ts';
import type { Machine } from './machine/machine.ts';

export type * from './machine/inspect.ts';
export type * from './machine/inspect-trace.ts';

/**
 * Assembles what each part tells of itself; changes nothing.
 * @param fired the way of the interrupt that was fired last, of who has followed it; else what the trace still knows
 */
export function takeSnapshot(machine: Machine, fired?: JourneySnapshot | null): Snapshot {
  const { platform, shop, scenario } = machine;
  return {
    scenario: scenario.name,
    title: scenario.title,
    system: platform.system,
    ...(platform.ended !== undefined && { ended: platform.ended }),
    seed: machine.seed,
    time: shop.clock.now,
    events: shop.clock.events,
    cpus: platform.cpus(),
    domains: platform.domains(),
    ...(platform.xen && { xen: platform.xen() }),
    devices: machine.devices(),
    sources: machine.sources(),
    lastFired: fired === undefined ? lastFired(machine) : fired,
    books: shop.books.accounts(),
    totals: platform.totals(),
  };
}
