/** One run of a demo, as fast as it goes: its steps are done, and what is expected on the way is looked at. */
import {
  buildMachine,
  type Command,
  type Demo,
  type DemoRun,
  type DemoStep,
  type Finding,
  judgeExpectation,
  parseExpectation,
  type Snapshot,
  takeSnapshot,
} from '../../engine/index.ts';
import { Player } from '../player.ts';

/** What came of a step. */
export interface PlayedStep {
  readonly step: DemoStep;
  readonly findings: readonly Finding[];
  /** by command: why it was not done */
  readonly refused: readonly (string | undefined)[];
}

export interface PlayedRun {
  readonly run: DemoRun;
  readonly steps: readonly PlayedStep[];
  /** at its end */
  readonly now: Snapshot;
  readonly findings: readonly Finding[];
}

export interface PlayedDemo {
  readonly demo: Demo;
  readonly runs: readonly PlayedRun[];
  /** between the ends of the runs */
  readonly findings: readonly Finding[];
}

/** @param runs those that are played, all of the demo's unless one was chosen */
export async function playDemo(demo: Demo, runs = demo.runs): Promise<PlayedDemo> {
  const played: PlayedRun[] = [];
  for (const run of runs) played.push(await playRun(demo, run));
  const all = runs.length === demo.runs.length;
  const of = (name: string) => played.find((p) => p.run.name === name)?.now;
  const findings = all
    ? demo.expect.map((text) => judge(text, { now: played.at(-1)!.now, at: () => {}, of }))
    : [];
  return { demo, runs: played, findings };
}

async function playRun(demo: Demo, run: DemoRun): Promise<PlayedRun> {
  const machine = buildMachine(run.scenario, demo.seed);
  const player = new Player(machine);
  const at = new Map<number, Snapshot>();
  const steps: PlayedStep[] = [];
  for (const step of run.steps) {
    await player.advance(step.at);
    const now = takeSnapshot(machine);
    at.set(step.at, at.get(step.at) ?? now);
    const findings = step.expect.map((text) => judge(text, { now, at: (ns) => at.get(ns) }));
    const refused = step.do.map((command) => machine.do(command as Command).refused);
    steps.push({ step, findings, refused });
  }
  await player.advance(demo.end);
  const now = takeSnapshot(machine);
  const findings = run.expect.map((text) => judge(text, { now, at: (ns) => at.get(ns) }));
  return { run, steps, now, findings };
}

function judge(text: string, evidence: Parameters<typeof judgeExpectation>[1]): Finding {
  return judgeExpectation(parseExpectation(text), evidence);
}

/** All that did not come out as the demo says. */
export function failuresOf({ runs, findings }: PlayedDemo): string[] {
  const told = (list: readonly Finding[]) => list.filter((f) => !f.held).map((f) => `${f.text}: ${f.found}`);
  return [
    ...runs.flatMap((run) => [
      ...run.steps.flatMap(({ refused, findings }) => [
        ...told(findings),
        ...refused.filter((r) => r !== undefined),
      ]),
      ...told(run.findings),
    ]),
    ...told(findings),
  ];
}
