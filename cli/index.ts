#!/usr/bin/env node
/**
 * The entry, `dist/virqtop.mjs`. Everything else is loaded from here, so that a Node too old for the rest
 * can still read this file, hand over to a newer one, or say what is missing. No top-level await: Node 14.0
 * does not know it.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 12)) {
  import('node:module')
    .then(({ enableCompileCache }) => {
      // from the second start on the code need not be compiled again: a third of the way to the first frame
      enableCompileCache();
      return import('./start.ts');
    })
    .then(({ start }) => start(process.argv.slice(2)));
} else {
  import('./hand-over.ts').then(({ handOver }) => handOver(process.argv.slice(1)));
}
