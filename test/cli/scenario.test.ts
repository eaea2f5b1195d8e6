/** virqtop scenario list, show, validate, schema: what they print, byte for byte, and their exit codes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { builtinScenarios, builtinText } from '../../engine/index.ts';
import { called } from './call.ts';
import { ROOT, shell } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-scenario-'));
afterAll(() => rmSync(DIR, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(DIR, name);
  writeFileSync(path, content);
  return path;
}

const GOOD = 'name: lab\ntitle: a lab\ndom0: {vcpus: 1}\n';
const LAB = file('lab.yaml', GOOD);
const BAD = file('bad.yaml', 'name: a b\ntitle: t\ncpus: 0\ndom0: {vcpu: 1}\n');
/** More messages than one CPU has vectors. */
const FULL = file(
  'full.yaml',
  `name: full
title: t
kvm: '6.1'
cpus: 1
host:
  devices: [${[1, 2, 3, 4].map((n) => `{driver: msix, name: m${n}, messages: 64}`).join(', ')}]
vms: [{}]
`,
);
const EVIL = file(
  'evil.yaml',
  '# \u001b]0;evil\u0007 a\ttab \u202e\r\nname: lab\r\ntitle: t\ndom0: {vcpus: 1}',
);

test('list: a line for each, with name, system and title', async () => {
  const { code, stdout, stderr } = await called('scenario', 'list');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((l) => l.split(' ')[0])).toEqual(builtinScenarios().map((s) => s.name));
  expect(stdout).toMatch(/^xen-mixed +Xen 4\.17 x86 +default: \S.*$/m);
  expect(stdout).toMatch(/^xen-pv-2\.6\.18 +Xen 3\.4 x86 +\S.*$/m);
  expect(stdout).toMatch(/^xen-arm-v2 +Xen 4\.17 GICv2 +\S.*$/m);
  expect(stdout).toMatch(/^kvm +KVM 6\.1 +\S.*$/m);
  // columns that stand under each other, and fit a terminal
  expect([...new Set(lines.map((l) => l.search(/(Xen|KVM) \d/)))]).toEqual([23]);
  expect(lines.filter((l) => l.length > 80)).toEqual([]);
});

test('list -J: a line of JSON for each', async () => {
  const [after, before] = await Promise.all([
    called('scenario', 'list', '-J'),
    called('-J', 'scenario', 'list'),
  ]);
  expect(before).toEqual(after);
  const rows = after.stdout
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l));
  expect(rows).toHaveLength(builtinScenarios().length);
  expect(rows[0]).toEqual({
    name: 'xen-mixed',
    system: 'Xen 4.17 x86_64',
    title: builtinScenarios()[0]!.title,
    cpus: 4,
    guests: 3,
    default: true,
  });
});

test('show: the file as it is written, comments and all', async () => {
  const { code, stdout, stderr } = await called('scenario', 'show', 'xen-arm-v3');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(readFileSync(join(ROOT, 'engine/scenario/builtin/xen-arm-v3.yaml'), 'utf8'));
  expect(stdout).toBe(builtinText('xen-arm-v3'));
  expect((await called('scenario', 'show', LAB)).stdout).toBe(GOOD);
});

test('show --full: every default, and the same run from it', async () => {
  const { stdout } = await called('scenario', 'show', '--full', 'kvm');
  expect(stdout).toContain('\nept: true\n');
  const full = file('kvm.yaml', stdout);
  const [builtin, ours] = await Promise.all([
    called('-J', '-n', '2', '-d', '100ms', 'kvm'),
    called('-J', '-n', '2', '-d', '100ms', full),
  ]);
  expect(builtin.stdout.length).toBeGreaterThan(1000);
  expect(ours).toEqual(builtin);
});

test('show: control characters of a comment do not reach the terminal', async () => {
  const { code, stdout } = await called('scenario', 'show', EVIL);
  expect(code).toBe(0);
  expect(stdout).toBe('# \\x1b]0;evil\\x07 a\ttab \\u202e\nname: lab\ntitle: t\ndom0: {vcpus: 1}\n');
});

