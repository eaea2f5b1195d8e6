/**
 * npm run soak [-- MINUTES]
 *
 * The monitor at 10 Hz for 10 minutes, or as long as told, with the wall clock: what it holds after a minute and what
 * after each further one, garbage collected. More than 5 percent from the first minute to the second, or from the sixth
 * on, when all is held that can be gone back to, makes the exit code 1.
 */
import { setTimeout } from 'node:timers/promises';
import { REAL_HOST } from '../../tui/real-host.ts';
import { grown, heap, Watched } from './watched.ts';

const MINUTE = 60_000;

async function main([minutes = '10']: readonly string[]): Promise<number> {
  const watched = new Watched(REAL_HOST, 'xen-mixed');
  watched.run();
  const sizes: number[] = [];
  for (let minute = 1; minute <= Number(minutes); minute++) {
    await setTimeout(MINUTE);
    watched.press();
    sizes.push(heap());
    const { cpu, frames } = watched.measure();
    const size = (sizes.at(-1)! / 1e6).toFixed(1);
    process.stdout.write(`minute ${minute}: ${size} MB, ${frames} frames, ${cpu.toFixed(0)}% of a CPU\n`);
  }
  watched.stop();
  const most = Math.max(grown(sizes.slice(0, 2)), grown(sizes.slice(5)));
  if (most <= 1.05) return 0;
  process.stderr.write(`soak: it has grown to ${most.toFixed(3)} times what it was, at most 1.05\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
