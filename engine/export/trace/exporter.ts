/** Follows a machine's trace, and its signals. */
import type { Clock, Ns } from '../../core/clock.ts';
import type { TakeRows, Trace } from '../../core/trace.ts';

/** No record is written later than this after its time. */
const LATEST: Ns = 1_000_000;

/** Is told what a machine records, where the machine is. */
export interface TraceFollower {
  /** Rows as they are in the ring, as they come: nearly in the order of their times, never quite. Left out: of no interest. */
  readonly records?: TakeRows;
  /**
   * For who looks at the machine's signals: an event is over, or within one a record is about to be written, of a moment that
   * may be still to come.
   */
  readonly sample?: (now: Ns) => void;
  /** Everything before this time has come. */
  release(before: Ns): void;
  /** The same, and it has been some time: what is whole is handed over. */
  flush(now: Ns): void;
  /** Nothing comes any more; the trace ends at that time. */
  end(now: Ns): void;
}

export class TraceExporter {
  private readonly read: () => void;

  /** From now on. */
  constructor(
    private readonly trace: Trace,
    private readonly clock: Clock,
    private readonly follower: TraceFollower,
  ) {
    const { sample, records } = follower;
    if (sample) {
      clock.watch = () => sample(clock.now);
      trace.watch = sample;
    }
    trace.detailed = true;
    const paused = () => follower.release(clock.now - LATEST);
    this.read = records ? trace.follow(records, paused) : () => {};
  }

  /** The machine has run up to `now`: what is certain to be whole is written. */
  advance(now: Ns): void {
    this.read();
    this.follower.release(now - LATEST);
    this.follower.flush(now - LATEST);
  }

  /** What was recorded up to now is all. */
  end(now: Ns): void {
    this.read();
    if (this.follower.records) this.trace.unfollow();
    this.trace.watch = undefined;
    this.clock.watch = undefined;
    this.trace.detailed = false;
    this.follower.end(now);
  }
}
