/** How far a machine comes in a slice of real time: event by event, until the slice's time is up. */
import type { Host } from './beat.ts';
import type { Course } from './course.ts';
import type { Journal } from './journal.ts';
import { BUDGET } from './pace.ts';

/** events between two looks at the real clock */
const STRIDE = 64;

export class Slices {
  private cut = false;

  constructor(
    private readonly host: Host,
    private readonly course: Course,
    private readonly journal: Journal,
  ) {}

  /** A slice begins: true until its time is up; asked after every event. */
  begin(): () => boolean {
    const { host } = this;
    const deadline = host.now() + BUDGET;
    let n = 0;
    return () => ++n % STRIDE !== 0 || host.now() < deadline;
  }

  /** The pace is another one from here on: the slice that is under way ends. */
  cutShort(): void {
    this.cut = true;
  }

  /**
   * Runs to a moment.
   * @param newTime told where what was recorded ends, and the slice with it
   * @returns whether it came there
   */
  runTo(target: number, newTime: () => void): boolean {
    const { journal, course } = this;
    const go = this.begin();
    const past = journal.end !== undefined;
    this.cut = false;
    while (course.step(target)) {
      if (this.cut) return true;
      if (past && !journal.end) {
        newTime();
        return false;
      }
      if (!go()) return false;
    }
    course.wait(target);
    return true;
  }
}
