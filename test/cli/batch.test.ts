/** The batch mode: what it prints, that it repeats itself, and how it ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Snapshot } from '../../engine/index.ts';
import { HALTING_YAML } from '../support/halting.ts';
import { called } from './call.ts';
import { finished, shell, start } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-batch-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const HALTING = join(DIR, 'halting.yaml');
writeFileSync(HALTING, HALTING_YAML);

/** The shape of a snapshot: the names of its fields and the kinds of their values. */
const SNAPSHOT_FIELDS = {
  scenario: 'string',
  title: 'string',
  system: 'string',
  seed: 'number',
  time: 'number',
  events: 'number',
  cpus: 'object',
  domains: 'object',
  xen: 'object',
  devices: 'object',
  sources: 'object',
  lastFired: 'object',
  books: 'object',
  totals: 'object',
} satisfies Record<Exclude<keyof Snapshot, 'ended'>, string>;

async function lines(...args: string[]): Promise<Snapshot[]> {
  const { code, stdout, stderr } = await called(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Snapshot);
}

test('the first line names scenario and seed; a block for each update, its columns line up', async () => {
  const { code, stdout, stderr } = await called('-b', '-n', '2', '-d', '250ms', '--seed', '9');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const all = stdout.split('\n');
  const heads = all.filter((line) => line.startsWith('virqtop'));
  expect(heads).toEqual([
    'virqtop - scenario xen-mixed, seed 9, time 0.250 s',
    'virqtop - scenario xen-mixed, seed 9, time 0.500 s',
  ]);
  expect(stdout.startsWith(heads[0]!)).toBe(true);
  const columns = all.find((line) => / IRQ +CPU0 .* NAME$/.test(line))!;
  const cpus = [...columns.matchAll(/CPU\d+/g)].map((m) => m.index + m[0].length);
  const rows = all.filter((line) => /^ *\d+ /.test(line));
  expect(rows.some((row) => row.endsWith(' timer0'))).toBe(true);
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    for (const end of cpus) expect(row.slice(end - 1, end + 1)).toMatch(/^\d /);
  }
});

test('nothing sleeps: two simulated minutes take no minute', async () => {
  const begin = performance.now();
  const { stdout } = await called('-b', '-n', '2', '-d', '60s', HALTING);
  expect(stdout).toContain('time 120.000 s');
  expect(performance.now() - begin).toBeLessThan(30_000);
});

test('--realtime keeps to the wall clock, --speed to a multiple of it', async () => {
  const took = async (...args: string[]) => {
    const begin = performance.now();
    const { stdout } = await called('-b', '-n', '2', HALTING, '--realtime', ...args);
    return { stdout, ms: performance.now() - begin };
  };
  expect((await took('-d', '200ms')).ms).toBeGreaterThan(395);
  const { stdout, ms } = await took('-d', '10s', '--speed', '100');
  expect(stdout).toContain('time 20.000 s');
  expect(ms).toBeGreaterThan(195);
  expect(ms).toBeLessThan(10_000);
});

test.each([
  [['-b', '-n', '3', '-d', '100ms', '--books', '--fire', 'kbd@0.15x3']],
  [['-J', '-n', '3', '-d', '100ms', '--fire', 'disk@100us']],
  [['--csv', '-n', '2', '-d', '100ms']],
  [['xen-pv-2.6.18', '-b', '-n', '2', '-d', '100ms', '-g', 'dom1']],
  [['proc', '--at', '0.2']],
  [['--dump', 'e', '--at', '0.2']],
])('%j prints the same bytes every time', async (args) => {
  const [a, b] = [await called(...args), await called(...args)];
  expect(a.code).toBe(0);
  expect(a.stdout.length).toBeGreaterThan(100);
  expect(a).toEqual(b);
});

test('clock, language, folder and terminal of the user do not change a byte', async () => {
  const command = 'virqtop -b -n 2 -d 200ms --books --fire disk@0.3 | sha256sum';
  const [plain, foreign] = await Promise.all([
    shell(command),
    shell(`cd /tmp; export TZ=Asia/Tokyo LC_ALL=C LANG=tr_TR COLUMNS=40 NO_COLOR=1 TERM=dumb; ${command}`),
  ]);
  expect(foreign).toEqual(plain);
});

test('another seed gives another run', async () => {
  const [one, two] = [1, 2].map((seed) => called('-J', '-n', '1', '-d', '100ms', '--seed', `${seed}`));
  expect((await one!).stdout.replace('"seed":1', '"seed":2')).not.toBe((await two!).stdout);
});

test('how often it is looked at does not change what happens', async () => {
  const often = await lines('-J', '-n', '10', '-d', '30ms');
  const once = await lines('-J', '-n', '1', '-d', '300ms');
  expect(often.at(-1)).toEqual(once[0]);
});

test('JSON lines are snapshots, one for each update', async () => {
  const all = await lines('-J', '-n', '3', '-d', '100ms');
  expect(all.map((s) => s.time)).toEqual([0.1e9, 0.2e9, 0.3e9]);
  for (const s of all) {
    expect(Object.fromEntries(Object.entries(s).map(([k, v]) => [k, typeof v]))).toEqual(SNAPSHOT_FIELDS);
    expect(s).toMatchObject({ scenario: 'xen-mixed', seed: 42 });
    expect(s.domains.map((d) => d.name)).toContain('dom0');
    for (const d of s.domains) {
      expect(d.irqStates.length).toBe(d.interrupts.rows.length);
      for (const row of d.interrupts.rows) expect(row.counts.length).toBe(d.interrupts.cpus.length);
    }
  }
});

