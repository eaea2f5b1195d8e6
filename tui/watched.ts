/** What a viewer shows on their screen: a session of the monitor, or of a comparison. */
import type { Store } from './use-snapshot.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Below this there is only a line saying so. */
export const SMALLEST: Size = { columns: 60, rows: 15 };

export interface Watched<S = unknown> extends Store<S> {
  /** of the terminal, in cells */
  readonly terminal: Size;
  /** the whole screen */
  lines(): string[];
  resize(terminal: Size): void;
  close(): void;
}
