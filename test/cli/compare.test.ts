/** virqtop compare: two runs alike but for what was set, and what differs between them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Comparison, Side } from '../../cli/compare/comparison.ts';
import type { Subject } from '../../cli/compare/measure.ts';
import { paired } from '../../cli/compare/pairs.ts';
import { compareText } from '../../cli/compare/text.ts';
import { waysOf } from '../../cli/compare/ways.ts';
import type { JourneySnapshot, Snapshot } from '../../engine/index.ts';
import { called } from './call.ts';
import { finished, ROOT, shell, start } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-compare-'));
afterAll(() => rmSync(DIR, { recursive: true }));

/** A machine of one virtual CPU on one CPU; its keyboard interrupts it, so does its timer. */
const LAB = join(DIR, 'lab.yaml');
writeFileSync(
  LAB,
  `name: lab
title: one machine
kvm: '6.1'
cpus: 1
host:
  devices:
    - {driver: nvme, name: nvme0, queues: 1, as: disk}
vms:
  - vcpus: 1
    devices: &devices
      - {driver: i8042}
      - {driver: virtio-blk}
    pv-eoi: false
  - vcpus: 1
    devices: *devices
keys:
  - {device: vm1.kbd}
workloads:
  - {what: disk, vm: 1, think: 5}
  - {what: compute, vm: 1, share: 0.5}
`,
);

interface Row {
  readonly name: string;
  readonly a: number | null;
  readonly b: number | null;
  readonly difference: number | null;
  readonly percent: number | null;
}

interface Document {
  readonly a: { readonly balanced: boolean; readonly settings: string[] };
  readonly b: { readonly balanced: boolean; readonly settings: string[] };
  readonly differences: readonly { place: string; a: unknown; b: unknown }[];
  readonly subjects: readonly {
    readonly name: string;
    readonly a: string | null;
    readonly b: string | null;
    readonly tables: readonly { readonly table: string; readonly unit: string; readonly rows: Row[] }[];
  }[];
  readonly fired: readonly { device: string; a: { latency: number }; b: { latency: number } }[];
}

async function compared(...args: string[]): Promise<Document> {
  const { code, stdout, stderr } = await called('compare', ...args, '-J');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.endsWith('\n') && stdout.indexOf('\n') === stdout.length - 1).toBe(true);
  return JSON.parse(stdout) as Document;
}

function rows(document: Document, subject: string, table: string): Row[] {
  const { tables } = document.subjects.find((s) => s.name === subject)!;
  return tables.find((t) => t.table === table)!.rows;
}

test('a comparison as text: settings, what changed most, each domain, within 80 columns', async () => {
  const line = ['compare', LAB, '--b', 'apicv=true', '--for', '200ms', '--fire', 'vm1.kbd@0.1'];
  const { code, stdout, stderr } = await called(...line);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines.filter((l) => l.length > 80 || l !== l.trimEnd())).toEqual([]);
  expect(lines.slice(0, 3)).toEqual([
    'virqtop compare - seed 42, 0.200 s each',
    `A: ${LAB} - one machine`,
    `B: ${LAB} apicv=true - one machine`,
  ]);
  expect(stdout).toMatch(/^apicv +false +true$/m);
  expect(lines[lines.findIndex((l) => l.startsWith('MOST CHANGED')) + 1]).toMatch(
    /^vm1 MSR_WRITE exits +\d+\.\d +\d+\.\d +-\d+\.\d +-\d+\.\d$/,
  );
  expect(stdout).toMatch(/^vm2: KVM guest, Linux 6\.1, 1 vCPU\n/m);
  expect(lines.at(-2)).toBe('balanced on both sides: raised = delivered + coalesced + ignored + pending');
  expect((await called(...line)).stdout).toBe(stdout);
});

function side(wanted: string, settings: string[], fired: Side['fired']): Side {
  const at = (time: number) =>
    ({ seed: 7, time, title: 'a title with \x1b[31m in it' }) as unknown as Snapshot;
  return { wanted, settings, before: at(0), now: at(2.5e9), fired };
}

