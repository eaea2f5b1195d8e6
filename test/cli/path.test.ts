/** --path: an interrupt hop by hop, as text and as JSON. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capture } from '../support/captures.ts';
import { called } from './call.ts';

describe('--path fired', () => {
  test('prints the functions that the fired interrupt passed', async () => {
    const { code, stdout, stderr } = await called('xen-pv', '--fire', 'kbd@0.1', '--path', 'fired');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^kbd fired at 0\.100 s, \d+\.\d{3} us to the handler\n\n/);
    const lines = stdout.split('\n').slice(3, -1);
    const functions = lines.map((line) => line.slice(24).trim().split(' ')[0]!);
    expect(functions[0]).toBe('raise');
    for (const name of ['do_IRQ', 'send_guest_pirq', 'evtchn_fifo_set_pending', 'handle_irq_event'])
      expect(functions).toContain(name);
    expect(lines.filter((line) => line.includes('handle_irq_event *'))).toHaveLength(1);
  });

  test('one after the other where several were fired, in the order of their times', async () => {
    const fires = ['--fire', 'mouse@0.2', '--fire', 'kbd@0.1'];
    const { stdout } = await called('xen-pv', ...fires, '--path', 'fired');
    expect(stdout.match(/^\w+ fired at .* s,/gm)).toEqual([
      'kbd fired at 0.100 s,',
      'mouse fired at 0.200 s,',
    ]);
  });

  test('as JSON is a line for each, with modes, costs and what waits', async () => {
    const { code, stdout } = await called('kvm', '--fire', 'vm1.kbd@0.1', '--path', 'fired', '-J');
    expect(code).toBe(0);
    const [line, ...rest] = stdout.trimEnd().split('\n');
    expect(rest).toEqual([]);
    const journey = JSON.parse(line!);
    expect(journey).toMatchObject({ device: 'vm1.kbd', start: 0.1e9 });
    const modes = new Set(journey.hops.map((h: { mode: string }) => h.mode));
    expect([...modes].sort()).toEqual(['device', 'entry', 'exit', 'guest', 'root']);
    const end = journey.hops.find((h: { end: boolean }) => h.end);
    expect(end.at).toBe(journey.latency);
    expect(journey.hops.some((h: { pending: string }) => h.pending.includes('IRR'))).toBe(true);
  });

  test('stops where --at says, though the interrupt is under way', async () => {
    const { stdout } = await called('xen-pv', '--fire', 'kbd@0.1', '--path', 'fired', '--at', '100001us');
    expect(stdout).toMatch(/no handler has run\n/);
    expect(stdout).not.toContain('handle_irq_event');
  });
});

describe('--path of a row', () => {
  test("prints the last interrupt that ran the row's handler", async () => {
    const { code, stdout } = await called('xen-pv', '--path', 'dom0:24', '--at', '0.5');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^dom0:24 raised at 0\.\d+ s, /);
    expect(stdout).toContain('send_timer_event');
    expect(stdout).toMatch(/dom0\.0 irq 24 timer0\b/);
  });

  test('or the last that Xen took by a vector', async () => {
    const { code, stdout } = await called('xen-pv', '--path', 'xen:0xa0', '--at', '0.5');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^xen:0xa0 raised at 0\.\d+ s, /);
    expect(stdout).toMatch(/ do_IRQ +vector 0xa0 irq 24/);
  });

  test('of an imported host, whose hardware is unknown, is its raise and its handler', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'virqtop-path-')), 'interrupts');
    writeFileSync(file, capture('xen-x86/dom0-q35-with-pv-domU.interrupts.3.txt'));
    const { stdout } = await called('--import', file, '--uptime', '10', '--path', 'dom0:24');
    rmSync(dirname(file), { recursive: true });
    expect(stdout).toMatch(/\n.*raise.*\n.*handle_irq_event/);
  });
});

test.each([
  [['--path', 'x'], "--path 'x': must be fired, or a row as dom0:24, or a vector as Xen:0xa0"],
  [['--path', 'Xen:0x20'], "--path 'Xen:0x20': no interrupt of it lately, at 1 s"],
  [['--path', 'fired'], '--path fired: goes with --fire, as --fire kbd@1'],
  [['--path', 'domu:1'], "--path 'domu:1': no such domain; did you mean 'dom0'?"],
  [['--path', 'dom0:9999'], "--path 'dom0:9999': no interrupt of it lately, at 1 s"],
  [['--path', 'fired', '--fire', 'kbd@2', '--at', '1'], '--fire kbd@2: the run ends at 1 s'],
  [['--path', 'fired', '-z'], '--skip-zero: does not go with --path'],
  [['--path', 'fired', '--books'], '--books: does not go with --path'],
])('%j is refused', async (args, message) => {
  const { code, stdout, stderr } = await called('xen-pv', ...args);
  expect([code, stdout, stderr]).toEqual([2, '', `virqtop: ${message}\n`]);
});
