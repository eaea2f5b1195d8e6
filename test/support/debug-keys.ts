/** What a real Xen 4.17 printed for its debug keys, and the simulated host that mirrors that machine. */
import { buildMachine, builtinScenario, type Machine } from '../../engine/index.ts';
import { isXenX86 } from '../../engine/scenario/kinds.ts';
import { capture } from './captures.ts';

/** The machine of the captures named xen-q35: xen-pv with the first of its guests. */
export function q35(): Machine {
  const scenario = builtinScenario('xen-pv')!;
  if (!isXenX86(scenario)) throw new Error('xen-pv is no Xen host');
  const { guests, workloads } = scenario;
  return buildMachine(
    {
      ...scenario,
      guests: guests.slice(0, 1),
      workloads: workloads.filter((w) => !('domain' in w) || (w.domain ?? 0) <= 1),
    },
    42,
  );
}

/** Lines without what Xen's console puts before each. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines.map((line) => {
    if (!line.startsWith('(XEN) ')) throw new Error(`not of Xen's console: ${line}`);
    return line.slice(6);
  });
}

export function realLines(name: string): string[] {
  return linesOf(capture(`xen-x86/${name}.txt`));
}

export type Rules = readonly (readonly [pattern: RegExp, instead: string])[];

/** What is of the moment, replaced; the form of a line and all else remain. */
export function form(lines: readonly string[], rules: Rules): string[] {
  return lines.map((line) =>
    rules.reduce((text, [pattern, instead]) => text.replace(pattern, instead), line),
  );
}
