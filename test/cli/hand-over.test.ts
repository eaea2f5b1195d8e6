/** Started by a Node that is too old, the program goes on with the Node npm installed, or says what is missing. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ENTRY, finished, start } from './run.ts';

/** A Node of the system that is older than 22.12, if there is one. */
function oldNode(): string | undefined {
  for (const node of ['/usr/bin/node', '/usr/local/bin/node']) {
    try {
      const [major = 0, minor = 0] = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' })
        .split('.')
        .map(Number);
      if (major < 22 || (major === 22 && minor < 12)) return node;
    } catch {
      // not there
    }
  }
  return undefined;
}

const OLD = oldNode();

test.skipIf(!OLD)('an old Node hands over: same output, same exit code', async () => {
  const args = ['-b', '-n', '1', '--seed', '5'];
  const [old, own] = await Promise.all([finished(start(args, OLD)), finished(start(args))]);
  expect(old.code).toBe(0);
  expect(old).toEqual(own);
  expect(await finished(start(['--nonsense'], OLD))).toMatchObject({
    code: 2,
    stderr: "virqtop: unknown option '--nonsense'\n",
  });
});

test.skipIf(!OLD)('an old Node passes SIGINT on', async () => {
  const child = start(['-b', '--realtime', '-d', '1h'], OLD);
  const done = finished(child);
  await new Promise((r) => setTimeout(r, 1000));
  child.kill('SIGINT');
  expect(await done).toMatchObject({ code: 0, signal: null, stderr: '' });
});

test.skipIf(!OLD)('an old Node without a newer one beside it says so in one line', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-old-'));
  try {
    cpSync(dirname(ENTRY), join(dir, 'dist'), { recursive: true });
    const child = spawn(OLD!, [join(dir, 'dist/virqtop.mjs'), '-b'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { code, stdout, stderr } = await finished(child);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^virqtop: needs Node 22\.12 or newer, this is v[\d.]+, and .* is not installed\n$/,
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
