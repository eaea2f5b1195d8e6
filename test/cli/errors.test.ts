/** Wrong usage and wrong input: one line saying what and where, exit code 2, nothing half-written. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { called } from './call.ts';
import { ENTRY, shell, virqtop } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-errors-'));
afterAll(() => rmSync(DIR, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(DIR, name);
  writeFileSync(path, content);
  return path;
}

/** A guest of Xen 3.4 with more event channels than the 2-level ABI has. */
const FULL = `name: full
title: full
xen: '3.4'
dom0: {kernel: linux-2.6.3x-xen, vcpus: 1}
guests:
  - {kernel: linux-2.6.18-xen, rings: 0, channels: 5000}
`;

const CAPTURE = file('capture', '           CPU0       \n  0:         42   IO-APIC   2-edge      timer\n');
const MISSING = join(DIR, 'missing');
const FOLDER = join(DIR, 'folder');
mkdirSync(FOLDER);
const BINARY = file('binary.yaml', Buffer.from([0x61, 0x62, 0, 0x63]));
const LATIN1 = file('latin1.yaml', Buffer.from([0x6e, 0xe9]));
const BAD = file('bad.yaml', 'name: none\ntitle: none\ncpus: 0\ndom0: {vcpus: 1}\n');
const TIME = 'must be a time as 5, 0.5s, 250ms or 10us';

