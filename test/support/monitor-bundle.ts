/** The monitor on the small test machine, built as the program is: what the terminal tests run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { COMMON } from '../../bundle.mjs';
import { forEsbuild as scenarios } from '../../scenarios.mjs';

export interface Bundle {
  readonly path: string;
  remove(): void;
}

export async function bundleMonitor(entry = 'monitor-main.ts'): Promise<Bundle> {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-monitor-'));
  const path = join(dir, 'monitor.mjs');
  await build({
    ...COMMON,
    entryPoints: [join(import.meta.dirname, entry)],
    outfile: path,
    plugins: [...COMMON.plugins, scenarios],
  });
  return { path, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
