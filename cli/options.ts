/** What a command line asks for; flags/ has the tables of it. */
import type { Setting } from '../engine/index.ts';
import type { Address } from './ssh/address.ts';
import type * as values from './values.ts';

/** What the command line asked for; times in nanoseconds. */
export interface Options {
  readonly scenario?: string;
  readonly seed?: number;
  readonly import?: readonly string[];
  readonly interval?: number;
  readonly uptime?: number;
  /** of --import: cycles of the time stamp counter in a second */
  readonly cpuHz?: number;
  readonly fire?: readonly values.Fire[];
  readonly domain?: string;
  readonly delay?: number;
  readonly skipZero?: boolean;
  /** rows of batch: with so many counts at least, whose words match */
  readonly threshold?: number;
  readonly filter?: RegExp;
  /** of -b: CPUs of the rows */
  readonly cpuList?: readonly number[];
  readonly speed?: number;
  readonly hook?: boolean;
  readonly ascii?: boolean;
  readonly slow?: boolean;
  readonly color?: ColorWhen;
  readonly theme?: string;
  /** file of preferences; false: none */
  readonly config?: string | false;
  readonly batch?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly iterations?: number;
  readonly realtime?: boolean;
  readonly record?: string;
  readonly replay?: string;
  readonly dump?: string;
  readonly books?: boolean;
  /** `fired`, a row as `dom0:24`, or a vector as `Xen:0xa0` */
  readonly path?: string;
  /** the program whose text is printed */
  readonly as?: ImitatedName;
  readonly at?: number;
  readonly file?: ProcFile;
  readonly machine?: string;
  readonly metrics?: values.Address;
  readonly full?: boolean;
  readonly platform?: Platform;
  /** of compare: settings of either side, and how long both run */
  readonly a?: readonly Setting[];
  readonly b?: readonly Setting[];
  readonly for?: number;
  /** of demo */
  readonly check?: boolean;
  /** of the monitor and of demos: a file to record to, and the size of its screen */
  readonly cast?: string;
  readonly size?: values.Size;
  readonly run?: string;
  /** of trace: in which format, and into which file; without one to standard output */
  readonly format?: TraceFormatName;
  readonly output?: string;
  /** of what runs, and of ctl: a name, or a path */
  readonly socket?: string;
  /** of serve: where, who may come in and do what, and how many for how long */
  readonly ssh?: Address;
  readonly authorizedKeys?: string;
  readonly passwordFile?: string;
  readonly hostKey?: string;
  readonly control?: readonly string[];
  readonly maxSessions?: number;
  readonly idle?: number;
  /** of paper */
  readonly why?: boolean;
}

export const COLOR_WHEN = ['auto', 'always', 'never'] as const;
export type ColorWhen = (typeof COLOR_WHEN)[number];

export const PROC_FILES = ['interrupts', 'softirqs', 'stat'] as const;
export type ProcFile = (typeof PROC_FILES)[number];

/** Of which there are schemas. */
export const PLATFORMS = ['xen', 'kvm', 'arm'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** As the engine's table has them. */
export const TRACE_FORMAT_NAMES = [
  'ftrace',
  'trace-dat',
  'perf',
  'xentrace',
  'ctf',
  'vcd',
  'chrome',
  'jsonl',
] as const;
export type TraceFormatName = (typeof TRACE_FORMAT_NAMES)[number];

/** Of ctl. */
export const CTL_VERBS = [
  'fire',
  'do',
  'pause',
  'run',
  'step',
  'next',
  'speed',
  'state',
  'snapshot',
  'events',
  'quit',
] as const;

/** Of --as. */
export const IMITATED = ['proc', 'lsirq', 'irqtop', 'xentop', 'kvm_stat', 'kvm_stat-l'] as const;
export type ImitatedName = (typeof IMITATED)[number];

export type CommandName =
  | 'virqtop'
  | 'compare'
  | 'completion'
  | 'ctl'
  | 'demo'
  | 'exec'
  | 'import'
  | 'paper'
  | 'proc'
  | 'procfs'
  | 'qtest'
  | 'scenario'
  | 'serve'
  | 'trace'
  | 'vectors';
