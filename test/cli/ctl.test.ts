/** `virqtop ctl` and the socket behind it: what is asked and answered, and that nothing said there does any harm. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CtlService } from '../../cli/ctl/service.ts';
import { buildMachine, builtinScenario, type Command, takeSnapshot } from '../../engine/index.ts';
import { Driver } from '../../tui/driver.ts';
import { ManualHost } from '../support/manual-host.ts';
import { TestTerminal } from '../support/terminal.ts';
import { ENTRY, finished, type Ran } from './run.ts';

const DIR = mkdtempSync(join(tmpdir(), 'vctl-'));
const ENV = { XDG_RUNTIME_DIR: join(DIR, 'run') };
mkdirSync(ENV.XDG_RUNTIME_DIR);
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

// biome-ignore lint/suspicious/noExplicitAny: an answer of which anything may be expected
type Json = Record<string, any>;

/** One who asks, line by line. */
class Asker {
  private readonly lines: AsyncIterator<string>;
  closed = false;

  constructor(readonly socket: Socket) {
    this.lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  send(request: unknown): void {
    this.socket.write(`${typeof request === 'string' ? request : JSON.stringify(request)}\n`);
  }

  async next(): Promise<Json | undefined> {
    const { value, done } = await this.lines.next();
    return done ? undefined : JSON.parse(value);
  }

  ask(request: unknown): Promise<Json | undefined> {
    this.send(request);
    return this.next();
  }
}

describe('the socket', () => {
  const host = new ManualHost();
  const driver = new Driver(buildMachine(builtinScenario('kvm')!, 42), host);
  const path = join(ENV.XDG_RUNTIME_DIR, 'virqtop/lab.sock');
  let service: CtlService;
  let quits = 0;
  const open: Socket[] = [];

  beforeAll(async () => {
    service = await CtlService.open('lab', ENV);
    service.control({ driver, quit: () => void quits++ });
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  afterAll(() => service.close());

  const asker = () => {
    const socket = connect(path);
    open.push(socket);
    return new Asker(socket);
  };

  test('is for its owner alone, and so is its folder', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(path, '..'))).toEqual(['lab.sock']);
  });

  test('controls time', async () => {
    const one = asker();
    expect(await one.ask({ do: 'state' })).toEqual({
      ok: true,
      time: 0,
      state: 'paused',
      speed: 1,
      ended: false,
    });
    expect(await one.ask({ id: 'x', do: 'run' })).toMatchObject({ id: 'x', ok: true, state: 'running' });
    host.pass(500);
    expect(await one.ask({ id: 2, do: 'pause' })).toMatchObject({ id: 2, ok: true, state: 'paused' });
    const { time } = takeSnapshot(driver.machine);
    expect(time).toBeGreaterThan(4e8);
    const stepped = await one.ask({ do: 'step' });
    expect(stepped!.time).toBeGreaterThanOrEqual(time);
    expect(await one.ask({ do: 'speed', speed: 'max' })).toMatchObject({ ok: true, speed: 'max' });
    expect(await one.ask({ do: 'speed', speed: 0.5 })).toMatchObject({ ok: true, speed: 0.5 });
    const interrupts = driver.get().snapshot.totals.interrupts;
    one.send({ do: 'next' });
    await vi.waitFor(() => expect(driver.get().state).toBe('seeking'));
    host.pass(50);
    expect(await one.next()).toMatchObject({ ok: true, state: 'paused' });
    expect(driver.get().snapshot.totals.interrupts).toBeGreaterThan(interrupts);
  });

  test('takes commands of the machine, and says what came of them', async () => {
    const one = asker();
    const fired = await one.ask({ do: 'fire', device: 'vm1.kbd', times: 2 });
    expect(fired).toMatchObject({ ok: true, journey: expect.any(Number) });
    expect(driver.get().snapshot.lastFired).toMatchObject({ device: 'vm1.kbd' });
    expect(await one.ask({ do: 'mask', domain: 'vm1', irq: 8, masked: true })).toMatchObject({ ok: true });
    expect(await one.ask({ do: 'mask', domain: 'vm1', irq: 8, masked: false })).toMatchObject({ ok: true });
    expect(await one.ask({ do: 'fire', device: 'nothing' })).toEqual({
      ok: false,
      error: 'no device nothing in kvm',
    });
    const { snapshot } = (await one.ask({ do: 'snapshot' })) as { snapshot: Json };
    expect(snapshot).toEqual(JSON.parse(JSON.stringify(driver.get().snapshot)));
  });

  test('answers what makes no sense with what would, and goes on', async () => {
    const one = asker();
    const before = JSON.stringify(takeSnapshot(driver.machine));
    const cases: [unknown, RegExp][] = [
      ['nonsense', /^not a line of JSON$/],
      ['{"do":"run"', /^not a line of JSON$/],
      ['[1]', /^must be an object with do$/],
      ['null', /^must be an object with do$/],
      [{}, /^do: .*expected one of fire.* or of pause, run/],
      [{ do: 'toString' }, /^do: .*expected one of fire.* or of pause, run/],
      [{ do: '__proto__' }, /^do: .*expected/],
      [{ do: 'run', id: {} }, /^id: must be/],
      [{ do: 'run', now: true }, /^run: takes nothing else$/],
      [{ do: 'speed' }, /^speed: must be simulated seconds per second/],
      [{ do: 'speed', speed: '1' }, /^speed: must be/],
      [{ do: 'speed', speed: 0 }, /^speed: must be/],
      [{ do: 'fire' }, /^device: .*expected/],
      [{ do: 'fire', device: 'vm1.kbd', times: -1 }, /^times: .*expected/],
      [{ do: 'fire', device: 'vm1.kbd', times: 1e9 }, /^times: .*expected/],
      [{ do: 'fire', device: 'vm1.kbd', often: 1 }, /^often: unknown key/],
      [{ do: 'events', of: [] }, /^of: must be a list of frames, journeys, records$/],
      [{ do: 'events', of: ['all'] }, /^of: must be/],
      [{ do: 'events', of: ['records'], domain: 'nobody' }, /^domain: must be one of host, vm1/],
      [{ do: 'events', domain: 'vm1' }, /^domain: goes with records$/],
    ];
    for (const [request, wanted] of cases) {
      const error = expect.stringMatching(wanted);
      expect(await one.ask(request), JSON.stringify(request)).toEqual({ ok: false, error });
    }
    expect(JSON.stringify(takeSnapshot(driver.machine))).toBe(before);
    expect(await one.ask({ do: 'state' })).toMatchObject({ ok: true, state: 'paused' });
  });

  test('lets who asked follow frames, what was fired, and the trace', async () => {
    const [frames, records] = [asker(), asker()];
    expect(await frames.ask({ do: 'events' })).toMatchObject({ ok: true });
    expect(await records.ask({ do: 'events', of: ['records'], domain: 'vm1' })).toMatchObject({ ok: true });
    driver.do({ do: 'fire', device: 'disk' });
    driver.run();
    host.pass(1000);
    driver.pause();
    const seen: Json[] = [];
    const arrived = (e: Json) => e.event === 'journey' && e.device === 'disk' && e.latency !== null;
    while (!seen.some(arrived)) seen.push((await frames.next())!);
    expect(seen[0]).toMatchObject({ event: 'frame', totals: { interrupts: expect.any(Number) } });
    expect(seen.at(-1)).toMatchObject({ device: 'disk', latency: expect.any(Number) });
    const first = await records.next();
    const second = await records.next();
    expect(first).toMatchObject({ event: 'record', name: expect.any(String), cpu: expect.any(Number) });
    expect(second!.time).toBeGreaterThanOrEqual(first!.time);
    // an answer finds its way between the events
    frames.send({ id: 'here', do: 'state' });
    let line = await frames.next();
    while (line!.id !== 'here') line = await frames.next();
    expect(line).toMatchObject({ ok: true });
  });

  test('cuts off who asks endlessly, does not read, or is one too many; the others stay', async () => {
    const good = asker();
    const endless = asker();
    endless.send('x'.repeat(100_000));
    expect(await endless.next()).toEqual({ ok: false, error: 'a request has at most 65536 characters' });
    await vi.waitFor(() => expect(endless.closed).toBe(true));

    // who asks and does not read waits for itself alone, who follows and does not read is let go
    const [deaf, follower] = [connect(path), connect(path)];
    open.push(deaf, follower);
    for (let id = 0; id < 300; id++) deaf.write(`{"id":${id},"do":"snapshot"}\n`);
    follower.write('{"do":"events","of":["records"]}\n');
    const cut = new Promise((resolve) => follower.on('close', resolve).on('error', () => {}));
    driver.run();
    for (let i = 0; i < 60; i++) {
      host.pass(100);
      expect(await good.ask({ do: 'state' })).toMatchObject({ ok: true });
    }
    driver.pause();
    follower.resume();
    await cut;
    const awake = new Asker(deaf);
    for (let id = 0; id < 300; id++) expect((await awake.next())!.id).toBe(id);
    deaf.destroy();
    await vi.waitFor(() => expect(awake.closed).toBe(true));

    const crowd = Array.from({ length: 16 }, asker);
    const answers = await Promise.all(crowd.map((one) => one.ask({ do: 'state' })));
    expect(answers.filter((a) => a?.ok).length).toBe(15);
    expect(answers.find((a) => !a?.ok)).toEqual({ ok: false, error: '16 are connected already' });
    expect(await good.ask({ do: 'state' })).toMatchObject({ ok: true });
  }, 30_000);

  test('answers who has said everything and only listens', async () => {
    const one = asker();
    one.socket.end('{"do":"state"}\n{"do":"state","id":2}');
    expect(await one.next()).toMatchObject({ ok: true });
    expect(await one.next()).toMatchObject({ ok: true, id: 2 });
    expect(await one.next()).toBeUndefined();
  });

  test('ends what it controls', async () => {
    expect(await asker().ask({ do: 'quit' })).toMatchObject({ ok: true });
    await vi.waitFor(() => expect(quits).toBe(1));
  });
});

