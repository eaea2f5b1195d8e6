/** The file of a recording: all of it or nothing. */
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { whyNotWritten } from '../files.ts';
import { printable, UsageError } from '../usage.ts';
import type { CastSize } from './asciicast.ts';

export const DEFAULT_SIZE: CastSize = { columns: 120, rows: 40 };

/**
 * That it can be written is seen before anything is recorded.
 * @throws UsageError where it cannot be
 */
export async function writeCast(file: string, record: () => Promise<string>): Promise<void> {
  const fresh = `${file}.${process.pid}.new`;
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      throw new UsageError(`--cast ${printable(file)}: ${whyNotWritten(error)}`);
    }
  };
  let made = false;
  const drop = () => {
    if (made) rmSync(fresh, { force: true });
    made = false;
  };
  process.once('exit', drop);
  try {
    attempt(() => {
      if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw { code: 'EISDIR' };
      writeFileSync(fresh, '');
      made = true;
    });
    const text = await record();
    attempt(() => {
      writeFileSync(fresh, text);
      renameSync(fresh, file);
    });
  } finally {
    drop();
    process.off('exit', drop);
  }
}
