/** From the options to a machine, and from a machine to the domain that is shown. */
import {
  buildMachine,
  builtinScenario,
  builtinScenarios,
  changeScenario,
  DEFAULT_SCENARIO,
  type DomainSnapshot,
  loadScenario,
  type Machine,
  type Scenario,
  type Setting,
  type Snapshot,
} from '../engine/index.ts';
import type { Subject } from '../tui/subject.ts';
import { readText } from './files.ts';
import type { Options } from './options.ts';
import { hint, quoted, UsageError } from './usage.ts';

export const DEFAULT_SEED = 42;

/** Builds the machine of the options. @throws UsageError, or the engine's UserError */
export async function machineOf(options: Options): Promise<Machine> {
  const seed = options.seed ?? DEFAULT_SEED;
  const machine = options.import
    ? (await import('./import/captures.ts')).importedMachine(options, options.import, seed)
    : buildMachine(await scenarioOf(options.scenario), seed);
  checkFires(machine, options);
  if (options.hook) {
    const { hook, system } = machine.platform;
    if (!hook) throw new UsageError(`--hook: needs a Xen host on x86, ${machine.scenario.name} is ${system}`);
    hook.on = true;
  }
  return machine;
}

/** @throws UsageError naming the first device of --fire that the machine lacks */
export function checkFires(machine: Machine, options: Options): void {
  for (const { device } of options.fire ?? []) {
    if (machine.fireable(device)) continue;
    const names = machine.devices().map((d) => d.name);
    throw new UsageError(
      `--fire ${quoted(device)}: no such device in ${machine.scenario.name}${hint(device, names)}`,
    );
  }
}

/** The scenario of that name, or in that file, with settings. @throws UsageError, or the engine's UserError */
export async function scenarioOf(
  name: string | undefined,
  settings: readonly Setting[] = [],
): Promise<Scenario> {
  const wanted = name ?? DEFAULT_SCENARIO;
  const scenario = builtinScenario(wanted);
  if (scenario) return changeScenario(scenario, settings);
  if (looksLikeFile(wanted)) return loadScenario(readText(wanted), wanted, settings);
  const names = builtinScenarios().map((s) => s.name);
  throw new UsageError(`unknown scenario ${quoted(wanted)}${hint(wanted, names)}`);
}

/** Names of scenarios have no slash and no ending; `./name` is a file. */
export function looksLikeFile(name: string): boolean {
  return name.includes('/') || /\.[^.]+$/.test(name);
}

/** What -g names, where Xen itself may be named too. */
export function chosenOf(snapshot: Snapshot, wanted: string | undefined): Subject {
  const { xen } = snapshot;
  return xen && wanted?.toLowerCase() === 'xen' ? xen : domainOf(snapshot, wanted, xen && ['Xen']);
}

/** The domain of -g, by name or number; without it dom0, or the only host there is. */
export function domainOf(
  snapshot: Snapshot,
  wanted: string | undefined,
  others: readonly string[] = [],
): DomainSnapshot {
  const { domains } = snapshot;
  if (wanted === undefined) return domains.find((d) => d.name === 'dom0') ?? domains[0]!;
  const name = wanted === 'Domain-0' ? 'dom0' : wanted;
  const found = domains.find((d) => d.name === name) ?? domains.find((d) => String(d.id) === name);
  if (found) return found;
  throw new UsageError(
    `--domain ${quoted(wanted)}: no such domain in ${snapshot.scenario}${hint(wanted, [
      ...domains.map((d) => d.name),
      ...others,
    ])}`,
  );
}
