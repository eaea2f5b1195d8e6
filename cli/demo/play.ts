/** One run of a demo, as fast as it goes: its steps are done, and what is expected on the way is looked at. */
import { setImmediate } from 'node:timers/promises';
import {
  buildMachine,
  type Command,
  type Demo,
  type DemoRun,
  type DemoStep,
  type Expectation,
  type Finding,
  judgeExpectation,
  type Machine,
  parseExpectation,
  type Snapshot,
  takeSnapshot,
} from '../../engine/index.ts';
import { Player } from '../player.ts';

/** events looked at between two looks at the world outside */
const STRIDE = 64;

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
    ? demo.expect.map((text) =>
        judgeExpectation(parseExpectation(text), { now: played.at(-1)!.now, at: () => {}, of }),
      )
    : [];
  return { demo, runs: played, findings };
}

async function playRun(demo: Demo, run: DemoRun): Promise<PlayedRun> {
  const machine = buildMachine(run.scenario, demo.seed);
  const way = new Way(machine);
  const steps: PlayedStep[] = [];
  for (const step of run.steps) {
    if (step.expect.length + step.do.length === 0) {
      way.by(step.at);
      steps.push({ step, findings: [], refused: [] });
      continue;
    }
    const { findings } = await way.to(step.at, step.expect);
    const refused = step.do.map((command) => machine.do(command as Command).refused);
    steps.push({ step, findings, refused });
  }
  return { run, steps, ...(await way.to(demo.end, run.expect)) };
}

/** From step to step: what a machine comes by, and how it stood at each. */
class Way {
  private readonly player: Player;
  /** steps to come by that ask for nothing */
  private between: number[] = [];
  /** by simulated time */
  private readonly stood = new Map<number, Snapshot>();

  constructor(private readonly machine: Machine) {
    this.player = new Player(machine);
  }

  by(at: number): void {
    this.between.push(at);
  }

  /** Runs to that moment. The answer is what became of these expectations there, or on the way. */
  async to(at: number, texts: readonly string[]): Promise<{ now: Snapshot; findings: Finding[] }> {
    const { machine, player, stood } = this;
    const all = texts.map((text) => parseExpectation(text));
    const met = new Map<Expectation, Finding>();
    let now = takeSnapshot(machine);
    for (const moment of [...this.between, at]) {
      await this.lookOut(moment, all, met);
      await player.advance(moment);
      now = takeSnapshot(machine);
      if (!stood.has(moment)) stood.set(moment, now);
    }
    this.between = [];
    for (const e of all) {
      if (e.when === 'never' && !met.has(e)) met.set(e, { text: e.text, held: true, found: 'never' });
    }
    return { now, findings: all.map((e) => met.get(e) ?? this.judge(e, now)) };
  }

  /** Looks at the machine after each event, as long as any expectation asks for more than the moment itself. */
  private async lookOut(
    until: number,
    all: readonly Expectation[],
    met: Map<Expectation, Finding>,
  ): Promise<void> {
    const { machine } = this;
    let open = all.filter((e) => e.when !== undefined && !met.has(e));
    for (let n = 1; open.length > 0 && machine.clock.next <= until; n++) {
      machine.step();
      const now = takeSnapshot(machine);
      for (const expectation of open) {
        const finding = this.judge(expectation, now);
        if (finding.held) met.set(expectation, { ...finding, held: expectation.when === 'once' });
      }
      open = open.filter((e) => !met.has(e));
      if (n % STRIDE === 0) await setImmediate();
    }
  }

  private judge(expectation: Expectation, now: Snapshot): Finding {
    return judgeExpectation(expectation, { now, at: (ns) => this.stood.get(ns) });
  }
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
