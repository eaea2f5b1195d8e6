/**
 * Where sockets are: a path, or a name in a folder of the user's own, `$XDG_RUNTIME_DIR/virqtop` or, where there is no such
 * variable, `virqtop-UID` beside other temporary files.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { makeFolder } from '../files.ts';
import { printable, quoted, RunError, UsageError } from '../usage.ts';

const ENDING = '.sock';
const NAME = /^(?!\.)[\w.-]{1,40}$/;
/** bytes of sun_path, without the zero at its end */
const LONGEST = 107;
/** ms that a socket may take to accept */
const PATIENCE = 1000;

/** The path of `--socket`. @throws UsageError */
export function socketPath(wanted: string, env: NodeJS.ProcessEnv): string {
  if (!wanted.includes('/') && !NAME.test(wanted)) {
    throw new UsageError(`--socket ${quoted(wanted)}: must be a name, as lab, or a path with a slash`);
  }
  const path = wanted.includes('/') ? wanted : join(ownFolder(env), `${wanted}${ENDING}`);
  if (Buffer.byteLength(path) > LONGEST || path.includes('\0')) {
    throw new UsageError(`--socket ${quoted(path)}: too long, a socket's path has at most ${LONGEST} bytes`);
  }
  return path;
}

function ownFolder(env: NodeJS.ProcessEnv): string {
  const { XDG_RUNTIME_DIR } = env;
  if (XDG_RUNTIME_DIR && isAbsolute(XDG_RUNTIME_DIR)) return join(XDG_RUNTIME_DIR, 'virqtop');
  return join(tmpdir(), `virqtop-${process.getuid?.() ?? 0}`);
}

/** Makes the folder if need be. @throws RunError if it is somebody else's, or others may look into it */
export function makeOwnFolder(env: NodeJS.ProcessEnv): void {
  const folder = ownFolder(env);
  try {
    makeFolder(folder, 0o700);
  } catch (error) {
    throw new RunError(`${printable(folder)}: cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
  checkOwn(folder, lstatSync(folder));
}

function checkOwn(folder: string, found: Stats): void {
  const ours = found.uid === (process.getuid?.() ?? found.uid);
  if (found.isDirectory() && ours && (found.mode & 0o077) === 0) return;
  throw new RunError(`${printable(folder)}: must be a folder of yours that nobody else can look into`);
}

/** The names in the user's own folder behind which somebody listens. */
export async function listening(env: NodeJS.ProcessEnv): Promise<string[]> {
  const folder = ownFolder(env);
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith(ENDING));
  } catch {
    return [];
  }
  const alive = await Promise.all(files.map((file) => answers(join(folder, file))));
  return files
    .filter((_, i) => alive[i])
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}

/** Does anybody accept there? */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PATIENCE, () => end(true)); // somebody holds it, however busy
    socket.once('connect', () => end(true));
    // no right to connect: it is somebody's all the same
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'EACCES' || code === 'EAGAIN'));
  });
}
