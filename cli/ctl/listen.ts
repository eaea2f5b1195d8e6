/** Listening at a path that nobody else uses: what a dead program left is cleared away, a live one keeps it. */
import { existsSync, linkSync, lstatSync, rmSync, type Stats } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { printable, RunError, UsageError } from '../usage.ts';
import { answers } from './place.ts';

/** times that a path may turn out to be taken by what a dead program left */
const TRIES = 3;

/** @returns what takes the socket away again @throws UsageError, RunError */
export async function listenAt(server: Server, path: string): Promise<() => void> {
  const draft = `${path.slice(0, 90)}.${process.pid}`;
  await listen(server, draft, path);
  try {
    for (let n = 0; n < TRIES; n++) {
      try {
        linkSync(draft, path); // all at once, and only where there is nothing
        const ours = lstatSync(path);
        return () => removeIf(path, ours);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EEXIST') throw new RunError(`--socket ${printable(path)}: cannot be made (${code})`);
      }
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (!found) continue;
      if (!found.isSocket()) {
        throw new UsageError(`--socket ${printable(path)}: is there, and is no socket`);
      }
      if (await answers(path))
        throw new RunError(`--socket ${printable(path)}: somebody listens there already`);
      removeIf(path, found);
    }
    throw new RunError(`--socket ${printable(path)}: somebody else wants it too`);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The socket is nobody else's from its first moment. */
function listen(server: Server, draft: string, path: string): Promise<void> {
  rmSync(draft, { force: true }); // of a process that had our number
  return new Promise((resolve, reject) => {
    const before = process.umask(0o177);
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(new UsageError(`--socket ${printable(path)}: ${reasonOf(code, path)}`)),
    );
    server.listen(draft, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
    process.umask(before);
  });
}

/** A missing folder comes as EACCES here, as on Windows. */
function reasonOf(code: string | undefined, path: string): string {
  if (!existsSync(dirname(path))) return 'no such folder';
  return code === 'EACCES' ? 'permission denied' : `cannot be made (${code})`;
}

function removeIf(path: string, { ino, dev }: Stats): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.ino === ino && found.dev === dev) rmSync(path, { force: true });
}
