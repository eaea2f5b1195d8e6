/**
 * What stands between a session and its screen: a state is let through when the screen has taken the one before, and when
 * it is that viewer's turn. What came meanwhile is never drawn: nothing is queued for a screen that is slow or stuck.
 */
import type { Writable } from 'node:stream';
import { Published } from './published.ts';
import type { Store } from './use-snapshot.ts';

/**
 * Drawing for many viewers: one after another, and half of the time at most. Whoever draws, the next one waits as long as
 * that took, so that the machine and the keys of all others have the other half. Who is alone need not wait.
 */
export class Turns {
  private viewers = 0;
  private readonly waiting = new Set<() => void>();
  private drawing = false;

  join(): void {
    this.viewers++;
  }

  /** Draws at once if nobody else does. */
  take(draw: () => void): void {
    if (this.viewers < 2) {
      draw();
      return;
    }
    this.waiting.add(draw);
    if (!this.drawing) this.next();
  }

  leave(draw: () => void): void {
    this.viewers--;
    this.waiting.delete(draw);
  }

  private readonly next = (): void => {
    const [draw] = this.waiting;
    this.drawing = draw !== undefined;
    if (!draw) return;
    this.waiting.delete(draw);
    const start = performance.now();
    draw();
    // React has queued its part, and Ink's, before this
    queueMicrotask(() => setTimeout(this.next, performance.now() - start));
  };
}

export class Gate<S> implements Store<S> {
  private readonly shown: Published<S>;
  private asked = false;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly session: Store<S>,
    private readonly screen: Writable,
    private readonly turns: Turns,
  ) {
    this.shown = new Published(session.get());
    turns.join();
    this.unsubscribe = session.subscribe(() => this.ask());
  }

  /** The state that is on the screen. */
  readonly get = (): S => this.shown.get();

  readonly subscribe = (listener: () => void): (() => void) => this.shown.subscribe(listener);

  close(): void {
    this.unsubscribe();
    this.shown.close();
    this.screen.off('drain', this.ready);
    this.turns.leave(this.draw);
  }

  private ask(): void {
    if (this.asked) return;
    this.asked = true;
    this.ready();
  }

  private readonly ready = (): void => {
    if (this.screen.writableNeedDrain) this.screen.once('drain', this.ready);
    else this.turns.take(this.draw);
  };

  private readonly draw = (): void => {
    this.asked = false;
    this.shown.set(this.session.get());
  };
}