test.each(['kvm', 'xen-mixed', 'xen-arm-v3'])(
  'no command that has the right form breaks a machine: %s',
  (name) => {
    const machine = buildMachine(builtinScenario(name)!, 42);
    machine.runUntil(20e6);
    const domains = [...takeSnapshot(machine).domains.map((d) => d.name), 'Xen', 'nobody', ''];
    const devices = [...machine.devices().map((d) => d.name), 'x'];
    const numbers = [0, 1, 4, 25, 48, 1e6, Number.MAX_SAFE_INTEGER];
    let done = 0;
    const attempt = (command: Command) => {
      if (machine.do(command).refused === undefined) done++;
    };
    for (const domain of domains) {
      for (const n of numbers) {
        attempt({ do: 'raise', domain, irq: n });
        attempt({ do: 'raise', domain, irq: 'NMI', cpu: n });
        attempt({ do: 'mask', domain, irq: n, masked: n % 2 === 0 });
        attempt({ do: 'affinity', domain, irq: n, cpus: [n, 1] });
        attempt({ do: 'ipi', domain, from: n, to: 1 });
        attempt({ do: 'nmi', domain, vcpu: n });
      }
    }
    for (const device of devices) {
      attempt({ do: 'fire', device, times: 3 });
      attempt({ do: 'storm', device, on: true, rate: 1e7 });
      attempt({ do: 'storm', device, on: false });
      attempt({ do: 'rate', source: device, perSecond: 1e300 });
      attempt({ do: 'rate', source: device, factor: 1e-300 });
    }
    machine.runUntil(22e6);
    expect(done).toBeGreaterThan(10);
  },
);

