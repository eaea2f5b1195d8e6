/** Traces that are imported, as files of test/captures have them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import type { TraceCapture } from '../../engine/import/capture.ts';
import { readTrace } from '../../engine/import/import-trace.ts';
import type { Inflate } from '../../engine/import/trace-dat-file.ts';

const DIR = join(import.meta.dirname, '..', 'captures');

/** The bytes of a file, unpacked if its name ends in .gz. */
export function captureBytes(name: string): Buffer {
  const bytes = readFileSync(join(DIR, name));
  return name.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes;
}

export const inflate: Inflate = (algorithm, bytes, size) => {
  if (algorithm === 'zlib') return zlib.inflateSync(bytes, { maxOutputLength: size });
  if (algorithm === 'zstd') return zlib.zstdDecompressSync(bytes, { maxOutputLength: size });
  throw new Error(algorithm);
};

/** @throws Error if it is no trace */
export function traceOf(name: string, cpuHz?: number): TraceCapture {
  const trace = readTrace({ file: name, bytes: captureBytes(name), cpuHz, inflate });
  if (!trace) throw new Error(`${name} is no trace`);
  return trace;
}