test.each<[args: string[], line: string]>([
  // options that are not
  [['--foo'], "unknown option '--foo'; did you mean --for?"],
  [['--sed', '4'], "unknown option '--sed'; did you mean --seed?"],
  [['--batch=1'], "unknown option '--batch=1'; did you mean --batch?"],
  [['-x'], "unknown option '-x'"],
  [['proc', '-b'], "unknown option '-b'"],
  [['--\x1b[31m'], "unknown option '--\\x1b[31m'"],
  // arguments missing or too many
  [['-b', '-n'], "option '-n, --iterations <n>' argument missing"],
  [['xen-pv', 'again'], 'too many arguments. Expected 1 argument but got 2: xen-pv, again.'],
  [['vectors'], "missing required argument 'dir'"],
  [['scenario'], 'scenario: must be list, show, validate or schema'],
  [['scenario', 'lsit'], "scenario 'lsit': must be list, show, validate or schema; did you mean 'list'?"],
  [['scenario', '\x1b[31m'], "scenario '\\x1b[31m': must be list, show, validate or schema"],
  [['scenario', 'list', 'kvm'], "scenario list: takes no name, got 'kvm'"],
  [['scenario', 'list', '--full'], "--full: goes with 'scenario show'"],
  [['scenario', 'show', 'kvm', '-J'], "--json: goes with 'scenario list' and 'scenario validate'"],
  [['scenario', 'show'], 'scenario show: must have one scenario, a name or a file'],
  [['scenario', 'show', 'kvm', 'xen-pv'], 'scenario show: must have one scenario, a name or a file'],
  [['scenario', 'show', 'xen-pw'], "unknown scenario 'xen-pw'; did you mean 'xen-pv'?"],
  [['scenario', 'show', BAD], `${BAD}:3: cpus: expected a whole number from 1 to 256, got 0`],
  [['scenario', 'show', `${MISSING}.yaml`], `${MISSING}.yaml: no such file`],
  [['scenario', 'validate'], 'scenario validate: must have files, or - for standard input'],
  [['scenario', 'validate', '-', '-'], 'scenario validate: - twice, must be once'],
  [['scenario', 'validate', BAD, '--platform', 'xen'], "--platform: goes with 'scenario schema'"],
  [['scenario', 'schema', '--platform', 'power'], "--platform 'power': unknown; there is xen, kvm, arm"],
  // the hook
  [['kvm', '--hook', '-b'], '--hook: needs a Xen host on x86, kvm is KVM on Linux 6.1 x86_64'],
  [['kvm', '--hook'], '--hook: needs a Xen host on x86, kvm is KVM on Linux 6.1 x86_64'],
  [['--hook', '--csv'], '--hook: goes with the monitor, -b or -J'],
  [['-b', '-f', '('], "--filter '(': must be a regular expression, as 'eth|nic'"],
  [['-b', '-C', '2-'], "--cpu-list '2-': must be CPUs, as 0-1,3"],
  [['-J', '-o', 'IRQ'], '--output: goes with -b, not with -J or --csv'],
  [['-b', '-g', 'Xen', '-o', 'IRQ'], '--output: goes with the rows of a domain, not of Xen'],
  [['-f', 'eth'], '--filter: goes with -b, -J or --csv; the key / filters in the monitor'],
  [['--hook', '-b', '-t', '5'], '--threshold: does not go with --hook in batch, which prints no rows'],
  [['--hook', '-b', '-z'], '--skip-zero: does not go with --hook in batch, which prints no rows'],
  [['--hook', '--dump', 'i'], '--hook: does not go with --dump'],
  [['-b', '-g', 'Xen', 'kvm'], "--domain 'Xen': no such domain in kvm; there is host, vm1, vm2"],
  // values
  [['-b', '-n', '0'], "--iterations '0': must be a whole number, 1 or more"],
  [['-b', '-n', '-3'], "--iterations '-3': must be a whole number, 1 or more"],
  [['-b', '-n', 'NaN'], "--iterations 'NaN': must be a whole number, 1 or more"],
  [['-b', '-n', '1.5'], "--iterations '1.5': must be a whole number, 1 or more"],
  [
    ['-b', '-n', '99999999999999999'],
    "--iterations '99999999999999999': too large, at most 9007199254740991",
  ],
  [['-b', '-d', '-5'], `--delay '-5': ${TIME}`],
  [['-b', '-d', 'NaN'], `--delay 'NaN': ${TIME}`],
  [['-b', '-d', '0'], "--delay '0': must be above zero, a time as 5, 0.5s, 250ms or 10us"],
  [['-b', '-d', '99999999999'], "--delay '99999999999': too long, at most 104 days"],
  [['-b', '-d', '100h', '-n', '99999'], '99999 updates of 360000 s: too long, at most 104 days'],
  [['--seed', '-1'], "--seed '-1': must be a whole number, 0 or more"],
  [['--seed', ''], "--seed '': must be a whole number, 0 or more"],
  [['--speed', '0'], "--speed '0': must be simulated seconds per second, 1e-6 to 1e6, or max"],
  [['--color', 'maybe'], "--color 'maybe': unknown; there is auto, always, never"],
  [['proc', '--at', '-1'], `--at '-1': ${TIME}`],
  [['proc', '--file', 'stats'], "--file 'stats': unknown; did you mean 'stat'?"],
  [['--interval', '0s'], "--interval '0s': must be above zero, a time as 5, 0.5s, 250ms or 10us"],
  [['--uptime', 'long'], `--uptime 'long': ${TIME}`],
  [['--fire', 'kbd'], "--fire 'kbd': must be DEVICE@TIME or DEVICE@TIMExN, as kbd@1.5 or disk@2sx10"],
  [['--fire', 'kbd@1x0'], "--fire 'kbd@1x0': must fire 1 to 1000000 times"],
  [['--fire', 'kbd@-1'], `--fire 'kbd@-1': ${TIME}`],
  // options that do not go together
  [['-J', '--csv'], '-J and --csv: must be one of them'],
  [['-J', '--books'], '--books: goes with -b or alone; JSON lines carry the books already'],
  [['-n', '5'], '--iterations: goes with -b, -J, --csv or --as'],
  [['--realtime'], '--realtime: goes with -b, -J, --csv or --as'],
  [['--at', '5'], '--at: goes with --dump, --books, --path, --as or the command proc'],
  // what others print
  [['--as', 'top'], "--as 'top': unknown; there is proc, lsirq, irqtop, xentop, kvm_stat, kvm_stat-l"],
  [['--as', 'lsirq', '-J'], '--json: does not go with --as'],
  [['--as', 'lsirq', '--speed', '2'], '--speed: goes with the monitor or --realtime; batch does not wait'],
  [['--as', 'kvm_stat', 'xen-pv'], '--as kvm_stat: needs a KVM host, xen-pv is Xen 4.17 x86_64'],
  [['--as', 'xentop', 'kvm'], '--as xentop: needs a Xen host, kvm is KVM on Linux 6.1 x86_64'],
  [['--as', 'xentop', '-g', 'dom1'], '--domain: does not go with --as xentop, which shows all'],
  [
    ['--as', 'kvm_stat-l', 'kvm-2.6.36'],
    '--as kvm_stat-l: needs a folder of debugfs for each machine, which Linux has since 4.7; kvm-2.6.36 is KVM on Linux 2.6.36 x86_64',
  ],
  [
    ['--as', 'lsirq', '-g', 'dom9', 'xen-pv-2.6.18'],
    "--domain 'dom9': no such domain in xen-pv-2.6.18; did you mean 'dom0'?",
  ],
  [['-b', '--dump', 'e'], '--dump: does not go with -b'],
  [['--dump', 'e', '-z'], '--skip-zero: does not go with --dump'],
  [['-b', '--speed', '2'], '--speed: goes with the monitor or --realtime; batch does not wait'],
  [['-b', 'proc'], "--batch: does not go with 'proc'"],
  [['--seed', '4', 'scenario', 'list'], "--seed: does not go with 'scenario'"],
  [['xen-pv', '--scenario', 'other'], "two scenarios, 'xen-pv' and 'other': must be one"],
  [['xen-pv', '--import', CAPTURE], '--import: does not go with a scenario, it makes the whole host'],
  [['--import', 'a', 'b', 'c'], '--import: takes one or two captures, not 3'],
  [['--interval', '5s'], '--interval: goes with two captures, --import A B'],
  [['--import', CAPTURE, '--interval', '5s'], '--interval: goes with two captures, --import A B'],
  [['--import', CAPTURE, CAPTURE, '--uptime', '5s'], '--uptime: goes with one capture, --import A'],
  [['proc', '--import', 'a', 'b', 'c'], '--import: takes one or two captures, not 3'],
  // scenarios and files
  [['-b', 'xen-pw'], "unknown scenario 'xen-pw'; did you mean 'xen-pv'?"],
  [['-b', '--scenario', 'XEN-PV'], "unknown scenario 'XEN-PV'; did you mean 'xen-pv'?"],
  [['-b', `${MISSING}.yaml`], `${MISSING}.yaml: no such file`],
  [['-b', '--scenario', MISSING], `${MISSING}: no such file`],
  [['-b', FOLDER], `${FOLDER}: is a directory, not a file`],
  [['-b', BINARY], `${BINARY}: not a text file (a zero byte at offset 2)`],
  [['-b', LATIN1], `${LATIN1}: not a text file (not UTF-8)`],
  [['-b', '--import', MISSING], `${MISSING}: no such file`],
  [['-b', '--import', FOLDER], `${FOLDER}: is a directory, not a file`],
  [['-b', '--import', CAPTURE, MISSING], `${MISSING}: no such file`],
  [['-b', '--import', '/bin/sh/x'], '/bin/sh/x: no such file'],
  [['-b', '--scenario', '/dev/zero'], '/dev/zero: too large, at most 32 MiB'],
  [['-b', './a\x1b]0;evil\x07'], './a\\x1b]0;evil\\x07: no such file'],
  // what the machine lacks
  [['-b', '-g', 'dom9'], "--domain 'dom9': no such domain in xen-mixed; did you mean 'dom0'?"],
  [['-b', '--fire', 'kdb@1', '-n', '1'], "--fire 'kdb': no such device in xen-mixed; did you mean 'kbd'?"],
  [['-b', '--fire', 'kbd@5', '-n', '2'], '--fire kbd@5: the run ends at 2 s'],
  [
    ['proc', '-g', 'nobody', '--at', '0'],
    "--domain 'nobody': no such domain in xen-mixed; there is dom0, dom1, dom2, dom3",
  ],
  [['-d', '10ms'], '--delay: the monitor draws every 0.05 s to 3600 s, not every 0.01 s'],
  [['--theme', 'lihgt'], "--theme 'lihgt': unknown; did you mean 'light'?"],
])('virqtop %j', async (args, line) => {
  expect(await called(...args)).toEqual({ code: 2, stdout: '', stderr: `virqtop: ${line}\n` });
});