describe('a path', () => {
  const at = (name: string) => join(DIR, name);

  test('that a dead program left is taken, one that somebody listens at is not', async () => {
    const path = at('one.sock');
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(at('dead'), resolve));
    linkSync(at('dead'), path);
    await new Promise((resolve) => dead.close(resolve));
    expect(statSync(path).isSocket()).toBe(true);
    const first = await CtlService.open(path, {});
    await expect(CtlService.open(path, {})).rejects.toThrow(
      `--socket ${path}: somebody listens there already`,
    );
    expect(existsSync(path)).toBe(true);
    first.close();
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(DIR).filter((f) => f.startsWith('one'))).toEqual([]);
  });

  test('of something else is left as it is', async () => {
    writeFileSync(at('file'), 'text');
    await expect(CtlService.open(at('file'), {})).rejects.toThrow('is there, and is no socket');
    expect(statSync(at('file')).size).toBe(4);
    await expect(CtlService.open(at('none/x'), {})).rejects.toThrow(
      `--socket ${at('none/x')}: no such folder`,
    );
    await expect(CtlService.open(`/${'x'.repeat(120)}`, {})).rejects.toThrow('at most 107 bytes');
    await expect(CtlService.open('a b', {})).rejects.toThrow(
      "--socket 'a b': must be a name, as lab, or a path",
    );
    mkdirSync(at('open/virqtop'), { recursive: true });
    chmodSync(at('open/virqtop'), 0o755);
    await expect(CtlService.open('lab', { XDG_RUNTIME_DIR: at('open') })).rejects.toThrow(
      `${at('open/virqtop')}: must be a folder of yours that nobody else can look into`,
    );
  });
});

