/** One run for the benchmark of traces, in a process of its own, which tells its parent when it is ready and what it took. */
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { SLICE } from '../../cli/commands/trace.ts';
import { destinationOf } from '../../cli/trace/destination.ts';
import { TRACE_FORMATS, TraceExporter, traceHost } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../engine/index.ts';

const WARM = 1e9;
/** slices between two messages to the parent */
const REPORT = 8;

/** What it took. */
export interface Run {
  /** milliseconds of processors: of the thread that the machine runs in, and of all others of this process */
  readonly ownMs: number;
  readonly otherMs: number;
  /** events of the simulation */
  readonly events: number;
}

/** It begins when it is told to; then it says how much is left to do. */
export type FromRun =
  | { readonly kind: 'ready' }
  | { readonly kind: 'left'; readonly left: number }
  | { readonly kind: 'took'; readonly took: Run };

const say = (message: FromRun) => process.send!(message);

/**
 * @param kind a format; or `ring`: none, and `off`: not even that, for so many events instead of records
 * @param file that the trace goes to
 */
async function run(scenario: string, kind: string, count: number, file: string): Promise<Run> {
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  const { clock, shop } = machine;
  const { trace } = shop;
  machine.runUntil(WARM);
  trace.enabled = kind !== 'off';
  trace.detailed = trace.enabled;
  const format = TRACE_FORMATS.find(({ name }) => name === kind);
  const begun = once(process, 'message');
  say({ kind: 'ready' });
  await begun;
  const to = format && (await destinationOf(format, file));
  const exporter = format && new TraceExporter(trace, clock, to!.writer(format, traceHost(machine)));
  const until = trace.written + count;
  const events = clock.events;
  const before = process.cpuUsage();
  const ownBefore = process.threadCpuUsage();
  let now = WARM;
  while (trace.enabled ? trace.written < until : clock.events - events < count) {
    now += SLICE;
    machine.runUntil(now);
    if (!exporter) continue;
    exporter.advance(now);
    if ((now / SLICE) % REPORT === 0) say({ kind: 'left', left: (until - trace.written) / count });
    await to!.flush();
    await setImmediate();
  }
  exporter?.end(now);
  await to?.close();
  const all = process.cpuUsage(before);
  const own = process.threadCpuUsage(ownBefore);
  const ownMs = (own.user + own.system) / 1000;
  return { ownMs, otherMs: (all.user + all.system) / 1000 - ownMs, events: clock.events - events };
}

const [scenario, kind, count, file] = process.argv.slice(2);
say({ kind: 'took', took: await run(scenario!, kind!, Number(count), file!) });
process.disconnect();
