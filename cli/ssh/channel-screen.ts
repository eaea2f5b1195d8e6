/**
 * The terminal at the other end of an SSH channel, as Ink writes to it. What is written in one go becomes one packet. As
 * long as the line has not taken it, the stream wants no more (`writableNeedDrain`): who draws waits, so that at most one
 * frame is kept for a viewer, however slow.
 */
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { ServerChannel } from 'ssh2';

/** Larger screens are drawn as if they were of this size. */
const LARGEST = { columns: 500, rows: 200 };
const USUAL = { columns: 80, rows: 24 };

type Done = (error?: Error | null) => void;

export class ChannelScreen extends Writable {
  readonly isTTY = true;
  columns = USUAL.columns;
  rows = USUAL.rows;

  constructor(
    private readonly channel: ServerChannel,
    private readonly socket: Socket,
    columns: number,
    rows: number,
  ) {
    // full with the first byte
    super({ highWaterMark: 1, decodeStrings: false, emitClose: false });
    this.resize(columns, rows);
  }

  /** @returns whether that is another size than before */
  resize(columns: number, rows: number): boolean {
    const before = `${this.columns}x${this.rows}`;
    this.columns = clamp(columns, LARGEST.columns, USUAL.columns);
    this.rows = clamp(rows, LARGEST.rows, USUAL.rows);
    return `${this.columns}x${this.rows}` !== before;
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (this.writableCorked === 0) {
      this.cork();
      process.nextTick(() => this.uncork());
    }
    return super.write(chunk, ...(rest as [BufferEncoding, Done]));
  }

  override _write(chunk: string | Buffer, _: BufferEncoding, done: Done): void {
    this.send(chunk.toString(), done);
  }

  override _writev(chunks: { chunk: string | Buffer }[], done: Done): void {
    this.send(chunks.map(({ chunk }) => chunk.toString()).join(''), done);
  }

  /** A terminal in raw mode, as ssh sets it, does not go to the first column by itself. */
  private send(text: string, done: Done): void {
    const { channel, socket } = this;
    if (text === '') {
      done();
      return;
    }
    if (!channel.writable || socket.destroyed) {
      done(); // nobody is left to see it
      return;
    }
    channel.write(text.replace(/\r?\n/g, '\r\n'), () => {
      if (socket.writableNeedDrain) socket.once('drain', () => done());
      else done();
    });
  }
}

function clamp(wanted: number, most: number, usual: number): number {
  return Number.isInteger(wanted) && wanted > 0 ? Math.min(most, wanted) : usual;
}