function way(names: readonly string[], info: string): Side['fired'] {
  const hops = names.map((name, i) => ({
    name,
    at: i * 200,
    mode: 'root',
    detail: `${name} ${info}`,
    end: i === 3,
  }));
  const journey = { hops, latency: 600 } as unknown as JourneySnapshot;
  return [{ fire: { device: 'kbd', at: 1.5e9, times: 2 }, journey }];
}

test('the text of a comparison: order, folding, signs, what is not there, ways', async () => {
  const a: Subject[] = [
    { name: 'Host', about: 'KVM', tables: [['totals', new Map([['idle, % of a CPU', 50]])]] },
    { name: 'vm1', about: 'KVM guest', tables: [
      ['totals', new Map([['interrupts/s', 100]])],
      ['exits', new Map([['HLT', 10], ['MSR_WRITE', 900], ['CPUID', 3], ['APIC_ACCESS', 0.04]])],
      ['exit time', new Map([['HLT', 100], ['MSR_WRITE', 0.5], ['CPUID', null]])],
      ['interrupts', new Map([['eth0\x1b[2J, a very long name of a handler', 7], ['i8042', 1]])],
      ['softirqs', new Map([['RCU', 4]])],
    ] },
    { name: 'vm2', about: 'only here', tables: [['softirqs', new Map([['RCU', 4]])]] },
    { name: 'Books', about: '', tables: [['raises', new Map([['raised', 5], ['ignored: masked', 0]])]] },
  ]; // biome-ignore format: tables
  const b: Subject[] = [
    { name: 'Host', about: 'KVM', tables: [['totals', new Map([['idle, % of a CPU', 50]])]] },
    { name: 'vm1', about: 'HVM', tables: [
      ['totals', new Map([['interrupts/s', 100.5], ['upcalls/s', 4]])],
      ['exits', new Map([['HLT', 20], ['MSR_WRITE', 300], ['CPUID', 3], ['EOI_INDUCED', 2]])],
      ['exit time', new Map([['HLT', 90], ['MSR_WRITE', 0.5], ['EOI_INDUCED', 0.25]])],
      ['interrupts', new Map([['i8042', 1]])],
      ['softirqs', new Map([['RCU', 4]])],
    ] },
    { name: 'Books', about: '', tables: [['raises', new Map([['raised', 5], ['ignored: masked', 0]])]] },
  ]; // biome-ignore format: tables
  const fired = [
    way(['raise', 'exit', 'by hand', 'handler'], 'x'),
    way(['raise', 'exit', 'idt', 'handler'], 'x'),
  ] as const;
  const comparison: Comparison = {
    a: side('kvm', [], fired[0]),
    b: side('kvm', ['apicv=true'], fired[1]),
    settings: [
      { place: 'apicv', a: false, b: true },
      { place: 'workloads[1]', a: undefined, b: { what: 'disk', vm: 1 } },
    ],
    subjects: paired(a, b),
    ways: [...waysOf(...fired), ...waysOf(fired[0], fired[0])],
    balanced: [true, false],
  };
  const text = compareText(comparison);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  await expect(text).toMatchFileSnapshot('golden/compare.txt');
});

test('APICv takes the EOIs and windows away, and the same numbers stand in the JSON', async () => {
  const document = await compared(LAB, '--b', 'apicv=true', '--for', '300ms');
  expect(document.differences).toEqual([{ place: 'apicv', a: false, b: true }]);
  expect([document.a.balanced, document.b.balanced]).toEqual([true, true]);
  expect([document.a.settings, document.b.settings]).toEqual([[], ['apicv=true']]);
  const write = rows(document, 'vm1', 'exits').find((row) => row.name === 'MSR_WRITE')!;
  expect(write.b!).toBeLessThan(write.a! * 0.7);
  expect(write.difference).toBeCloseTo(write.b! - write.a!, 9);
  expect(write.percent).toBeCloseTo((write.difference! / write.a!) * 100, 9);
  const injected = rows(document, 'vm1', 'counters').find((row) => row.name === 'irq_injections')!;
  expect(injected.a).toBeGreaterThan(100);
  expect(injected.b).toBe(0);
});

