/** Demos are read only when there is one to give: each carries the scenarios of its runs. */
import { builtinScenario, builtinScenarios } from './builtin.ts';
import type { Demo } from './demo.ts';

export async function builtinDemos(): Promise<readonly Demo[]> {
  return (await import('./demos.ts')).DEMOS;
}

/** A demo of the user's. @throws UserError naming the file, the line and what was expected */
export async function loadDemo(text: string, file: string): Promise<Demo> {
  const { parseDemo } = await import('./load-demo.ts');
  return parseDemo(text, file, {
    names: builtinScenarios().map((s) => s.name),
    take: (name) => builtinScenario(name)!,
  });
}
