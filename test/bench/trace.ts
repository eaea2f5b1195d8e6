/**
 * What it costs to write a trace while a machine runs: the same records of the same run, once in the ring alone, as tracing
 * that is on leaves them, and once written in a format to a file as `virqtop trace` does, each in a process of its own. The
 * gate is the limit for 10 million records, of the time that somebody waits; beside it is what the machine's thread and all
 * others take of the processors. A last row tells what tracing itself costs. A file is given memory that is there (Ballast).
 */
import { fork } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRACE_FORMATS, traceHost } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { type Bench, best, inUnit, type Result } from './bench.ts';
import type { FromRun, Run } from './trace-run.ts';

/** an export may take so many times its run */
const LIMIT = 1.5;
/** what trace-run.ts becomes */
const PROGRAM = new URL('./trace-run.mjs', import.meta.url);
/** of memory that is there for the file, a record */
const BALLAST = 150;

/**
 * Memory for the pages of a file. A virtual machine gives what is free back to its host, and takes ten times as long to write
 * to what it has to get from there again: so the same memory is another file's until it is needed.
 */
class Ballast {
  private readonly fd: number;

  constructor(
    path: string,
    private readonly size: number,
  ) {
    this.fd = openSync(path, 'w');
    const bytes = new Uint8Array(1 << 18).fill(1);
    for (let at = 0; at < size; at += bytes.length) writeSync(this.fd, bytes);
  }

  /** @param share of the file that is still to be written */
  keep(share: number): void {
    ftruncateSync(this.fd, Math.round(this.size * Math.max(0, share)));
  }

  close(): void {
    closeSync(this.fd);
  }
}

async function run(scenario: string, kind: string, count: number): Promise<Run> {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-bench-'));
  const ballast = new Ballast(
    join(dir, 'ballast'),
    TRACE_FORMATS.some(({ name }) => name === kind) ? count * BALLAST : 0,
  );
  const child = fork(PROGRAM, [scenario, kind, String(count), join(dir, 'trace')]);
  const took = await new Promise<Run>((resolve, reject) => {
    child.on('message', (message: FromRun) => {
      if ('took' in message) resolve(message.took);
      else ballast.keep(message.left);
    });
    child.on('exit', (code) => reject(new Error(`the run of ${scenario}, ${kind} has ended with ${code}`)));
  });
  ballast.close();
  rmSync(dir, { recursive: true });
  return took;
}

async function compared(scenario: string, records: number, rounds: number): Promise<Result[]> {
  const host = traceHost(buildMachine(builtinScenario(scenario)!, 42));
  const formats = TRACE_FORMATS.filter((format) => !format.refuses?.(host));
  const alone = () => run(scenario, 'ring', records);
  const ring = [await alone()];
  const off: Run[] = [];
  const written = formats.map((): Run[] => []);
  for (let i = 0; i < rounds; i++) {
    off.push(await run(scenario, 'off', ring[0]!.events));
    for (const [f, { name }] of formats.entries()) written[f]!.push(await run(scenario, name, records));
    ring.push(await alone());
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
