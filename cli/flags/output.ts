/** What is shown of a machine, at which pace, and how. */
import { THEMES } from '../../tui/theme.ts';
import { cpuList, pattern } from '../batch/rows.ts';
import { COLOR_WHEN, IMITATED, PROC_FILES } from '../options.ts';
import * as values from '../values.ts';
import { LIVE, LIVE_FILES, MAIN, type OptionGroup, SCREEN } from './row.ts';

const DUMPS = ['d', 'e', 'i', 'I', 'M', 'q', 'r', 'z', 'lapic', 'pic', 'irq'] as const;

const THEME_NAMES = THEMES.map((t) => t.name);

export const SHOWN: OptionGroup = {
  title: 'What is shown:',
  of: MAIN,
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
      of: [...LIVE, 'compare'],
    },
    { flags: '-z, --skip-zero', help: 'hide rows that did not count lately', of: LIVE },
    {
      flags: '-f, --filter <regex>',
      help: 'rows of batch whose number, chip or name match',
      parse: (t) => pattern('--filter', t),
    },
    {
      flags: '-t, --threshold <n>',
      help: 'rows of batch that have counted so often',
      parse: (t) => values.whole('--threshold', t, 0),
    },
    {
      flags: '-C, --cpu-list <list>',
      help: 'CPUs whose counts -b shows, as 0-1,3',
      parse: (t) => cpuList('--cpu-list', t),
    },
    {
      flags: '-o, --output <list>',
      help: 'columns of -b: IRQ,TOTAL,NAME; +TOTAL adds',
    },
    { flags: '--hook', help: 'x86: record each vector of Xen; -b: as lines', of: LIVE },
    {
      flags: '--file <file>',
      offers: PROC_FILES,
      help: 'interrupts, softirqs or stat (default: interrupts)',
      parse: (t) => values.oneOf('--file', t, PROC_FILES),
      of: ['proc'],
    },
  ],
};

export const PACE: OptionGroup = {
  title: 'Its pace:',
  of: LIVE_FILES,
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
    },
  ],
};

export const OTHERS: OptionGroup = {
  title: 'For other programs:',
  of: [...LIVE, 'procfs'],
  rows: [
    {
      flags: '--metrics <host:port>',
      help: 'serve /metrics for Prometheus, as 127.0.0.1:9464',
      parse: (t) => values.address('--metrics', t),
    },
  ],
};

export const MONITOR: OptionGroup = {
  title: 'Monitor:',
  of: [...SCREEN, 'serve', 'compare'],
  rows: [
    {
      flags: '--speed <x>',
      offers: ['max'],
      help: 'simulated seconds per second, or max (default: 1)',
      parse: (t) => values.speed('--speed', t),
      of: [...LIVE, 'compare'],
    },
    { flags: '--ascii', help: 'draw with ASCII characters alone' },
    { flags: '--slow', help: 'for a slow line: ASCII, no colour, no sparklines' },
    {
      flags: '--color <when>',
      offers: COLOR_WHEN,
      help: 'auto, always or never (default: auto)',
      parse: (t) => values.oneOf('--color', t, COLOR_WHEN),
    },
    {
      flags: '--theme <name>',
      offers: THEME_NAMES,
      help: THEME_NAMES.join(', '),
      parse: (t) => values.oneOf('--theme', t, THEME_NAMES),
    },
    {
      flags: '--config <file>',
      offers: 'file',
      help: 'preferences (~/.config/virqtop/config.yaml)',
      of: MAIN,
    },
    { flags: '--no-config', help: 'neither read nor write any', of: MAIN },
  ],
};

export const BATCH: OptionGroup = {
  title: 'Batch:',
  of: MAIN,
  rows: [
    { flags: '-b, --batch', help: 'print text instead of the monitor' },
    { flags: '-J, --json', help: 'print JSON lines, a snapshot each' },
    { flags: '-b, --batch', help: 'print a report instead, as without a terminal', of: ['compare'] },
    { flags: '-J, --json', help: 'print a line of JSON with all numbers', of: ['compare'] },
    { flags: '--csv', help: 'print comma-separated values, a line each interrupt' },
    {
      flags: '--as <program>',
      offers: IMITATED,
      help: 'the text of lsirq, irqtop, xentop, kvm_stat, proc',
      parse: (t) => values.oneOf('--as', t, IMITATED),
    },
    {
      flags: '-n, --iterations <n>',
      help: 'updates to print (default: until interrupted)',
      parse: (t) => values.whole('--iterations', t, 1),
    },
    { flags: '--realtime', help: 'wait for the wall clock; else nothing sleeps' },
  ],
};

export const LOOK: OptionGroup = {
  title: 'One look, then leave:',
  of: MAIN,
  rows: [
    {
      flags: '--dump <key>',
      offers: DUMPS,
      help: "Xen's key d e i I M q r z; QEMU's lapic, pic, irq",
    },
    {
      flags: '--path <irq>',
      offers: ['fired'],
      help: 'hop by hop: fired, dom0:24, Xen:0xa0 (ARM: Xen:36)',
    },
    { flags: '--books', help: 'the account of every raise; with -b at its end' },
    {
      flags: '--at <time>',
      help: 'simulated time to look at (default: 1s)',
      parse: (t) => values.time('--at', t),
      of: ['virqtop', 'proc'],
    },
  ],
};
