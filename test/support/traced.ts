/** A run of a built-in scenario whose trace is written in several formats at once, into a directory that goes at the end. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRACE_FORMATS, TraceExporter, type TraceFiles, traceHost, writing } from '../../engine/exchange.ts';
import { buildMachine, builtinScenario, type Snapshot, takeSnapshot } from '../../engine/index.ts';
import { together } from './followers.ts';

export interface Traced {
  readonly dir: string;
  /** by format: its file, or its directory */
  readonly file: Readonly<Record<string, string>>;
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** records written */
  readonly records: number;
  remove(): void;
}

/** Into the file of that name, what comes beside it into `NAME.BESIDE`, several files into a directory. */
class Disk implements TraceFiles {
  private readonly heaps: Uint8Array[][] = [];

  constructor(
    private readonly path: string,
    private readonly directory: boolean,
  ) {
    if (directory) mkdirSync(path);
    else writeFileSync(path, '');
  }

  append(bytes: Uint8Array, file = ''): void {
    appendFileSync(
      file === '' ? this.path : this.directory ? join(this.path, file) : `${this.path}.${file}`,
      bytes,
    );
  }

  headLater(size: number): void {
    this.append(new Uint8Array(size));
  }

  head(bytes: Uint8Array): void {
    const fd = openSync(this.path, 'r+');
    writeSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  }

  keep(heap: number, bytes: Uint8Array): void {
    this.heaps[heap] ??= [];
    this.heaps[heap].push(bytes.slice());
  }

  kept(heap: number): number {
    return (this.heaps[heap] ?? []).reduce((n, b) => n + b.length, 0);
  }

  appendKept(heap: number): void {
    for (const bytes of this.heaps[heap] ?? []) this.append(bytes);
  }
}

/** @param at ns, when the traces begin; they cover `time` */
export function traced(scenario: string, at: number, time: number, formats: readonly string[]): Traced {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-traced-'));
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  if (at > 0) machine.runUntil(at);
  const file: Record<string, string> = {};
  const followers = formats.map((name) => {
    const format = TRACE_FORMATS.find((f) => f.name === name)!;
    file[name] = join(dir, name);
    return writing(format, traceHost(machine), new Disk(file[name], format.directory ?? false));
  });
  const exporter = new TraceExporter(machine.shop.trace, machine.clock, together(followers));
  const before = takeSnapshot(machine);
  const first = machine.shop.trace.written;
  for (let now = at; now < at + time; ) {
    now = Math.min(now + 50e6, at + time);
    machine.runUntil(now);
    exporter.advance(now);
  }
  exporter.end(at + time);
  const records = machine.shop.trace.written - first;
  const remove = () => rmSync(dir, { recursive: true });
  return { dir, file, before, after: takeSnapshot(machine), records, remove };
}

export function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** What a reader prints, on standard error if nowhere else. @throws Error if it fails */
export function printed(program: string, ...args: string[]): string {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000 } as const;
  const ran = spawnSync(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.status}\n${ran.stderr}`);
  return ran.stdout || ran.stderr;
}

export function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n');
}

/** How often each value occurs. */
export function tally(values: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** How often each reason was left for meanwhile, over all machines or those of one name. */
export function exitsOf({ before, after }: Traced, domain?: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [sign, { domains }] of [[-1, before] as const, [1, after] as const]) {
    for (const { name, exits } of domains) {
      if (domain !== undefined && name !== domain) continue;
      for (const row of exits?.rows ?? []) {
        counts[row.name] = (counts[row.name] ?? 0) + sign * row.counts.reduce((a, b) => a + b, 0);
      }
    }
  }
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n !== 0));
}

/** What a row of a domain's /proc/interrupts has counted meanwhile. */
export function counted({ before, after }: Traced, domain: string, irq: number): number {
  const sum = ({ domains }: Snapshot) =>
    domains
      .find((d) => d.name === domain)!
      .interrupts.rows.find((r) => r.irq === irq)
      ?.counts.reduce((a, b) => a + b, 0) ?? 0;
  return sum(after) - sum(before);
}
