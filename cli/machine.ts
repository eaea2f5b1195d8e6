/** From the options to a machine, and from a machine to the domain that is shown. */
import * as zlib from 'node:zlib';
import {
  buildMachine,
  builtinScenario,
  builtinScenarios,
  changeScenario,
  DEFAULT_SCENARIO,
  type DomainSnapshot,
  importHost,
  loadScenario,
  type Machine,
  readTrace,
  replayMachine,
  type Scenario,
  type Setting,
  type Snapshot,
  type TraceCapture,
} from '../engine/index.ts';
import type { Subject } from '../tui/subject.ts';
import { readCapture, readText, textOf } from './files.ts';
import type { Options } from './options.ts';
import { hint, printable, quoted, UsageError } from './usage.ts';

export const DEFAULT_SEED = 42;

const SECOND = 1e9;

/** Builds the machine of the options. @throws UsageError, or the engine's UserError */
export async function machineOf(options: Options): Promise<Machine> {
  const machine = options.import
    ? await imported(options, options.import)
    : await machineFor(await scenarioOf(options.scenario), options);
  checkFires(machine, options);
  if (options.hook) {
    const { hook, system } = machine.platform;
    if (!hook) throw new UsageError(`--hook: needs a Xen host on x86, ${machine.scenario.name} is ${system}`);
    hook.on = true;
  }
  return machine;
}

/** The machine of a scenario, with the seed of the options. */
export async function machineFor(scenario: Scenario, options: Options): Promise<Machine> {
  return buildMachine(scenario, options.seed ?? DEFAULT_SEED);
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

/** A trace drives a machine like the one it was taken on; of tables of counters there may be two. */
async function imported(options: Options, captures: readonly string[]): Promise<Machine> {
  const files = captures.map((name) => ({ name, bytes: readCapture(name) }));
  const seed = options.seed ?? DEFAULT_SEED;
  for (const { name, bytes } of files) {
    const trace = traceIn(options, name, bytes);
    if (!trace) continue;
    checkTrace(options, captures, trace);
    return await replayMachine(trace, seed);
  }
  if (options.cpuHz !== undefined) throw new UsageError('--cpu-hz: goes with a file of xentrace');
  return importHost({
    files: files.map(({ name, bytes }) => ({ name, text: textOf(name, bytes) })),
    seed,
    ...(options.interval === undefined ? {} : { intervalSeconds: options.interval / SECOND }),
    ...(options.uptime === undefined ? {} : { uptimeSeconds: options.uptime / SECOND }),
  });
}

/** The trace in a file; undefined: it is none. @throws the engine's UserError */
export function traceIn(
  { cpuHz }: Options,
  file: string,
  bytes: Uint8Array = readCapture(file),
): TraceCapture | undefined {
  return readTrace({ file, bytes, cpuHz, inflate });
}

/** @throws UsageError if it stands beside what it does not go with */
export function checkTrace(
  options: Options,
  captures: readonly string[],
  { file, format }: TraceCapture,
): void {
  if (captures.length > 1) {
    throw new UsageError(
      `--import: ${printable(file)} is ${format}; a trace stands alone, of /proc/interrupts there may be two`,
    );
  }
  for (const option of ['interval', 'uptime'] as const) {
    if (options[option] !== undefined)
      throw new UsageError(`--${option}: goes with captures of /proc/interrupts`);
  }
  if (options.cpuHz !== undefined && format !== 'xentrace') {
    throw new UsageError(`--cpu-hz: goes with a file of xentrace, ${printable(file)} is ${format}`);
  }
}

/** How trace-cmd may have packed a trace.dat. */
function inflate(algorithm: string, bytes: Uint8Array, size: number): Uint8Array {
  const most = { maxOutputLength: Math.max(1, size) };
  if (algorithm === 'zlib') return zlib.inflateSync(bytes, most);
  // there since Node 22.15
  if (algorithm === 'zstd') return zlib.zstdDecompressSync(bytes, most);
  throw new Error(`${algorithm} is not known`);
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