test.each([[[]], [['xen-pv', '--ascii']]])(
  'the program says where it needs a terminal, given %j',
  async (args) => {
    expect(await virqtop(...args)).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: 'virqtop: not a terminal: use -b for text or -J for JSON lines (see virqtop --help)\n',
    });
  },
);

test('a terminal that can show nothing is told of before anything is written', async () => {
  const file = join(DIR, 'run.jsonl');
  const line = `script -qec "TERM=dumb ${process.execPath} '${ENTRY}' --record ${file}" /dev/null </dev/null`;
  const { stdout } = await shell(line);
  expect(stdout.trim()).toBe(
    'virqtop: TERM=dumb cannot show the monitor: use -b for text or -J for JSON lines (see virqtop --help)',
  );
  expect(existsSync(file)).toBe(false);
});

test('an unknown scenario without a near name lists what there is', async () => {
  const { code, stderr } = await called('-b', 'something-else-entirely');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^virqtop: unknown scenario 'something-else-entirely'; there is .*xen-pv.*\n$/);
});

test('an unknown dump lists what there is', async () => {
  const { code, stdout, stderr } = await called('--dump', 'nonsense');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^virqtop: --dump 'nonsense': no such dump of xen-mixed; there is e\b.*\n$/);
});

test.each([
  ['empty', ''],
  ['no header', '  0:   42   IO-APIC   2-edge   timer\n'],
  ['a short row', '           CPU0       CPU1       \n  0:         42   IO-APIC   2-edge      timer\n'],
  ['prose', 'Dear reader,\n\nthis is not a capture.\n'],
])('a malformed capture (%s) is refused with file and line', async (name, text) => {
  const path = file(`bad ${name}`, text);
  const { code, stdout, stderr } = await called('proc', '--import', path);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^virqtop: .*:\d+: [^\n]+\n$/);
  expect(stderr).toContain(`virqtop: ${path}:`);
});

