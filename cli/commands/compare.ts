/** `virqtop compare`: two scenarios, or one with settings, run alike; prints what differs. */
import { type Machine, type Setting, takeSnapshot } from '../../engine/index.ts';
import { comparisonOf, type Side } from '../compare/comparison.ts';
import { compareJson } from '../compare/json.ts';
import { settingsOf } from '../compare/settings.ts';
import { compareText } from '../compare/text.ts';
import { Follower } from '../follower.ts';
import { checkFires, machineFor, scenarioOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { printable, UsageError } from '../usage.ts';

const DEFAULT_FOR = 5e9;

export async function compare(a: string, b: string, options: Options, out: Output): Promise<number> {
  const { a: ofA = [], b: ofB = [], json } = options;
  if (a === b && ofA.length + ofB.length === 0) {
    throw new UsageError(
      `compare ${printable(a)}: nothing to compare with, expected a second scenario, or --b as apicv=true`,
    );
  }
  const scenarios = [await scenarioOf(a, ofA), await scenarioOf(b, ofB)] as const;
  const machines = [
    await machineFor(scenarios[0], options),
    await machineFor(scenarios[1], options),
  ] as const;
  for (const machine of machines) checkFires(machine, options);
  const comparison = comparisonOf(
    await run(machines[0], a, ofA, options),
    await run(machines[1], b, ofB, options),
    settingsOf(...scenarios),
  );
  await out.write(json ? compareJson(comparison) : compareText(comparison));
  return 0;
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
