/** Groups that one command, or two, have to themselves. */
import { PLATFORMS, TRACE_FORMAT_NAMES } from '../options.ts';
import { address } from '../ssh/address.ts';
import * as values from '../values.ts';
import { LIVE, MAIN, type OptionGroup, SCREEN } from './row.ts';

export const BOARD: OptionGroup = {
  title: 'The board:',
  of: ['qtest'],
  rows: [
    {
      flags: '--machine <name>',
      offers: ['pc', 'virt'],
      help: 'pc: 8259s, IOAPIC, local APIC; virt: a GIC',
    },
  ],
};

export const SCENARIOS: OptionGroup = {
  title: 'Scenarios:',
  of: ['scenario'],
  rows: [
    { flags: '--full', help: 'show: with every default filled in' },
    {
      flags: '--platform <name>',
      offers: PLATFORMS,
      help: 'schema: of xen, kvm or arm hosts alone',
      parse: (t) => values.oneOf('--platform', t, PLATFORMS),
    },
    { flags: '-J, --json', help: 'list, validate: a line of JSON for each' },
  ],
};

export const SIDES: OptionGroup = {
  title: 'The sides:',
  of: ['compare'],
  rows: [
    {
      flags: '--a <path=value>',
      help: 'a setting of A, as apicv=true; repeatable',
      parse: (t) => values.setting('--a', t),
      list: true,
    },
    {
      flags: '--b <path=value>',
      help: 'a setting of B, as guests[0].fifo=false; repeatable',
      parse: (t) => values.setting('--b', t),
      list: true,
    },
    {
      flags: '--for <time>',
      help: 'a report of so much simulated time (default: 5s)',
      parse: (t) => values.duration('--for', t),
    },
  ],
};

export const RECORDING: OptionGroup = {
  title: 'Recording:',
  of: SCREEN,
  rows: [
    {
      flags: '--cast <file>',
      offers: 'file',
      help: 'the monitor as an asciicast, without a terminal',
    },
    {
      flags: '--size <size>',
      help: 'of its screen, in cells (default: 120x40)',
      parse: (t) => values.size('--size', t),
    },
    {
      flags: '--for <time>',
      help: 'simulated time recorded (default: 10s)',
      parse: (t) => values.duration('--for', t),
      of: MAIN,
    },
  ],
};

export const CONTROL: OptionGroup = {
  title: 'Control from elsewhere:',
  of: LIVE,
  rows: [
    { flags: '--socket <name|path>', offers: 'file', help: 'listen there for virqtop ctl' },
    {
      flags: '--socket <name|path>',
      offers: 'file',
      help: 'of which one (default: the only one there is)',
      of: ['ctl'],
    },
  ],
};

export const VISITORS: OptionGroup = {
  title: 'Who comes in:',
  of: ['serve'],
  rows: [
    {
      flags: '--ssh <host:port>',
      help: 'where to listen, as 127.0.0.1:2222 or [::]:2222',
      parse: (t) => address('--ssh', t),
    },
    {
      flags: '--authorized-keys <file>',
      help: 'keys that log in (default: ~/.ssh/authorized_keys)',
      offers: 'file',
    },
    {
      flags: '--password-file <file>',
      help: 'lines USER:PASSWORD, * any user; mode 0600',
      offers: 'file',
    },
    {
      flags: '--control <file|user>',
      help: 'keys, or a user of passwords, that control',
      list: true,
      offers: 'file',
    },
    {
      flags: '--host-key <file>',
      help: 'key of the server, made on the first run',
      offers: 'file',
    },
    {
      flags: '--max-sessions <n>',
      help: 'viewers at the same time (default: 16)',
      parse: (t) => values.whole('--max-sessions', t, 1, 1000),
    },
    {
      flags: '--idle <time>',
      help: 'without a key, then out; 0: never (default: 30m)',
      parse: (t) => values.time('--idle', t),
    },
  ],
};

export const THE_DEMO: OptionGroup = {
  title: 'The demo:',
  of: ['demo'],
  rows: [
    { flags: '--run <name>', help: 'this run of it alone' },
    { flags: '--check', help: 'what it promises; exit status 1 if not all is so' },
    { flags: '-b, --batch', help: 'all that it says, does and expects as text' },
  ],
};

export const REPORT: OptionGroup = {
  title: 'The report:',
  of: ['import'],
  rows: [{ flags: '-J, --json', help: 'a line of JSON, with every second' }],
};

export const TABLE: OptionGroup = {
  title: 'The table:',
  of: ['paper'],
  rows: [
    { flags: '--why', help: 'what each row is made of' },
    { flags: '-J, --json', help: 'a line of JSON for each row' },
  ],
};

export const THE_TRACE: OptionGroup = {
  title: 'The trace:',
  of: ['trace'],
  rows: [
    {
      flags: '--format <name>',
      offers: TRACE_FORMAT_NAMES,
      help: 'one of those above (default: ftrace)',
      parse: (t) => values.oneOf('--format', t, TRACE_FORMAT_NAMES),
    },
    {
      flags: '-o, --output <file>',
      offers: 'file',
      help: 'into this file (default: standard output)',
    },
    {
      flags: '--at <time>',
      help: 'simulated time when it begins (default: 0, at boot)',
      parse: (t) => values.time('--at', t),
    },
    {
      flags: '--for <time>',
      help: 'simulated time that it covers (default: 1s)',
      parse: (t) => values.duration('--for', t),
    },
  ],
};
