/** The command without a name: the monitor, or what the options ask for instead of it. */
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { checkTogether } from '../together.ts';

export async function main(options: Options, out: Output): Promise<number> {
  switch (checkTogether(options)) {
    case 'batch':
      return (await import('./batch.ts')).batch(options, out);
    case 'as':
      return (await import('./as.ts')).as(options, out);
    case 'look':
      return (await import('./look.ts')).look(options, out);
    case 'path':
      return (await import('./path.ts')).path(options, out);
    case 'cast':
      return (await import('./cast.ts')).cast(options);
    case 'monitor':
      return (await import('./monitor.ts')).monitor(options);
  }
}