test('JSON: the keys of the document, its subjects and its tables', async () => {
  const document = await compared(LAB, '--b', 'apicv=true', '--for', '100ms', '--fire', 'vm1.kbd@0.05');
  expect(Object.keys(document)).toEqual([
    'seed', 'from', 'to', 'a', 'b', 'differences', 'subjects', 'fired',
  ]); // biome-ignore format: a list to read
  expect(Object.keys(document.a)).toEqual(['wanted', 'settings', 'scenario', 'title', 'system', 'balanced']);
  expect(document.subjects.map(({ name, tables }) => [name, tables.map(({ table, unit }) => [table, unit])])).toEqual([
    ['Host', [['totals', '']]],
    ['Fired', [['raise to handler', 'us']]],
    ['host', [['totals', ''], ['interrupts', '/s'], ['softirqs', '/s'], ['latency', 'us']]],
    ...['vm1', 'vm2'].map((vm) => [vm, [
      ['totals', ''], ['exits', '/s'], ['exit time', 'us'], ['interrupts', '/s'], ['softirqs', '/s'], ['counters', '/s'], ['latency', 'us'],
    ]]),
    ['Books', [['raises', '/s']]],
  ]); // biome-ignore format: a table
  const row = rows(document, 'vm1', 'exits')[0]!;
  expect(Object.keys(row)).toEqual(['name', 'a', 'b', 'difference', 'percent']);
  expect(document.fired[0]).toMatchObject({ device: 'vm1.kbd', at: 0.05e9, times: 1 });
  const [fired] = rows(document, 'Fired', 'raise to handler');
  expect(fired).toMatchObject({ name: 'vm1.kbd@0.05' });
  expect(fired!.a! * 1e3).toBeCloseTo(document.fired[0]!.a.latency, 6);
  const spent = rows(document, 'vm1', 'latency').find(({ name }) => name === 'i8042 p50')!;
  expect(spent.a! / fired!.a!).toBeGreaterThanOrEqual(0.999);
  expect(spent.a! / fired!.a!).toBeLessThan(1 + 1 / 16);
});

test('acknowledge-on-exit changes the way of an interrupt that finds a guest, and not one number', async () => {
  const fires = [...Array(20).keys()].flatMap((n) => ['--fire', `disk@${(0.2 + n * 0.00037).toFixed(5)}`]);
  const { stdout } = await called('compare', 'kvm', 'kvm-noack', '--for', '0.3s', ...fires);
  expect(stdout).toMatch(/^ +\d\.\d+ +- {2}handle_external_interrupt_irqoff\n {24}gate 0x/m);
  expect(stdout).toMatch(/^ +- +\d\.\d+ {2}local_irq_enable\n {24}vector 0x\w+ still in IRR/m);
  expect(stdout).toMatch(/^vm2: .*\n\d+ rows, all equal$/m);
  expect(stdout).not.toContain('MOST CHANGED');
  // the documentation has one of them
  const page = readFileSync(join(ROOT, 'docs/compare.md'), 'utf8');
  expect(stdout).toContain(/```\n(Way of disk@.*?)```/s.exec(page)![1]);
});

test('domains and rows of one side alone stand beside nothing', async () => {
  const document = await compared('xen-pv', 'xen-hvm', '--for', '100ms');
  const alone = document.subjects.filter((s) => s.a === null || s.b === null).map((s) => s.name);
  expect(alone.length).toBeGreaterThan(0);
  const { stdout } = await called('compare', 'xen-pv', 'xen-hvm', '--for', '100ms');
  for (const name of alone) expect(stdout).toMatch(new RegExp(`^${name} of [AB]: not there$`, 'm'));
  const exits = rows(document, 'dom1', 'exits');
  expect(exits.every((row) => row.a === null && row.difference === row.b)).toBe(true);
});

