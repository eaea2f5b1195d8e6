/** Scenario files of users, and settings: parser and schema are read only when there is something to parse. */
import type { DemoCommand } from './demo.ts';
import type { Platform, Scenario } from './kinds.ts';
import type { CheckedScenario } from './load.ts';
import type { Recording } from './recording.ts';
import type { Setting } from './settings.ts';

/** @throws UserError naming the file, the line and what was expected */
export async function loadScenario(
  text: string,
  file: string,
  settings: readonly Setting[] = [],
): Promise<Scenario> {
  const { parseScenarioWith } = await import('./settings.ts');
  return parseScenarioWith(text, file, settings);
}

/** A finished scenario with settings. @throws UserError naming the setting and what was expected */
export async function changeScenario(scenario: Scenario, settings: readonly Setting[]): Promise<Scenario> {
  if (settings.length === 0) return scenario;
  return (await import('./settings.ts')).changeScenario(scenario, settings);
}

/** The scenario, or every mistake in the text. */
export async function checkScenario(text: string, file: string): Promise<CheckedScenario> {
  const { checkScenario } = await import('./load.ts');
  return checkScenario(text, file);
}

/** A scenario as YAML that loads to the same again. */
export async function printScenario(scenario: Scenario): Promise<string> {
  const { printScenario } = await import('./print.ts');
  return printScenario(scenario);
}

/** The JSON Schema of scenarios; without a platform of all. */
export async function scenarioJsonSchema(platform?: Platform): Promise<object> {
  const { jsonSchema } = await import('./json-schema.ts');
  return jsonSchema(platform);
}

/** A run that was recorded. @throws UserError naming the file, the line and what was expected */
export async function loadRecording(text: string, file: string): Promise<Recording> {
  return (await import('./recording.ts')).parseRecording(text, file);
}

/** A command from outside, or what is wrong with it. */
export async function parseCommand(data: unknown): Promise<DemoCommand | string> {
  return (await import('./parse-command.ts')).parseCommand(data);
}
