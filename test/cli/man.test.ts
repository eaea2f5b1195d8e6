/** The manual page: roff takes it without a warning, and it has every option and every key. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { optionsOf } from '../../cli/flags/index.ts';
import { PAGES } from '../../cli/help.ts';
import { manPage } from '../../cli/man.ts';
import type { CommandName } from '../../cli/options.ts';
import { KEYMAP } from '../../tui/keymap.ts';
import { ROOT } from './run.ts';

const format = (...args: string[]) =>
  spawnSync('groff', ['-man', '-Tascii', '-P-c', '-P-b', '-P-u', '-rLL=200n', ...args], {
    input: manPage(),
    encoding: 'utf8',
  });

test.skipIf(spawnSync('groff', ['--version']).status !== 0)('every option and key can be read in it', () => {
  const { stdout, stderr, status } = format('-ww');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const words = stdout.replace(/\s+/g, ' ');
  for (const command of Object.keys(PAGES) as CommandName[]) {
    for (const { rows } of optionsOf(command)) {
      for (const { flags, help } of rows) expect(words).toContain(` ${flags} ${help.replace(/\s+/g, ' ')}`);
    }
  }
  for (const { label, about } of KEYMAP) expect(words).toContain(` ${label} ${about}`);
});

test('the package has it', () => {
  const { man } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { man: string };
  expect(readFileSync(resolve(ROOT, man), 'utf8')).toBe(manPage());
});
