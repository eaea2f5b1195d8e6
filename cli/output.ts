/** Standard output of the commands that print and leave: whole pieces, at the reader's pace. */
import type { Writable } from 'node:stream';

/** The reader went away (`| head`): nothing is wrong, there is just nobody left to print for. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/** The output cannot be written: the disk is full, say. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

export class Output {
  private failed: NodeJS.ErrnoException | undefined;

  constructor(private readonly stream: Writable & { readonly fd?: number; readonly isTTY?: boolean }) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.failed ??= error;
    });
  }

  /** The descriptor of a file or a pipe, which another thread can write to as well. */
  get descriptor(): number | undefined {
    return this.stream.isTTY ? undefined : this.stream.fd;
  }

  /** Writes the text, or bytes, and waits until the system has taken it. */
  async write(text: string | Uint8Array): Promise<void> {
    if (text.length === 0) return;
    if (!this.failed) {
      await new Promise<void>((done) => {
        this.stream.write(text, (error) => {
          if (error) this.failed ??= error;
          done();
        });
      });
    }
    if (this.failed) throw outputError(this.failed);
  }
}

/** What has happened to the output, from the system's error. */
export function outputError({ code, message }: NodeJS.ErrnoException): ReaderGone | OutputError {
  return code === 'EPIPE' ? new ReaderGone() : new OutputError(`cannot write the output: ${code ?? message}`);
}
