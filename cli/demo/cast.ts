/** A demo as a recording: all its runs one after the other, a mark at each step and at all that is fired. */
import { buildMachine, type Demo, type DemoRun } from '../../engine/index.ts';
import { DEFAULT_SIZE, writeCast } from '../cast/file.ts';
import { Recording } from '../cast/record.ts';
import type { Options } from '../options.ts';
import { cuesOf, DELAY, scriptOf } from './script.ts';
import { commandText } from './text.ts';

export async function castDemo(demo: Demo, runs: readonly DemoRun[], options: Options): Promise<number> {
  const { size = DEFAULT_SIZE } = options;
  const recording = new Recording(size, `virqtop demo ${demo.name}: ${demo.title}`, options);
  await writeCast(options.cast!, async () => {
    for (const run of runs) {
      await recording.add({
        machine: buildMachine(run.scenario, demo.seed),
        until: demo.end,
        demo: scriptOf(demo, run, undefined),
        cues: cuesOf(demo, run),
        delay: DELAY,
        marks: marksOf(run),
      });
    }
    return recording.end();
  });
  return 0;
}

/** What a step does, or what it says where it does nothing. */
function marksOf({ name, steps }: DemoRun): { at: number; label: string }[] {
  const prefix = name === '' ? '' : `${name}: `;
  return steps.map(({ at, do: commands, caption = '' }, i) => {
    const label = commands.length > 0 ? commands.map(commandText).join('; ') : caption.split('\n')[0]!;
    return { at, label: prefix + (label || `step ${i + 1}`) };
  });
}
