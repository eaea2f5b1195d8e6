/** The captures under test/captures: files of /proc exactly as real machines printed them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const DIR = join(import.meta.dirname, '..', 'captures');

/** Names of the captures as `xen-x86/dom0-q35-load.interrupts.1.txt`. */
export function captureNames(matching = /./): string[] {
  return readdirSync(DIR, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.txt.gz'))
    .map((f) => f.slice(0, -3))
    .filter((f) => matching.test(f))
    .sort();
}

export function capture(name: string): string {
  return gunzipSync(readFileSync(join(DIR, `${name}.gz`))).toString('utf8');
}

/** Those of /proc/interrupts. */
export const INTERRUPTS = captureNames(/\.interrupts(\.\d)?\.txt|\.(dom0|domU1|host)\.\d\.txt/);
