/** A demo in the monitor, one run after the other. */
import { buildMachine, type Command, type Demo, type DemoRun } from '../../engine/index.ts';
import type { Cue, DemoScript } from '../../tui/index.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import type { Options } from '../options.ts';
import { UsageError } from '../usage.ts';

export async function giveDemo(demo: Demo, runs: readonly DemoRun[], options: Options): Promise<number> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new UsageError('not a terminal: use -b for text or --check (see virqtop demo --help)');
  }
  const { runMonitor } = await import('../../tui/index.ts');
  keepOnInterrupt();
  for (let n = 0; n < runs.length; n++) {
    let goOn = false;
    const next = runs[n + 1] && {
      name: `on to ${runs[n + 1]!.name}`,
      begin() {
        goOn = true;
      },
    };
    const run = runs[n]!;
    const code = await runMonitor(buildMachine(run.scenario, demo.seed), {
      delay: 0.5,
      ascii: options.ascii,
      color: options.color,
      theme: options.theme,
      demo: { script: scriptOf(demo, run, next), cues: cuesOf(demo, run) },
    });
    if (code !== 0 || !goOn) return code;
  }
  return 0;
}

/** What the monitor says and shows. */
export function scriptOf(demo: Demo, run: DemoRun, next: DemoScript['next']): DemoScript {
  const number = demo.runs.length > 1 ? `, ${demo.runs.indexOf(run) + 1} of ${demo.runs.length}` : '';
  const title = run.name === '' ? demo.name : `${demo.name}: ${run.title}${number}`;
  return { title, scenes: run.steps, end: demo.end, next };
}

/** What is done to the machine, and at which pace it runs. */
export function cuesOf(demo: Demo, { steps }: DemoRun): Cue[] {
  const cues = steps.map(({ at, do: commands, speed, pause }) => ({
    at,
    commands: commands as readonly Command[],
    speed: speed === 'max' ? Number.POSITIVE_INFINITY : speed,
    pause,
  }));
  return [...cues, { at: demo.end, commands: [], pause: true }];
}
