/** The pictures of the documentation are of the monitor as it is. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './run.ts';

/** The shortest run of them stands for all: what changes the screen changes it. */
test('npm run pictures would change nothing', () => {
  const made = execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      "const { picture } = await import('./pictures.mjs'); process.stdout.write(await picture('pending'));",
    ],
    { cwd: ROOT, encoding: 'utf8' },
  );
  expect(made).toBe(readFileSync(join(ROOT, 'docs/pictures/pending.svg'), 'utf8'));
}, 30_000);

test('every picture that a page shows is there', () => {
  for (const page of ['tour', 'xen-pv', 'xen-hvm', 'kvm', 'xen-arm']) {
    const text = readFileSync(join(ROOT, `docs/${page}.md`), 'utf8');
    const links = [...text.matchAll(/\]\(((?!https?:)[^)#]+)\)/g)].map((m) => m[1]!);
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) expect(readFileSync(join(ROOT, 'docs', link)).length).toBeGreaterThan(0);
  }
});
