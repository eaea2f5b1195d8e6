/** kvm_stat of the kernel's tree, unmodified, on a simulated KVM host: what it prints is what the machines counted. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findWay } from '../../cli/procfs/namespace.ts';
import { buildMachine, builtinScenario, kvmCounters, takeSnapshot } from '../../engine/index.ts';
import { virqtop } from '../cli/run.ts';
import { capture } from '../support/captures.ts';

const AT = 1e9;
const machine = buildMachine(builtinScenario('kvm')!, 42);
machine.runUntil(AT);
const snapshot = takeSnapshot(machine);
const [host, vm1, vm2] = snapshot.domains;
const debugfs = findWay([['/', '/sys/kernel/debug']]);
/** a namespace, and debugfs in it */
const able =
  'way' in debugfs &&
  spawnSync('unshare', [
    ...debugfs.way,
    'sh',
    '-c',
    'grep -q " debugfs " /proc/mounts || mount -t debugfs debugfs /sys/kernel/debug',
  ]).status === 0 &&
  spawnSync('which', ['kvm_stat']).status === 0;

/** What it leaves out of its tables. */
const EXEMPT = ['halt_poll_fail_ns', 'halt_poll_success_ns', 'halt_wait_ns'];

type Counts = Record<string, number>;
const countsOf = (domains: typeof snapshot.domains): Counts => {
  const all: Counts = {};
  for (const [name, value] of domains.flatMap(kvmCounters)) {
    if (!EXEMPT.includes(name)) all[name] = (all[name] ?? 0) + value;
  }
  return all;
};
/** The first column of its numbers. */
const table = (text: string): Counts =>
  Object.fromEntries([...text.matchAll(/^(\w+) +(\d+) +-?\d+$/gm)].map(([, name, n]) => [name, Number(n)]));

describe.skipIf(!able)('kvm_stat in virqtop exec', () => {
  test('its totals are those of all machines, or of the one that is named', async () => {
    const script = [
      'kvm_stat -d -i -1 & kvm_stat -d -i -1 -g vm2 > /tmp/$$ & wait; echo ==; cat /tmp/$$; rm /tmp/$$; echo ==',
      'cd /sys/kernel/debug/kvm; ls -d */; echo ==; cat */vcpu0/pid; echo ==; cat exits */exits',
    ].join('; ');
    const { stdout, stderr } = await virqtop(
      ...['exec', '--scenario', 'kvm', '--at', String(AT / 1e9), '--speed', '1e-6', '--', 'sh', '-c', script],
    );
    expect(stderr).toBe('');
    const [all, one, folders, pids, exits] = stdout.split('==\n') as [string, string, string, string, string];
    expect(table(all)).toEqual(countsOf([vm1!, vm2!]));
    expect(table(all).irq_injections).toBeGreaterThan(1000);
    expect(table(one)).toEqual(countsOf([vm2!]));
    const ours = await virqtop('kvm', '--as', 'kvm_stat', '-g', 'vm2', '--at', '0.999999', '-d', '1us');
    expect(table(ours.stdout)).toEqual(countsOf([vm2!]));
    const counted = [vm1, vm2].map((d) => kvmCounters(d!).find(([name]) => name === 'exits')![1]);
    expect(exits.trim().split('\n').map(Number)).toEqual([counted[0]! + counted[1]!, ...counted]);
    // processes stand for QEMU's, and are gone with the program
    expect(folders).toBe(pids.replace(/^(\d+)$/gm, '$1-11/'));
    for (const pid of pids.trim().split('\n')) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});

describe('virqtop procfs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-kvm-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('the host has the folder kvm of debugfs, and processes of its machines; the machines have none', async () => {
    const args = ['procfs', dir, 'kvm', '-n', '1', '--delay', '1', '--speed', 'max'];
    expect(await virqtop(...args)).toMatchObject({ code: 0, stderr: '' });
    const kvm = join(dir, 'host/sys/kernel/debug/kvm');
    const read = (file: string) => readFileSync(join(kvm, file), 'utf8');
    const { folder, pid } = vm1!.kvm!;
    const files = kvmCounters(vm1!);
    expect(folder).toBe(`${pid}-11`);
    const names = readdirSync(join(kvm, folder!));
    expect(names.sort()).toEqual([...files.map(([name]) => name), 'vcpu0', 'vcpu1'].sort());
    for (const [name, value] of files)
      expect([name, read(`${folder}/${name}`)]).toEqual([name, `${value}\n`]);
    const sum = files.find(([name]) => name === 'halt_exits')![1] + countsOf([vm2!]).halt_exits!;
    expect(read('halt_exits')).toBe(`${sum}\n`);
    expect(
      readFileSync(join(dir, `host/proc/${pid}/cmdline`), 'utf8')
        .split('\0')
        .slice(0, 3),
    ).toEqual(['qemu-system-x86_64', '-name', 'guest=vm1,debug-threads=on']);
    expect(existsSync(join(dir, 'vm1/sys/kernel'))).toBe(false);
    expect(host!.kvm).toBeUndefined();
  });

  test('the files are those of a real host of that kernel', () => {
    const real = capture('xen-x86/kvm-debugfs.txt');
    const names = real
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]!);
    expect(
      kvmCounters(vm1!)
        .map(([name]) => name)
        .sort(),
    ).toEqual(names.sort());
  });
});
