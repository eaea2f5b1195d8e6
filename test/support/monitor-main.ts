/**
 * The monitor on the small test machine, as a process of its own: what the terminal tests run.
 *
 * Flags: --fail-at SECONDS (the engine throws), --draw-error, --every-row RATE, --quiet, --cpus N, --odd-name TEXT, and
 * those of the monitor: --speed, --delay, --ascii, --theme, --color, --domain.
 */
import { parseArgs } from 'node:util';
import { runMonitor } from '../../tui/index.ts';
import { fakeMachine } from './fake-machine.ts';

const { values } = parseArgs({
  options: {
    'fail-at': { type: 'string' },
    'draw-error': { type: 'boolean' },
    'every-row': { type: 'string' },
    'odd-name': { type: 'string' },
    quiet: { type: 'boolean' },
    cpus: { type: 'string' },
    speed: { type: 'string' },
    delay: { type: 'string' },
    ascii: { type: 'boolean' },
    theme: { type: 'string' },
    color: { type: 'string' },
    domain: { type: 'string' },
  },
});

const machine = fakeMachine({
  ...(values['fail-at'] ? { failAt: Number(values['fail-at']) * 1e9 } : {}),
  ...(values['draw-error'] ? { drawErrorAt: 1e9 } : {}),
  ...(values['every-row'] ? { everyRow: Number(values['every-row']) } : {}),
  ...(values['odd-name'] ? { oddName: values['odd-name'] } : {}),
  ...(values.quiet ? { quiet: true } : {}),
  ...(values.cpus ? { cpus: Number(values.cpus) } : {}),
});
process.exitCode = await runMonitor(machine, {
  speed: values.speed === 'max' ? Number.POSITIVE_INFINITY : Number(values.speed ?? 1),
  delay: Number(values.delay ?? 1),
  ascii: values.ascii,
  theme: values.theme,
  domain: values.domain,
  color: (values.color ?? 'auto') as 'auto' | 'always' | 'never',
});
