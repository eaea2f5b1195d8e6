/** Real captures, and what a host that was made of them prints. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { capture } from '../support/captures.ts';
import { called } from './call.ts';
import { shell } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-import-'));
afterAll(() => rmSync(DIR, { recursive: true }));

/** A capture as a file on the disk. */
function file(name: string): string {
  const path = join(DIR, name.replaceAll('/', '-'));
  writeFileSync(path, capture(name));
  return path;
}

/** The numbers of the file, row by row. */
function counts(text: string): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const line of text.split('\n').slice(1)) {
    const row = /^\s*([^\s:]+):((?:\s+\d+)+)(?=\s|$)/.exec(line);
    if (row) all.set(row[1]!, row[2]!.trim().split(/\s+/).map(Number));
  }
  expect(all.size).toBeGreaterThan(5);
  return all;
}

describe.each([
  ['xen-x86/dom0-q35-load.interrupts.1.txt', 'xen-x86/dom0-q35-load.interrupts.3.txt', '15.11s'],
  ['xen-x86/domU-hvm-pc.interrupts.1.txt', 'xen-x86/domU-hvm-pc.interrupts.4.txt', '6s'],
  ['xen-arm64/xen-gicv3-pt.dom0.0.txt', 'xen-arm64/xen-gicv3-pt.dom0.2.txt', '5s'],
])('%s and %s, %s apart', (nameA, nameB, interval) => {
  const [a, b] = [file(nameA), file(nameB)];

  test('at 0s proc prints the first', async () => {
    const one = await called('proc', '--import', a, '--at', '0s');
    expect(one).toMatchObject({ code: 0, stderr: '', stdout: capture(nameA) });
    const two = await called('proc', '--import', a, b, '--interval', interval, '--at', '0');
    expect(two.stdout).toBe(capture(nameA));
  });

  test('after the interval it prints something close to the second', async () => {
    const { code, stdout } = await called(
      'proc', '--import', a, b, '--interval', interval, '--at', interval, '--seed', '11',
    ); // biome-ignore format: a command line
    expect(code).toBe(0);
    const [from, to, got] = [counts(capture(nameA)), counts(capture(nameB)), counts(stdout)];
    expect([...got.keys()]).toEqual([...from.keys()]);
    for (const [label, numbers] of got) {
      numbers.forEach((n, cpu) => {
        const [before = 0, after = 0] = [from.get(label)?.[cpu], to.get(label)?.[cpu]];
        const slack = Math.max(3, 4 * Math.sqrt(Math.max(0, after - before)));
        expect(Math.abs(n - after), `${label} on CPU ${cpu}`).toBeLessThanOrEqual(slack);
      });
    }
  });

  test('batch shows its rows', async () => {
    const { code, stdout } = await called('-b', '-n', '2', '--import', a, b, '--interval', interval);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^virqtop - scenario imported, seed 42, time 1\.000 s\n/);
    for (const [label] of counts(capture(nameA))) {
      expect(stdout).toMatch(new RegExp(`^ *${label} `, 'm'));
    }
  });
});

test('a capture may come through a pipe', async () => {
  const a = file('xen-x86/domU-pv-q35.interrupts.1.txt');
  const piped = await shell(`virqtop proc --import <(cat ${a}) --uptime 60s --at 0`);
  expect(piped).toMatchObject({
    code: 0,
    stderr: '',
    stdout: capture('xen-x86/domU-pv-q35.interrupts.1.txt'),
  });
});
