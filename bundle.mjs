/** What the program and the monitor of the tests have in common when esbuild bundles them. */

/** Ink imports react-devtools-core only when DEV is set, but the bundler must find it. */
const withoutDevtools = {
  name: 'without-devtools',
  /** @param {import('esbuild').PluginBuild} bundler */
  setup(bundler) {
    bundler.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    bundler.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: 'export default { initialize() {}, connectToDevTools() {} };',
    }));
  },
};

/** Ink shows the cursor again by itself; this would write to standard error at the end, even where that is a file. */
const withoutCursor = {
  name: 'without-cursor',
  /** @param {import('esbuild').PluginBuild} bundler */
  setup(bundler) {
    bundler.onResolve({ filter: /^restore-cursor$/ }, ({ path }) => ({ path, namespace: 'cursor' }));
    bundler.onLoad({ filter: /.*/, namespace: 'cursor' }, () => ({ contents: 'export default () => {};' }));
  },
};

/** @type {Omit<import('esbuild').BuildOptions, 'plugins'> & { plugins: import('esbuild').Plugin[] }} */
export const COMMON = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  jsx: 'automatic',
  // without fetch, Ink's layout engine takes its WebAssembly from the bundle as it stands, instead of
  // through an HTTP client that costs as much as starting Node
  define: { 'process.env.NODE_ENV': '"production"', fetch: 'undefined' },
  // CommonJS packages in an ES module
  banner: { js: "import{createRequire}from'module';const require=createRequire(import.meta.url);" },
  plugins: [withoutDevtools, withoutCursor],
  logLevel: 'warning',
};
