/** The file of a recording: all of it or nothing. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { whyNotWritten } from '../files.ts';
import { printable, UsageError } from '../usage.ts';
import type { CastSize } from './asciicast.ts';

export const DEFAULT_SIZE: CastSize = { columns: 120, rows: 40 };

/** @throws UsageError where it cannot be written */
export function writeCast(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.new`;
  try {
    writeFileSync(fresh, text);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw new UsageError(`--cast ${printable(file)}: ${whyNotWritten(error)}`);
  }
}
