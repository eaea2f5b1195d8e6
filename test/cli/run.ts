/** Runs the built program as a user does: a child process, its exit code and what it printed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const ENTRY = resolve(ROOT, 'dist/virqtop.mjs');

if (!existsSync(ENTRY)) throw new Error('dist/virqtop.mjs is missing: npm run build makes it');

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Standard input is empty, the outputs are pipes. */
export async function virqtop(...args: string[]): Promise<Ran> {
  return finished(start(args));
}

export function start(args: readonly string[], node = process.execPath): ChildProcess {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C.UTF-8' };
  delete env.NO_COLOR;
  delete env.FORCE_COLOR;
  return spawn(node, [ENTRY, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
}

export function finished(child: ChildProcess): Promise<Ran> {
  return new Promise((done, failed) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (s: string) => {
      stdout += s;
    });
    child.stderr?.setEncoding('utf8').on('data', (s: string) => {
      stderr += s;
    });
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
  });
}

/** Runs a line of the shell, `virqtop` in it being the built program. */
export function shell(line: string): Promise<Ran> {
  const script = `virqtop() { ${JSON.stringify(process.execPath)} ${JSON.stringify(ENTRY)} "$@"; }\n${line}`;
  return finished(spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] }));
}
