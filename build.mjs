/**
 * npm run build: bundles the program into dist/.
 *
 *   dist/virqtop.mjs    the entry: small, readable by any Node since 14, loads the rest on demand
 *   dist/chunks/        everything else, split so that `--help` never reads Ink
 *   dist/chunks/trace-thread.mjs    the thread that writes traces
 *   dist/virqtop.1      the manual page
 *   dist/LICENSES.txt   of the packages bundled
 *
 * With --bench: the benchmarks, dist/bench.mjs, what it starts and dist/soak.mjs, instead.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { COMMON } from './bundle.mjs';
import { forEsbuild as scenarios } from './scenarios.mjs';

const ROOT = dirname(fileURLToPath(import.meta.url));
const DIST = join(ROOT, 'dist');

/** @type {import('esbuild').BuildOptions} */
const OURS = {
  ...COMMON,
  absWorkingDir: ROOT,
  outdir: DIST,
  outExtension: { '.js': '.mjs' },
};

/** ssh2 as part of a bundle; without compiled code, which is not in its package either. */
const ssh2 = {
  name: 'ssh2',
  /** @param {import('esbuild').PluginBuild} bundler */
  setup(bundler) {
    bundler.onResolve({ filter: /^cpu-features$|\.node$/ }, ({ path }) => ({ path, namespace: 'native' }));
    bundler.onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is left out`)});`,
    }));
    // it asks for the name of this class, which is another one when minified
    bundler.onLoad({ filter: /[\\/]ssh2[\\/]lib[\\/]server\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        'class Session extends EventEmitter {',
        "$& static name = 'Session';",
      ),
    }));
    // these ask where they are, for files that are not needed
    bundler.onLoad({ filter: /[\\/]ssh2[\\/].*[\\/](poly1305|agent)\.js$/ }, ({ path }) => ({
      contents: `var __dirname = '';${readFileSync(path, 'utf8')}`,
    }));
  },
};

/** Node before 14.13 knows `fs`, not `node:fs`; what has only the long name is newer than that. */
const shortNames = {
  name: 'short-names',
  /** @param {import('esbuild').PluginBuild} bundler */
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => {
      const name = path.slice('node:'.length);
      return { path: builtinModules.includes(name) ? name : path, external: true };
    });
  },
};

async function buildProgram() {
  const { metafile } = await build({
    ...OURS,
    entryPoints: { virqtop: 'cli/index.ts' },
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    minify: true,
    legalComments: 'none',
    metafile: true,
    plugins: [...COMMON.plugins, ssh2, shortNames, scenarios],
  });
  await buildTraceThread('chunks/');
  removeStale([...Object.keys(metafile.outputs), 'dist/chunks/trace-thread.mjs']);
  chmodSync(join(DIST, 'virqtop.mjs'), 0o755);
  writeFileSync(join(DIST, 'LICENSES.txt'), licenses(Object.keys(metafile.inputs)));
  writeFileSync(join(DIST, 'virqtop.1'), await manPage());
}

/** Beside the file that starts it, whole: of the chunks, those that it shares have much that it does not need. */
async function buildTraceThread(/** @type {string} */ folder) {
  await build({
    ...OURS,
    entryPoints: { [`${folder}trace-thread`]: 'cli/trace/thread-main.ts' },
    minify: true,
  });
}

/** The program's own text, as this Node can run what makes it. */
async function manPage() {
  const { outputFiles } = await build({ ...OURS, entryPoints: ['cli/man.ts'], write: false, banner: {} });
  const { manPage } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  );
  return manPage();
}

async function buildBench() {
  await build({
    ...OURS,
    entryPoints: {
      bench: 'test/bench/index.ts',
      'trace-run': 'test/bench/trace-run.ts',
      soak: 'test/bench/soak.ts',
    },
    loader: { '.c': 'text' },
    plugins: [...COMMON.plugins, scenarios],
  });
  await buildTraceThread('');
}

/** Chunks of earlier builds; they go last, so that the program can be started at any moment. */
function removeStale(/** @type {string[]} */ outputs) {
  const chunks = join(DIST, 'chunks');
  if (!existsSync(chunks)) return;
  for (const file of readdirSync(chunks)) {
    if (!outputs.includes(`dist/chunks/${file}`)) rmSync(join(chunks, file), { recursive: true });
  }
}

/** The bundle carries code of these packages; their licenses ask to be carried along. */
function licenses(/** @type {string[]} */ inputs) {
  const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;
  const folders = new Set(inputs.flatMap((file) => folder.exec(file) ?? []));
  return [...folders]
    .sort()
    .map((path) => {
      const { name, version, license } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
      const file = readdirSync(join(ROOT, path)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
      const text = file ? readFileSync(join(ROOT, path, file), 'utf8').trim() : '';
      return `${name} ${version}, ${license}\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

try {
  if (process.argv.includes('--bench')) await buildBench();
  else await buildProgram();
} catch (error) {
  if (!error.errors) throw error; // esbuild has printed those of the sources
  process.exitCode = 1;
}
