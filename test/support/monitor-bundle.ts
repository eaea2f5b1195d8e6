/** The monitor on the small test machine, built as the program is: what the terminal tests run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { forEsbuild as scenarios } from '../../scenarios.mjs';

export interface Bundle {
  readonly path: string;
  remove(): void;
}

/** Ink asks for it only when DEV is set, but the bundler must find it. */
const withoutDevtools: Plugin = {
  name: 'without-devtools',
  setup(bundler) {
    bundler.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: 'stub' }));
    bundler.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: 'export default {};' }));
  },
};

export async function bundleMonitor(entry = 'monitor-main.ts'): Promise<Bundle> {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-monitor-'));
  const path = join(dir, 'monitor.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, entry)],
    outfile: path,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', fetch: 'undefined' },
    banner: { js: "import{createRequire}from'module';const require=createRequire(import.meta.url);" },
    plugins: [withoutDevtools, scenarios],
    logLevel: 'warning',
  });
  return { path, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
