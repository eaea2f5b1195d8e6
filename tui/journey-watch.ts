/**
 * Keeps the ways of the interrupts that were fired last, hop by hop. Each is followed after every event until nothing
 * more is to be expected of it.
 */
import { JourneyLog, type JourneySnapshot, type Machine } from '../engine/index.ts';

/** a journey is followed for so many real ms at least */
const LEAST_MS = 300;
/** journeys that are kept */
const KEPT = 32;

export class JourneyWatch {
  private readonly logs: JourneyLog[] = [];
  /** those of them that are under way */
  private open: JourneyLog[] = [];
  private firedAt = Number.NEGATIVE_INFINITY;
  /** they went on since `changed` was asked for */
  private news = false;

  constructor(private readonly machine: Machine) {
    if (machine.lastFired) this.fired(Number.NEGATIVE_INFINITY);
  }

  /** The last one; null before the first. */
  get journey(): JourneySnapshot | null {
    return this.logs.at(-1)?.snapshot ?? null;
  }

  /** All that are kept, oldest first. */
  get journeys(): readonly JourneySnapshot[] {
    return this.logs.map((log) => log.snapshot);
  }

  /** Is any still followed? */
  get active(): boolean {
    return this.open.length > 0;
  }

  /** Something was fired. */
  fired(realMs: number): void {
    const last = this.machine.lastFired;
    if (!last || last.journey === this.logs.at(-1)?.followed.journey) return;
    this.firedAt = realMs;
    const log = new JourneyLog(this.machine, last);
    this.logs.push(log);
    if (this.logs.length > KEPT) this.logs.shift();
    this.open.push(log);
  }

  /** Reads the hops of the event that has just run. */
  look(): void {
    for (const log of this.open) if (log.look()) this.news = true;
  }

  /** Has any gone on since this was asked last? */
  changed(): boolean {
    const { news } = this;
    this.news = false;
    return news;
  }

  /** Stops following what is over. */
  settle(realMs: number): void {
    if (realMs - this.firedAt >= LEAST_MS) this.open = this.open.filter((log) => !log.over);
  }
}
