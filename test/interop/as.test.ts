/**
 * `--as`: what another program would print, beside what it does print. lsirq and kvm_stat are the real ones, on the same
 * feed; xentop is the real one too, over a libxenstat of ours (test/support/xenstat.c), as there is no Xen to ask. irqtop -b
 * cannot run here: no release of Debian 12 has it. What it prints is compared with formats/irqtop.txt, made from its source.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findWay } from '../../cli/procfs/namespace.ts';
import {
  buildMachine,
  builtinScenario,
  type DomainSnapshot,
  kvmDebugfs,
  printCpuinfo,
  type Snapshot,
  takeSnapshot,
} from '../../engine/index.ts';
import { virqtop } from '../cli/run.ts';

const dir = mkdtempSync(join(tmpdir(), 'virqtop-as-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const isThere = (program: string) => spawnSync('which', [program]).status === 0;
const found = findWay([]);
const way = 'way' in found ? found.way : [];
const MOUNT = 'grep -q " debugfs " /proc/mounts || mount -t debugfs debugfs /sys/kernel/debug';
const hasDebugfs = way.length > 0 && spawnSync('unshare', [...way, 'sh', '-c', MOUNT]).status === 0;
const XENTOP = '/usr/lib/xen-4.17/bin/xentop';

/** A machine at some moments, in seconds. */
function momentsOf(scenario: string, ...seconds: number[]): Snapshot[] {
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  return seconds.map((s) => {
    machine.runUntil(Math.round(s * 1e9));
    return takeSnapshot(machine);
  });
}

async function as(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await virqtop(...args);
  expect([stderr, code]).toEqual(['', 0]);
  return stdout;
}

describe.skipIf(way.length === 0 || !isThere('lsirq'))('--as lsirq', () => {
  test.each([
    ['xen-mixed', 'dom0'],
    ['xen-arm-v3', 'dom1'],
    ['kvm', 'vm2'],
  ])('of %s, %s, it is what lsirq prints', async (scenario, domain) => {
    const host = ['--scenario', scenario, '-g', domain, '--at', '0.2'];
    const still = ['exec', ...host, '--speed', '1e-6', '--', 'env', 'LC_ALL=C', 'lsirq'];
    const [real, ours] = await Promise.all([as(...still), as(...host, '--as', 'lsirq')]);
    expect(ours).toBe(real);
    expect(ours.split('\n').length).toBeGreaterThan(10);
  });
});

describe.skipIf(!hasDebugfs || !isThere('kvm_stat'))('--as kvm_stat', () => {
  /** Runs kvm_stat with the moments of a machine for time.sleep: a second of its sleep is one of the simulation. */
  const STEPS = `
import os, runpy, sys, time
os.chdir(sys.argv[1])
left = iter(range(1, int(sys.argv[2])))
def step(seconds):
    try:
        os.symlink(str(next(left)), 'next')
    except StopIteration:
        raise KeyboardInterrupt
    os.rename('next', 'kvm')
time.sleep = step
sys.argv = ['kvm_stat', '-d', '-i', *sys.argv[3:]]
runpy.run_path('${'$'}KVM_STAT', run_name='__main__')
`;
  const debugfs = join(dir, 'debugfs');

  function real(moments: readonly Snapshot[], ...args: string[]): string {
    rmSync(debugfs, { recursive: true, force: true });
    moments.forEach((moment, i) => {
      for (const [path, text] of kvmDebugfs(moment)) {
        const file = join(debugfs, String(i), path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
    });
    execFileSync('ln', ['-s', '0', join(debugfs, 'kvm')]);
    const cpuinfo = join(dir, 'cpuinfo');
    writeFileSync(cpuinfo, printCpuinfo({ arch: 'x86_64', cpus: [0], guest: false }));
    const python = STEPS.replace(
      '$KVM_STAT',
      execFileSync('which', ['kvm_stat'], { encoding: 'utf8' }).trim(),
    );
    const script = `${MOUNT}; mount --bind "$1" /sys/kernel/debug; mount --bind "$2" /proc/cpuinfo; shift 2; exec "$@"`;
    const command = ['python3', '-c', python, '/sys/kernel/debug', String(moments.length), ...args];
    return execFileSync('unshare', [...way, 'sh', '-c', script, 'sh', debugfs, cpuinfo, ...command], {
      encoding: 'utf8',
    });
  }

  test('it is what kvm_stat -1 prints', async () => {
    const ours = await as('kvm', '--as', 'kvm_stat', '--at', '0.2', '-d', '0.2');
    expect(ours).toBe(real(momentsOf('kvm', 0.2, 0.4), '-1'));
    expect(ours).toMatch(/^exits +\d{4} +\d{4}$/m);
  });

  test('kvm_stat-l is what its log prints, but for the date', async () => {
    const dated = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm;
    const ours = await as('kvm', '--as', 'kvm_stat-l', '--at', '0.02', '-d', '0.01', '-n', '23');
    const moments = Array.from({ length: 24 }, (_, i) => 0.02 + i * 0.01);
    expect(ours.replace(dated, '')).toBe(real(momentsOf('kvm', ...moments), '-l').replace(dated, ''));
    expect(ours.match(dated)).toHaveLength(23);
    expect(ours.match(/^blocking /gm)).toHaveLength(2);
  });
});

describe.skipIf(!isThere('cc') || spawnSync(XENTOP, ['-V']).status !== 0)('--as xentop', () => {
  const library = join(dir, 'xenstat.so');

  /** Bytes of packets, as netback counts them. */
  const bytes = (packets: number) => packets * 1500;

  function line({ id, name, vcpus, xl }: DomainSnapshot): string {
    const running = vcpus.some((v) => v.state === 'running');
    const blocked = vcpus.filter((v) => v.state !== 'offline').every((v) => v.state === 'blocked');
    const [vif] = xl!.vifs;
    const [vbd] = xl!.vbds;
    const words = [id, id === 0 ? 'Domain-0' : name, running ? 'r' : blocked ? 'b' : '-'];
    words.push(
      vcpus.reduce((n, v) => n + v.runNs, 0),
      vcpus.length,
      id === 0 ? -1 : 0,
    );
    words.push(
      vif ? 1 : 0,
      bytes(vif?.sent ?? 0),
      bytes(vif?.received ?? 0),
      vbd ? 1 : 0,
      vbd?.requests ?? 0,
    );
    return `${words.join(' ')}\n`;
  }

  test.each(['xen-mixed', 'xen-arm-v3'])('of %s it is what xentop -b prints', async (scenario) => {
    execFileSync('cc', [
      '-shared',
      '-fPIC',
      '-o',
      library,
      join(import.meta.dirname, '../support/xenstat.c'),
    ]);
    const moments = momentsOf(scenario, 0.4, 0.6, 0.8);
    const feed = join(dir, 'looks');
    const looks = moments.map((m) => `look ${m.time / 1000}\n${m.domains.map(line).join('')}`);
    writeFileSync(feed, looks.join(''));
    const real = execFileSync(XENTOP, ['-b', '-i', '3'], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: library, XENSTAT: feed },
    });
    const ours = await as(scenario, '--as', 'xentop', '--at', '0.4', '-d', '0.2', '-n', '3');
    expect(ours).toBe(real);
    expect(ours).toMatch(/^ +dom1 .* +[1-9]\d+ +[1-9]\d+ +1 +0 +[1-9]\d+ /m);
  });
});

