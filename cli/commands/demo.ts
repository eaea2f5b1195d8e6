/** `virqtop demo`: lists the demos, gives one in the monitor, as text, or checks what it promises. */
import { builtinDemos, type Demo, type DemoRun, loadDemo } from '../../engine/index.ts';
import { failuresOf, playDemo } from '../demo/play.ts';
import { playedText } from '../demo/text.ts';
import { readText } from '../files.ts';
import { looksLikeFile } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { hint, quoted, UsageError } from '../usage.ts';

export async function demo(wanted: string | undefined, options: Options, out: Output): Promise<number> {
  if (wanted === undefined) return list(options, out);
  const found = await demoOf(wanted);
  const runs = runsOf(found, options);
  checkTogether(options);
  if (options.check || options.batch) {
    const played = await playDemo(found, runs);
    await out.write(playedText(played, options.check !== true));
    return options.check && failuresOf(played).length > 0 ? 1 : 0;
  }
  if (options.cast !== undefined) return (await import('../demo/cast.ts')).castDemo(found, runs, options);
  const { giveDemo } = await import('../demo/give.ts');
  return giveDemo(found, runs, options);
}

/** @throws UsageError naming the first option that has no place beside the others */
function checkTogether({ check, batch, cast, size }: Options): void {
  const asked = [check && '--check', batch && '-b', cast !== undefined && '--cast'].filter(Boolean);
  if (asked.length > 1) throw new UsageError(`${asked.join(' and ')}: must be one of them`);
  if (size && cast === undefined) throw new UsageError('--size: goes with --cast');
}

async function list(options: Options, out: Output): Promise<number> {
  const [stray] = Object.keys(options);
  if (stray !== undefined) throw new UsageError(`demo: --${stray} must have the name of a demo`);
  const demos = await builtinDemos();
  const widest = Math.max(...demos.map((d) => d.name.length));
  const lines = demos.map(
    ({ name, title }, i) => `${String(i + 1).padStart(2)}  ${name.padEnd(widest)}  ${title}\n`,
  );
  await out.write(lines.join(''));
  return 0;
}

/** By its name, its number in the list, or from a file. */
async function demoOf(wanted: string): Promise<Demo> {
  const demos = await builtinDemos();
  const found = demos.find((d, i) => d.name === wanted || String(i + 1) === wanted);
  if (found) return found;
  if (looksLikeFile(wanted)) return loadDemo(readText(wanted), wanted);
  throw new UsageError(
    `unknown demo ${quoted(wanted)}${hint(
      wanted,
      demos.map((d) => d.name),
    )}`,
  );
}

function runsOf({ name, runs }: Demo, { run }: Options): readonly DemoRun[] {
  if (run === undefined) return runs;
  const chosen = runs.filter((r) => r.name === run);
  if (chosen.length > 0) return chosen;
  const names = runs.map((r) => r.name).filter((n) => n !== '');
  if (names.length === 0) throw new UsageError(`--run ${quoted(run)}: demo ${name} has one run alone`);
  throw new UsageError(`--run ${quoted(run)}: no such run in demo ${name}${hint(run, names)}`);
}
