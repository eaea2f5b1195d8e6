/** virqtop trace: where a trace goes, and what is refused. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { TRACE_FORMAT_NAMES } from '../../cli/options.ts';
import { TRACE_FORMATS } from '../../engine/exchange.ts';
import { called } from './call.ts';
import { finished, shell, start, virqtop } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-trace-test-'));
afterAll(() => rmSync(DIR, { recursive: true }));

test('the formats of the command line are those that there are', () => {
  expect(TRACE_FORMATS.map((f) => f.name)).toEqual([...TRACE_FORMAT_NAMES]);
});

test('same options, same bytes, on standard output and in a file, which alone is left', async () => {
  const dir = join(DIR, 'same');
  mkdirSync(dir);
  const options = 'trace kvm --at 0.5 --for 30ms --fire vm1.kbd@0.51 --format trace-dat';
  // one whose parts wait for the end, and one whose head does
  for (const format of ['trace-dat', 'perf']) {
    const file = join(dir, format);
    const same = options.replace('trace-dat', format);
    const { code, stderr } = await shell(`virqtop ${same} -o '${file}' && virqtop ${same} | cmp - '${file}'`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
  expect(readdirSync(dir).sort()).toEqual(['perf', 'trace-dat']);
  const { stdout } = await called(...options.replace('trace-dat', 'jsonl').split(' '));
  const names = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((l) => JSON.parse(l))
    .filter((r) => r.time >= 510e6 && r.time < 511e6)
    .map((r) => r.event);
  expect(names).toContain('main_loop_wait');
  expect(names).toContain('kvm_set_irq');
});

test('it covers the time that was asked for, and all of its records', async () => {
  const { stdout } = await called('trace', 'xen-pv', '--at', '100ms', '--for', '50ms', '--format', 'jsonl');
  const times = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((l) => JSON.parse(l).time as number);
  expect(times.length).toBeGreaterThan(1000);
  // an instant before: of who began then
  expect(times[0]).toBeGreaterThan(99.9e6);
  expect(times[0]).toBeLessThan(101e6);
  expect(times.at(-1)).toBeGreaterThan(149e6);
  expect(times.at(-1)).toBeLessThan(150.1e6);
});

test('a host of captures has a trace as well', async () => {
  const capture = join(DIR, 'interrupts');
  const packed = join(import.meta.dirname, '../captures/xen-x86/bare-pc-idle.interrupts.3.txt.gz');
  writeFileSync(capture, gunzipSync(readFileSync(packed)));
  const { code, stdout } = await called('trace', '--import', capture, '--for', '1s');
  expect(code).toBe(0);
  expect(stdout).toMatch(/irq_handler_entry: row=\d+ column=\d+ journey=\d+/);
});

test('mistakes are one line, and leave nothing behind', async () => {
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await called('trace', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };
  expect(await refused('kvm', '--format', 'trace.dat')).toBe(
    "virqtop: --format 'trace.dat': unknown; did you mean 'trace-dat'?\n",
  );
  expect(await refused('kvm', '-o', join(DIR, 'no/where'))).toBe(
    `virqtop: ${join(DIR, 'no/where')}: no such directory\n`,
  );
  mkdirSync(join(DIR, 'd'));
  expect(await refused('kvm', '-o', join(DIR, 'd'))).toBe(
    `virqtop: ${join(DIR, 'd')}: is a directory, not a file\n`,
  );
  expect(await refused('kvm', '--fire', 'vm1.kbd@3', '--for', '2s')).toBe(
    'virqtop: --fire vm1.kbd@3: the run ends at 2 s\n',
  );
});

test('a file that cannot be written is said in one line, by the thread that writes it too', async () => {
  expect(await virqtop('trace', 'kvm', '--for', '200ms', '-o', '/dev/full')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'virqtop: cannot write the trace: ENOSPC\n',
  });
});

test('bytes that are no text are not written to a terminal', async () => {
  const typed = join(DIR, 'typed');
  const line = `script -qec "${process.execPath} dist/virqtop.mjs trace kvm --for 1ms --format trace-dat" ${typed}`;
  const { stdout } = await shell(`cd '${join(import.meta.dirname, '../..')}' && ${line} </dev/null`);
  expect(stdout.trim()).toBe('virqtop: --format trace-dat: no text for a terminal, needs -o FILE or a pipe');
});

test('a run that is interrupted leaves neither a file nor parts of one', async () => {
  const dir = join(DIR, 'cut');
  mkdirSync(dir);
  const child = start(['trace', 'kvm', '--for', '1h', '--format', 'trace-dat', '-o', join(dir, 't')]);
  const ended = finished(child);
  await expect.poll(() => readdirSync(dir).length, { timeout: 10_000 }).toBe(1);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(dir)).toEqual([]);
});

test('a reader that leaves ends it', async () => {
  const { code, stdout, stderr } = await shell('virqtop trace kvm --for 1h | head -n 20 | tail -n 1');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/: \w+: /);
});

test('a reader that is slow gets all of it', async () => {
  const file = join(DIR, 'slow');
  const options = 'trace kvm --for 200ms';
  const slowly = `virqtop ${options} | (sleep 1; cmp - '${file}')`;
  const { code, stdout, stderr } = await shell(
    `virqtop ${options} -o '${file}' && ${slowly} && wc -c <'${file}'`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(Number(stdout)).toBeGreaterThan(2 ** 18); // more than a pipe has room for
});

test('who does not read at all does not keep it from ending', async () => {
  const child = start(['trace', 'kvm', '--for', '1h']); // nobody reads what it writes
  await setTimeout(1500);
  const began = performance.now();
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(performance.now() - began).toBeLessThan(1500);
});

test('what is several files goes into a directory, a waveform gets its layout beside it', async () => {
  const dir = join(DIR, 'wave');
  mkdirSync(dir);
  const run = (format: string, ...more: string[]) =>
    called('trace', 'kvm', '--for', '5ms', '--format', format, ...more);
  expect(await run('vcd', '-o', join(dir, 'a.vcd'))).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(dir).sort()).toEqual(['a.gtkw', 'a.vcd']);
  expect((await run('vcd')).stdout).toBe(readFileSync(join(dir, 'a.vcd'), 'utf8'));
  expect(await run('ctf', '-o', join(dir, 'ctf'))).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(join(dir, 'ctf'))).toContain('metadata');
  expect(await run('ctf', '-o', dir)).toMatchObject({
    code: 2,
    stderr: `virqtop: ${dir}: the directory is not empty\n`,
  });
  expect(await run('ctf')).toMatchObject({
    code: 2,
    stderr: 'virqtop: --format ctf: several files, needs -o DIRECTORY\n',
  });
  expect(await run('xentrace')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: 'virqtop: --format xentrace: records of Xen on x86, and this host is KVM on Linux 6.1 x86_64\n',
  });
});
