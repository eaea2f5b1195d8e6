/** Ways of interrupts, as golden text and as lists of functions. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { pathText } from '../../cli/batch/path.ts';
import type { TraceRecord } from '../../engine/core/trace.ts';
import {
  JourneyLog,
  type JourneySnapshot,
  type Machine,
  pastJourney,
  pastJourneys,
} from '../../engine/index.ts';

/** The way of a device's interrupt until nothing more follows. */
export function fired(machine: Machine, device: string): JourneySnapshot {
  machine.fire(device);
  const log = new JourneyLog(machine, machine.lastFired!);
  while (!log.over && machine.step()) log.look();
  return log.snapshot;
}

/** The way of the last interrupt with this action of a domain's /proc/interrupts. */
export function last(machine: Machine, domain: number, action: string): JourneySnapshot {
  const { rows } = machine.platform.domains()[domain]!.interrupts;
  const irq = rows.find((row) => row.actions[0] === action)!.irq as number;
  return pastJourneys(machine, { domain, irq }, `${domain}:${irq}`).at(-1)!;
}

export async function golden(name: string, journey: JourneySnapshot): Promise<void> {
  const text = pathText({ ...journey, start: 0 }, 'raised');
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, `../machine/golden/path-${name}.txt`));
}

/** The functions alone. */
export const names = (journey: JourneySnapshot) => journey.hops.map((h) => h.name);

/** Are these functions passed in this order, whatever is between them? */
export function passes(journey: JourneySnapshot, ...wanted: string[]): void {
  const seen = names(journey);
  let at = 0;
  for (const name of wanted) {
    const found = seen.indexOf(name, at);
    expect(found, `${name} in ${seen.slice(at).join(', ')}`).toBeGreaterThanOrEqual(0);
    at = found + 1;
  }
}

/** The way of the first raise that passes this tracepoint from now on, with a record like this. */
export function through(
  machine: Machine,
  point: string,
  like: (record: TraceRecord) => boolean = () => true,
): JourneySnapshot {
  const { trace } = machine.shop;
  const end = machine.clock.now + 1e9;
  while (machine.clock.now < end) {
    const seen = trace.written;
    if (!machine.step()) break;
    for (const record of trace.records(seen + 1)) {
      if (record.point.name !== point || record.journey === 0 || !like(record)) continue;
      // what follows of it
      machine.runUntil(machine.clock.now + 2e6);
      return pastJourney(machine, record.journey, point)!;
    }
  }
  throw new Error(`nothing passes ${point}`);
}
