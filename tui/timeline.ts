/** The moments that somebody saw, frame by frame: where scrubbing goes, and how much had been watched by then. */
import { compare, type Moment } from './journal.ts';

interface Mark {
  readonly moment: Moment;
  /** position in the history, ms */
  readonly watched: number;
}

/** so much of what was watched can be gone back to: 5 minutes, and something */
const REACH_MS = 330_000;
/** steps are seen too, and take no time */
const MOST = 8192;

export class Timeline {
  private marks: Mark[] = [];

  /** The moment furthest on that was seen. */
  get last(): Moment | undefined {
    return this.marks.at(-1)?.moment;
  }

  get first(): Moment | undefined {
    return this.marks[0]?.moment;
  }

  /** A moment was seen, further on than all others. */
  add(moment: Moment, watched: number): void {
    const { last } = this;
    if (last && compare(last, moment) === 0) this.marks.pop();
    this.marks.push({ moment, watched });
  }

  /** Forgets what is too long ago. @returns whether it has */
  trim(): boolean {
    const { marks } = this;
    const newest = marks.at(-1)!.watched;
    // by the hundred: each time all others move
    if (marks.length < MOST + 100 && newest - (marks[100]?.watched ?? newest) < REACH_MS) return false;
    const reach = marks.findIndex(({ watched }) => newest - watched < REACH_MS);
    this.marks = marks.slice(Math.max(reach, marks.length - MOST));
    return true;
  }

  /** The last one before a moment. */
  before(moment: Moment): Moment | undefined {
    return this.marks.findLast((mark) => compare(mark.moment, moment) < 0)?.moment;
  }

  /** The first one after a moment. */
  after(moment: Moment): Moment | undefined {
    return this.marks.find((mark) => compare(mark.moment, moment) > 0)?.moment;
  }

  /** How much had been watched at a moment; between two that were seen, by the simulated time between them. */
  watchedAt(moment: Moment): number {
    const i = this.marks.findLastIndex((mark) => compare(mark.moment, moment) <= 0);
    const mark = this.marks[i];
    if (!mark) return 0;
    const next = this.marks[i + 1];
    const from = mark.moment.at;
    if (!next || next.moment.at <= from) return mark.watched;
    const share = Math.max(0, (moment.at - from) / (next.moment.at - from));
    return mark.watched + (next.watched - mark.watched) * Math.min(1, share);
  }

  /** What comes after the moment is not to be. */
  forget(after: Moment): void {
    this.marks = this.marks.filter(({ moment }) => compare(moment, after) <= 0);
  }
}