describe('--as irqtop', () => {
  type Cell = number | string;
  const formats = readFileSync(join(import.meta.dirname, 'formats/irqtop.txt'), 'utf8');

  /** printf, as far as the formats go. */
  function printf(format: string, cells: readonly Cell[]): string {
    let i = 0;
    return format.replace(/%(s|ld|d|0\.1f)/g, (_, kind: string) => {
      const cell = cells[i++]!;
      return kind === '0.1f' && cell !== '' ? Number(cell).toFixed(1) : String(cell);
    });
  }

  function tableOf(words: readonly string[], rows: readonly (readonly Cell[])[]): string[] {
    const full = words[0] === 'full';
    const columns = words.slice(full ? 1 : 0).flatMap((word) => {
      const [, side, title, format, each] = /^([<>])(.*)=(.*?)(\.\.\.)?$/.exec(word)!;
      const times = each ? rows[0]!.length - 1 : 1;
      return Array.from({ length: times }, (_, n) => ({ side, title: printf(title!, [n]), format: format! }));
    });
    const cells = [
      columns.map((c) => c.title),
      ...rows.map((r) => r.map((c, i) => printf(columns[i]!.format, [c]))),
    ];
    const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
    return cells.map((row) =>
      row
        .map((cell, i) => {
          const { side } = columns[i]!;
          if (!full && i === row.length - 1 && (side === '<' || cell === '')) return cell;
          return side === '>' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
        })
        .join(' '),
    );
  }

  const rowsOf = ({ interrupts: { rows, arch } }: DomainSnapshot) => [
    ...rows.map((r) => ({
      irq: String(r.irq),
      counts: r.counts,
      name: [`${r.chip}`, r.hwirq, r.name === null ? null : `-${r.name}`, r.actions.join(', ')]
        .filter((word) => word !== null && word !== '')
        .join(' '),
    })),
    ...arch.map((r) => ({ irq: r.label, counts: r.counts, name: r.text })),
  ];
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

  test('two looks are what its source makes of the counters', async () => {
    const [then, now] = momentsOf('xen-mixed', 0.9, 1.1).map((m) => m.domains[0]!);
    const blocks = [[undefined, then!] as const, [then!, now!] as const].map(([before, domain], i) => {
      const rows = rowsOf(domain).map((row, n) => {
        const total = sum(row.counts);
        return [row.irq, total, before ? total - sum(rowsOf(before)[n]!.counts) : 0, row.name] as const;
      });
      const cpu = (d: DomainSnapshot, n: number) => sum(rowsOf(d).map((row) => row.counts[n] ?? 0));
      const total = sum(rows.map((r) => r[1]));
      const delta = sum(rows.map((r) => r[2]));
      const cpus = domain.interrupts.cpus;
      const data: Record<string, readonly (readonly Cell[])[]> = {
        cpus: [
          ['%irq:', ...cpus.map((n) => (cpu(domain, n) / total) * 100)],
          ['%delta:', ...cpus.map((n) => (before ? ((cpu(domain, n) - cpu(before, n)) / delta) * 100 : ''))],
        ],
        irqs: [...rows].sort((a, b) => b[1] - a[1] || (a[3] < b[3] ? -1 : 1)),
      };
      const head = [total, delta, 'dom0', `2023-01-01 00:00:0${i}+00:00`];
      return formats
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .flatMap((line) => {
          const [what, ...words] = line.split(' ');
          return what === 'line'
            ? [printf(words.join(' '), head)]
            : tableOf(words.slice(1), data[words[0]!]!);
        })
        .map((line) => `${line}\n`)
        .join('');
    });
    expect(await as('--as', 'irqtop', '-n', '2', '--at', '0.9', '-d', '0.2')).toBe(blocks.join(''));
  });
});
