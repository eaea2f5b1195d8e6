/**
 * What the world outside may do to a machine, as plain data: keys, scripts, sockets and recordings all say the
 * same. A command takes effect between two events; the same commands at the same places make the same run.
 */
import type { Ns } from '../core/clock.ts';

export type Command =
  /** one event of a device, or so many at once */
  | { readonly do: 'fire'; readonly device: string; readonly times?: number }
  /** Xen's interrupt hook */
  | { readonly do: 'hook'; readonly on: boolean };

/** What came of a command. */
export interface Outcome {
  /** why nothing was done; absent: it was done */
  readonly refused?: string;
  /** the journey of the interrupt that it raised last; absent: it raised none */
  readonly journey?: number;
}

/** Between which two events something happened: so many have run, and time stood there. */
export interface Place {
  readonly events: number;
  readonly at: Ns;
}

/** A command and where it took effect. */
export interface Done extends Place {
  readonly command: Command;
}