test('validate: files without a mistake', async () => {
  expect(await called('scenario', 'validate', LAB)).toEqual({
    code: 0,
    stdout: `${LAB}: lab, Xen 4.17 x86_64: no mistake\n1 file, no mistake\n`,
    stderr: '',
  });
  const texts = builtinScenarios().map((s) => file(`builtin-${s.name}.yaml`, builtinText(s.name)!));
  const all = await called('scenario', 'validate', ...texts);
  expect({ code: all.code, last: all.stdout.split('\n').at(-2) }).toEqual({
    code: 0,
    last: `${texts.length} files, no mistake`,
  });
});

test('validate: all mistakes of all files, a line each, and exit code 2', async () => {
  const missing = join(DIR, 'missing.yaml');
  const folder = join(DIR, 'folder.yaml');
  mkdirSync(folder);
  expect(await called('scenario', 'validate', BAD, LAB, missing, folder)).toEqual({
    code: 2,
    stdout: `${BAD}:1: name: expected a name of 1 to 40 letters, digits and . _ : [ ] -, got "a b"
${BAD}:3: cpus: expected a whole number from 1 to 256, got 0
${BAD}:4: dom0.vcpu: unknown key, expected vcpus
${LAB}: lab, Xen 4.17 x86_64: no mistake
${missing}: no such file
${folder}: is a directory, not a file
4 files, 5 mistakes in 3
`,
    stderr: '',
  });
});

test('validate: what the machine has no room for is a mistake too', async () => {
  const { code, stdout } = await called('scenario', 'validate', FULL);
  const run = await called('-b', '-n', '1', FULL);
  expect({ code, run: run.code }).toEqual({ code: 2, run: 2 });
  expect(run.stderr).toMatch(/^virqtop: full: irq \d+: no vector is left \(-28\)\n$/);
  expect(stdout).toBe(`${FULL}: ${run.stderr.replace('virqtop: ', '')}1 file, 1 mistake\n`);
});

test('validate: - is standard input', async () => {
  const { code, stdout } = await shell(
    "printf 'name: x\\ntitle: t\\ndom0: {vcpus: no}\\n' | virqtop scenario validate -",
  );
  expect(code).toBe(2);
  expect(stdout).toBe(
    '<stdin>:3: dom0.vcpus: expected a whole number from 1 to 256, got "no"\n1 file, 1 mistake\n',
  );
  const built = await shell('virqtop scenario show xen-pv | virqtop scenario validate -');
  expect(built).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^<stdin>: xen-pv, .*\n1 file, no mistake\n$/),
  });
  const large = await shell('head -c 40000000 /dev/zero | virqtop scenario validate -');
  expect(large).toMatchObject({ code: 2, stdout: '<stdin>: too large, at most 32 MiB\n1 file, 1 mistake\n' });
});

test('validate -J: a line of JSON for each file', async () => {
  const { code, stdout } = await called('scenario', 'validate', '-J', LAB, BAD);
  expect(code).toBe(2);
  const [lab, bad] = stdout
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l));
  expect(lab).toEqual({ file: LAB, valid: true, name: 'lab', system: 'Xen 4.17 x86_64', mistakes: [] });
  expect(bad).toMatchObject({ file: BAD, valid: false, name: null, system: null });
  expect(bad.mistakes.map((m: { line: number }) => m.line)).toEqual([1, 3, 4]);
  expect(bad.mistakes[2]).toEqual({ line: 4, problem: 'dom0.vcpu: unknown key, expected vcpus' });
});

test('validate: control characters of a name or a file do not reach the terminal', async () => {
  const path = file('e\u001b[31mvil.yaml', 'name: "\\e[31m"\n\u001b: 1\n');
  const { stdout } = await called('scenario', 'validate', path);
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(stdout).toContain('e\\x1b[31mvil.yaml:1: ');
});

test('validate: of very many mistakes the first hundred, and how many more', async () => {
  const path = file('many.yaml', `${GOOD}guests: [${'x,'.repeat(400)}]\n`);
  const lines = (await called('scenario', 'validate', path)).stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(102);
  expect(lines.slice(-2)).toEqual([`${path}: 300 more mistakes`, '1 file, 400 mistakes']);
});

test('schema: all platforms, or one', async () => {
  const all = await called('scenario', 'schema');
  expect(all).toMatchObject({ code: 0, stderr: '' });
  expect(all.stdout).toBe(readFileSync(join(ROOT, 'docs/scenario.schema.json'), 'utf8'));
  const one = JSON.parse((await called('scenario', 'schema', '--platform', 'arm')).stdout);
  expect(one).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' });
  expect(Object.keys(one.properties)).toContain('gic');
});
