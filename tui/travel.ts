/** Going back in time and forth again: by the nearest checkpoint, and from there by running once more. */
import type { Machine } from '../engine/index.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Course, Goal } from './course.ts';
import { compare, type Journal, type Moment } from './journal.ts';
import { Timeline } from './timeline.ts';

export class Travel {
  /** the moments that were seen */
  readonly timeline = new Timeline();
  private readonly checkpoints: Checkpoints;
  /** where to stop on the way, the destination last */
  private stops: Goal[] = [];
  /** real ms that the machine ran since the last checkpoint */
  private worked = 0;

  constructor(
    machine: Machine,
    private readonly course: Course,
    private readonly journal: Journal,
    now: () => number,
  ) {
    this.checkpoints = new Checkpoints(machine, now);
  }

  /** Where it is going; undefined: nowhere. */
  get goal(): Goal | undefined {
    return this.stops.at(-1);
  }

  /** The machine has run for so long, and may leave a checkpoint here. */
  ran(realMs: number): void {
    if (this.beforeLast) return;
    this.worked += realMs;
    if (this.checkpoints.consider(this.course.here, this.worked)) this.worked = 0;
  }

  /** Is this before the last moment that was seen? */
  get beforeLast(): boolean {
    const { last } = this.timeline;
    return this.journal.end !== undefined && last !== undefined && compare(this.course.here, last) < 0;
  }

  /** How much had been watched at this moment. */
  get watchedHere(): number {
    return this.timeline.watchedAt(this.course.here);
  }

  /** A moment was seen, further on than all others. */
  saw(watched: number): void {
    this.timeline.add(this.course.here, watched);
    if (this.timeline.trim()) this.checkpoints.dropBefore(this.timeline.first!);
  }

  /** Sets out. The moment before is passed through, so that what changes from there on is known. */
  setOut(to: Goal): void {
    const { course, journal, checkpoints } = this;
    const { here } = course;
    const before = (to.soon ? eventBefore(to) : this.timeline.before(to)) ?? to;
    this.stops = [before, to];
    const from = checkpoints.restoreFor(before, here);
    if (!from) return;
    journal.goTo(from, here);
    course.moved();
  }

  /** Goes nowhere. */
  stay(): void {
    this.stops = [];
  }

  /**
   * Goes on.
   * @param go may it go on? asked before every event
   * @param passes the moment before the destination
   * @returns whether it is there
   */
  proceed(go: () => boolean, passes: () => void): boolean {
    for (let next = this.stops[0]; next; next = this.stops[0]) {
      if (!this.course.reach(next, go)) return false;
      if (this.stops.length > 1) passes();
      this.stops.shift();
    }
    return true;
  }

  /** The moment that was seen before this one, or before where it is going. */
  before(): Goal | undefined {
    return this.timeline.before(this.goal ?? this.course.here);
  }

  /** The moment that was seen after this one; where nobody has been yet but something is recorded, so many ns on. */
  after(ns: number): Goal | undefined {
    const from = this.goal ?? this.course.here;
    const { end } = this.journal;
    const seen = this.timeline.after(from);
    if (seen || !end || compare(from, end) >= 0) return seen;
    const at = from.at + ns;
    return at < end.at ? { events: Number.POSITIVE_INFINITY, at, done: Number.POSITIVE_INFINITY } : end;
  }

  /** The moment before the last event or command; undefined: this is the first. */
  back(): Goal | undefined {
    const { here } = this.course;
    const last = this.journal.last;
    if (last && last.events === here.events) return { ...last, done: here.done - 1 };
    return eventBefore(here);
  }

  /** What comes after the moment is not to be. */
  forget(after: Moment): void {
    this.timeline.forget(after);
    this.checkpoints.forget(after);
  }
}

/** When its last event had not run. */
function eventBefore(moment: Moment): Goal | undefined {
  return moment.events === 0 ? undefined : { ...moment, events: moment.events - 1, soon: true };
}
