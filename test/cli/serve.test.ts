/** `virqtop serve` with real OpenSSH clients: one server, whose visitors come, misbehave and leave. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HAS_SSH, SshRig } from '../support/ssh.ts';
import type { TestTerminal } from '../support/terminal.ts';
import { virqtop } from './run.ts';

/** Simulated time of the top line, in ns. */
function timeOf(terminal: TestTerminal): number {
  const [, seconds = '', digits = ''] =
    / t (\d+)\.([\d ]+?)\s+(?:s|[\d.]+x)/.exec(terminal.lines()[0]!) ?? [];
  return Number(seconds) + Number(`0.${digits.replaceAll(' ', '')}`);
}

function expectRestored(terminal: TestTerminal): void {
  expect(terminal.alternate).toBe(false);
  expect(terminal.cursorShown).toBe(true);
}

describe.skipIf(!HAS_SSH)('one server', () => {
  const rig = new SshRig();
  let boss: TestTerminal;
  let watcher: TestTerminal;
  let bossKey = '';
  let watchKey = '';

  beforeAll(async () => {
    bossKey = rig.key('boss');
    watchKey = rig.key('watch');
    await rig.serve([
      'kvm', '-d', '0.1', '--speed', '0.2', '--authorized-keys', `${watchKey}.pub`, '--control', `${bossKey}.pub`, '--control', 'alice',
      '--password-file', rig.file('users', 'alice:sesame\n*:open\n'), '--max-sessions', '4',
      '--record', `${rig.dir}/run.jsonl`,
    ]); // biome-ignore format: a command line
    [boss, watcher] = await Promise.all([
      rig.join({ key: bossKey, user: 'boss' }, 120, 40),
      rig.join({ key: watchKey, user: 'eve' }, 80, 24),
    ]);
    await Promise.all([boss.shows('q quit', 30_000), watcher.shows('q quit', 30_000)]);
  }, 60_000);

  afterAll(() => rig.close());

  test('tells who comes, by which key, and what they may do', () => {
    expect(rig.log).toMatch(/^virqtop: made the host key .*\/host$/m);
    expect(rig.log).toMatch(
      /^virqtop: boss from 127\.0\.0\.1:\d+ controls, by SHA256:\S+ \(boss\); \d viewers?$/m,
    );
    expect(rig.log).toMatch(
      /^virqtop: eve from 127\.0\.0\.1:\d+ watches, by SHA256:\S+ \(watch\); \d viewers?$/m,
    );
  });

  test('all see one machine, each with a view and size of their own', async () => {
    expect(boss.lines().at(-1)).toContain('q quit');
    expect(watcher.lines().at(-1)).toContain('q quit');
    boss.press('1');
    await Promise.all([boss.shows('last fired: 1 '), watcher.shows('last fired: 1 ')]);
    watcher.press('\t');
    await watcher.shows('[Pending]');
    expect(boss.text()).toContain('[Interrupts]');
    boss.press(' ');
    await Promise.all([boss.shows('PAUSED'), watcher.shows('PAUSED')]);
    await sleep(250);
    expect(timeOf(watcher)).toBe(timeOf(boss));
    boss.press(' ');
    await Promise.all([boss.shows('RUNNING'), watcher.shows('RUNNING')]);
  });

  test('who watches cannot fire, pause or step', async () => {
    for (const key of ['2', ' ', '.', 'n', ']', 'B', '+']) {
      watcher.press('?\x1b');
      watcher.press(key);
      await watcher.shows('you watch: others control the machine');
    }
    await boss.shows('RUNNING');
    expect(boss.text()).toContain('last fired: 1 ');
    expect(boss.text()).toMatch(/ 0\.2x /);
  });

  test('a terminal that changes its size is followed, the others keep theirs', async () => {
    for (let i = 0; i < 20; i++) watcher.resize(70 + i * 3, 20 + (i % 10));
    watcher.resize(100, 30);
    await watcher.until(
      () => watcher.lines()[29]!.includes('q quit') && timeOf(watcher) > 0,
      'the keys on line 30',
    );
    expect(boss.lines()[39]).toContain('q quit');
  });

  test('one that is killed, one that does not read and one that floods keys hurt nobody', async () => {
    const [doomed, stuck] = await Promise.all([
      rig.join({ key: watchKey, user: 'doomed' }, 80, 24),
      rig.join({ key: watchKey, user: 'stuck' }, 200, 60),
    ]);
    await Promise.all([doomed.shows('q quit'), stuck.shows('q quit')]);
    const fifth = await rig.join({ key: watchKey, user: 'fifth' }, 80, 24);
    expect(await fifth.exit()).toBe(1);
    expect(fifth.text()).toContain('virqtop: full: 4 watch already');

    doomed.signal('SIGKILL');
    await rig.says(/doomed from \S+ left; 3 viewers/);
    const goOn = stuck.freeze();
    watcher.press('\t'.repeat(20_000));
    const from = { sim: timeOf(boss), real: performance.now() };
    boss.press('2');
    await boss.shows('last fired: 2 ', 1500);
    await sleep(1500);
    const sim = timeOf(boss) - from.sim;
    const real = (performance.now() - from.real) / 1000;
    expect(sim / real).toBeGreaterThan(0.1);
    goOn();
    await stuck.until(() => timeOf(stuck) >= from.sim + sim, 'the present');
  });

  test('passwords let in, and control by their user alone', async () => {
    const alice = await rig.join({ user: 'alice', password: 'sesame' }, 80, 24);
    await alice.shows('q quit');
    expect(rig.log).toMatch(/alice from \S+ controls, by password; 4 viewers/);
    alice.press('q');
    expect(await alice.exit()).toBe(0);
    expectRestored(alice);
    await rig.says(/alice from \S+ left; 3 viewers/);
    const any = await rig.join({ user: 'anybody+slow', password: 'open' }, 80, 24);
    await any.shows('q quit');
    expect(rig.log).toMatch(/anybody from \S+ watches, by password; 4 viewers/);
    expect(any.text()).toMatch(/^[ -~\n]*$/);
    expect(any.output).not.toMatch(/\x1b\[[\d;]*3[0-7]m/);
    any.press('\x03');
    expect(await any.exit()).toBe(0);
  });

  test('who has neither a key nor a password stays out', async () => {
    const wrong = await rig.run({
      user: 'alice',
      password: 'open',
      flags: ['-tt', '-o', 'NumberOfPasswordPrompts=5'],
    });
    expect(wrong.code).toBe(255);
    await rig.says(/login as alice from \S+ refused: too many tries/);
    const stranger = await rig.run({ key: rig.key('stranger'), flags: ['-tt'] });
    expect(stranger.code).toBe(255);
    expect(stranger.stderr).toContain('Permission denied (publickey,password)');
  });

  test('there is no command, no subsystem, no forwarding, and nothing without a terminal', async () => {
    const key = watchKey;
    const runs = await Promise.all([
      rig.run({ key, command: ['virqtop', '-b'] }),
      rig.run({ key }),
      rig.run({ key, flags: ['-s'], command: ['sftp'] }),
      rig.run({ key, flags: ['-W', '127.0.0.1:22'] }),
      rig.run({ key, flags: ['-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:22'], command: ['x'] }),
    ]);
    expect(runs.map((r) => r.stdout)).toEqual(['', '', '', '', '']);
    expect(runs[0]).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('virqtop: takes no command here'),
    });
    expect(runs[1]).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('virqtop: needs a terminal: ssh -t'),
    });
    expect(runs[2]!.code).not.toBe(0);
    expect(runs[3]!.stderr).toMatch(/stdio forwarding failed/);
    expect(runs[4]!.stderr).toMatch(/remote port forwarding failed/i);
  });

  test('when it stops, everybody is told and has the terminal back', async () => {
    rig.signal('SIGTERM');
    const codes = await Promise.all([boss.exit(), watcher.exit(), rig.ended]);
    expect(codes).toEqual([0, 0, 0]);
    for (const terminal of [boss, watcher]) {
      expectRestored(terminal);
      expect(terminal.text()).toMatch(/^virqtop: the server stopped$/m);
    }
    expect(rig.log).not.toMatch(/[^\n -~]/);
    expect(rig.log).not.toContain('error');
  });

  test('what its viewers did was recorded, and comes again', async () => {
    const file = `${rig.dir}/run.jsonl`;
    const lines = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ scenario: 'kvm', seed: 42 });
    const fired = lines.filter((line) => line.command?.do === 'fire');
    expect(fired.length).toBeGreaterThan(0);
    const ran = await virqtop('--replay', file, '-J', '-n', '1', '-d', '20');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const { devices } = JSON.parse(ran.stdout.trimEnd().split('\n').at(-1)!);
    const times = devices.reduce((n: number, { fired }: { fired: number }) => n + fired, 0);
    expect(times).toBe(fired.reduce((n, { command }) => n + (command.times ?? 1), 0));
  });
});

