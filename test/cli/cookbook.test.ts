/** The cookbook is of virqtop as it is, as far as other programs and machines have no part in it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findWay } from '../../cli/procfs/namespace.ts';
import { ROOT } from './run.ts';

const PAGE = readFileSync(join(ROOT, 'docs/cookbook.md'), 'utf8');

/** What the script answers to an expression, as JSON. */
function ask<T>(expression: string): T {
  const code = `const { recipes, cooked, section, canCook } = await import('./cookbook.mjs');
process.stdout.write(JSON.stringify(${expression}));`;
  const args = ['--input-type=module', '-e', code];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }));
}

test('every recipe is on the page with its commands, and nothing else', () => {
  const recipes = ask<{ tool: string; about: string; run: string[] }[]>('recipes()');
  const sections = PAGE.split(/^(?=## )/m).slice(1);
  expect(sections.map((s) => s.split('\n', 1)[0])).toEqual(recipes.map(({ tool }) => `## ${tool}`));
  recipes.forEach(({ tool, about, run }, i) => {
    expect(sections[i]!.startsWith(`## ${tool}\n\n${about}\n\n\`\`\`\n`)).toBe(true);
    expect(sections[i]!.match(/^\$ .*$/gm)).toEqual(run.map((command) => `$ ${command}`));
    expect(sections[i]!.split('\n').length).toBeGreaterThan(7);
  });
});

test('npm run cookbook would print the same where it does not depend on the machine', () => {
  const namespaces = 'way' in findWay([]);
  const made = ask<string[]>(
    `recipes().filter((r) => r.checked && canCook(r) && (${namespaces} || !r.run.some((c) => c.includes('exec')))).map((r) => section(r, cooked(r)))`,
  );
  expect(made.length).toBeGreaterThan(0);
  for (const section of made) expect(PAGE).toContain(section);
});
