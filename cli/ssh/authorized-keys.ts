/** Files of public keys as sshd reads them (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */
import ssh2 from 'ssh2';
import { printable } from '../usage.ts';
import { fingerprint } from './fingerprint.ts';

export interface AuthorizedKey {
  readonly key: ssh2.ParsedKey;
  /** as it comes over the line */
  readonly blob: Buffer;
  readonly comment: string;
  readonly fingerprint: string;
}

export interface AuthorizedKeys {
  readonly keys: readonly AuthorizedKey[];
  /** lines that are left out, with file, line and why */
  readonly left: readonly string[];
}

const TYPE = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))$/;
/** What sshd knows besides; a line that begins with one has no options. */
const OTHER_TYPE = /^(?:ssh-dss|sk-(?:ssh|ecdsa)-[\w@.-]+|[\w-]+-cert-v\d+@openssh\.com)$/;
/** Options that say when a key is good for logging in at all; without looking at them it would be good for more. */
const LIMITS = /^(?:cert-authority$|from=|expiry-time=|principals=|valid-before=)/i;

/** Reads the lines of such a file. Options that only limit what may be run are not needed: nothing is run. */
export function parseAuthorizedKeys(text: string, file: string): AuthorizedKeys {
  const keys: AuthorizedKey[] = [];
  const left: string[] = [];
  text.split(/\r?\n/).forEach((line, i) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return;
    const read = readLine(trimmed);
    if (typeof read === 'string') left.push(`${printable(file)}:${i + 1}: ${read}: line left out`);
    else keys.push(read);
  });
  return { keys, left };
}

/** @returns the key, or what is wrong */
function readLine(line: string): AuthorizedKey | string {
  let rest = line;
  let options: string[] = [];
  if (!isType(rest.split(/\s/, 1)[0]!)) {
    const end = endOfOptions(rest);
    options = splitOptions(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  const [, type = '', base64 = '', comment = ''] = /^(\S+)\s*(\S*)\s*(.*)$/.exec(rest) ?? [];
  if (OTHER_TYPE.test(type)) return `${printable(type)} keys are not supported`;
  if (!TYPE.test(type)) return 'must be an ssh-ed25519, ecdsa-sha2-nistp or ssh-rsa key';
  const limit = options.find((option) => LIMITS.test(option));
  if (limit !== undefined) return `${printable(limit.split('=', 1)[0]!)} is not supported`;
  const blob = Buffer.from(base64, 'base64');
  const key = ssh2.utils.parseKey(`${type} ${base64}`);
  if (base64 === '' || key instanceof Error || !blob.equals(key.getPublicSSH())) return 'not a valid key';
  return { key, blob, comment, fingerprint: fingerprint(blob) };
}

function isType(word: string): boolean {
  return TYPE.test(word) || OTHER_TYPE.test(word);
}

/** Options end at the first blank that is not within quotes. */
function endOfOptions(line: string): number {
  let within = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\' && line[i + 1] === '"') i++;
    else if (line[i] === '"') within = !within;
    else if (!within && /\s/.test(line[i]!)) return i;
  }
  return line.length;
}

function splitOptions(text: string): string[] {
  return text.match(/(?:[^,"\\]|\\.|"(?:[^"\\]|\\.)*")+/g) ?? [];
}
