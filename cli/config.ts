/**
 * The file of preferences: `$XDG_CONFIG_HOME/virqtop/config.yaml`, or below ~/.config. The monitor alone has one. It
 * is written when the user asks for it and never by itself; whatever is wrong with it is told on the screen.
 */
import { existsSync, statSync } from 'node:fs';
import { open, realpath, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { makeFolder, readText } from './files.ts';

/** A page of keys; what is larger is something else. */
const LARGEST = 64 * 1024;

const HEAD = '# How virqtop looks. Written by W in the monitor; options of the command line win.\n';

/** Where it is. The XDG rules: a path that is not absolute does not count. */
export function configFile(env: NodeJS.ProcessEnv, home = homedir()): string {
  const { XDG_CONFIG_HOME: xdg = '' } = env;
  return join(isAbsolute(xdg) ? xdg : join(home, '.config'), 'virqtop', 'config.yaml');
}

export interface ConfigRead {
  /** as YAML has it; undefined: there is no such file, or nothing can be made of it */
  readonly data?: unknown;
  readonly problem?: string;
}

/** Never throws: a monitor is not kept from starting by how it should look. */
export async function readConfig(file: string): Promise<ConfigRead> {
  if (!existsSync(file)) return {};
  try {
    if (!statSync(file).isFile()) return { problem: 'not a file' };
    const text = readText(file);
    if (text.length > LARGEST) return { problem: 'too large to be one' };
    const { parseDocument } = await import('./yaml.ts');
    const document = parseDocument(text, { logLevel: 'silent' });
    const [error] = document.errors;
    if (error) return { problem: `line ${error.linePos?.[0].line ?? 1}: not YAML` };
    return { data: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    return { problem: (error as Error).message.replace(`${file}: `, '') };
  }
}

/**
 * Writes it whole, beside what was there, and puts it in its place. @throws Error if that cannot be done; what was
 * there is untouched then
 */
export async function writeConfig(file: string, data: Record<string, unknown>): Promise<void> {
  const { stringify } = await import('./yaml.ts');
  makeFolder(dirname(file), 0o700);
  // a link stays one
  const target = await realpath(file).catch(() => file);
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(HEAD + stringify(data));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
