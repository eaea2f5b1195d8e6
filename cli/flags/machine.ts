/** Which machine runs, and what is done to it. */
import * as values from '../values.ts';
import { HOST, LIVE, type OptionGroup } from './row.ts';

export const THE_MACHINE: OptionGroup = {
  title: 'The machine:',
  of: HOST,
  rows: [
    {
      flags: '--scenario <name|file>',
      offers: 'scenario',
      help: 'built-in, or a YAML file (default: xen-mixed)',
    },
    {
      flags: '--seed <n>',
      help: 'same seed, same run (default: 42)',
      parse: (t) => values.seed('--seed', t),
      of: [...HOST, 'compare', 'paper', 'import'],
    },
    {
      flags: '--import <file...>',
      offers: 'file',
      help: 'a trace, or one or two captured /proc/interrupts',
      list: true,
    },
    {
      flags: '--interval <time>',
      help: 'time between the two captures',
      parse: (t) => values.duration('--interval', t),
    },
    {
      flags: '--uptime <time>',
      help: 'uptime at the capture (default: from its timers)',
      parse: (t) => values.duration('--uptime', t),
    },
    {
      flags: '--cpu-hz <hz>',
      help: 'of the TSC in a file of xentrace (default: 2.4G)',
      parse: (t) => values.frequency('--cpu-hz', t),
      of: [...HOST, 'import'],
    },
    {
      flags: '--fire <dev@time[xN]>',
      help: 'fire a device at a time, N times; repeatable',
      parse: (t) => values.fire('--fire', t),
      list: true,
      of: [...HOST, 'compare'],
    },
    { flags: '--record <file>', help: 'write down seed, scenario and all that is done', of: LIVE },
    { flags: '--replay <file>', help: 'repeat a run that was recorded', of: LIVE },
  ],
};
