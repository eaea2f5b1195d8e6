/**
 * npm run cookbook: docs/cookbook.md, a page of commands and what they print, each run for it. docs/cookbook/recipes.yaml has the
 * commands.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';

const HERE = import.meta.dirname;
const PROGRAM = join(HERE, 'dist/virqtop.mjs');
const PAGE = join(HERE, 'docs/cookbook.md');

/** @typedef {{tool: string, about: string, run: string[], lines: number, from?: string, needs?: string, checked?: boolean}} Recipe */

const HEAD = `# Cookbook

A command for each tool, and what it prints: of programs that know nothing of virqtop, on simulated hosts.
[tools.md](tools.md) and [traces.md](traces.md) say more about each; \`npm run cookbook\` makes this page.
`;

/** @returns {Recipe[]} */
export function recipes() {
  return parse(readFileSync(join(HERE, 'docs/cookbook/recipes.yaml'), 'utf8'));
}

/** Its commands, run in a directory of their own, with what they print. @param {Recipe} recipe */
export function cooked({ tool, run, lines, from }) {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-cookbook-'));
  try {
    return run.map((command) => {
      const printed = output(command, dir);
      if (printed === '' && command === run.at(-1)) throw new Error(`${tool}: prints nothing`);
      return `$ ${command}\n${cut(printed, lines, from)}`;
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** @param {string} command @param {string} cwd */
function output(command, cwd) {
  const script = `virqtop() { "${process.execPath}" "${PROGRAM}" "$@"; }\n${command}`;
  const env = {
    ...process.env,
    LC_ALL: 'C',
    TZ: 'UTC',
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    COLUMNS: '100',
  };
  return execFileSync('bash', ['-c', script], {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** @param {string} text @param {number} most @param {string} [from] what the first line shown matches */
function cut(text, most, from = '') {
  if (text === '') return '';
  const all = text.trimEnd().split('\n');
  const first = all.findIndex((line) => new RegExp(from).test(line));
  if (first < 0) throw new Error(`no line matches ${from}`);
  const shown = all.slice(first, first + most).map((line) => `${line.trimEnd()}\n`);
  return shown.join('') + (all.length > first + most ? '...\n' : '');
}

/** Its part of the page. @param {Recipe} recipe @param {string[]} blocks @returns {string} */
export function section({ tool, about }, blocks) {
  return `\n## ${tool}\n\n${about}\n\n\`\`\`\n${blocks.join('')}\`\`\`\n`;
}

/** @param {(recipe: Recipe) => string[]} blocks */
export function page(blocks) {
  return (
    HEAD +
    recipes()
      .map((recipe) => section(recipe, blocks(recipe)))
      .join('')
  );
}

/** Is what it runs here? @param {Recipe} recipe */
export function canCook({ needs }) {
  return (
    needs === undefined ||
    spawnSync('which', [needs], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
      .status === 0
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const missing = recipes().filter((recipe) => !canCook(recipe));
  if (missing.length > 0) {
    console.error(`not here: ${missing.map(({ needs }) => needs).join(', ')}`);
    process.exitCode = 1;
  } else writeFileSync(PAGE, page(cooked));
}
