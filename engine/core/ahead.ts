/**
 * A piece of a guest's code within the time that a processor runs ahead of the clock: charged at once, it counts as the
 * guest's time only as the clock passes it.
 */
import type { Ns } from './clock.ts';

export class PieceAhead {
  private from: Ns = 0;
  private to: Ns = 0;

  /** It takes `ns` from `at` on. */
  add(at: Ns, ns: Ns): void {
    this.from = at;
    this.to = at + ns;
  }

  /** What of it is still to come. */
  left(now: Ns): Ns {
    return Math.max(0, this.to - Math.max(now, this.from));
  }

  save(): [number, number] {
    return [this.from, this.to];
  }

  restore([from, to]: readonly [number, number]): void {
    this.from = from;
    this.to = to;
  }
}
