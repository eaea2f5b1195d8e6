/**
 * Built-in scenarios and demos are checked when the program is built: `import scenario, { text } from
 * './builtin/x.yaml'` gives the finished scenario, so that the program starts without reading YAML, and the file
 * as it is written; './demos/x.yaml' gives a demo with the finished scenarios of its runs. For esbuild and for Vite.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = dirname(fileURLToPath(import.meta.url));

const BUILTIN = join(ROOT, 'engine/scenario/builtin');

/**
 * @typedef {(text: string, file: string) => unknown} ParseScenario
 * @typedef {{ names: string[], take(name: string): unknown }} Shelf
 * @typedef {(text: string, file: string, shelf: Shelf) => unknown} ParseDemo
 * @type {Promise<{ parseScenario: ParseScenario, parseDemo: ParseDemo }> | undefined}
 */
let loader;

/** The project's own parsers, as this Node can run it. */
async function parser() {
  const outfile = join(ROOT, 'node_modules', '.cache', 'virqtop', 'load.mjs');
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(ROOT, 'engine/scenario/load-demo.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    outfile,
    logLevel: 'warning',
  });
  return import(pathToFileURL(outfile).href);
}

/** @param {string} path of a YAML file; the answer is a module's text */
async function compile(path) {
  loader ??= parser();
  const { parseScenario, parseDemo } = await loader;
  const text = readFileSync(path, 'utf8');
  const shelf = {
    names: readdirSync(BUILTIN).map((file) => basename(file, '.yaml')),
    take: (/** @type {string} */ name) =>
      parseScenario(readFileSync(join(BUILTIN, `${name}.yaml`), 'utf8'), name),
  };
  const isDemo = basename(dirname(path)) === 'demos';
  const made = isDemo ? parseDemo(text, basename(path), shelf) : parseScenario(text, basename(path));
  return `export default ${JSON.stringify(made)};\nexport const text = ${JSON.stringify(text)};`;
}

/** @type {import('esbuild').Plugin} */
export const forEsbuild = {
  name: 'scenarios',
  setup(bundler) {
    bundler.onLoad({ filter: /\.yaml$/ }, async ({ path }) => ({
      contents: await compile(path),
      loader: 'js',
      watchFiles: [path],
    }));
  },
};

/** @type {import('vite').Plugin} */
export const forVite = {
  name: 'scenarios',
  enforce: 'pre',
  async load(id) {
    return id.endsWith('.yaml') ? compile(id) : undefined;
  },
};
