/** What a hypervisor is built with: whoever puts the machine together has it. */
import type { Books } from '../core/books.ts';
import type { Clock } from '../core/clock.ts';
import type { Part } from '../core/state.ts';
import type { Trace } from '../core/trace.ts';

export interface HypervisorShop {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly parts: { add<P extends Part>(part: P): P };
}
