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
 * A file is written by a thread of its own if that is possible.
 * @throws UsageError if nothing can be written there
 */
export async function destinationOf(
  { directory = false }: TraceFormat,
  to: string | Output,
): Promise<Destination> {
  const threaded = typeof to === 'string' && WriterThread.possible;
  return threaded ? WriterThread.open(to, directory) : new TraceSink(to, directory);
}
