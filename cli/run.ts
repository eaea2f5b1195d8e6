/** A machine that is run from its start, by the options or as it was recorded, and perhaps written down. */
import {
  buildMachine,
  builtinScenario,
  builtinScenarios,
  DEFAULT_SCENARIO,
  type Done,
  FormatError,
  loadRecording,
  loadScenario,
  type Machine,
  type RecordingHead,
  type Scenario,
} from '../engine/index.ts';
import type { Recorded } from '../tui/journal.ts';
import { readText } from './files.ts';
import { looksLikeFile, machineOf, scenarioOf } from './machine.ts';
import type { Options } from './options.ts';
import { Recorder } from './recorder.ts';
import { quoted } from './usage.ts';
import { VERSION } from './version.ts';

export interface Run {
  readonly machine: Machine;
  /** what --replay repeats */
  readonly recorded?: Recorded;
  /** of --record */
  readonly recorder?: Recorder;
}

/** @throws UsageError, or the engine's UserError */
export async function runOf(options: Options): Promise<Run> {
  if (options.replay !== undefined) return replayed(options.replay);
  if (options.record === undefined) return { machine: await machineOf(options) };
  const { scenario: wanted = DEFAULT_SCENARIO } = options;
  const source = looksLikeFile(wanted) ? { file: wanted, text: readText(wanted) } : wanted;
  const machine = await machineOf(options);
  const hook = { ...machine.place, command: { do: 'hook', on: true } } as const;
  const recorder = new Recorder(options.record, source, machine, options.hook ? [hook] : []);
  return { machine, recorder };
}

async function replayed(file: string): Promise<Run> {
  const { head, commands, end } = await loadRecording(readText(file), file);
  if (head.virqtop !== VERSION) {
    const problem = `virqtop: recorded by ${quoted(head.virqtop)}, must be '${VERSION}': runs differ between versions`;
    throw new FormatError(file, 1, problem);
  }
  const machine = buildMachine(await scenarioIn(head.scenario, file), head.seed);
  return { machine, recorded: { commands: commands as readonly Done[], end } };
}

async function scenarioIn(scenario: RecordingHead['scenario'], file: string): Promise<Scenario> {
  if (typeof scenario !== 'string') return loadScenario(scenario.text, `${file}:1: ${scenario.file}`);
  if (builtinScenario(scenario)) return scenarioOf(scenario);
  const names = builtinScenarios().map((s) => s.name);
  throw new FormatError(
    file,
    1,
    `scenario: no built-in ${quoted(scenario)}: must be one of ${names.join(', ')}`,
  );
}