test('JSON lines have no control characters, colours least of all', async () => {
  const { stdout } = await called('-J', '-n', '1', '-d', '10ms', '--color', 'always');
  expect(stdout.slice(0, -1)).not.toMatch(/[\u0000-\u001f]/);
});

test('-g chooses the domain by name or number', async () => {
  const byName = await lines('-J', '-n', '1', '-d', '10ms', '-g', 'dom1');
  const byNumber = await lines('-J', '-n', '1', '-d', '10ms', '-g', '1');
  expect(byName[0]!.domains.map((d) => d.name)).toEqual(['dom1']);
  expect(byNumber).toEqual(byName);
  const { stdout } = await called('-b', '-n', '1', '-d', '10ms', '-g', 'dom1');
  expect(stdout).toContain('\nDomain dom1: ');
});

test('-z leaves out the rows that did not count', async () => {
  const all = await lines('-J', '-n', '1', '-d', '10ms', '-g', 'dom0');
  const busy = await lines('-J', '-n', '1', '-d', '10ms', '-g', 'dom0', '-z');
  const rows = (s: Snapshot) => s.domains[0]!.interrupts.rows.length;
  expect(rows(busy[0]!)).toBeLessThan(rows(all[0]!));
  expect(rows(busy[0]!)).toBeGreaterThan(0);
});

test('--fire fires when told and as often', async () => {
  const fires = ['--fire', 'kbd@0.15x3', '--fire', 'disk@0.12'];
  const [before, after] = await lines('-J', '-n', '2', '-d', '100ms', ...fires);
  expect(before!.devices.map((d) => d.fired)).toEqual(before!.devices.map(() => 0));
  const fired = after!.devices.filter((d) => d.fired > 0).map((d) => [d.name, d.fired]);
  expect(Object.fromEntries(fired)).toEqual({ kbd: 3, disk: 1 });
  expect(after!.lastFired).toMatchObject({ device: 'kbd', start: 0.15e9 });
});

test.each([[['--books', '--at', '0.2']], [['-b', '-n', '2', '-d', '100ms', '--books']]])(
  '%j prints books that balance',
  async (args) => {
    const { code, stdout } = await called(...args);
    expect(code).toBe(0);
    expect(stdout).toContain('Books - scenario xen-mixed, seed 42, time 0.200 s');
    expect(stdout).toMatch(/\nbalanced: [^\n]*\n$/);
  },
);

test('CSV has as many fields in every line', async () => {
  const { code, stdout } = await called('--csv', '-n', '2', '-d', '10ms');
  expect(code).toBe(0);
  const [head, ...rows] = stdout.trimEnd().split('\n');
  expect(head).toMatch(/^scenario,seed,time,domain,irq,/);
  const fields = (line: string) => line.replace(/"(?:[^"]|"")*"/g, 'x').split(',').length;
  expect(rows.length).toBeGreaterThan(20);
  expect(new Set(rows.map(fields))).toEqual(new Set([fields(head!)]));
});

test('the reader may leave: exit code 0, not a word', async () => {
  for (const args of ['-b -d 10ms', '-J -d 10ms', '--csv -d 10ms', 'proc --at 0', '--help', '-b -d 1us']) {
    const { stdout, stderr } = await shell(`set -o pipefail; virqtop ${args} | head -n 1; echo "exit $?"`);
    expect(stderr).toBe('');
    expect(stdout.split('\n').at(-2)).toBe('exit 0');
  }
});

test.each([[['-b', '-n', '1', '-d', '2000h']], [['-J', '-d', '1us']], [['-b', '--realtime', '-d', '1h']]])(
  'SIGINT ends %j with exit code 0',
  async (args) => {
    const child = start(args);
    child.stdout!.on('data', () => {});
    const done = finished(child);
    await new Promise((r) => setTimeout(r, 700));
    child.kill('SIGINT');
    const { code, signal, stderr } = await done;
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  },
);

test('a scenario goes by its bare name, and with options before a command', async () => {
  const a = await called('proc', 'xen-mixed', '--seed', '3', '--at', '0.1');
  expect(a.code).toBe(0);
  expect(await called('--seed', '3', '--at', '0.1', 'proc', '--scenario', 'xen-mixed')).toEqual(a);
  expect(await called('proc', '--seed=3', '--at', '0.1')).toEqual(a);
});

test('proc prints the three files', async () => {
  const file = async (...args: string[]) => (await called('proc', '--at', '0.1', ...args)).stdout;
  expect(await file()).toMatch(/^ +CPU0 +CPU1/);
  expect(await file('--file', 'softirqs')).toMatch(/^ {20}CPU0 .*\n {10}HI:/);
  expect(await file('--file', 'stat')).toMatch(/^cpu {2}\d.*\n(cpu\d+ .*\n)+intr \d+ /);
});

test('a hypervisor that has ended is told of plainly, and the updates go on', async () => {
  const { code, stdout } = await called('-b', '-n', '3', '--scenario', HALTING, '--fire', 'fiq@1.5');
  expect(code).toBe(0);
  const hosts = stdout.split('\n').filter((line) => line.startsWith('Host:'));
  const ended = 'Host: Xen 4.17 arm64, GICv2, ended: Panic on CPU 0: bad mode, 1 CPU, 1 domain: dom0';
  expect(hosts).toEqual(['Host: Xen 4.17 arm64, GICv2, 1 CPU, 1 domain: dom0', ended, ended]);
  const json = await lines('-J', '-n', '3', '--scenario', HALTING, '--fire', 'fiq@1.5');
  expect(json.map((snapshot) => snapshot.ended)).toEqual([
    undefined,
    ...Array(2).fill('Panic on CPU 0: bad mode'),
  ]);
});
