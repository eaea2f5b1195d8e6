/** What the driver publishes, and the steps of its two knobs. */
import type { Command, JourneySnapshot, Snapshot } from '../engine/index.ts';
import type { History } from './history.ts';

/** Fired by the scenario's command line: a device at a simulated moment. */
export interface ScriptedFire {
  readonly device: string;
  /** simulated ns since boot */
  readonly at: number;
  readonly times: number;
}

/** What a script does at a simulated moment: to the machine, and to the pace at which it is watched. */
export interface Cue {
  /** simulated ns since boot */
  readonly at: number;
  readonly commands: readonly Command[];
  /** simulated seconds per second from here on */
  readonly speed?: number | undefined;
  /** the machine stands still until its watcher lets it go on */
  readonly pause?: boolean | undefined;
}

/** `seeking`: running as fast as possible, to the next interrupt or to another moment. */
export type RunState = 'running' | 'paused' | 'seeking';

/** What there is to see at one moment. */
export interface Frame {
  readonly number: number;
  readonly snapshot: Snapshot;
  /** the ways of what was fired lately, oldest first */
  readonly journeys: readonly JourneySnapshot[];
  /** one sample earlier: what differs has just changed */
  readonly base: Snapshot;
  readonly history: History;
  readonly state: RunState;
  /** asked for, in simulated seconds per second; Infinity: as fast as possible */
  readonly speed: number;
  /** reached during the last delay; NaN while unknown */
  readonly achieved: number;
  /** seconds between frames */
  readonly delay: number;
  /** how far the end of what was recorded is ahead; null: this is the present */
  readonly past: { readonly ns: number; readonly events: number } | null;
  /** of the last event's trace records so many, of all, had been written; absent: it is not gone through */
  readonly inside?: { readonly record: number; readonly of: number } | undefined;
  /** nothing will ever happen again, or at least nothing run */
  readonly ended: boolean;
}

/** Under which name the history keeps a row of a domain. */
export function rowKey(domain: string, row: number | string): string {
  return `${domain} ${row}`;
}
