#!/usr/bin/env node
/**
 * The entry, `dist/virqtop.mjs`. Everything else is loaded from here, so that a Node too old for the rest
 * can still read this file, hand over to a newer one, or say what is missing.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 12)) {
  const { start } = await import('./start.ts');
  await start(process.argv.slice(2));
} else {
  const { handOver } = await import('./hand-over.ts');
  handOver(process.argv.slice(1));
}

export {};