test.each([
  ['not YAML', 'name: [x\n'],
  ['a list', '- a\n- b\n'],
  ['empty', ''],
  ['0 CPUs', 'name: none\ntitle: none\ncpus: 0\ndom0: {vcpus: 1}\n'],
  ['5,000 event channels on the 2-level ABI', FULL],
])('a malformed scenario (%s) is refused with file and line', async (name, text) => {
  const path = file(`bad ${name}.yaml`, text);
  const { code, stdout, stderr } = await called('-b', '-n', '1', path);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^virqtop: .*:\d+: [^\n]+\n$/);
  expect(stderr).toContain(`virqtop: ${path}:`);
});

test('captures that do not fit together are refused, the later file and the place named', async () => {
  const later = file('later', '           CPU0       \n  0:          7   IO-APIC   2-edge      timer\n');
  const back = await called('-b', '-n', '1', '--import', CAPTURE, later, '--interval', '5s');
  expect(back).toMatchObject({ code: 2, stdout: '' });
  expect(back.stderr).toBe(
    `virqtop: ${later}: row 0 of CPU0 goes back from 42 to 7; the later capture comes second\n`,
  );
  const other = file('other', '           CPU0       CPU1       \n  0:  1  2  IO-APIC   2-edge      timer\n');
  const unlike = await called('-b', '-n', '1', '--import', CAPTURE, other, '--interval', '5s');
  expect(unlike).toMatchObject({ code: 2, stdout: '' });
  expect(unlike.stderr).toMatch(/^virqtop: [^\n]*other[^\n]+\n$/);
});

test('a full disk is a failed run: one line, exit code 1', async () => {
  const { code, stderr } = await shell('virqtop -b -n 1 -d 1ms >/dev/full');
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'virqtop: cannot write the output: ENOSPC\n' });
});
