/** Files of real machines, and the machines that they make or drive. Loaded only where some are named. */
import * as zlib from 'node:zlib';
import { importHost, readTrace, replayMachine, type TraceCapture } from '../../engine/exchange.ts';
import type { Machine } from '../../engine/index.ts';
import { readCapture, textOf } from '../files.ts';
import type { Options } from '../options.ts';
import { printable, UsageError } from '../usage.ts';

const SECOND = 1e9;

/**
 * A trace drives a machine like the one it was taken on; of tables of counters there may be two.
 * @throws UsageError, or the engine's UserError
 */
export function importedMachine(options: Options, captures: readonly string[], seed: number): Machine {
  const files = captures.map((name) => ({ name, bytes: readCapture(name) }));
  for (const { name, bytes } of files) {
    const trace = traceIn(options, name, bytes);
    if (!trace) continue;
    checkTrace(options, captures, trace);
    return replayMachine(trace, seed);
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
