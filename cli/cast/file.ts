/** The file of a recording: all of it or nothing. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { printable, UsageError } from '../usage.ts';
import type { CastSize } from './asciicast.ts';

export const DEFAULT_SIZE: CastSize = { columns: 120, rows: 40 };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such directory',
  ENOTDIR: 'no such directory',
  EISDIR: 'is a directory, not a file',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left',
};

/** @throws UsageError where it cannot be written */
export function writeCast(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.new`;
  try {
    writeFileSync(fresh, text);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`--cast ${printable(file)}: ${REASONS[code] ?? `cannot be written (${code})`}`);
  }
}
