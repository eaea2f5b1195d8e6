/**
 * Keeps the ways of the interrupts that were fired last, hop by hop. Each is followed after every event until nothing
 * more is to be expected of it. Who goes back in time sees them as far as they had come then.
 */
import { JourneyLog, type JourneySnapshot, type Machine } from '../engine/index.ts';

/** a journey is followed for so many real ms at least */
const LEAST_MS = 300;
/** journeys that are told of */
const TOLD = 32;
/** journeys that are kept, for who goes back */
const KEPT = 256;

interface Way {
  readonly log: JourneyLog;
  /** commands that had been given when it began, its own among them */
  readonly born: number;
}

export class JourneyWatch {
  private ways: Way[] = [];
  /** those of them that are under way */
  private open: Way[] = [];
  private firedAt = Number.NEGATIVE_INFINITY;
  /** hops there were when `changed` was asked for */
  private hops = 0;

  /**
   * @param given how many commands have been given at the moment that is shown
   * @param seen how many records of the trace had been written then
   */
  constructor(
    private readonly machine: Machine,
    private readonly given: () => number,
    private readonly seen: () => number = () => machine.shop.trace.written,
  ) {
    if (machine.lastFired) this.fired(Number.NEGATIVE_INFINITY);
  }

  /** The last one; null before the first. */
  get journey(): JourneySnapshot | null {
    const way = this.begun.at(-1);
    return way ? this.shown(way) : null;
  }

  /** Those that are told of, oldest first. */
  get journeys(): readonly JourneySnapshot[] {
    return this.begun.slice(-TOLD).map((way) => this.shown(way));
  }

  /** Is any still followed, or known to go on? */
  get active(): boolean {
    const written = this.seen();
    const given = this.given();
    return this.ways.some(
      (way) => way.born <= given && (this.open.includes(way) || way.log.passedBy(written) < way.log.length),
    );
  }

  /** A command was given. */
  fired(realMs: number): void {
    const born = this.given();
    const last = this.machine.lastFired;
    const newest = this.begun.at(-1);
    if (!last || last.journey === newest?.log.followed.journey) return;
    if (newest?.born === born) return;
    this.firedAt = realMs;
    const way = { log: new JourneyLog(this.machine, last), born };
    this.ways.splice(this.begun.length, 0, way);
    if (this.ways.length > KEPT) this.ways.shift();
    this.open.push(way);
    this.changed();
  }

  /** Reads the hops of the event that has just run. */
  look(): void {
    for (const { log } of this.open) log.look();
  }

  /** Has any gone on since this was asked last? */
  changed(): boolean {
    const written = this.seen();
    const hops = this.begun.slice(-TOLD).reduce((n, { log }) => n + log.passedBy(written), 0);
    const before = this.hops;
    this.hops = hops;
    return hops !== before;
  }

  /** Stops following what is over. */
  settle(realMs: number): void {
    if (realMs - this.firedAt >= LEAST_MS) this.open = this.open.filter(({ log }) => !log.over);
  }

  /** How many events had run at each hop of a way as it is shown; undefined: it is not known. */
  eventsOf(journey: number): readonly number[] | undefined {
    const way = this.begun.find(({ log }) => log.followed.journey === journey);
    return way?.log.eventsOf(way.log.passedBy(this.seen()));
  }

  /** What came after so many commands and trace records is not to be. */
  forget(given: number, written: number): void {
    this.ways = this.ways.filter(({ born }) => born <= given);
    this.open = this.open.filter(({ born }) => born <= given);
    for (const way of this.ways) {
      const before = way.log.length;
      way.log.forget(written);
      if (way.log.length < before && !this.open.includes(way)) this.open.push(way);
    }
  }

  /** Those that had begun at the moment that is shown. */
  private get begun(): Way[] {
    const given = this.given();
    return this.ways.filter(({ born }) => born <= given);
  }

  private shown({ log }: Way): JourneySnapshot {
    return log.before(this.seen());
  }
}
