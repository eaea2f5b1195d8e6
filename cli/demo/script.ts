/** A run of a demo as the monitor takes it: what it says and shows, what it does and at which pace. */
import type { Command, Demo, DemoRun } from '../../engine/index.ts';
import type { Cue, DemoScript } from '../../tui/index.ts';

/** seconds between frames */
export const DELAY = 0.5;

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
