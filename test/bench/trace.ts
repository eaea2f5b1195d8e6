/**
 * What it costs to write a trace while a machine runs: the same records of the same run, once in the ring alone, as tracing
 * that is on leaves them, and once written in a format to a file as `virqtop trace` does; in turns in one process. The gate is
 * the limit for 10 million records, of the time that somebody waits; beside it is what the machine's thread and all others
 * take of the processors. A last row tells what tracing itself costs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { destinationOf } from '../../cli/trace/destination.ts';
import { TRACE_FORMATS, TraceExporter, type TraceFormat, traceHost } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { type Bench, best, inUnit, type Result } from './bench.ts';

const WARM = 1e9;
const SLICE = 20e6;
/** an export may take so many times its run */
const LIMIT = 1.5;

type Kind = TraceFormat | 'ring' | 'off';

interface Run {
  /** by the clock on the wall */
  readonly ms: number;
  /** of processors: of the thread that the machine runs in, and of all others of this process */
  readonly ownMs: number;
  readonly otherMs: number;
  /** events of the simulation */
  readonly events: number;
}

/** Runs until so many records are written; without any, for so many events. */
async function run(scenario: string, kind: Kind, count: number): Promise<Run> {
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  const { clock, shop } = machine;
  const { trace } = shop;
  machine.runUntil(WARM);
  trace.enabled = kind !== 'off';
  trace.detailed = trace.enabled;
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-bench-'));
  const format = typeof kind === 'object' ? kind : undefined;
  const to = format && (await destinationOf(format, join(dir, 'trace')));
  const exporter = format && new TraceExporter(trace, clock, to!.writer(format, traceHost(machine)));
  const until = trace.written + count;
  const events = clock.events;
  const before = process.cpuUsage();
  const ownBefore = process.threadCpuUsage();
  const began = performance.now();
  let now = WARM;
  while (trace.enabled ? trace.written < until : clock.events - events < count) {
    now += SLICE;
    machine.runUntil(now);
    if (!exporter) continue;
    exporter.advance(now);
    await to!.flush();
    await setImmediate();
  }
  exporter?.end(now);
  await to?.close();
  const ms = performance.now() - began;
  const all = process.cpuUsage(before);
  const own = process.threadCpuUsage(ownBefore);
  rmSync(dir, { recursive: true });
  const ownMs = (own.user + own.system) / 1000;
  return { ms, ownMs, otherMs: (all.user + all.system) / 1000 - ownMs, events: clock.events - events };
}

async function compared(scenario: string, records: number, rounds: number): Promise<Result[]> {
  const host = traceHost(buildMachine(builtinScenario(scenario)!, 42));
  const formats = TRACE_FORMATS.filter((format) => !format.refuses?.(host));
  const ring: Run[] = [];
  const off: Run[] = [];
  const written = formats.map((): Run[] => []);
  for (let i = 0; i < rounds; i++) {
    const alone = await run(scenario, 'ring', records);
    ring.push(alone);
    off.push(await run(scenario, 'off', alone.events));
    for (const [f, format] of formats.entries()) written[f]!.push(await run(scenario, format, records));
  }
  const least = (runs: readonly Run[], of: keyof Run) => (best(runs.map((r) => r[of])) * 1e6) / records;
  const each = (runs: readonly Run[]) => least(runs, 'ms');
  const cpu = (runs: readonly Run[]) =>
    `CPU ${least(runs, 'ownMs').toFixed(0)} + ${least(runs, 'otherMs').toFixed(0)} ns`;
  return [
    ...formats.map(({ name }, f) => ({
      title: `trace of ${scenario}, a record, ${name}`,
      measured: inUnit(each(written[f]!), 'ns'),
      beside: `${cpu(written[f]!)}; in the ring alone ${inUnit(each(ring), 'ns')}`,
      gate: { value: each(written[f]!) / each(ring), limit: LIMIT, unit: 'x' },
    })),
    {
      title: `${scenario}, a record in the ring alone`,
      measured: inUnit(each(ring), 'ns'),
      beside: `${cpu(ring)}; ${inUnit(each(off), 'ns')} with tracing off`,
    },
  ];
}

function bench(name: string, records: number, rounds: number): Bench {
  return {
    name,
    async run() {
      const results: Result[] = [];
      for (const scenario of ['kvm', 'xen-mixed', 'xen-arm-v3']) {
        results.push(...(await compared(scenario, records, rounds)));
      }
      return results;
    },
  };
}

/** What the limit is for. */
export const traces = bench('trace', 10_000_000, 1);
/** The same in a tenth of the time, for work on a writer. */
export const shortTraces: Bench = { ...bench('trace-1m', 1_000_000, 2), onlyByName: true };
