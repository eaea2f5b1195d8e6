/** --record and --replay: a run is its scenario, its seed and its commands at their places. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario, builtinText, takeSnapshot } from '../../engine/index.ts';
import { TestTerminal } from '../support/terminal.ts';
import { called } from './call.ts';
import { ENTRY } from './run.ts';

const dir = mkdtempSync(join(tmpdir(), 'virqtop-recording-'));
afterAll(() => rmSync(dir, { recursive: true }));

const file = (name: string) => join(dir, name);
const write = (name: string, ...lines: string[]) => {
  writeFileSync(file(name), lines.map((line) => `${line}\n`).join(''));
  return file(name);
};
const last = (text: string) => text.trimEnd().split('\n').at(-1);

const HEAD = '{"recording":1,"virqtop":"0.1.0","scenario":"kvm","seed":7}';

describe('a run in batch', () => {
  test('is repeated to the byte, and shorter or longer than it was', async () => {
    const recording = file('batch.jsonl');
    const fires = ['--fire', 'vm1.kbd@0.3', '--fire', 'disk@0.11x3'];
    const args = ['kvm', '--seed', '7', '-J', '-d', '0.2', '-n', '3', ...fires];
    const ran = await called(...args, '--record', recording);
    expect(readFileSync(recording, 'utf8').split('\n')).toEqual([
      HEAD,
      expect.stringMatching(
        /^\{"events":\d+,"at":110000000,"command":\{"do":"fire","device":"disk","times":3\}\}$/,
      ),
      expect.stringMatching(/"at":300000000,"command":\{"do":"fire","device":"vm1.kbd","times":1\}\}$/),
      expect.stringMatching(/^\{"end":\{"events":\d+,"at":600000000\}\}$/),
      '',
    ]);
    const same = await called('-J', '-d', '0.2', '--replay', recording);
    expect(same).toEqual(ran);
    // other updates, one of them at the end
    const other = await called('-J', '-d', '0.25', '--replay', recording);
    expect(other.stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(last(other.stdout)).toBe(last(ran.stdout));
    const longer = await called('-J', '-d', '0.2', '-n', '4', '--replay', recording);
    expect(longer.stdout.startsWith(ran.stdout)).toBe(true);
    expect(JSON.parse(last(longer.stdout)!)).toMatchObject({ time: 800_000_000 });
  });

  test('carries the file of its scenario with it', async () => {
    const yaml = file('lab.yaml');
    writeFileSync(yaml, builtinText('xen-pv')!.replace(/^name: .*$/m, 'name: lab'));
    const ran = await called(yaml, '-b', '-d', '0.1', '-n', '1', '--record', file('lab.jsonl'));
    expect(ran.code).toBe(0);
    rmSync(yaml);
    expect(await called('-b', '-d', '0.1', '--replay', file('lab.jsonl'))).toEqual(ran);
  });
});

describe('what was written before a crash', () => {
  const done = '{"events":3000,"at":ignored,"command":{"do":"fire","device":"disk"}}';
  const machine = buildMachine(builtinScenario('kvm')!, 7);
  while (machine.clock.events < 3000) machine.step();
  const line = done.replace('ignored', String(machine.clock.now));

  test('is replayed up to its last whole line', async () => {
    const recording = write('cut.jsonl', HEAD, line);
    writeFileSync(recording, readFileSync(recording, 'utf8') + line.slice(0, 30));
    const { stdout, code } = await called('-J', '--replay', recording);
    machine.do({ do: 'fire', device: 'disk' });
    expect(code).toBe(0);
    expect(last(stdout)).toBe(JSON.stringify(takeSnapshot(machine)));
  });

  test('who went back did something else from there on', async () => {
    const back = '{"back":{"events":0,"at":0,"done":0}}';
    const recording = write('back.jsonl', HEAD, line, back, line, '{"end":{"events":3000,"at":9999999999}}');
    const { stderr, code } = await called('-J', '--replay', recording);
    expect([code, stderr]).toEqual([
      1,
      'virqtop: --replay: the run takes another course than the one that was recorded\n',
    ]);
  });
});

test.each([
  ['is empty', [], ':1: is empty: must begin with {"recording":1,...}'],
  ['has no head', ['{"end":{"events":1,"at":1}}'], ':1: end: unknown key, expected one of recording'],
  [
    'is another program',
    [HEAD.replace('0.1.0', '0.0.9')],
    ":1: virqtop: recorded by '0.0.9', must be '0.1.0'",
  ],
  [
    'names no scenario',
    [HEAD.replace('kvm', 'kvmm')],
    ":1: scenario: no built-in 'kvmm': must be one of xen-mixed",
  ],
  ['is no JSON', [HEAD, 'fire!'], ':2: is no JSON: must be one object a line'],
  [
    'does what is not known',
    [HEAD, '{"events":1,"at":1,"command":{"do":"explode"}}'],
    ':2: command.do: expected one of fire, hook, raise',
  ],
  [
    'runs backwards',
    [HEAD, '{"events":9,"at":9,"command":{"do":"fire","device":"disk"}}', '{"end":{"events":8,"at":9}}'],
    ':3: is at event 8, 9 ns: must not be before event 9, 9 ns',
  ],
  [
    'goes on after its end',
    [HEAD, '{"end":{"events":8,"at":9}}', '{"end":{"events":8,"at":9}}'],
    ':3: comes after',
  ],
  [
    'lets stand what is not there',
    [HEAD, '{"back":{"events":8,"at":9,"done":1}}'],
    ':2: back.done: 1 commands',
  ],
])('a recording that %s is refused in one line', async (_, lines, problem) => {
  const recording = write('bad.jsonl', ...lines);
  const { code, stdout, stderr } = await called('-b', '--replay', recording);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.startsWith(`virqtop: ${recording}${problem}`)).toBe(true);
  expect(stderr.trimEnd()).not.toContain('\n');
});

test('the monitor writes what its keys do, back in time too, and replays it', async () => {
  const recording = file('keys.jsonl');
  const command = [process.execPath, ENTRY, '--no-config', '-d', '0.2', 'kvm', '--seed', '7'];
  const terminal = await TestTerminal.start([...command, '--record', recording]);
  try {
    await terminal.shows('RUNNING');
    terminal.press('3');
    await terminal.shows('last fired: 3');
    terminal.press('2 ');
    await terminal.shows('PAUSED');
    terminal.press(',,,,,,,,,,,,,,,,,,,,');
    await terminal.shows('PAST -');
    terminal.press('1');
    await terminal.shows('PAUSED');
    terminal.press(' ');
    await terminal.shows(/ t (0\.[5-9]|[1-9])/);
    terminal.press('q');
    expect(await terminal.exit()).toBe(0);
  } finally {
    terminal.close();
  }
  const lines = readFileSync(recording, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => Object.keys(JSON.parse(line)).at(-1))).toEqual([
    'seed',
    'command',
    'command',
    'back',
    'command',
    'end',
  ]);
  const { events, at } = JSON.parse(lines.at(-1)!).end;
  const machine = buildMachine(builtinScenario('kvm')!, 7);
  const { back } = JSON.parse(lines[3]!);
  const stand = lines.slice(1, 1 + back.done).map((line) => JSON.parse(line));
  for (const done of [...stand, JSON.parse(lines[4]!)]) {
    while (machine.clock.events < done.events) machine.step();
    if (machine.clock.now < done.at) machine.runUntil(done.at);
    machine.do(done.command);
  }
  while (machine.clock.events < events) machine.step();
  if (machine.clock.now < at) machine.runUntil(at);
  const { stdout } = await called('-J', '-d', '0.1', '--replay', recording);
  expect(last(stdout)).toBe(JSON.stringify(takeSnapshot(machine)));

  const again = await TestTerminal.start([
    process.execPath,
    ENTRY,
    '--no-config',
    '--speed',
    '0.1',
    '--replay',
    recording,
  ]);
  try {
    await again.shows('REPLAY -');
    again.press(' ');
    await again.shows('PAST -');
    again.press('L');
    await again.shows('PAUSED');
    again.press('q');
    expect(await again.exit()).toBe(0);
  } finally {
    again.close();
  }
});
