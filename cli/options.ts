/** The options in one table: which there are, what they take, which command knows them, what the help says. */
import type { Setting } from '../engine/index.ts';
import { THEMES } from '../tui/theme.ts';
import { cpuList, pattern } from './batch/rows.ts';
import { type Address, address } from './ssh/address.ts';
import * as values from './values.ts';

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

const COLOR_WHEN = ['auto', 'always', 'never'] as const;
export type ColorWhen = (typeof COLOR_WHEN)[number];

const PROC_FILES = ['interrupts', 'softirqs', 'stat'] as const;
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
const IMITATED = ['proc', 'lsirq', 'irqtop', 'xentop', 'kvm_stat', 'kvm_stat-l'] as const;
export type ImitatedName = (typeof IMITATED)[number];

const DUMPS = ['d', 'e', 'i', 'I', 'M', 'q', 'r', 'z', 'lapic', 'pic', 'irq'] as const;

const THEME_NAMES = THEMES.map((t) => t.name);

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

/** Words that a shell completes: these, or names of files, of built-in scenarios (or files). */
export type Offer = readonly string[] | 'file' | 'scenario';

export interface OptionRow {
  readonly flags: string;
  readonly help: string;
  readonly parse?: (text: string) => unknown;
  /** collects the values of repeated options */
  readonly list?: boolean;
  /** what a shell offers for the value; without it nothing */
  readonly offers?: Offer;
  readonly of: readonly CommandName[];
}

export interface OptionGroup {
  readonly title: string;
  readonly rows: readonly OptionRow[];
}

const LIVE_FILES: readonly CommandName[] = ['exec', 'procfs'];
const BOTH: readonly CommandName[] = ['virqtop', 'proc', 'trace', ...LIVE_FILES];
const MAIN: readonly CommandName[] = ['virqtop'];
/** what runs on, with a screen */
const LIVE: readonly CommandName[] = ['virqtop', 'serve'];
const SERVE: readonly CommandName[] = ['serve'];
const HOST: readonly CommandName[] = [...BOTH, 'serve'];
const PROC: readonly CommandName[] = ['proc'];
const TRACE: readonly CommandName[] = ['trace'];
const COMPARE: readonly CommandName[] = ['compare'];
const DEMO: readonly CommandName[] = ['demo'];
const IMPORT: readonly CommandName[] = ['import'];
const PAPER: readonly CommandName[] = ['paper'];
const SCREEN: readonly CommandName[] = [...MAIN, ...DEMO];
/** with a screen that is drawn */
const DRAWN: readonly CommandName[] = [...SCREEN, ...SERVE, ...COMPARE];
const ALL: readonly CommandName[] = [...HOST, ...COMPARE];

