/** What the writers of traces have in common: where their bytes go, and when they are told of records. */
import type { Ns } from '../../core/clock.ts';
import type { TakeRow } from '../../core/trace.ts';

/** Where a trace goes. Bytes that are given are the writer's again afterwards: they have been written, or copied. */
export interface TraceFiles {
  /** The next bytes of the trace; of one that is several files, of that file. */
  append(bytes: Uint8Array, file?: string): void;
  /** The trace begins with so many bytes that are known only when all others have been given. */
  headLater(size: number): void;
  /** Those bytes. */
  head(bytes: Uint8Array): void;
  /** Bytes of a heap that is part of the trace later, as what comes before it is not known yet. */
  keep(heap: number, bytes: Uint8Array): void;
  /** Bytes on the heap so far. */
  kept(heap: number): number;
  /** The heap is the trace's next part. */
  appendKept(heap: number): void;
}

/** Makes a trace of records, or of changes of signals, which it is given in the order of their times. */
export interface TraceWriter {
  /** Of a record its CPU is a plain number. */
  readonly record: TakeRow;
  /** Everything before this time has been given: what is whole is handed over. */
  flush(now: Ns): void;
  /** Nothing comes any more; the trace ends at that time. */
  end(now: Ns): void;
}
