/** What the SSH server is made of, each by itself: files of keys and passwords, its own key, addresses, limits. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, describe, expect, test } from 'vitest';
import { accessOf } from '../../cli/ssh/access.ts';
import { address, addressText } from '../../cli/ssh/address.ts';
import { Allowance } from '../../cli/ssh/allowance.ts';
import { parseAuthorizedKeys } from '../../cli/ssh/authorized-keys.ts';
import { hostKey } from '../../cli/ssh/host-key.ts';
import { nameOf } from '../../cli/ssh/login.ts';
import { Passwords } from '../../cli/ssh/passwords.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-ssh-'));
afterAll(() => rmSync(DIR, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(DIR, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** Public keys, a line each. */
const ED25519 = ssh2.utils.generateKeyPairSync('ed25519').public.trim();
const ECDSA = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).public.trim();
const RSA = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }).public.trim();

describe('files of authorized keys', () => {
  test('are read as sshd reads them', () => {
    const text = [
      '# comment',
      '',
      `${ED25519} alice@example`,
      `  ${ECDSA}`,
      `no-pty,command="echo \\"a b\\" # c",environment="A=1 2" ${RSA} with options`,
    ].join('\r\n');
    const { keys, left } = parseAuthorizedKeys(text, 'keys');
    expect(keys.map((k) => [k.key.type, k.comment])).toEqual([
      ['ssh-ed25519', 'alice@example'],
      ['ecdsa-sha2-nistp256', ''],
      ['ssh-rsa', 'with options'],
    ]);
    expect(left).toEqual([]);
  });

  test('leave out what cannot be used, or would let in more than was meant, and say why', () => {
    const [type, base64] = ED25519.split(' ');
    const text = [
      `cert-authority ${ED25519}`,
      `from="10.0.0.0/8,!10.1.0.0/16",no-pty ${ED25519}`,
      `expiry-time="20200101" ${ED25519}`,
      `sk-ssh-ed25519@openssh.com ${base64}`,
      `ssh-rsa ${base64}`,
      `${type} ${base64!.slice(0, 30)}`,
      `${type}`,
      'nonsense',
      'command="open',
    ].join('\n');
    const { keys, left } = parseAuthorizedKeys(text, 'keys\x1b');
    expect(keys).toEqual([]);
    expect(left).toEqual([
      'keys\\x1b:1: cert-authority is not supported: line left out',
      'keys\\x1b:2: from is not supported: line left out',
      'keys\\x1b:3: expiry-time is not supported: line left out',
      'keys\\x1b:4: sk-ssh-ed25519@openssh.com keys are not supported: line left out',
      'keys\\x1b:5: not a valid key: line left out',
      'keys\\x1b:6: not a valid key: line left out',
      'keys\\x1b:7: not a valid key: line left out',
      'keys\\x1b:8: must be an ssh-ed25519, ecdsa-sha2-nistp or ssh-rsa key: line left out',
      'keys\\x1b:9: must be an ssh-ed25519, ecdsa-sha2-nistp or ssh-rsa key: line left out',
    ]);
  });

  test('have the fingerprint that ssh-keygen prints', () => {
    const path = file('one.pub', `${ED25519}\n`);
    let printed: string;
    try {
      printed = execFileSync('ssh-keygen', ['-lf', path], { encoding: 'utf8' });
    } catch {
      return; // no ssh-keygen here
    }
    expect(printed).toContain(parseAuthorizedKeys(ED25519, 'f').keys[0]!.fingerprint);
  });
});

