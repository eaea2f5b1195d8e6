/** What the reports of the batch mode have in common: rates come from two snapshots. */
import type { Snapshot } from '../../engine/index.ts';
import { xenRows } from './xen-rows.ts';

/** One format of the batch mode. */
export interface Report {
  /** Before the first update; the machine has not run yet. */
  begin(before: Snapshot): string;
  update(now: Snapshot): string;
  /** Before an update is due, at least once a simulated second: what must not wait for it. */
  until?(time: number): string;
  /** After the last update. */
  end?(now: Snapshot): string;
}

/** How often the rows of a domain counted since the update before. */
export class Deltas {
  private time = 0;
  private before = new Map<string, readonly number[]>();

  /** Remembers the counts of the domains without looking at what changed. */
  begin(snapshot: Snapshot): void {
    this.time = snapshot.time;
    this.before = counts(snapshot);
  }

  /** What changed since the last call. */
  update(snapshot: Snapshot): Changes {
    const { before } = this;
    const seconds = (snapshot.time - this.time) / 1e9;
    this.begin(snapshot);
    const now = this.before;
    return {
      seconds,
      of: (domain, row) => {
        const key = keyOf(domain, row);
        return grown(before.get(key) ?? [], now.get(key) ?? []);
      },
    };
  }
}

/** A domain, or Xen itself. */
export interface Counting {
  readonly id: number;
}

export interface Changes {
  /** simulated time between the two snapshots */
  readonly seconds: number;
  /** counts of a row (its number or label) on all CPUs together */
  of(domain: Counting, row: number | string): number;
}

function keyOf(domain: Counting, row: number | string): string {
  return `${domain.id} ${row}`;
}

function counts(snapshot: Snapshot): Map<string, readonly number[]> {
  const all = new Map<string, readonly number[]>();
  for (const domain of snapshot.domains) {
    for (const row of domain.interrupts.rows) all.set(keyOf(domain, row.irq), row.counts);
    for (const row of domain.interrupts.arch) all.set(keyOf(domain, row.label), row.counts);
  }
  const { xen } = snapshot;
  if (xen) for (const row of xenRows(xen)) all.set(keyOf(xen, row.key), row.counts);
  return all;
}

/** A number that fell belongs to an interrupt that was freed and bound anew: all of it is new. */
function grown(before: readonly number[], now: readonly number[]): number {
  return now.reduce((sum, n, cpu) => sum + (n >= (before[cpu] ?? 0) ? n - (before[cpu] ?? 0) : n), 0);
}

/** A count as the kernel's unsigned int shows it. */
export function asShown(count: number): number {
  return count % 4294967296;
}

/** Of what has changed in an update, in simulated time. */
export function perSecond(delta: number, { seconds }: Changes): string {
  return (seconds > 0 ? delta / seconds : 0).toFixed(1);
}

export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** Simulated seconds: three digits after the point, more where there are more. */
export function secondsText(ns: number): string {
  const whole = Math.floor(ns / 1e9);
  const digits = String(ns - whole * 1e9)
    .padStart(9, '0')
    .replace(/0{1,6}$/, '');
  return `${whole}.${digits}`;
}