/** Groups of the help, in its order. */
const GROUPS: readonly OptionGroup[] = [
  {
    title: 'The board:',
    rows: [
      {
        flags: '--machine <name>',
        offers: ['pc', 'virt'],
        help: 'pc: 8259s, IOAPIC, local APIC; virt: a GIC',
        of: ['qtest'],
      },
    ],
  },
  {
    title: 'Scenarios:',
    rows: [
      { flags: '--full', help: 'show: with every default filled in', of: ['scenario'] },
      {
        flags: '--platform <name>',
        offers: PLATFORMS,
        help: 'schema: of xen, kvm or arm hosts alone',
        parse: (t) => values.oneOf('--platform', t, PLATFORMS),
        of: ['scenario'],
      },
      { flags: '-J, --json', help: 'list, validate: a line of JSON for each', of: ['scenario'] },
    ],
  },
  {
    title: 'The sides:',
    rows: [
      {
        flags: '--a <path=value>',
        help: 'a setting of A, as apicv=true; repeatable',
        parse: (t) => values.setting('--a', t),
        list: true,
        of: COMPARE,
      },
      {
        flags: '--b <path=value>',
        help: 'a setting of B, as guests[0].fifo=false; repeatable',
        parse: (t) => values.setting('--b', t),
        list: true,
        of: COMPARE,
      },
      {
        flags: '--for <time>',
        help: 'a report of so much simulated time (default: 5s)',
        parse: (t) => values.duration('--for', t),
        of: COMPARE,
      },
    ],
  },
  {
    title: 'Recording:',
    rows: [
      {
        flags: '--cast <file>',
        offers: 'file',
        help: 'the monitor as an asciicast, without a terminal',
        of: SCREEN,
      },
      {
        flags: '--size <size>',
        help: 'of its screen, in cells (default: 120x40)',
        parse: (t) => values.size('--size', t),
        of: SCREEN,
      },
      {
        flags: '--for <time>',
        help: 'simulated time recorded (default: 10s)',
        parse: (t) => values.duration('--for', t),
        of: MAIN,
      },
    ],
  },
  {
    title: 'Control from elsewhere:',
    rows: [
      { flags: '--socket <name|path>', offers: 'file', help: 'listen there for virqtop ctl', of: LIVE },
      {
        flags: '--socket <name|path>',
        offers: 'file',
        help: 'of which one (default: the only one there is)',
        of: ['ctl'],
      },
    ],
  },
  {
    title: 'Who comes in:',
    rows: [
      {
        flags: '--ssh <host:port>',
        help: 'where to listen, as 127.0.0.1:2222 or [::]:2222',
        parse: (t) => address('--ssh', t),
        of: SERVE,
      },
      {
        flags: '--authorized-keys <file>',
        help: 'keys that log in (default: ~/.ssh/authorized_keys)',
        offers: 'file',
        of: SERVE,
      },
      {
        flags: '--password-file <file>',
        help: 'lines USER:PASSWORD, * any user; mode 0600',
        offers: 'file',
        of: SERVE,
      },
      {
        flags: '--control <file|user>',
        help: 'keys, or a user of passwords, that control',
        list: true,
        offers: 'file',
        of: SERVE,
      },
      {
        flags: '--host-key <file>',
        help: 'key of the server, made on the first run',
        offers: 'file',
        of: SERVE,
      },
      {
        flags: '--max-sessions <n>',
        help: 'viewers at the same time (default: 16)',
        parse: (t) => values.whole('--max-sessions', t, 1, 1000),
        of: SERVE,
      },
      {
        flags: '--idle <time>',
        help: 'without a key, then out; 0: never (default: 30m)',
        parse: (t) => values.time('--idle', t),
        of: SERVE,
      },
    ],
  },
  {
    title: 'The demo:',
    rows: [
      { flags: '--run <name>', help: 'this run of it alone', of: DEMO },
      { flags: '--check', help: 'what it promises; exit status 1 if not all is so', of: DEMO },
      { flags: '-b, --batch', help: 'all that it says, does and expects as text', of: DEMO },
    ],
  },
  {
    title: 'The report:',
    rows: [{ flags: '-J, --json', help: 'a line of JSON, with every second', of: IMPORT }],
  },
  {
    title: 'The table:',
    rows: [
      { flags: '--why', help: 'what each row is made of', of: PAPER },
      { flags: '-J, --json', help: 'a line of JSON for each row', of: PAPER },
    ],
  },
  {
    title: 'The machine:',
    rows: [
      {
        flags: '--scenario <name|file>',
        offers: 'scenario',
        help: 'built-in, or a YAML file (default: xen-mixed)',
        of: HOST,
      },
      {
        flags: '--seed <n>',
        help: 'same seed, same run (default: 42)',
        parse: (t) => values.seed('--seed', t),
        of: [...ALL, ...PAPER, ...IMPORT],
      },
      {
        flags: '--import <file...>',
        offers: 'file',
        help: 'a trace, or one or two captured /proc/interrupts',
        list: true,
        of: HOST,
      },
      {
        flags: '--interval <time>',
        help: 'time between the two captures',
        parse: (t) => values.duration('--interval', t),
        of: HOST,
      },
      {
        flags: '--uptime <time>',
        help: 'uptime at the capture (default: from its timers)',
        parse: (t) => values.duration('--uptime', t),
        of: HOST,
      },
      {
        flags: '--cpu-hz <hz>',
        help: 'of the TSC in a file of xentrace (default: 2.4G)',
        parse: (t) => values.frequency('--cpu-hz', t),
        of: [...HOST, ...IMPORT],
      },
      {
        flags: '--fire <dev@time[xN]>',
        help: 'fire a device at a time, N times; repeatable',
        parse: (t) => values.fire('--fire', t),
        list: true,
        of: ALL,
      },
      { flags: '--record <file>', help: 'write down seed, scenario and all that is done', of: LIVE },
      { flags: '--replay <file>', help: 'repeat a run that was recorded', of: LIVE },
    ],
  },
  {
    title: 'The trace:',
    rows: [
      {
        flags: '--format <name>',
        offers: TRACE_FORMAT_NAMES,
        help: 'one of those above (default: ftrace)',
        parse: (t) => values.oneOf('--format', t, TRACE_FORMAT_NAMES),
        of: TRACE,
      },
      {
        flags: '-o, --output <file>',
        offers: 'file',
        help: 'into this file (default: standard output)',
        of: TRACE,
      },
      {
        flags: '--at <time>',
        help: 'simulated time when it begins (default: 0, at boot)',
        parse: (t) => values.time('--at', t),
        of: TRACE,
      },
      {
        flags: '--for <time>',
        help: 'simulated time that it covers (default: 1s)',
        parse: (t) => values.duration('--for', t),
        of: TRACE,
      },
    ],
  },
  {
    title: 'What is shown:',
    rows: [
      {
        flags: '-g, --domain <name>',
        help: 'a domain, or Xen (default: dom0, or the host)',
        of: LIVE,
      },
      {
        flags: '-g, --domain <name>',
        help: 'domain, name or number (default: dom0, or the host)',
        of: ['proc', 'exec'],
      },
      {
        flags: '-d, --delay <time>',
        help: 'between updates; simulated in batch (default: 1s)',
        parse: (t) => values.duration('--delay', t),
        of: [...LIVE, ...COMPARE],
      },
      { flags: '-z, --skip-zero', help: 'hide rows that did not count lately', of: LIVE },
      {
        flags: '-f, --filter <regex>',
        help: 'rows of batch whose number, chip or name match',
        parse: (t) => pattern('--filter', t),
        of: MAIN,
      },
      {
        flags: '-t, --threshold <n>',
        help: 'rows of batch that have counted so often',
        parse: (t) => values.whole('--threshold', t, 0),
        of: MAIN,
      },
      {
        flags: '-C, --cpu-list <list>',
        help: 'CPUs whose counts -b shows, as 0-1,3',
        parse: (t) => cpuList('--cpu-list', t),
        of: MAIN,
      },
      {
        flags: '-o, --output <list>',
        help: 'columns of -b: IRQ,TOTAL,NAME; +TOTAL adds',
        of: MAIN,
      },
      { flags: '--hook', help: 'x86: record each vector of Xen; -b: as lines', of: LIVE },
      {
        flags: '--file <file>',
        offers: PROC_FILES,
        help: 'interrupts, softirqs or stat (default: interrupts)',
        parse: (t) => values.oneOf('--file', t, PROC_FILES),
        of: PROC,
      },
    ],
  },
  {
    title: 'Its pace:',
    rows: [
      {
        flags: '--at <time>',
        help: 'simulated time when it starts (default: 10s)',
        parse: (t) => values.time('--at', t),
        of: ['exec'],
      },
      {
        flags: '-d, --delay <time>',
        help: 'simulated, between updates (1s; exec: 100ms)',
        parse: (t) => values.duration('--delay', t),
        of: LIVE_FILES,
      },
      {
        flags: '-n, --iterations <n>',
        help: 'updates until it ends (default: until interrupted)',
        parse: (t) => values.whole('--iterations', t, 1),
        of: ['procfs'],
      },
      {
        flags: '--speed <x>',
        offers: ['max'],
        help: 'simulated seconds per second, or max (default: 1)',
        parse: (t) => values.speed('--speed', t),
        of: LIVE_FILES,
      },
    ],
  },
  {
    title: 'For other programs:',
    rows: [
      {
        flags: '--metrics <host:port>',
        help: 'serve /metrics for Prometheus, as 127.0.0.1:9464',
        parse: (t) => values.address('--metrics', t),
        of: [...LIVE, 'procfs'],
      },
    ],
  },
  {
    title: 'Monitor:',
    rows: [
      {
        flags: '--speed <x>',
        offers: ['max'],
        help: 'simulated seconds per second, or max (default: 1)',
        parse: (t) => values.speed('--speed', t),
        of: [...LIVE, ...COMPARE],
      },
      { flags: '--ascii', help: 'draw with ASCII characters alone', of: DRAWN },
      { flags: '--slow', help: 'for a slow line: ASCII, no colour, no sparklines', of: DRAWN },
      {
        flags: '--color <when>',
        offers: COLOR_WHEN,
        help: 'auto, always or never (default: auto)',
        parse: (t) => values.oneOf('--color', t, COLOR_WHEN),
        of: DRAWN,
      },
      {
        flags: '--theme <name>',
        offers: THEME_NAMES,
        help: THEME_NAMES.join(', '),
        parse: (t) => values.oneOf('--theme', t, THEME_NAMES),
        of: DRAWN,
      },
      {
        flags: '--config <file>',
        offers: 'file',
        help: 'preferences (~/.config/virqtop/config.yaml)',
        of: MAIN,
      },
      { flags: '--no-config', help: 'neither read nor write any', of: MAIN },
    ],
  },
  {
    title: 'Batch:',
    rows: [
      { flags: '-b, --batch', help: 'print text instead of the monitor', of: MAIN },
      { flags: '-J, --json', help: 'print JSON lines, a snapshot each', of: MAIN },
      { flags: '-b, --batch', help: 'print a report instead, as without a terminal', of: COMPARE },
      { flags: '-J, --json', help: 'print a line of JSON with all numbers', of: COMPARE },
      { flags: '--csv', help: 'print comma-separated values, a line each interrupt', of: MAIN },
      {
        flags: '--as <program>',
        offers: IMITATED,
        help: 'the text of lsirq, irqtop, xentop, kvm_stat, proc',
        parse: (t) => values.oneOf('--as', t, IMITATED),
        of: MAIN,
      },
      {
        flags: '-n, --iterations <n>',
        help: 'updates to print (default: until interrupted)',
        parse: (t) => values.whole('--iterations', t, 1),
        of: MAIN,
      },
      { flags: '--realtime', help: 'wait for the wall clock; else nothing sleeps', of: MAIN },
    ],
  },
  {
    title: 'One look, then leave:',
    rows: [
      {
        flags: '--dump <key>',
        offers: DUMPS,
        help: "Xen's key d e i I M q r z; QEMU's lapic, pic, irq",
        of: MAIN,
      },
      {
        flags: '--path <irq>',
        offers: ['fired'],
        help: 'hop by hop: fired, dom0:24, Xen:0xa0 (ARM: Xen:36)',
        of: MAIN,
      },
      { flags: '--books', help: 'the account of every raise; with -b at its end', of: MAIN },
      {
        flags: '--at <time>',
        help: 'simulated time to look at (default: 1s)',
        parse: (t) => values.time('--at', t),
        of: ['virqtop', 'proc'],
      },
    ],
  },
];

/** The options of a command, in the groups of its help. */
export function optionsOf(command: CommandName): OptionGroup[] {
  return GROUPS.map(({ title, rows }) => ({
    title,
    rows: rows.filter((row) => row.of.includes(command)),
  })).filter(({ rows }) => rows.length > 0);
}
