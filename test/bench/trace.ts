/**
 * What it costs to write a trace while a machine runs: the same second of a busy host, once with its trace in the ring alone
 * and once written in a format, in turns in one process; the bytes go nowhere.
 */
import {
  buildMachine,
  builtinScenario,
  TRACE_FORMATS,
  TraceExporter,
  type TraceFiles,
  traceHost,
} from '../../engine/index.ts';
import { type Bench, best, inUnit, type Result } from './bench.ts';

const ROUNDS = 4;
const WARM = 1e9;
const TIME = 1e9;
const SLICE = 20e6;

const NOWHERE: TraceFiles = { append: () => {}, keep: () => {}, kept: () => 0, appendKept: () => {} };

/** ms of real time, and records written */
function run(
  scenario: string,
  format: string | undefined,
): { readonly ms: number; readonly records: number } {
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  const { trace } = machine.shop;
  machine.runUntil(WARM);
  trace.detailed = true;
  const made = TRACE_FORMATS.find((f) => f.name === format)?.make(traceHost(machine), NOWHERE);
  const exporter = made && new TraceExporter(trace, machine.clock, made);
  const before = trace.written;
  const start = performance.now();
  for (let now = WARM; now < WARM + TIME; ) {
    now += SLICE;
    machine.runUntil(now);
    exporter?.advance(now);
  }
  exporter?.end(WARM + TIME);
  return { ms: performance.now() - start, records: trace.written - before };
}

function compared(scenario: string, formats: readonly string[]): Result[] {
  const alone: number[] = [];
  const written = formats.map((): number[] => []);
  let records = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const { ms, records: n } = run(scenario, undefined);
    records = n;
    alone.push(ms);
    for (const [f, format] of formats.entries()) written[f]!.push(run(scenario, format).ms);
  }
  const each = (ms: number) => (ms * 1e6) / records;
  return formats.map((format, f) => ({
    title: `${scenario}, a record, ${format}`,
    measured: inUnit(each(best(written[f]!)), 'ns'),
    beside: `${inUnit(each(best(alone)), 'ns')} in the ring alone`,
  }));
}

export const traces: Bench = {
  name: 'trace',
  run: () => [
    ...compared('kvm', ['trace-dat', 'perf', 'ctf', 'jsonl']),
    ...compared('xen-mixed', ['xentrace', 'ctf']),
  ],
};
