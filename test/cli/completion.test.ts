/** Shells complete the command line: the real ones are asked. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bash } from '../../cli/completion/bash.ts';
import { fish } from '../../cli/completion/fish.ts';
import { completedCommands } from '../../cli/completion/words.ts';
import { zsh } from '../../cli/completion/zsh.ts';
import { builtinScenarios } from '../../engine/index.ts';
import { TestTerminal } from '../support/terminal.ts';
import { called } from './call.ts';

const NAMES = builtinScenarios().map((s) => s.name);
const KVM = NAMES.filter((n) => n.startsWith('kvm'));
const COMMANDS = completedCommands().map((c) => c.name);
let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'virqtop-completion-'));
  for (const [name, script] of Object.entries({ bash, zsh, fish })) {
    writeFileSync(join(dir, name), script(completedCommands(), NAMES));
  }
  writeFileSync(join(dir, 'lab.yaml'), '');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const has = (program: string) => spawnSync('which', [program]).status === 0;

/** What is typed, the last word unfinished, and what there is for it. */
const CASES: readonly (readonly [line: readonly string[], words: readonly string[]])[] = [
  [['co'], ['compare', 'completion']],
  [['xen-p'], NAMES.filter((n) => n.startsWith('xen-p'))],
  [['--col'], ['--color']],
  [
    ['--color', 'a'],
    ['always', 'auto'],
  ],
  [['--seed', ''], []],
  [['--theme', 'light', 'kvm'], KVM],
  [
    ['scenario', ''],
    ['list', 'schema', 'show', 'validate'],
  ],
  [['scenario', 'show', 'kvm'], KVM],
  [['compare', 'kvm', 'kvm-'], KVM.filter((n) => n !== 'kvm')],
  [
    ['compare', '--f'],
    ['--fire', '--for'],
  ],
  [
    ['proc', '--file', ''],
    ['interrupts', 'softirqs', 'stat'],
  ],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
];

/** One shell answers all: groups of lines, a line of its own behind each. */
function groups(text: string): string[][] {
  return text
    .split('==\n')
    .slice(0, CASES.length)
    .map((g) => g.split('\n').filter(Boolean).sort());
}

const wanted = CASES.map(([, words]) => [...words].sort());

test('bash offers commands, scenarios, options and their values', () => {
  const asked = CASES.map(([line]) => {
    const words = ['virqtop', ...line].map((w) => `'${w}'`).join(' ');
    return `COMP_WORDS=(${words}); COMP_CWORD=${line.length}; _virqtop; printf '%s\\n' "\${COMPREPLY[@]}"; echo ==`;
  });
  const script = [`. ${join(dir, 'bash')}`, ...asked].join('\n');
  expect(groups(execFileSync('bash', ['-c', script], { encoding: 'utf8' }))).toEqual(wanted);
});

test('bash splits --color=a in three, and completes files where a path is typed', () => {
  const ask = (...words: string[]) =>
    execFileSync(
      'bash',
      [
        '-c',
        `. ${join(dir, 'bash')}; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _virqtop; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    ).trim();
  expect(ask('virqtop', '--color', '=', 'a')).toBe('auto always');
  expect(ask('virqtop', '--color', '=')).toBe('auto always never');
  expect(ask('virqtop', join(dir, 'la'))).toBe(join(dir, 'lab.yaml'));
});

describe.skipIf(!has('fish'))('fish', () => {
  test('offers the same', () => {
    const asked = CASES.map(([line]) => `complete -C 'virqtop ${line.join(' ')}' | cut -f1; echo ==`);
    const script = [`source ${join(dir, 'fish')}`, ...asked].join('\n');
    const env = { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir };
    expect(groups(execFileSync('fish', ['-N', '-c', script], { encoding: 'utf8', env }))).toEqual(wanted);
  });

  test('completes files where a path is typed', () => {
    const script = `source ${join(dir, 'fish')}; complete -C 'virqtop ${dir}/la'`;
    const env = { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir };
    expect(execFileSync('fish', ['-N', '-c', script], { encoding: 'utf8', env })).toContain('lab.yaml');
  });
});

describe.skipIf(!has('zsh') || !has('script'))('zsh', () => {
  test('offers the same', async () => {
    const terminal = await TestTerminal.start(['zsh', '-f', '-i'], { columns: 100, rows: 40 });
    try {
      terminal.press(
        `PS1='%# '; autoload -Uz compinit; compinit -D -u; source ${join(dir, 'zsh')}; cd ${dir}; bindkey '^D' list-choices; clear; echo rea'dy'\n`,
      );
      await terminal.shows(/^ready$/m);
      for (const [line, words] of CASES) {
        if (words.length < 2) continue; // one alone is not listed
        terminal.press(`virqtop ${line.join(' ')}\x04`);
        for (const word of words) {
          const listed = new RegExp(`^(.*\\s)?${word.replace(/[.]/g, '\\.')}(\\s.*)?$`, 'm');
          await terminal.until(
            () => listed.test(terminal.lines().slice(1).join('\n')),
            `${word} for ${line.join(' ')}`,
          );
        }
        terminal.press('\x15clear\n');
        await terminal.until(() => /^[%#] *$/.test(terminal.text().trim()), 'a clear screen');
      }
      terminal.press(`virqtop ${dir}/la\t`);
      await terminal.shows(`${dir}/lab.yaml`);
    } finally {
      terminal.close();
    }
  });
});

test.each([
  [[], 'completion: must be a shell; there is bash, zsh, fish'],
  [['bsh'], "completion 'bsh': must be a shell; did you mean 'bash'?"],
] as const)('completion %j is a mistake', async (args, message) => {
  expect(await called('completion', ...args)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: `virqtop: ${message}\n`,
  });
});

test('the program prints them', async () => {
  expect((await called('completion', 'fish')).stdout).toBe(fish(completedCommands(), NAMES));
  expect(COMMANDS).toContain('completion');
});
