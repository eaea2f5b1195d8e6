/**
 * Programs that people read interrupts with, unmodified, on a simulated host: what they print is what the machine
 * counted. Time stands still for most of them, so that the numbers must be the same ones.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findWay } from '../../cli/procfs/namespace.ts';
import {
  buildMachine,
  builtinScenario,
  type DomainSnapshot,
  printInterrupts,
  statOf,
  takeSnapshot,
} from '../../engine/index.ts';
import { ENTRY, finished, start, virqtop } from '../cli/run.ts';
import { freePort, scrape } from '../support/http.ts';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const isThere = (program: string) =>
  spawnSync('which', [program], { env: { ...process.env, PATH } }).status === 0;
const hasPsutil = spawnSync('/usr/bin/python3', ['-c', 'import psutil']).status === 0;
const namespaces = 'way' in findWay([]);

const AT = 1e9;
const machine = buildMachine(builtinScenario('xen-mixed')!, 42);
machine.runUntil(AT);
const snapshot = takeSnapshot(machine);
const dom0 = snapshot.domains[0]!;
const stat = statOf(dom0, AT);

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
const rowOf = (domain: DomainSnapshot, action: string) =>
  domain.interrupts.rows.find((r) => r.actions.includes(action))!;

/** All that is asked on a host of which time stands still, in one run. */
const COMMANDS = {
  files: 'cat /proc/interrupts',
  others: 'cat /proc/uptime; cat /sys/devices/system/cpu/online; nproc --all; cat /proc/version',
  lsirq: 'lsirq -J',
  mpstat: 'mpstat -I SUM; mpstat -I CPU',
  vmstat: 'vmstat -s',
  procinfo: 'procinfo -H',
  atop: 'atop -P CPL 1 1',
  psutil:
    '/usr/bin/python3 -c "import psutil; s = psutil.cpu_stats(); print(s.interrupts, s.ctx_switches, s.soft_interrupts, psutil.cpu_count())"',
  irqbalance: 'irqbalance --debug --oneshot --foreground --interval=1 2>&1',
  write: 'echo 2 > /proc/irq/1/smp_affinity && cat /proc/irq/1/smp_affinity',
};
type Name = keyof typeof COMMANDS;
let answers: Promise<Record<Name, string>> | undefined;

async function askAll(): Promise<Record<Name, string>> {
  const script = Object.values(COMMANDS).join('; echo ==; ');
  const args = [
    '--at',
    String(AT / 1e9),
    '--speed',
    '1e-6',
    '--',
    'env',
    'LC_ALL=C',
    `PATH=${PATH}`,
    'sh',
    '-c',
    `exec 2>&1; ${script}`,
  ];
  const parts = (await virqtop('exec', ...args)).stdout.split('==\n');
  return Object.fromEntries(Object.keys(COMMANDS).map((name, i) => [name, parts[i]])) as Record<Name, string>;
}

async function frozen(name: Name): Promise<string> {
  answers ??= askAll();
  return (await answers)[name];
}

