/** A demo in the monitor, one run after the other. */
import { buildMachine, type Demo, type DemoRun } from '../../engine/index.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import type { Options } from '../options.ts';
import { checkTerminal } from '../terminal.ts';
import { cuesOf, DELAY, scriptOf } from './script.ts';

export async function giveDemo(demo: Demo, runs: readonly DemoRun[], options: Options): Promise<number> {
  checkTerminal('-b for text or --check (see virqtop demo --help)');
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
      delay: DELAY,
      ascii: options.ascii,
      slow: options.slow,
      color: options.color,
      theme: options.theme,
      demo: { script: scriptOf(demo, run, next), cues: cuesOf(demo, run) },
    });
    if (code !== 0 || !goOn) return code;
  }
  return 0;
}
