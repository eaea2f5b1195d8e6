/** --help: complete, in groups, within 80 columns; --version as in package.json. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { optionsOf } from '../../cli/flags/index.ts';
import { helpOf, PAGES, quickText } from '../../cli/help.ts';
import type { CommandName } from '../../cli/options.ts';
import { VERSION } from '../../cli/version.ts';
import { called } from './call.ts';
import { ROOT } from './run.ts';

const COMMANDS = Object.keys(PAGES) as CommandName[];

/** The command line as promised; an option that is not in this list is one nobody asked for. */
const OPTIONS = [
  '--scenario', '--seed', '--import', '--interval', '--uptime', '--fire',
  '--domain', '--delay', '--skip-zero', '--filter', '--threshold', '--cpu-list', '--output', '--hook', '--speed', '--ascii', '--slow', '--color', '--theme',
  '--batch', '--json', '--csv', '--iterations', '--realtime', '--as', '--dump', '--books', '--at', '--path', '--metrics',
  '--record', '--replay',
  '--config',
  '--cpu-hz', '--no-config',
  '--cast', '--size', '--for', '--socket',
  '--help', '--version',
]; // biome-ignore format: a list to read

test('the help names every option once, in its place', async () => {
  const { code, stdout, stderr } = await called('--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const listed = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((m) => m[1]);
  expect([...listed].sort()).toEqual([...OPTIONS].sort());
  for (const short of ['-g', '-d', '-z', '-f', '-t', '-C', '-o', '-b', '-J', '-n', '-h', '-V']) {
    expect(stdout).toMatch(new RegExp(`^ {2}${short}, --`, 'm'));
  }
});

test('every option that is parsed is in the help of its command', () => {
  for (const command of COMMANDS) {
    for (const { title, rows } of optionsOf(command)) {
      expect(helpOf(command)).toContain(`\n${title}\n`);
      for (const { flags, help } of rows)
        expect(helpOf(command)).toContain(`  ${flags.padEnd(25)}  ${help}\n`);
    }
  }
});

test('the help has examples for the shell, and fits into 80 columns', () => {
  for (const command of COMMANDS) {
    expect(
      helpOf(command)
        .split('\n')
        .filter((line) => line.length > 80),
    ).toEqual([]);
    expect(helpOf(command)).toMatch(/^Usage: virqtop/);
  }
  expect(helpOf('virqtop')).toMatch(/\nExamples:\n {2}virqtop /);
});

test.each([
  [['-h'], 'virqtop'],
  [['help'], 'virqtop'],
  [['-b', '--help'], 'virqtop'],
  [['proc', '-h', '--at', '5'], 'proc'],
  ...COMMANDS.slice(1).map((command) => [[command, '--help'], command] as const),
] as const)('%j prints the help of %s', async (args, command) => {
  expect(await called(...args)).toMatchObject({ code: 0, stdout: helpOf(command), stderr: '' });
});

test.each([[['-V']], [['--version']], [['--version', '-b']]])('%j prints the version', async (args) => {
  expect(await called(...args)).toMatchObject({ code: 0, stdout: `virqtop ${VERSION}\n`, stderr: '' });
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(VERSION).toBe(version);
});

test('help and version beside other arguments are left to the parser', () => {
  expect(quickText(['--help'])).toBe(helpOf('virqtop'));
  expect(quickText(['proc', '--help'])).toBeUndefined();
  expect(quickText([])).toBeUndefined();
});
