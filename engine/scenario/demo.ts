/** A demo: scenarios with a script of what is done and said while they run, and what must come of it. */
import type { Scenario } from './kinds.ts';

/** Something done to the machine, plain data; `Command` of the machine's. */
export interface DemoCommand {
  readonly do: string;
}

export interface DemoStep {
  /** simulated ns */
  readonly at: number;
  /** told from here on; absent: what was told before */
  readonly caption?: string | undefined;
  /** what must hold just before anything is done */
  readonly expect: readonly string[];
  readonly do: readonly DemoCommand[];
  /** what the monitor shows from here on */
  readonly domain?: string | undefined;
  readonly view?: string | undefined;
  readonly row?: string | undefined;
  /** simulated seconds per second; max: as fast as possible */
  readonly speed?: number | 'max' | undefined;
  /** the monitor waits for its watcher */
  readonly pause?: boolean | undefined;
}

/** One machine of a demo. */
export interface DemoRun {
  /** empty where there is but one */
  readonly name: string;
  readonly title: string;
  readonly scenario: Scenario;
  /** in which it differs from what the scenario says: `vms[0].resample=true` */
  readonly settings: readonly string[];
  /** by time */
  readonly steps: readonly DemoStep[];
  /** what must hold at its end */
  readonly expect: readonly string[];
}

export interface Demo {
  readonly name: string;
  readonly title: string;
  readonly seed: number;
  /** simulated ns at which each run ends */
  readonly end: number;
  /** what to look at, in a paragraph */
  readonly about: string;
  readonly runs: readonly DemoRun[];
  /** what must hold between the ends of the runs, each named by `of` */
  readonly expect: readonly string[];
}
