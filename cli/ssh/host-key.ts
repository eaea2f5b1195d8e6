/** The key that the server proves itself with: made on the first run, kept from then on. */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import ssh2 from 'ssh2';
import { makeFolder, readText } from '../files.ts';
import { printable, UsageError } from '../usage.ts';
import { fingerprint } from './fingerprint.ts';
import { checkSecret } from './secret-file.ts';

export interface HostKey {
  readonly file: string;
  /** in OpenSSH's format */
  readonly text: string;
  readonly fingerprint: string;
  readonly made: boolean;
}

/** `$XDG_DATA_HOME/virqtop/ssh_host_ed25519_key` */
export function defaultHostKeyFile(env: NodeJS.ProcessEnv): string {
  const { XDG_DATA_HOME } = env;
  const data = XDG_DATA_HOME && isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : join(homedir(), '.local/share');
  return join(data, 'virqtop/ssh_host_ed25519_key');
}

/** Reads the key, making it if there is none. @throws UsageError */
export function hostKey(file: string): HostKey {
  const made = !existsSync(file) && make(file);
  checkSecret('--host-key', file);
  const text = readText(file);
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error || !key.isPrivateKey()) {
    const why =
      key instanceof Error && /passphrase|encrypted/i.test(key.message) ? ' without passphrase' : '';
    throw new UsageError(
      `--host-key ${printable(file)}: must be a private key${why}, as ssh-keygen -t ed25519 makes`,
    );
  }
  return { file, text, fingerprint: fingerprint(key.getPublicSSH()), made };
}

/** @returns whether it was made here: of two that make one at the same time, the first wins */
function make(file: string): boolean {
  const text = newKey();
  const draft = `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
  try {
    makeFolder(dirname(file), 0o700);
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    try {
      linkSync(draft, file);
      return true;
    } finally {
      rmSync(draft, { force: true });
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new UsageError(`--host-key ${printable(file)}: cannot be made (${code})`);
  }
}

/** A new ed25519 key, one that can be read again and signs. */
function newKey(): string {
  for (;;) {
    const { private: text } = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'virqtop' });
    const key = ssh2.utils.parseKey(text);
    if (key instanceof Error) continue;
    const probe = randomBytes(32);
    const signature = key.sign(probe);
    if (!(signature instanceof Error) && key.verify(probe, signature) === true) return text;
  }
}
