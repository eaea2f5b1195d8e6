/** Bytes on their way to a file: small pieces are put together, so that the system is asked seldom. */
import { readSync, writeSync } from 'node:fs';
import { OutputError, outputError } from '../output.ts';

/** of this size a file system takes them in least time */
const CHUNK = 1 << 18;
/** after which it is asked again whether a full pipe has room */
const PAUSE_MS = 1;

export class Chunks {
  private readonly bytes = new Uint8Array(CHUNK);
  private length = 0;

  /** @param write is given bytes that are overwritten once it returns */
  constructor(private readonly write: (bytes: Uint8Array) => void) {}

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > CHUNK) this.flush();
    if (bytes.length >= CHUNK) {
      this.write(bytes);
      return;
    }
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  flush(): void {
    if (this.length === 0) return;
    const { length } = this;
    this.length = 0;
    this.write(this.bytes.subarray(0, length));
  }
}

/** To a file, at its end. */
export function chunksTo(fd: number): Chunks {
  return new Chunks((bytes) => writeAll(fd, bytes));
}

/** What a file has, from its beginning; a piece is overwritten by the next. */
export function* piecesOf(fd: number): Generator<Uint8Array> {
  const bytes = new Uint8Array(CHUNK);
  for (let at = 0; ; ) {
    const n = readSync(fd, bytes, 0, bytes.length, at);
    if (n === 0) return;
    at += n;
    yield bytes.subarray(0, n);
  }
}

/** @param from where in the file; left out: where it ended last */
export function writeAll(fd: number, bytes: Uint8Array, from?: number): void {
  try {
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(fd, bytes, at, undefined, from === undefined ? undefined : from + at);
    }
  } catch (error) {
    throw new OutputError(`cannot write the trace: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** for a thread to wait at: nobody wakes it */
const BED = new Int32Array(new SharedArrayBuffer(4));

/**
 * To the output, at its reader's pace: the thread waits.
 * @param over nothing more is wanted
 * @throws ReaderGone or OutputError
 */
export function writeOutput(fd: number, bytes: Uint8Array, over: () => boolean): void {
  for (let at = 0; at < bytes.length && !over(); ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN')
        throw outputError(error as NodeJS.ErrnoException);
      Atomics.wait(BED, 0, 0, PAUSE_MS);
    }
  }
}