test('a list grows by a setting, a key goes without a value, text needs no quotes, and aliases stay apart', async () => {
  const grown = await compared(LAB, '--b', 'workloads[2]={what: calls, vm: 1, rate: 9}', '--for', '10ms');
  expect(grown.differences).toEqual([
    { place: 'workloads[2]', a: null, b: { what: 'calls', vm: 1, rate: 9 } },
  ]);
  const removed = await compared(
    LAB,
    '--a',
    'apicv=true',
    '--b',
    'workloads[1]=',
    '--b',
    'title=5',
    '--for',
    '10ms',
  );
  expect(removed.differences.map((d) => d.place)).toEqual(['apicv', 'workloads[1]']);
  expect(removed.b).toMatchObject({ title: '5' });
  const one = await compared(LAB, '--b', 'vms[0].devices[2].driver=serial', '--for', '10ms');
  expect(one.differences).toEqual([{ place: 'vms[0].devices[2]', a: null, b: { driver: 'serial' } }]);
});

test.each<[args: string[], line: string]>([
  [['kvm'], 'compare kvm: nothing to compare with, expected a second scenario, or --b as apicv=true'],
  [[], "missing required argument 'a'"],
  [['kvm', 'kvn'], "unknown scenario 'kvn'; did you mean 'kvm'?"],
  [['kvm', '--b', 'apicv'], "--b 'apicv': must be PATH=VALUE, as apicv=true or guests[0].fifo=false"],
  [['kvm', '--a', 'x[y]=1'], "--a 'x[y]=1': must be PATH=VALUE, as apicv=true or guests[0].fifo=false"],
  [['kvm', '--b', 'apicv=maybe'], `--b 'apicv=maybe': kvm: apicv: expected true or false, got "maybe"`],
  [['kvm', '--b', 'apivc=true'], "--b 'apivc=true': kvm: apivc: unknown key, expected apicv"],
  [[LAB, '--a', 'cpus=0'], `--a 'cpus=0': ${LAB}: cpus: expected a whole number from 1 to 256, got 0`],
  [
    [LAB, '--b', 'vms[2].vcpus=1', '--b', 'vms[9].vcpus=1'],
    `--b 'vms[9].vcpus=1': ${LAB}: vms: a list of 3, expected an index up to [3], which adds one`,
  ],
  [[LAB, '--b', 'vms.x=1'], `--b 'vms.x=1': ${LAB}: vms: a list, expected an index as [0]`],
  [[LAB, '--b', 'cpus.x=1'], `--b 'cpus.x=1': ${LAB}: cpus: expected keys and values there, got one value`],
  [
    [LAB, '--b', 'host.devices='],
    `--b 'host.devices=': ${LAB}:12: vms[0].devices[1]: the host has no disk, expected an nvme or ahci among its devices`,
  ],
  [[LAB, '--b', 'cpus={a'], "--b 'cpus={a': not YAML: Flow map must end with a }"],
  [
    ['kvm', '--b', 'title=\x1b[31m'],
    `--b 'title=\\x1b[31m': kvm: title: expected text of at most 120 printable characters, got "\\x1b[31m"`,
  ],
  [['kvm', 'kvm-apicv', '--fire', 'disk@7'], '--fire disk@7: the run ends at 5 s'],
  [['kvm', LAB, '--fire', 'vm1.nic@1'], "--fire 'vm1.nic': no such device in lab; there is vm1.kbd"],
  [['kvm', 'kvm-apicv', '--for', '0'], "--for '0': must be above zero, a time as 5, 0.5s, 250ms or 10us"],
])('compare %j says what is wrong', async (args, line) => {
  const { code, stdout, stderr } = await called('compare', ...args);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `virqtop: ${line}\n` });
});

test('keys like those of objects are unknown keys, not properties', async () => {
  const { code, stderr } = await called('compare', LAB, '--b', '__proto__.vcpus=1');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^virqtop: --b '__proto__.vcpus=1': \S+: __proto__: unknown key, expected one of /);
});

test('the reader may leave, and SIGINT ends it, both with exit code 0', async () => {
  const left = await shell(
    `set -o pipefail; virqtop compare '${LAB}' --b apicv=true --for 50ms | head -n 1; echo "exit $?"`,
  );
  expect(left.stderr).toBe('');
  expect(left.stdout.split('\n').at(-2)).toBe('exit 0');
  const child = start(['compare', 'kvm', 'kvm-apicv', '--for', '100h']);
  const done = finished(child);
  await new Promise((r) => setTimeout(r, 900));
  child.kill('SIGINT');
  const { code, signal, stdout, stderr } = await done;
  expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
});
