/**
 * Somebody who looks at the machine: a session of their own, and Ink that draws it on their screen. It is the same for the
 * terminal that the program runs in and for one at the other end of a connection; where the keys come from, and who is told
 * when it is over, is the caller's.
 */
import type { WriteStream } from 'node:tty';
import type { Driver } from './driver.ts';
import { firstFrame, leaveFirstFrame, overFirstFrame } from './first-frame.ts';
import { Gate, type Turns } from './gate.ts';
import type { InkScreen } from './ink-screen.tsx';
import { Session, type SessionOptions, type Size } from './session.ts';

/** The part of a terminal that is written to. */
export type Screen = WriteStream;

export interface ViewerOptions extends Omit<SessionOptions, 'size'> {
  readonly turns: Turns;
  /** the screen is gone by itself: with an error if drawing failed */
  readonly ended: (error?: Error) => void;
}

/** A terminal that tells no size has this one. */
const USUAL: Size = { columns: 80, rows: 24 };

export class Viewer {
  readonly session: Session;
  private readonly gate: Gate;
  private ink: InkScreen | undefined;
  /** our own first picture is on the screen, which Ink has not taken over */
  private first = false;
  private closed = false;

  constructor(
    driver: Driver,
    private readonly screen: Screen,
    private readonly options: ViewerOptions,
  ) {
    this.session = new Session(driver, { ...options, size: sizeOf(screen) });
    this.gate = new Gate(this.session, screen, options.turns);
  }

  /** A picture at once: loading Ink takes a while. */
  showFirst(): void {
    this.first = true;
    this.screen.write(firstFrame(this.session));
  }

  async open(): Promise<void> {
    const { openInk } = await import('./ink-screen.tsx');
    if (this.closed) return;
    this.ink = openInk(this.session, this.gate, overFirstFrame(this.screen), this.options.ended);
    this.first = false;
  }

  /** The screen has another size. */
  resize(): void {
    this.ink?.clear();
    this.session.resize(sizeOf(this.screen));
  }

  /** Gives the screen back for a while; the answer takes it again. */
  async leave(): Promise<() => Promise<void>> {
    if (this.first) this.screen.write(leaveFirstFrame);
    const comeBack = await this.ink?.suspend();
    return async () => {
      if (this.first) this.screen.write(firstFrame(this.session));
      await comeBack?.();
      this.session.resize(sizeOf(this.screen));
    };
  }

  /** Gives the screen back as it was. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.gate.close();
    this.session.close();
    if (this.first) this.screen.write(leaveFirstFrame);
    await this.ink?.close();
  }
}

function sizeOf({ columns, rows }: Screen): Size {
  return { columns: columns > 0 ? columns : USUAL.columns, rows: rows > 0 ? rows : USUAL.rows };
}