describe('what is refused', () => {
  let taken: Server;
  const rig = new SshRig();
  beforeAll(async () => {
    taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
  });
  afterAll(() => {
    taken.close();
    rig.close();
  });

  test.each<[args: (port: number) => string[], code: number, line: string | RegExp]>([
    [() => [], 2, 'serve: --ssh HOST:PORT is missing, as --ssh 127.0.0.1:2222'],
    [() => ['--ssh', '2222'], 2, "--ssh '2222': must be HOST:PORT, as 127.0.0.1:2222 or [::1]:2222"],
    [(p) => ['--ssh', `127.0.0.1:${p}`], 1, /^--ssh '127\.0\.0\.1:\d+': the port is in use$/],
    [() => ['--ssh', '203.0.113.1:2222'], 2, "--ssh '203.0.113.1:2222': not an address of this machine"],
    [() => ['--ssh', '127.0.0.1:0', '--record', '/nowhere/x'], 2, '--record /nowhere/x: no such directory'],
    [() => ['--ssh', '127.0.0.1:0', '-b'], 2, "unknown option '-b'"],
  ])('%#: one line and the exit code', async (args, code, line) => {
    const users = rig.file('users', '*:open\n');
    const { port } = taken.address() as { port: number };
    const host = `${rig.dir}/host`;
    const given = args(port);
    const ran = await virqtop('serve', ...given, '--password-file', users, '--host-key', host);
    expect(ran).toMatchObject({ code, stdout: '' });
    if (typeof line === 'string') expect(ran.stderr).toBe(`virqtop: ${line}\n`);
    else expect(ran.stderr.replace(/^virqtop: /, '').trimEnd()).toMatch(line);
  });
});
