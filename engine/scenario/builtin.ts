/** The scenarios that come with the program. */

import xenPv from './builtin/xen-pv.yaml?raw';
import xenPv2618 from './builtin/xen-pv-2.6.18.yaml?raw';
import { parseScenario } from './load.ts';
import type { Scenario } from './schema.ts';

const TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['xen-pv', xenPv],
  ['xen-pv-2.6.18', xenPv2618],
];

/** The default scenario. */
export const DEFAULT_SCENARIO = 'xen-pv';

export function builtinScenarios(): Scenario[] {
  return TEXTS.map(([name, text]) => parseScenario(text, `${name}.yaml`));
}

export function builtinScenario(name: string): Scenario | undefined {
  const found = TEXTS.find(([n]) => n === name);
  return found && parseScenario(found[1], `${name}.yaml`);
}