describe('virqtop ctl', () => {
  const env = { ...process.env, XDG_RUNTIME_DIR: DIR };
  const begin = (...args: string[]) =>
    spawn(process.execPath, [ENTRY, 'ctl', ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const ctl = (...args: string[]): Promise<Ran> => finished(begin(...args));

  test('commands a monitor that was started with --socket', async () => {
    expect(await ctl('pause')).toMatchObject({
      code: 1,
      stderr: 'virqtop: nobody listens: virqtop --socket NAME does\n',
    });
    const terminal = await TestTerminal.start(
      [process.execPath, ENTRY, 'kvm', '--socket', 'lab', '-d', '0.2'],
      {
        env: { XDG_RUNTIME_DIR: DIR },
      },
    );
    try {
      await terminal.shows('q quit', 30_000);
      const fired = await ctl('fire', 'vm1.kbd', 'x3');
      expect(fired).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(fired.stdout)).toMatchObject({ ok: true, state: 'running' });
      await terminal.shows('last fired: 1 vm1.kbd');
      expect((await ctl('pause', '--socket', 'lab')).code).toBe(0);
      await terminal.shows('PAUSED');
      const [snapshot, refused, unknown] = await Promise.all([
        ctl('snapshot'),
        ctl('fire', 'nothing'),
        ctl('--socket', join(DIR, 'no.sock'), 'run'),
      ]);
      expect(JSON.parse(snapshot!.stdout)).toMatchObject({
        scenario: 'kvm',
        lastFired: { device: 'vm1.kbd' },
      });
      expect(refused).toMatchObject({ code: 1, stdout: '', stderr: 'virqtop: no device nothing in kvm\n' });
      expect(unknown).toMatchObject({
        code: 1,
        stderr: `virqtop: --socket ${join(DIR, 'no.sock')}: nobody listens there\n`,
      });
      expect((await ctl('run')).code).toBe(0);
      const follower = begin('events', 'frames');
      const followed = finished(follower);
      await once(follower.stdout, 'data');
      expect((await ctl('quit')).code).toBe(0);
      expect((await followed).code).toBe(0);
      expect(await terminal.exit()).toBe(0);
      expect(terminal.alternate).toBe(false);
      expect(readdirSync(join(DIR, 'virqtop'))).toEqual([]);
    } finally {
      terminal.close();
    }
  });

  test.each<[args: string[], line: string]>([
    [
      [],
      'ctl: must be a verb; there is fire, do, pause, run, step, next, speed, state, snapshot, events, quit',
    ],
    [['puase'], "ctl 'puase': must be a verb; did you mean 'pause'?"],
    [['fire'], 'ctl fire: must be fire DEVICE or fire DEVICE xN, as fire kbd x10'],
    [['fire', 'kbd', 'often'], 'ctl fire: must be fire DEVICE or fire DEVICE xN, as fire kbd x10'],
    [['do', '{'], `ctl do: must be do JSON, as do '{"do":"fire","device":"kbd"}'`],
    [['speed', 'fast'], "ctl speed 'fast': must be simulated seconds per second, 1e-6 to 1e6, or max"],
    [['pause', 'now'], "ctl pause: takes nothing, got 'now'"],
    [['events', 'all'], "ctl events 'all': unknown; there is frames, journeys, records"],
  ])('%j: exit status 2', async (args, line) => {
    expect(await ctl(...args)).toEqual({ code: 2, signal: null, stdout: '', stderr: `virqtop: ${line}\n` });
  });
});
