/** takeSnapshot: the whole machine at one moment as plain data. */
import type { JourneySnapshot, Snapshot } from './machine/inspect.ts';
import type { Machine } from './machine/machine.ts';

export type * from './machine/inspect.ts';

/** Assembles what each part tells of itself; changes nothing. */
export function takeSnapshot(machine: Machine): Snapshot {
  const { platform, shop, scenario } = machine;
  return {
    scenario: scenario.name,
    title: scenario.title,
    system: platform.system,
    seed: machine.seed,
    time: shop.clock.now,
    events: shop.clock.events,
    cpus: platform.cpus(),
    domains: platform.domains(),
    devices: machine.devices(),
    lastFired: lastFired(machine),
    books: shop.books.accounts(),
    totals: platform.totals(),
  };
}

function lastFired(machine: Machine): JourneySnapshot | null {
  const last = machine.lastFired;
  if (!last) return null;
  const hops = machine.platform.hops(last.journey);
  const end = hops.findLast((h) => h.end);
  return { ...last, hops, latency: end ? end.at : null };
}
