/** From the options to a machine, and from a machine to the domain that is shown. */
import type { DomainSnapshot, Machine, Snapshot } from '../engine/index.ts';
import type { Subject } from '../tui/subject.ts';
import { readText } from './files.ts';
import type { Options } from './options.ts';
import { hint, quoted, UsageError } from './usage.ts';

const DEFAULT_SEED = 42;

const SECOND = 1e9;

/** Builds the machine of the options. @throws UsageError, or the engine's UserError */
export async function machineOf(options: Options): Promise<Machine> {
  const machine = options.import ? await imported(options, options.import) : await scenarioMachine(options);
  for (const { device } of options.fire ?? []) {
    if (machine.fireable(device)) continue;
    const names = machine.devices().map((d) => d.name);
    throw new UsageError(
      `--fire ${quoted(device)}: no such device in ${machine.scenario.name}${hint(device, names)}`,
    );
  }
  if (options.hook) {
    const { hook, system } = machine.platform;
    if (!hook) throw new UsageError(`--hook: needs a Xen host on x86, ${machine.scenario.name} is ${system}`);
    hook.on = true;
  }
  return machine;
}

async function imported(options: Options, captures: readonly string[]): Promise<Machine> {
  const files = captures.map((name) => ({ name, text: readText(name) }));
  const { importHost } = await import('../engine/index.ts');
  return importHost({
    files,
    seed: options.seed ?? DEFAULT_SEED,
    ...(options.interval === undefined ? {} : { intervalSeconds: options.interval / SECOND }),
    ...(options.uptime === undefined ? {} : { uptimeSeconds: options.uptime / SECOND }),
  });
}

async function scenarioMachine(options: Options): Promise<Machine> {
  const { DEFAULT_SCENARIO, buildMachine, builtinScenario, builtinScenarios, loadScenario } = await import(
    '../engine/index.ts'
  );
  const wanted = options.scenario ?? DEFAULT_SCENARIO;
  let scenario = builtinScenario(wanted);
  if (!scenario) {
    if (!looksLikeFile(wanted)) {
      const names = builtinScenarios().map((s) => s.name);
      throw new UsageError(`unknown scenario ${quoted(wanted)}${hint(wanted, names)}`);
    }
    scenario = await loadScenario(readText(wanted), wanted);
  }
  return buildMachine(scenario, options.seed ?? DEFAULT_SEED);
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
