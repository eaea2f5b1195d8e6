/** Who may log in, and who of them may act on the machine: from files, options and the environment. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readText } from '../files.ts';
import { printable, quoted, UsageError } from '../usage.ts';
import { type AuthorizedKey, parseAuthorizedKeys } from './authorized-keys.ts';
import type { Access } from './login.ts';
import { Passwords } from './passwords.ts';
import { checkSecret, checkUnspoilt } from './secret-file.ts';

export interface AccessOptions {
  readonly authorizedKeys?: string | undefined;
  readonly passwordFile?: string | undefined;
  /** a password for any user */
  readonly password?: string | undefined;
  readonly control?: readonly string[] | undefined;
}

/** @param warn told of lines that are left out @throws UsageError where nobody could log in */
export function accessOf(options: AccessOptions, warn: (line: string) => void): Access {
  const passwords = passwordsOf(options);
  const usual = join(homedir(), '.ssh/authorized_keys');
  const file = options.authorizedKeys ?? (existsSync(usual) ? usual : undefined);
  const keys = file === undefined ? [] : keysOf('--authorized-keys', file, warn);
  const controlKeys = new Set<string>();
  const controlUsers = new Set<string>();
  for (const who of options.control ?? []) {
    if (passwords.names(who)) {
      controlUsers.add(who);
      continue;
    }
    if (!who.includes('/') && !existsSync(who)) {
      throw new UsageError(
        `--control ${quoted(who)}: must be a file of public keys, or a user with a line in --password-file`,
      );
    }
    for (const key of keysOf('--control', who, warn)) {
      controlKeys.add(key.blob.toString('base64'));
      if (!keys.some((known) => known.blob.equals(key.blob))) keys.push(key);
    }
  }
  if (keys.length === 0 && passwords.none) {
    throw new UsageError(
      `nobody could log in: there is no ${printable(file ?? usual)} with a key; --authorized-keys or --password-file names one`,
    );
  }
  return { keys, passwords, controlKeys, controlUsers };
}

function passwordsOf({ passwordFile, password }: AccessOptions): Passwords {
  const passwords = new Passwords();
  if (passwordFile !== undefined) {
    checkSecret('--password-file', passwordFile);
    passwords.addLines(readText(passwordFile), passwordFile);
    if (passwords.none)
      throw new UsageError(`--password-file ${printable(passwordFile)}: no line USER:PASSWORD`);
  }
  if (password) passwords.addForAnybody(password);
  return passwords;
}

function keysOf(option: string, file: string, warn: (line: string) => void): AuthorizedKey[] {
  checkUnspoilt(option, file);
  const { keys, left } = parseAuthorizedKeys(readText(file), file);
  left.forEach(warn);
  if (keys.length === 0) throw new UsageError(`${option} ${printable(file)}: no key that can be used`);
  return [...keys];
}
