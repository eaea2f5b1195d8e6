/** Scenario files of users: the parser is read only when there is one. */
import type { Scenario } from './kinds.ts';

/** @throws UserError naming the file, the line and what was expected */
export async function loadScenario(text: string, file: string): Promise<Scenario> {
  const { parseScenario } = await import('./load.ts');
  return parseScenario(text, file);
}