describe.skipIf(!namespaces)('virqtop exec', () => {
  test('the files are those of the domain, and the others those of this machine', async () => {
    expect(await frozen('files')).toBe(printInterrupts(dom0.interrupts));
    const [uptime, online, nproc, version] = (await frozen('others')).split('\n');
    expect(Number(uptime!.trim().split(/\s+/)[0])).toBe(AT / 1e9);
    expect([online, nproc]).toEqual(['0-3', '4']);
    expect(`${version}\n`).toBe(readFileSync('/proc/version', 'utf8'));
  });

  test.skipIf(!isThere('lsirq'))('lsirq', async () => {
    const { interrupts } = JSON.parse(await frozen('lsirq')) as {
      interrupts: { irq: string; total: number }[];
    };
    const totals = new Map(interrupts.map((i) => [i.irq, i.total]));
    for (const row of dom0.interrupts.rows) {
      if (sum(row.counts) > 0)
        expect([row.irq, totals.get(String(row.irq))]).toEqual([row.irq, sum(row.counts)]);
    }
    for (const row of dom0.interrupts.arch) {
      if (sum(row.counts) > 0)
        expect([row.label, totals.get(row.label)]).toEqual([row.label, sum(row.counts)]);
    }
  });

  test.skipIf(!isThere('mpstat'))('mpstat -I, since boot', async () => {
    const report = await frozen('mpstat');
    expect(report).toContain('(4 CPU)');
    const rate = Number(/ all +([\d.]+)/.exec(report)![1]);
    expect(Math.abs(rate - stat.intr.total / (AT / 1e9))).toBeLessThan(0.011);
    const timer = rowOf(dom0, 'timer0');
    const table = report
      .split('\n')
      .filter((l) => /^\d\d:/.test(l))
      .map((l) => l.trim().split(/\s+/));
    const head = table.findIndex((words) => words.includes(`${timer.irq}/s`));
    const at = table[head]!.indexOf(`${timer.irq}/s`);
    expect(Number(table[head + 1]![at])).toBeCloseTo(timer.counts[0]! / (AT / 1e9), 1);
  });

  test.skipIf(!isThere('vmstat'))('vmstat -s', async () => {
    const report = await frozen('vmstat');
    expect(Number(/(\d+) interrupts/.exec(report)![1])).toBe(stat.intr.total);
    expect(Number(/(\d+) CPU context switches/.exec(report)![1])).toBe(stat.ctxt);
    expect(Number(/(\d+) idle cpu ticks/.exec(report)![1])).toBe(stat.cpu[3]);
  });

  test.skipIf(!isThere('procinfo'))('procinfo', async () => {
    const report = await frozen('procinfo');
    for (const row of dom0.interrupts.rows) {
      const found = new RegExp(`irq +${row.irq}: +(\\d+)`).exec(report);
      expect([row.irq, Number(found?.[1])]).toEqual([row.irq, sum(row.counts)]);
    }
  });

  test.skipIf(!isThere('atop'))('atop', async () => {
    const report = await frozen('atop');
    const words = /^CPL .*$/m.exec(report)![0].split(' ');
    expect([Number(words[6]), Number(words.at(-1))]).toEqual([4, stat.intr.total]);
  });

  test.skipIf(!hasPsutil)('psutil', async () => {
    expect((await frozen('psutil')).trim()).toBe(`${stat.intr.total} ${stat.ctxt} ${stat.softirq!.total} 4`);
  });

  test.skipIf(!isThere('irqbalance'))(
    'irqbalance places the interrupts, and moves none of this machine',
    async () => {
      const real = affinities();
      const report = await frozen('irqbalance');
      const placed = [...report.matchAll(/Adding IRQ (\d+) to database/g)].map((m) => Number(m[1]));
      expect(dom0.interrupts.rows.map((r) => r.irq).filter((irq) => !placed.includes(irq))).toEqual([]);
      expect(report).toContain('numa_node cpu mask is 0000000f');
      expect(affinities()).toEqual(real);
    },
  );

  test('a write to an affinity stays there', async () => {
    const real = affinities();
    expect(await frozen('write')).toBe('2\n');
    expect(affinities()).toEqual(real);
  });

  test.skipIf(!isThere('mpstat') || !isThere('sar'))('mpstat and sar see it go on at its rate', async () => {
    const look = 'cat /proc/uptime; grep -m1 timer0 /proc/interrupts';
    const command = `${look}; mpstat -I SUM 1 1; sar -I ALL 1 1; ${look}`;
    const child = start(['exec', '--at', '1', '--', 'env', 'LC_ALL=C', 'sh', '-c', command]);
    const { stdout } = await finished(child);
    const seen = [...stdout.matchAll(/^ *(\d+\.\d+) .*\n *(\d+): +(\d+)/gm)].map((m) =>
      m.slice(1).map(Number),
    );
    const [[from, irq, before], [to, , after]] = seen as [number[], number[]];
    const rate = (after! - before!) / (to! - from!);
    expect(rate).toBeGreaterThan(20);
    const timer = Number(new RegExp(`Average: +${irq} +([\\d.]+)`).exec(stdout)![1]);
    expect(timer / rate).toBeGreaterThan(0.6);
    expect(timer / rate).toBeLessThan(1.6);
    const all = Number(/Average: +all +([\d.]+)/.exec(stdout)![1]);
    expect(all).toBeGreaterThan(1000);
  });

  test('an affinity that is written moves the interrupt in the simulation; one that is refused comes back', async () => {
    const real = affinities();
    const script = [
      "irq=$(sed -n 's/^ *\\([0-9]*\\):.*0000:00:1f.2.*/\\1/p' /proc/interrupts)",
      'row() { grep "^ *$irq:" /proc/interrupts; }',
      'row; echo 1 > /proc/irq/$irq/smp_affinity; sleep 0.7; row; cat /proc/irq/$irq/smp_affinity_list; sleep 0.7; row',
      'echo 2 > /proc/irq/24/smp_affinity; echo zz > /proc/irq/$irq/smp_affinity; sleep 0.5',
      'cat /proc/irq/24/smp_affinity /proc/irq/$irq/smp_affinity',
    ].join('; ');
    const child = start([
      'exec',
      '--at',
      '1',
      '--speed',
      '2',
      '--scenario',
      'xen-pv',
      '--',
      'sh',
      '-c',
      script,
    ]);
    const { stdout } = await finished(child);
    const lines = stdout.trimEnd().split('\n');
    const counts = [0, 1, 3].map((n) => lines[n]!.trim().split(/\s+/).slice(1, 5).map(Number));
    expect(counts[0]![0]).toBe(0);
    expect(lines[2]).toBe('0');
    // what counted elsewhere counts on CPU0 from here on
    expect(counts[2]![0]).toBeGreaterThan(counts[1]![0]!);
    expect(counts[2]!.slice(1)).toEqual(counts[1]!.slice(1));
    expect(lines.slice(4)).toEqual(['f', '1']);
    expect(affinities()).toEqual(real);
  });

  test('it ends as the program does, as fast as the machine may run', async () => {
    const max = ['--at', '0.1', '--speed', 'max'];
    expect((await virqtop('exec', ...max, '--', 'sh', '-c', 'exit 7')).code).toBe(7);
    expect((await virqtop('exec', '--at', '0.1', '--', 'sh', '-c', 'kill -9 $$')).code).toBe(137);
    expect((await virqtop('exec', '--at', '0.1', '--', '/no/such/program')).code).toBe(127);
  });
});

