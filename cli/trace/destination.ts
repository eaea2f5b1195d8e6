/** Where a trace goes, and which thread writes it. */
import type { TraceFollower, TraceFormat, TraceHost } from '../../engine/exchange.ts';
import type { Output } from '../output.ts';
import { TraceSink } from './files.ts';
import { WriterThread } from './thread.ts';

export interface Destination {
  writer(format: TraceFormat, host: TraceHost): TraceFollower;
  /** Who reads it, or writes it, has kept up. */
  flush(): Promise<void>;
  /** The trace is whole. */
  close(): Promise<void>;
  /** It comes to nothing: no part of it stays. */
  drop(): void;
}

/**
 * A thread of its own writes if that is possible, but not to a terminal.
 * @throws UsageError if nothing can be written there
 */
export async function destinationOf(
  { directory = false }: TraceFormat,
  to: string | Output,
): Promise<Destination> {
  const place = typeof to === 'string' ? to : to.descriptor;
  const threaded = place !== undefined && WriterThread.possible;
  return threaded ? WriterThread.open(place, directory) : new TraceSink(to, directory);
}
