/** virqtop demo: the list, a demo as text, and whether it keeps its word. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { called } from './call.ts';
import { virqtop } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-demo-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const FILE = join(DIR, 'mine.yaml');
const MINE = `demo: mine
title: a key
about: A key of vm1 is pressed.
scenario: kvm
settings: ['workloads=[]']
end: 200ms
steps:
  - {at: 0s, caption: Nothing goes on.}
  - {at: 100ms, do: [{do: fire, device: vm1.kbd, times: 2}], caption: A key.}
expect:
  - devices[vm1.kbd].fired == 2
  - domains[vm1].interrupts[i8042].total since 100ms > 100
`;

test('lists what there is', async () => {
  const { code, stdout } = await called('demo');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ 1 {2}nobody-cared +a level line that nobody serves/m);
});

test('a demo as text: what is said and done, and what came of it', async () => {
  writeFileSync(FILE, MINE);
  const { code, stdout } = await called('demo', FILE, '-b');
  expect(code).toBe(0);
  expect(stdout).toBe(`demo mine: a key

A key of vm1 is pressed.

== kvm workloads=[], seed 42
    0.000 s  Nothing goes on.
    0.100 s  A key.
             > fire vm1.kbd, times 2
    0.200 s  ok      devices[vm1.kbd].fired == 2   (2)
             FAILED  domains[vm1].interrupts[i8042].total since 100ms > 100   (3)
`);
});

test('--check tells what failed by its exit status', async () => {
  writeFileSync(FILE, MINE);
  expect((await called('demo', FILE, '--check')).code).toBe(1);
  writeFileSync(FILE, MINE.replace('> 100', '== 3'));
  const { code, stdout } = await called('demo', FILE, '--check');
  expect(code).toBe(0);
  expect(stdout).not.toContain('A key.');
});

test('once and never look at every event between two steps', async () => {
  const between = (expectations: string) =>
    `${MINE.slice(0, MINE.indexOf('expect:'))}  - at: 150ms\n    expect: ${expectations}\n`;
  const irr = 'domains[vm1].x86.lapics[*].irr.count';
  writeFileSync(
    FILE,
    between(`['once ${irr} == 1', 'never ${irr} == 9', 'once ${irr} == 9', 'never ${irr} == 1']`),
  );
  const { code, stdout } = await called('demo', FILE, '--check');
  expect(code).toBe(1);
  expect(stdout.match(/(ok|FAILED) +(once|never) .*== \d/gm)).toEqual([
    expect.stringMatching(/ok +once .*== 1/),
    expect.stringMatching(/ok +never .*== 9/),
    expect.stringMatching(/FAILED +once .*== 9/),
    expect.stringMatching(/FAILED +never .*== 1/),
  ]);
});

test('a command that is refused fails the check', async () => {
  writeFileSync(FILE, MINE.replace('> 100', '== 3').replace('vm1.kbd, times', 'vm1.bell, times'));
  const { code, stdout } = await called('demo', FILE, '--check');
  expect(code).toBe(1);
  expect(stdout).toContain('refused: fire vm1.bell, times 2: no device vm1.bell in kvm');
});

test.each([
  [['nobody-care'], "unknown demo 'nobody-care'; did you mean 'nobody-cared'?"],
  [['nobody-cared', '--run', 'x'], "--run 'x': no such run in demo nobody-cared; there is unserved, served"],
  [['--check'], 'demo: --check must have the name of a demo'],
  [['./none.yaml'], './none.yaml: no such file'],
])('demo %j is refused', async (args, message) => {
  const { code, stdout, stderr } = await called('demo', ...args);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `virqtop: ${message}\n` });
});

test('a demo in the monitor needs a terminal', async () => {
  const { code, stdout, stderr } = await virqtop('demo', 'nobody-cared');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toBe('virqtop: not a terminal: use -b for text or --check (see virqtop demo --help)\n');
});