test('exec without a command is a mistake', async () => {
  expect(await virqtop('exec')).toMatchObject({
    code: 2,
    stderr: "virqtop: exec: no command; must be as in 'virqtop exec -- mpstat -I ALL 1 3'\n",
  });
});

test('exec says in a line that there are no namespaces to be had', async () => {
  const child = spawn(process.execPath, [ENTRY, 'exec', '--at', '0.1', '--', 'true'], {
    env: { ...process.env, PATH: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { code, stderr } = await finished(child);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^virqtop: exec needs a mount namespace, which this system refuses \(unshare: .*ENOENT\)\n$/,
  );
});

/** Who may be interrupted by what on the real machine. */
function affinities(): string[] {
  if (!existsSync('/proc/irq')) return [];
  return readdirSync('/proc/irq')
    .map((irq) => `/proc/irq/${irq}/smp_affinity`)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

describe('virqtop procfs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-procfs-'));
  const host = join(dir, 'host');
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const text = (file: string) => readFileSync(join(host, file), 'utf8');
  /** What interrupt 24 and the like have counted. */
  const total = () =>
    sum([...text('dom0/proc/interrupts').matchAll(/^ *\d+: +(\d+) /gm)].map((m) => Number(m[1])));

  test('a tree for each domain, that goes on where it ended', async () => {
    expect(await virqtop('procfs', host, '-n', '2', '--delay', '0.5', '--speed', 'max')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readdirSync(host).sort()).toEqual(['.virqtop', ...snapshot.domains.map((d) => d.name)].sort());
    expect(text('dom0/proc/interrupts')).toBe(printInterrupts(dom0.interrupts));
    expect(text('dom1/proc/interrupts')).toBe(printInterrupts(snapshot.domains[1]!.interrupts));
    expect(text('dom0/proc/uptime')).toMatch(/^1\.00 /);
    expect(text('dom0/sys/devices/system/cpu/online')).toBe('0-3\n');
    expect(readdirSync(join(host, 'dom0/proc')).sort()).toEqual([
      'cpuinfo',
      'interrupts',
      'softirqs',
      'stat',
      'uptime',
    ]);

    const before = total();
    expect(await virqtop('procfs', host, '-n', '1', '--delay', '1', '--speed', 'max')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(text('dom0/proc/uptime')).toMatch(/^2\.00 /);
    machine.runUntil(2e9);
    expect(text('dom0/proc/interrupts')).toBe(printInterrupts(takeSnapshot(machine).domains[0]!.interrupts));
    expect(total()).toBeGreaterThan(before);
  });

  test('killed, the next run goes on from what was shown last at least', async () => {
    const child = start(['procfs', host, '--delay', '0.2', '--speed', '20']);
    const uptime = () => Number(text('dom0/proc/uptime').split(' ')[0]);
    while (uptime() < 4) await new Promise((done) => setTimeout(done, 20));
    child.kill('SIGKILL');
    await finished(child);
    const last = uptime();
    await virqtop('procfs', host, '-n', '1', '--delay', '0.001', '--speed', 'max');
    expect(uptime()).toBeGreaterThanOrEqual(last);
    expect(uptime()).toBeLessThan(last + 1);
  });

  test.skipIf(!isThere('prometheus-node-exporter'))('node_exporter exports every row', async () => {
    const port = await freePort();
    const exporter = spawn(
      'prometheus-node-exporter',
      [`--path.procfs=${host}/dom0/proc`, `--web.listen-address=127.0.0.1:${port}`, '--collector.disable-defaults', '--collector.interrupts', '--collector.stat'],
      { stdio: 'ignore' },
    ); // biome-ignore format: words of a command
    try {
      const metrics = await scrape(`http://127.0.0.1:${port}/metrics`, exporter);
      const file = text('dom0/proc/interrupts');
      for (const [line, irq] of file.matchAll(/^ *(\d+): .*$/gm)) {
        const counts = line.trim().split(/\s+/).slice(1, 5).map(Number);
        const found = counts.map((_, cpu) => {
          const sample = new RegExp(
            `^node_interrupts_total\\{cpu="${cpu}",[^}]*type="${irq}"\\} (\\S+)$`,
            'm',
          );
          return Number(sample.exec(metrics)?.[1]);
        });
        expect([irq, found]).toEqual([irq, counts]);
      }
      const intr = Number(/^intr (\d+)/m.exec(text('dom0/proc/stat'))![1]);
      expect(Number(/^node_intr_total (\S+)$/m.exec(metrics)![1])).toBe(intr);
    } finally {
      exporter.kill();
    }
  });

  test('what cannot be written, or is of another run, is told in a line', async () => {
    const file = join(dir, 'file');
    execFileSync('touch', [file]);
    const cases: [string[], string][] = [
      [[file], `${file}: is a file; must be a directory, or the name of a new one`],
      [[join(dir, 'a/b')], `${dir}/a/b: no such directory; must be a directory, or the name of a new one`],
      [['/proc/x'], '/proc/x: no such directory; must be a directory, or the name of a new one'],
      [
        [host, 'kvm'],
        `${host}/.virqtop: of another run; take another directory, or remove this one to begin anew`,
      ],
      [
        [host, '--seed', '1'],
        `${host}/.virqtop: of another run; take another directory, or remove this one to begin anew`,
      ],
    ];
    for (const [args, message] of cases) {
      expect(await virqtop('procfs', ...args)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: `virqtop: ${message}\n`,
      });
    }
  });
});
