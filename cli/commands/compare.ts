/** `virqtop compare`: two scenarios, or one with settings, run alike: side by side in the monitor, or what differs as a report. */
import { buildMachine, type Machine, type Setting, takeSnapshot } from '../../engine/index.ts';
import { comparisonOf, type Side } from '../compare/comparison.ts';
import { contestOf } from '../compare/contest.ts';
import { compareJson } from '../compare/json.ts';
import { settingsOf } from '../compare/settings.ts';
import { compareText } from '../compare/text.ts';
import { Follower } from '../follower.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { checkFires, DEFAULT_SEED, scenarioOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { canDraw } from '../terminal.ts';
import { printable, UsageError } from '../usage.ts';
import { delayOf } from './monitor.ts';

const DEFAULT_FOR = 5e9;

export async function compare(a: string, b: string, options: Options, out: Output): Promise<number> {
  const { a: ofA = [], b: ofB = [], json } = options;
  if (a === b && ofA.length + ofB.length === 0) {
    throw new UsageError(
      `compare ${printable(a)}: nothing to compare with, expected a second scenario, or --b as apicv=true`,
    );
  }
  const scenarios = [await scenarioOf(a, ofA), await scenarioOf(b, ofB)] as const;
  const { seed = DEFAULT_SEED } = options;
  const machines = [buildMachine(scenarios[0], seed), buildMachine(scenarios[1], seed)] as const;
  for (const machine of machines) checkFires(machine, options);
  if (isWatched(options)) {
    const contest = contestOf(machines, scenarios, [a, b], [ofA, ofB]);
    const { speed, ascii, slow, color, theme } = options;
    const { watchComparison } = await import('../../tui/compare/index.ts');
    keepOnInterrupt();
    return watchComparison(contest, { speed, ascii, slow, color, theme, delay: delayOf(options) });
  }
  const comparison = comparisonOf(
    await run(machines[0], a, ofA, options),
    await run(machines[1], b, ofB, options),
    settingsOf(...scenarios),
  );
  await out.write(json ? compareJson(comparison) : compareText(comparison));
  return 0;
}

/** On a terminal, unless a report is asked for: by its form, by the time it is about, or by what is fired for it. */
function isWatched({ batch, json, for: time, fire }: Options): boolean {
  const report = batch || json || time !== undefined || fire !== undefined;
  return !report && canDraw();
}

/** Runs one side, and follows each interrupt that is fired on it. */
async function run(
  machine: Machine,
  wanted: string,
  settings: readonly Setting[],
  { for: time = DEFAULT_FOR, fire = [] }: Options,
): Promise<Side> {
  const before = takeSnapshot(machine);
  const end = before.time + time;
  const plan = [...fire].sort((x, y) => x.at - y.at);
  const player = new Player(machine);
  new Player(machine, plan).checkEnd(end);
  const follower = new Follower(machine);
  for (const one of plan) {
    await follower.run(one.at);
    await player.advance(one.at);
    follower.fire(one);
  }
  await follower.run(end);
  await player.advance(end);
  const journeys = follower.journeys();
  return {
    wanted,
    settings: settings.map((s) => s.asked),
    before,
    now: takeSnapshot(machine),
    fired: plan.map((one, i) => ({ fire: one, journey: journeys[i]! })),
  };
}
