/** The file of preferences: where it is, how it is read and written, and the monitor that does so. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configFile, readConfig, writeConfig } from '../../cli/config.ts';
import { TestTerminal } from '../support/terminal.ts';
import { ENTRY, virqtop } from './run.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'virqtop-config-'));
  file = join(dir, 'virqtop/config.yaml');
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(text: string): void {
  mkdirSync(join(dir, 'virqtop'), { recursive: true });
  writeFileSync(file, text);
}

test('it is where XDG says, and XDG has to say where from the root', () => {
  expect(configFile({ XDG_CONFIG_HOME: '/x' }, '/home/u')).toBe('/x/virqtop/config.yaml');
  for (const XDG_CONFIG_HOME of [undefined, '', 'relative']) {
    expect(configFile({ XDG_CONFIG_HOME }, '/home/u')).toBe('/home/u/.config/virqtop/config.yaml');
  }
});

test('what is written is read again; the file is its owner’s alone, and nothing is left beside it', async () => {
  const data = { theme: 'mono', delay: 0.5, tables: { exits: { sort: 'rate', reverse: true } } };
  await writeConfig(file, { theme: 'light' });
  await writeConfig(file, data);
  expect(await readConfig(file)).toEqual({ data });
  expect(readdirSync(join(dir, 'virqtop'))).toEqual(['config.yaml']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, 'virqtop')).mode & 0o777).toBe(0o700);
});

test('a link to the file stays a link', async () => {
  put('theme: mono\n');
  const link = join(dir, 'link.yaml');
  symlinkSync(file, link);
  await writeConfig(link, { theme: 'light' });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect((await readConfig(file)).data).toEqual({ theme: 'light' });
});

test.skipIf(process.getuid?.() === 0)('where it cannot be written the old one stays', async () => {
  put('theme: mono\n');
  chmodSync(join(dir, 'virqtop'), 0o500);
  await expect(writeConfig(file, { theme: 'light' })).rejects.toThrow('EACCES');
  chmodSync(join(dir, 'virqtop'), 0o700);
  expect(readFileSync(file, 'utf8')).toBe('theme: mono\n');
});

test('a directory in its place is not written over, and nothing is left beside it', async () => {
  mkdirSync(file, { recursive: true });
  await expect(writeConfig(file, {})).rejects.toThrow();
  expect(readdirSync(join(dir, 'virqtop'))).toEqual(['config.yaml']);
  expect(await readConfig(file)).toEqual({ problem: 'not a file' });
});

test.each([
  ['a: [1', /^line 1: not YAML$/],
  ['a: 1\na: 2\n', /^line 2: not YAML$/],
  ['\0', /^not a text file/],
  [`# ${'x'.repeat(70_000)}`, /^too large/],
  [
    `a: &a [x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c]\n`,
    /alias/,
  ],
])('of a broken one there is a word, and no more: %j', async (text, problem) => {
  put(text);
  const { data, problem: told } = await readConfig(file);
  expect(data).toBeUndefined();
  expect(told).toMatch(problem);
});

test('there need not be one', async () => {
  expect(await readConfig(file)).toEqual({});
});

async function monitor(...args: string[]): Promise<TestTerminal> {
  const terminal = await TestTerminal.start([process.execPath, ENTRY, ...args], {
    columns: 120,
    rows: 40,
    env: { XDG_CONFIG_HOME: dir },
  });
  await terminal.shows('q quit', 30_000);
  return terminal;
}

test('the monitor begins as W has left it; options of the command line win, --no-config leaves it alone', async () => {
  let terminal = await monitor('kvm', '--delay', '0.2');
  terminal.press('t');
  terminal.press('W');
  await terminal.shows('written to ');
  terminal.press('q');
  await terminal.exit();
  expect(readFileSync(file, 'utf8')).toMatch(
    /^# .*\ntheme: default\nascii: false\ndelay: 0.2\n.*totals: true\n/s,
  );

  terminal = await monitor('kvm');
  expect(await terminal.shows(/IRQ\S* +TOTAL/)).not.toContain('config.yaml');
  terminal.press('q');
  await terminal.exit();

  put('theme: pink\ncolour: 1\n');
  terminal = await monitor('kvm');
  await terminal.shows('config.yaml: theme: must be default, light, okabe-ito, mono (and 1 more)');
  terminal.press('q');
  expect(await terminal.exit()).toBe(0);

  put('totals: true\ntheme: pink\n');
  terminal = await monitor('kvm', '--no-config');
  terminal.press('W');
  expect(await terminal.shows('nothing is written')).toMatch(/IRQ\S* +CPU0/);
  terminal.press('q');
  await terminal.exit();
});

test('batch neither reads it nor minds it', async () => {
  put('theme: pink\n');
  const plain = await virqtop('-b', '-n', '1', '-d', '1ms', 'kvm');
  const given = await virqtop('-b', '-n', '1', '-d', '1ms', 'kvm', '--config', file);
  expect(given).toEqual(plain);
  expect(plain.code).toBe(0);
});
