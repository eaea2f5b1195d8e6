/** The package: what npm packs installs without a network and runs. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from './run.ts';

const run = promisify(execFile);
const DIR = mkdtempSync(join(tmpdir(), 'virqtop-package-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };

interface Packed {
  filename: string;
  files: { path: string; mode: number }[];
}

test('npm pack, npm install --global, run', async () => {
  // the program was built before the tests; building again would pull it away from under them
  const pack = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', DIR], {
    cwd: ROOT,
    env,
  });
  const [packed] = Object.values(JSON.parse(pack.stdout) as Record<string, Packed>);
  const paths = packed!.files.map((f) => f.path);
  expect(paths).toEqual(
    expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'dist/virqtop.mjs', 'dist/LICENSES.txt']),
  );
  expect(
    paths.filter((p) => !/^(dist\/[\w./-]+|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(p)),
  ).toEqual([]);
  expect(paths.filter((p) => /bench/.test(p))).toEqual([]);

  const [tarball] = readdirSync(DIR).filter((f) => f.endsWith('.tgz'));
  const prefix = join(DIR, 'prefix');
  const install = ['install', '--global', '--offline', '--no-audit', '--no-fund'];
  await run('npm', [...install, '--prefix', prefix, join(DIR, tarball!)], { cwd: DIR, env });

  const bin = join(prefix, 'bin/virqtop');
  const help = await run(bin, ['--help'], { cwd: DIR, env });
  expect(help.stdout).toMatch(/^Usage: virqtop /);
  const batch = await run(bin, ['-b', '-n', '1'], { cwd: DIR, env });
  expect(batch.stdout).toMatch(/^virqtop - scenario xen-mixed, seed 42, time 1\.000 s\n/);
  // nothing but Node is needed to run; npm may have brought one, if it had it in its cache
  expect(readdirSync(join(prefix, 'lib/node_modules'))).toEqual(['virqtop']);
  const inside = join(prefix, 'lib/node_modules/virqtop/node_modules');
  const beside = existsSync(inside) ? readdirSync(inside) : [];
  expect(beside.filter((name) => !/^(\.|node-linux-)/.test(name))).toEqual([]);
});

test('npm ci runs no compiler: nobody but esbuild has an install script', () => {
  const read = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
  const { packages } = read('package-lock.json') as { packages: Record<string, { hasInstallScript?: true }> };
  const scripted = Object.keys(packages).filter((name) => packages[name]!.hasInstallScript);
  expect(scripted.filter((name) => !/\/fsevents$/.test(name))).toEqual(['node_modules/esbuild']);
  // npm asks the lock file, newer ones this; cpu-features, which is only there to be compiled, is another package
  expect(read('package.json')).toMatchObject({
    allowScripts: { ssh2: false },
    overrides: { ssh2: { 'cpu-features': expect.stringContaining('npm:') } },
  });
});
