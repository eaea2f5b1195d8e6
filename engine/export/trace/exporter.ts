/** Follows a machine's trace and gives a writer every record, in the order of their times. */
import type { Clock } from '../../core/clock.ts';
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
    const { sample } = writer;
    if (sample) {
      clock.watch = () => sample(clock.now);
      trace.watch = sample;
    }
    trace.detailed = true;
    this.read = trace.follow(this.order.push);
  }

  /** The machine has run up to `now`: what is certain to be whole is written. */
  advance(now: number): void {
    this.read();
    const until = now - LATEST;
    this.order.release(until, this.writer.record);
    this.writer.flush(until);
  }

  /** What was recorded up to now is all. */
  end(now: number): void {
    this.read();
    this.trace.unfollow();
    this.trace.watch = undefined;
    this.clock.watch = undefined;
    this.trace.detailed = false;
    this.order.release(Infinity, this.writer.record);
    this.writer.end(now);
  }
}
