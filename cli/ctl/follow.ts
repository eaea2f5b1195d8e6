/** Events for who follows: frames as they are published, what was fired, and the records of the trace. */
import type { Driver } from '../../tui/driver.ts';

/** What may be followed. */
export const KINDS = ['frames', 'journeys', 'records'] as const;
type Kind = (typeof KINDS)[number];

/** records that are looked for at once: what is beyond is told as lost */
const MOST_RECORDS = 20_000;

/** @returns a line of JSON for each event since the last time */
export interface Follow {
  next(): object[];
}

/** What a request `events` wants, or what is wrong with it. */
export function followOf(
  driver: Driver,
  { of = ['frames', 'journeys'], domain }: Record<string, unknown>,
): Follow | string {
  if (!Array.isArray(of) || of.length === 0 || of.some((kind) => !KINDS.includes(kind as Kind))) {
    return `of: must be a list of ${KINDS.join(', ')}`;
  }
  const { domains } = driver.get().snapshot;
  const found = domains.find((d) => d.name === domain);
  if (domain !== undefined && !found) {
    return `domain: must be one of ${domains.map((d) => d.name).join(', ')}`;
  }
  if (domain !== undefined && !of.includes('records')) return 'domain: goes with records';
  const parts = KINDS.filter((kind) => of.includes(kind)).map((kind) => PARTS[kind](driver, found?.id));
  return { next: () => parts.flatMap((part) => part()) };
}

type Part = (driver: Driver, domain: number | undefined) => () => object[];

const PARTS: Readonly<Record<Kind, Part>> = {
  frames: (driver) => () => {
    const { number, snapshot, state, ended } = driver.get();
    return [{ event: 'frame', number, time: snapshot.time, state, ended, totals: snapshot.totals }];
  },
  /** each time that one has gone on: those that end nowhere are told, too */
  journeys(driver) {
    const standOf = () =>
      new Map(driver.get().journeys.map((one) => [one.journey, `${one.hops.length} ${one.latency}`]));
    let told = standOf();
    return () => {
      const before = told;
      told = standOf();
      const moved = driver.get().journeys.filter(({ journey }) => told.get(journey) !== before.get(journey));
      return moved.map((journey) => ({ event: 'journey', ...journey }));
    };
  },
  records(driver, domain) {
    let seen = driver.look().events({ last: 0 }).written;
    return () => {
      const { written, from, events } = driver.look().events({ last: MOST_RECORDS, since: seen + 1, domain });
      if (written < seen) {
        seen = written; // time went back
        return [{ event: 'back', to: written }];
      }
      const lost =
        events.length > 0 && from > seen + 1 ? [{ event: 'lost', from: seen + 1, to: from - 1 }] : [];
      seen = written;
      return [...lost, ...events.map((record) => ({ event: 'record', ...record }))];
    };
  },
};
