/** Follows a machine's trace and gives a writer every record, in the order of their times. */
import type { Clock, Ns } from '../../core/clock.ts';
import type { Trace } from '../../core/trace.ts';
import { InOrder, LATEST } from './in-order.ts';
import type { TraceWriter } from './writer.ts';

export class TraceExporter {
  private readonly order = new InOrder();
  private readonly read: () => void;

  /** From now on. */
  constructor(
    private readonly trace: Trace,
    private readonly clock: Clock,
    private readonly writer: TraceWriter,
  ) {
    const { sample, record, release } = writer;
    if (sample) {
      clock.watch = () => sample(clock.now);
      trace.watch = sample;
    }
    trace.detailed = true;
    const take = release ? record : this.order.push;
    this.read = record && take ? trace.follow(take, () => this.release(clock.now - LATEST)) : () => {};
  }

  /** The machine has run up to `now`: what is certain to be whole is written. */
  advance(now: Ns): void {
    this.read();
    this.release(now - LATEST);
    this.writer.flush(now - LATEST);
  }

  /** What was recorded up to now is all. */
  end(now: Ns): void {
    this.read();
    this.trace.unfollow();
    this.trace.watch = undefined;
    this.clock.watch = undefined;
    this.trace.detailed = false;
    this.release(Infinity);
    this.writer.end(now);
  }

  private release(before: Ns): void {
    const { record, release } = this.writer;
    if (release) release(before);
    else if (record) this.order.release(before, record);
  }
}
