/** Files that nobody else may read, or write. */
import { statSync } from 'node:fs';
import { printable, UsageError } from '../usage.ts';

/** @throws UsageError if others than its owner can read it */
export function checkSecret(what: string, file: string): void {
  check(what, file, 0o077, 'others can read it', '600');
}

/** @throws UsageError if others than its owner can write it */
export function checkUnspoilt(what: string, file: string): void {
  check(what, file, 0o022, 'others can write it', 'go-w');
}

function check(what: string, file: string, mask: number, wrong: string, right: string): void {
  let mode: number;
  try {
    mode = statSync(file).mode;
  } catch {
    return; // reading it says why
  }
  if ((mode & mask) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  throw new UsageError(
    `${what} ${printable(file)}: ${wrong} (mode ${octal}): chmod ${right} ${printable(file)}`,
  );
}
