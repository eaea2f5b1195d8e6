/** Which kind of file it is that is imported, and what its trace says. */
import { FormatError } from '../core/errors.ts';
import type { TraceCapture } from './capture.ts';
import { ftraceCapture, isFtraceText } from './ftrace-text.ts';
import { ofFile } from './problem.ts';
import { traceDatCapture } from './trace-dat.ts';
import { type Inflate, isTraceDat } from './trace-dat-file.ts';
import { xenCapture } from './xen-capture.ts';
import { isXentrace } from './xentrace.ts';

export interface TraceImportOptions {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** of xentrace, whose records do not say it */
  readonly cpuHz?: number | undefined;
  /** of trace.dat, version 7 */
  readonly inflate: Inflate;
}

/** Other files that people have, by their first bytes. */
const OTHERS: readonly (readonly [start: string, what: string])[] = [
  ['PERFILE2', 'perf.data'],
  ['\x1f\x8b', 'packed twice'],
  ['\x7fELF', 'a program'],
  ['\x28\xb5\x2f\xfd', 'packed by zstd'],
  ['\xfd7zXZ', 'packed by xz'],
  ['PK\x03\x04', 'a zip archive'],
];

export const KINDS = 'xentrace, trace.dat, the text of ftrace, or /proc/interrupts';

/** @returns undefined: it is no trace; perhaps a text of another kind @throws UserError saying what is wrong with it */
export function readTrace({ file, bytes, cpuHz, inflate }: TraceImportOptions): TraceCapture | undefined {
  if (bytes.length === 0) throw new FormatError(file, 1, `it is empty; ${KINDS} would be right`);
  if (isXentrace(bytes)) return xenCapture(file, bytes, cpuHz);
  if (isTraceDat(bytes)) return traceDatCapture(file, bytes, inflate);
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const other = OTHERS.find(([text]) => start.startsWith(text));
  if (other) throw ofFile(file, `it is ${other[1]}; ${KINDS} would be right`);
  if (bytes.subarray(0, 65_536).includes(0)) {
    throw ofFile(file, `it is of no kind that is known; ${KINDS} would be right`);
  }
  return isFtraceText(bytes) ? ftraceCapture(file, bytes) : undefined;
}
