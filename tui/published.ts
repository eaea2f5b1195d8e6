/** A state that is replaced, never changed: whoever has subscribed is told of each new one. */
import type { Store } from './use-snapshot.ts';

export class Published<T> implements Store<T> {
  private readonly listeners = new Set<() => void>();
  private held = false;

  constructor(private state: T) {}

  readonly get = (): T => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(state: T): void {
    this.state = state;
    if (!this.held) this.tell();
  }

  /** Tells once of all that the work changes, when it is over. */
  atOnce(work: () => void): void {
    if (this.held) {
      work();
      return;
    }
    const before = this.state;
    this.held = true;
    try {
      work();
    } finally {
      this.held = false;
      if (this.state !== before) this.tell();
    }
  }

  /** Nobody is told any more. */
  close(): void {
    this.listeners.clear();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
