/**
 * Somebody who looks: Ink draws what they watch on their screen. It is the same for the
 * terminal that the program runs in and for one at the other end of a connection; where the keys come from, and who is told
 * when it is over, is the caller's.
 */
import type { WriteStream } from 'node:tty';
import { firstFrame, leaveFirstFrame, overFirstFrame } from './first-frame.ts';
import { Gate, type Turns } from './gate.ts';
import type { InkScreen } from './ink-screen.tsx';
import type { Size, Watched } from './watched.ts';

/** The part of a terminal that is written to. */
export type Screen = WriteStream;

export interface ViewerOptions {
  readonly turns: Turns;
  /** the screen is gone by itself: with an error if drawing failed */
  readonly ended: (error?: Error) => void;
}

/** A terminal that tells no size has this one. */
const USUAL: Size = { columns: 80, rows: 24 };

export class Viewer {
  private readonly gate: Gate<unknown>;
  private ink: InkScreen | undefined;
  /** our own first picture is on the screen, which Ink has not taken over */
  private first = false;
  private closed = false;

  constructor(
    private readonly watched: Watched,
    private readonly screen: Screen,
    private readonly options: ViewerOptions,
  ) {
    this.gate = new Gate(watched, screen, options.turns);
  }

  /** A picture at once: loading Ink takes a while. */
  showFirst(): void {
    this.first = true;
    this.screen.write(firstFrame(this.watched));
  }

  async open(): Promise<void> {
    const { openInk } = await import('./ink-screen.tsx');
    if (this.closed) return;
    this.ink = openInk(this.watched, this.gate, overFirstFrame(this.screen), this.options.ended);
    this.first = false;
  }

  /** The screen has another size. */
  resize(): void {
    this.ink?.clear();
    this.watched.resize(sizeOf(this.screen));
  }

  /** Gives the screen back for a while; the answer takes it again. */
  async leave(): Promise<() => Promise<void>> {
    if (this.first) this.screen.write(leaveFirstFrame);
    const comeBack = await this.ink?.suspend();
    return async () => {
      if (this.first) this.screen.write(firstFrame(this.watched));
      await comeBack?.();
      this.watched.resize(sizeOf(this.screen));
    };
  }

  /** Gives the screen back as it was. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.gate.close();
    this.watched.close();
    if (this.first) this.screen.write(leaveFirstFrame);
    await this.ink?.close();
  }
}

export function sizeOf({ columns, rows }: Screen): Size {
  return { columns: columns > 0 ? columns : USUAL.columns, rows: rows > 0 ? rows : USUAL.rows };
}