describe('passwords', () => {
  test('are of one user, or of whoever has none of their own', () => {
    const passwords = new Passwords();
    passwords.addLines('# users\nalice:a:b c\n\n*:open\n', 'file');
    expect(passwords.accepts('alice', 'a:b c')).toBe(true);
    expect(passwords.accepts('alice', 'open')).toBe(false);
    expect(passwords.accepts('bob', 'open')).toBe(true);
    expect(passwords.accepts('*', 'open')).toBe(true);
    expect(passwords.accepts('bob', 'a:b c')).toBe(false);
    expect([passwords.names('alice'), passwords.names('bob'), passwords.names('*')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('there are none without a line, not even an empty one', () => {
    const passwords = new Passwords();
    expect(passwords.accepts('bob', '')).toBe(false);
    expect(passwords.none).toBe(true);
  });

  test.each([
    ['secret', 'file:1: must be USER:PASSWORD, with * for any user'],
    ['alice:', 'file:1: must be USER:PASSWORD, with * for any user'],
    ['a:1\na:2', 'file:2: a second line for a'],
  ])('%j is a mistake with its line', (text, message) => {
    expect(() => new Passwords().addLines(text, 'file')).toThrow(message);
  });
});

describe('who may do what', () => {
  const warn = () => {};

  test('keys of --control may log in and control, others watch', () => {
    const authorizedKeys = file('team', `${ED25519}\n${RSA}\n`);
    const control = file('mine.pub', `${ECDSA}\n${RSA}\n`);
    const access = accessOf({ authorizedKeys, control: [control] }, warn);
    const controls = access.keys.map((k) => [k.key.type, access.controlKeys.has(k.blob.toString('base64'))]);
    expect(controls).toEqual([
      ['ssh-ed25519', false],
      ['ssh-rsa', true],
      ['ecdsa-sha2-nistp256', true],
    ]);
  });

  test('a name controls by its own password alone', () => {
    const authorizedKeys = file('team', `${ED25519}\n`);
    const passwordFile = file('users', 'alice:a\n*:any\n');
    const access = accessOf({ authorizedKeys, passwordFile, control: ['alice'] }, warn);
    expect([...access.controlUsers]).toEqual(['alice']);
    expect(() => accessOf({ authorizedKeys, passwordFile, control: ['bob'] }, warn)).toThrow(
      "--control 'bob': must be a file of public keys, or a user with a line in --password-file",
    );
    expect(() => accessOf({ authorizedKeys, passwordFile, control: ['*'] }, warn)).toThrow("--control '*'");
  });

  test('a file of passwords that others can read, or one of keys that they can write, is refused', () => {
    const passwordFile = file('loose', 'a:b\n', 0o640);
    expect(() => accessOf({ passwordFile }, warn)).toThrow(
      `--password-file ${passwordFile}: others can read it (mode 0640): chmod 600 ${passwordFile}`,
    );
    const authorizedKeys = file('open', `${ED25519}\n`, 0o666);
    expect(() => accessOf({ authorizedKeys }, warn)).toThrow(
      `--authorized-keys ${authorizedKeys}: others can write it (mode 0666): chmod go-w ${authorizedKeys}`,
    );
  });

  test('files without anything in them are a mistake', () => {
    const empty = file('empty', '# nothing\n');
    expect(() => accessOf({ authorizedKeys: empty }, warn)).toThrow(`${empty}: no key that can be used`);
    expect(() => accessOf({ passwordFile: empty }, warn)).toThrow(`${empty}: no line USER:PASSWORD`);
    expect(() => accessOf({ authorizedKeys: join(DIR, 'none') }, warn)).toThrow('no such file');
  });
});

describe('the key of the server', () => {
  test('is made once, for nobody else to read, and kept', () => {
    const path = join(DIR, 'new/folder/key');
    const first = hostKey(path);
    expect(first.made).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(DIR, 'new/folder')).mode & 0o777).toBe(0o700);
    expect(first.text).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    expect(hostKey(path)).toEqual({ ...first, made: false });
  });

  test('is refused if others can read it, or if it is none', () => {
    const path = join(DIR, 'loose-key');
    hostKey(path);
    chmodSync(path, 0o644);
    expect(() => hostKey(path)).toThrow(
      `--host-key ${path}: others can read it (mode 0644): chmod 600 ${path}`,
    );
    const none = file('none', 'nothing\n');
    expect(() => hostKey(none)).toThrow('must be a private key, as ssh-keygen -t ed25519 makes');
    const locked = file(
      'locked',
      ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-cbc', rounds: 1 }).private,
    );
    expect(() => hostKey(locked)).toThrow('must be a private key without passphrase');
    expect(() => hostKey(`${none}/folder/key`)).toThrow(`--host-key ${none}/folder/key: cannot be made`);
    expect(() => hostKey('/proc/none/key')).toThrow('--host-key /proc/none/key: cannot be made (ENOENT)');
    expect(readFileSync(none, 'utf8')).toBe('nothing\n');
  });
});

test.each([
  ['127.0.0.1:2222', { host: '127.0.0.1', port: 2222 }],
  ['[::1]:22', { host: '::1', port: 22 }],
  ['host.example:0', { host: 'host.example', port: 0 }],
])('%s is an address', (text, wanted) => {
  expect(address('--ssh', text)).toEqual(wanted);
  expect(addressText(wanted)).toBe(text);
});

test.each(['2222', ':2222', 'host', 'host:', 'host:x', '::1:2222', 'a b:1', '1.2.3.4:65536', 'host:-1'])(
  '%j is none',
  (text) =>
    expect(() => address('--ssh', text)).toThrow('must be HOST:PORT, as 127.0.0.1:2222 or [::1]:2222'),
);

test('a name asks for what suits a slow line', () => {
  expect(nameOf('slow')).toEqual({ name: 'slow', slow: true });
  expect(nameOf('alice+slow')).toEqual({ name: 'alice', slow: true });
  expect(nameOf('slowly')).toEqual({ name: 'slowly', slow: false });
});

test('an allowance is so much at once, and so much a second', () => {
  let now = 0;
  const keys = new Allowance(3, 10, () => now);
  const taken = () => [1, 2, 3, 4].filter(() => keys.take()).length;
  expect(taken()).toBe(3);
  now += 200;
  expect(taken()).toBe(2);
  now += 60_000;
  expect(taken()).toBe(3);
  const bytes = new Allowance(100, 50, () => now);
  expect(bytes.spend(60)).toBe(0);
  expect(bytes.spend(90)).toBe(1001);
  now += 1001;
  expect(bytes.spend(0)).toBe(0);
});
