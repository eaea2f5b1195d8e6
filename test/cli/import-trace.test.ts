/** Real traces: the report of what they drive, and what is said of files that are wrong. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { capture } from '../support/captures.ts';
import { captureBytes } from '../support/imports.ts';
import { called } from './call.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-traces-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const CAPTURES = join(import.meta.dirname, '..', 'captures');
const XEN = join(CAPTURES, 'xen-x86', 'hvm-pc.all.xentrace.gz');
const KVM = join(CAPTURES, 'xen-x86', 'kvm-text-trace.txt.gz');
const DAT = join(CAPTURES, 'traces', 'v7-zstd.trace.dat');

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(DIR, name);
  writeFileSync(path, bytes);
  return path;
}

interface Numbers {
  readonly name: string;
  readonly recorded: number;
  readonly simulated: number;
  readonly perSecond: { readonly recorded: number[]; readonly simulated: number[] };
}

interface Report {
  readonly recorded: { readonly format: string; readonly notes: string[] };
  readonly guests: readonly {
    readonly exits: readonly Numbers[];
    readonly injections: readonly Numbers[];
    readonly sources: readonly Numbers[];
  }[];
  readonly irqs: readonly Numbers[];
}

async function report(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await called('import', '-J', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

const total = (rows: readonly Numbers[], of: 'recorded' | 'simulated') =>
  rows.reduce((n, row) => n + row[of], 0);

describe('the report', () => {
  test('of xentrace: what is recorded is what xenalyze counts, and each second adds up', async () => {
    const { recorded, guests, irqs } = await report(XEN);
    const [guest] = guests;
    const summary = capture('xen-x86/hvm-pc.all.xenalyze-summary.txt');
    const injected = [...summary.matchAll(/\[243\] (\d+)/g)].reduce((n, [, count]) => n + Number(count), 0);
    expect(recorded).toMatchObject({ format: 'xentrace', notes: ['its clock is taken for 2.4 GHz'] });
    expect(total(guest!.injections, 'recorded')).toBe(injected);
    // and the guest is interrupted as often, give or take what was merged
    expect(total(guest!.injections, 'simulated') / injected).toBeGreaterThan(0.95);
    expect(total(guest!.injections, 'simulated') / injected).toBeLessThan(1.05);
    for (const row of [...guest!.exits, ...guest!.injections]) {
      const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
      expect(sum(row.perSecond.recorded), row.name).toBe(row.recorded);
      expect(sum(row.perSecond.simulated), row.name).toBe(row.simulated);
    }
    expect(irqs).toEqual([{ name: 'irq-11', kind: 'irq', recorded: 1, simulated: 1 }]);
  });

  test('its numbers are those of the run: batch counts the same interrupts', async () => {
    const { guests } = await report(KVM);
    const { stdout } = await called('--import', KVM, '-J', '-n', '1', '-d', '1.997168s');
    const [, ...lines] = stdout.trimEnd().split('\n');
    const { domains } = JSON.parse(lines.at(-1) ?? stdout) as {
      domains: { name: string; interrupts: { rows: { actions: string[]; counts: number[] }[] } }[];
    };
    const rows = domains.find((d) => d.name === 'vm1')!.interrupts.rows;
    for (const name of ['gsi-4', 'gsi-10', 'msi-0x45.0']) {
      const row = rows.find((r) => r.actions.includes(name))!;
      const source = guests[0]!.sources.find((s) => s.name === name)!;
      expect(
        row.counts.reduce((a, b) => a + b, 0),
        name,
      ).toBe(source.simulated);
    }
  });

  test('as text says what differs and why, in 80 columns; the same file makes the same text', async () => {
    const { code, stdout } = await called('import', KVM);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^memory +665 +[\d,]+ +[-+][\d,]+ +37$/m);
    expect(stdout).toMatch(/^gsi-10 +201 +[\d,]+ .* 0x3a +0x22$/m);
    expect(stdout).toContain('port I/O: writes to port 0x80 are driven, other ports are not');
    const [, ...below] = stdout.split('\n'); // the first has the name of the file
    expect(Math.max(...below.map((l) => l.length))).toBeLessThanOrEqual(80);
    expect((await called('import', KVM)).stdout).toBe(stdout);
  });

  test('is as the documentation has it', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/traces.md'), 'utf8');
    const [, block] = /\$ virqtop import hvm-pc\.all\.xentrace\.gz\n(.*?)```/s.exec(page)!;
    const { stdout } = await called('import', XEN);
    const lines = block!.split('\n').filter((line) => line !== '');
    expect(lines.length).toBeGreaterThan(8);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(lines));
  });

  test('of trace.dat; of a trace that was written by virqtop itself', async () => {
    const { guests } = await report(DAT);
    expect(total(guests[0]!.injections, 'recorded')).toBe(120);
    const own = join(DIR, 'own.dat');
    expect((await called('trace', 'kvm', '--for', '100ms', '--format', 'trace-dat', '-o', own)).code).toBe(0);
    const { stdout } = await called('trace', 'kvm', '--for', '100ms', '--format', 'ftrace');
    const { guests: machines } = await report(own);
    expect(machines.length).toBe(2);
    const exits = machines.reduce((n, m) => n + total(m.exits, 'recorded'), 0);
    expect(exits).toBe([...stdout.matchAll(/: kvm_exit: /g)].length);
  });

  test('at another clock all takes so much longer', async () => {
    const seconds = async (...args: string[]) =>
      (await called('import', XEN, ...args)).stdout.match(/in ([\d.]+) s/)![1];
    expect(Number(await seconds('--cpu-hz', '1.2G'))).toBeCloseTo(2 * Number(await seconds()), 5);
  });
});

describe('what goes with a trace', () => {
  test.each([
    [['--import', XEN, KVM], 'a trace stands alone, of /proc/interrupts there may be two'],
    [['--import', KVM, '--uptime', '5'], '--uptime: goes with captures of /proc/interrupts'],
    [['--import', KVM, '--cpu-hz', '2G'], '--cpu-hz: goes with a file of xentrace'],
    [['--cpu-hz', '2G'], '--cpu-hz: goes with --import of a file of xentrace'],
    [
      ['--import', XEN, '--cpu-hz', 'fast'],
      "--cpu-hz 'fast': must be from 1 MHz to 100 GHz, as 2.6G or 2600MHz",
    ],
  ])('virqtop %j', async (args, line) => {
    const { code, stdout, stderr } = await called(...args, '-b', '-n', '1');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^virqtop: [^\n]+\n$/);
    expect(stderr).toContain(line);
  });

  test('a trace drives a recording of the monitor, a trace and a dump like any scenario', async () => {
    const dump = await called('--import', XEN, '--dump', 'e', '--at', '2s');
    expect(dump.stdout).toContain('Event channel information for domain 1:');
    const trace = await called('trace', '--import', KVM, '--for', '100ms');
    expect(trace.stdout).toMatch(/kvm_set_irq: gsi 0 level 1 source 0/);
  });
});

describe('files that are wrong', () => {
  const bomb = Buffer.concat(
    Array.from({ length: 17 }, () => gzipSync(Buffer.alloc(16 << 20), { level: 1 })),
  );
  const packed = gzipSync(captureBytes('xen-x86/kvm-text-trace.txt.gz').subarray(0, 30_000));

  test.each([
    ['bomb.gz', bomb, 'too large once it is unpacked, at most 256 MiB'],
    [
      'half.gz',
      packed.subarray(0, packed.length / 2),
      'cannot be unpacked (unexpected end of file); a whole gzip file',
    ],
    [
      'half.dat',
      captureBytes('traces/v6.trace.dat.gz').subarray(0, 30_000),
      'and the file ends at 30000: it is not whole',
    ],
    ['twice.gz', gzipSync(gzipSync('x')), 'it is packed twice'],
    [
      'bad\u001b[2J.xen',
      Buffer.from([3, 0xf0, 1, 0x20, 0]),
      'bad\\x1b[2J.xen: offset 4: the CPU of a window',
    ],
    ['notes.txt', 'nothing of the kind\n', 'no trace; of xentrace, trace-cmd or ftrace it would be right'],
  ])('%j', async (name, bytes, line) => {
    const { code, stdout, stderr } = await called('import', file(name, bytes));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^virqtop: [^\n\u0000-\u001f]+\n$/);
    expect(stderr).toContain(line);
  });
});
