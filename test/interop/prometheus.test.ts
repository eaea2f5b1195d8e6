/** /metrics, read by promtool, by Prometheus itself, and beside the real node_exporter. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  printPrometheus,
  type Snapshot,
  takeSnapshot,
} from '../../engine/index.ts';
import { finished, start, virqtop } from '../cli/run.ts';
import { freePort, scrape } from '../support/http.ts';

const isThere = (program: string) => spawnSync('which', [program]).status === 0;

const dir = mkdtempSync(join(tmpdir(), 'virqtop-prometheus-'));
const snapshots: Record<string, Snapshot> = {};
beforeAll(() => {
  for (const name of ['xen-mixed', 'kvm', 'xen-arm-v2']) {
    const machine = buildMachine(builtinScenario(name)!, 42);
    machine.runUntil(1e9);
    snapshots[name] = takeSnapshot(machine);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The value of a sample by its labels, in any order. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  const line = text.split('\n').find((l) => {
    if (!l.startsWith(`${name}{`)) return false;
    return Object.entries(labels).every(([k, v]) => l.includes(`${k}="${v}"`));
  });
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

test.skipIf(!isThere('promtool')).each(['xen-mixed', 'kvm', 'xen-arm-v2'])(
  'promtool finds nothing wrong in %s',
  (name) => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: printPrometheus(snapshots[name]!),
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  },
);

test('exits, books, pending and latencies are the numbers of the snapshot', () => {
  const kvm = snapshots.kvm!;
  const text = printPrometheus(kvm);
  const vm1 = kvm.domains[1]!;
  for (const { name, counts, totalNs } of vm1.exits!.rows) {
    counts.forEach((count, vcpu) => {
      expect(sample(text, 'virqtop_exits_total', { domain: 'vm1', vcpu: String(vcpu), reason: name })).toBe(
        count,
      );
    });
    expect(sample(text, 'virqtop_exit_seconds_total', { domain: 'vm1', reason: name })).toBe(totalNs / 1e9);
  }
  for (const { source, destination, raised, delivered, pending } of kvm.books) {
    const labels = { source, destination };
    expect(sample(text, 'virqtop_raised_total', labels)).toBe(raised);
    expect(sample(text, 'virqtop_settled_total', { ...labels, outcome: 'delivered' })).toBe(delivered);
    expect(sample(text, 'virqtop_unsettled', labels)).toBe(pending);
  }
  for (const { row, count, buckets } of vm1.latency!) {
    const labels = { domain: 'vm1', irq: String(row) };
    expect(sample(text, 'virqtop_latency_seconds_count', labels)).toBe(count);
    expect(sample(text, 'virqtop_latency_seconds_bucket', { ...labels, le: '+Inf' })).toBe(count);
    const below = buckets.filter(([top]) => top <= 10_000).reduce((n, [, c]) => n + c, 0);
    expect(sample(text, 'virqtop_latency_seconds_bucket', { ...labels, le: '0.00001' })).toBe(below);
  }
  expect(
    sample(printPrometheus(snapshots['xen-arm-v2']!), 'virqtop_list_registers_used', {
      domain: 'dom0',
      vcpu: '0',
    }),
  ).toBe(snapshots['xen-arm-v2']!.domains[0]!.arm!.vcpus[0]!.lrs.filter((lr) => lr.used).length);
});

test.skipIf(!isThere('prometheus-node-exporter'))(
  'interrupts have the names and labels that node_exporter gives them',
  async () => {
    const [ours, theirs] = [await freePort(), await freePort()];
    const tree = join(dir, 'tree');
    const server = start(['procfs', tree, '--metrics', `127.0.0.1:${ours}`, '--speed', '1e-6']);
    const samples = (text: string) =>
      text
        .split('\n')
        .filter((l) => /^node_(interrupts|intr)_total/.test(l))
        .map((l) =>
          l
            .replace(/,?domain="dom0",?/, (m) => (m.startsWith(',') && m.endsWith(',') ? ',' : ''))
            .replace('{}', ''),
        )
        .map((l) => l.replace(/ (\S+)$/, (_, n) => ` ${Number(n)}`))
        .sort();
    try {
      const text = await scrape(`http://127.0.0.1:${ours}/metrics`, server);
      const dom0 = text
        .split('\n')
        .filter((l) => l.includes('domain="dom0"'))
        .join('\n');
      const exporter = spawn(
      'prometheus-node-exporter',
      [`--path.procfs=${tree}/dom0/proc`, `--web.listen-address=127.0.0.1:${theirs}`, '--collector.disable-defaults', '--collector.interrupts', '--collector.stat'],
      { stdio: 'ignore' },
    ); // biome-ignore format: words of a command
      try {
        const wanted = samples(await scrape(`http://127.0.0.1:${theirs}/metrics`, exporter));
        expect(wanted.length).toBeGreaterThan(200);
        expect(samples(dom0)).toEqual(wanted);
      } finally {
        exporter.kill();
      }
    } finally {
      server.kill();
      await finished(server);
    }
  },
);

test.skipIf(!isThere('prometheus'))(
  'Prometheus scrapes it and tells the rate of an interrupt',
  { timeout: 60_000 },
  async () => {
    const [ours, theirs] = [await freePort(), await freePort()];
    const server = start([
      'procfs',
      join(dir, 'live'),
      'xen-pv',
      '--metrics',
      `127.0.0.1:${ours}`,
      '--delay',
      '0.1',
    ]);
    const config = join(dir, 'prometheus.yml');
    writeFileSync(
      config,
      `scrape_configs: [{job_name: virqtop, scrape_interval: 500ms, scrape_timeout: 500ms, static_configs: [{targets: ['127.0.0.1:${ours}']}]}]\n`,
    );
    await scrape(`http://127.0.0.1:${ours}/metrics`, server);
    const prometheus = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'tsdb')}`, `--web.listen-address=127.0.0.1:${theirs}`, '--log.level=error'],
    { stdio: 'ignore' },
  ); // biome-ignore format: words of a command
    try {
      const query = encodeURIComponent(
        'sum(rate(node_interrupts_total{domain="dom0",devices=~".*timer0"}[5s]))',
      );
      let rate = 0;
      for (let n = 0; n < 250 && !(rate > 20); n++) {
        await new Promise((done) => setTimeout(done, 100));
        const text = await scrape(`http://127.0.0.1:${theirs}/api/v1/query?query=${query}`, prometheus);
        const { data } = JSON.parse(text) as { data?: { result: { value: [number, string] }[] } };
        rate = Number(data?.result[0]?.value[1] ?? 0);
      }
      // its tick stops while dom0 idles
      expect(rate).toBeGreaterThan(20);
      expect(rate).toBeLessThan(400);
    } finally {
      prometheus.kill();
      server.kill();
      await finished(server);
    }
  },
);

test('only /metrics can be had, and only read', async () => {
  const port = await freePort();
  const server = start(['procfs', join(dir, 'asked'), 'xen-pv', '--metrics', `127.0.0.1:${port}`]);
  const url = `http://127.0.0.1:${port}`;
  try {
    await scrape(`${url}/metrics`, server);
    expect((await fetch(`${url}/`)).status).toBe(404);
    const post = await fetch(`${url}/metrics`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const second = await virqtop('procfs', join(dir, 'second'), 'xen-pv', '--metrics', `127.0.0.1:${port}`);
    expect(second).toMatchObject({
      code: 1,
      stderr: `virqtop: --metrics 127.0.0.1:${port}: cannot listen there (EADDRINUSE)\n`,
    });
  } finally {
    server.kill();
    await finished(server);
  }
});

test.each([
  [['--metrics', '9464'], "--metrics '9464': must be an address and a port, as 127.0.0.1:9464"],
  [['-b', '--metrics', '127.0.0.1:0'], '--metrics: goes with the monitor, procfs, or batch with --realtime'],
] as const)('%j is a mistake', async (args, message) => {
  expect(await virqtop(...args)).toMatchObject({ code: 2, stdout: '', stderr: `virqtop: ${message}\n` });
});
