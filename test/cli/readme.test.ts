/** What the README shows works. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildMachine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

test('its KVM scenario boots, and its machines are busy', () => {
  const yaml = [...README.matchAll(/```yaml\n(.*?)```/gs)][1]![1]!;
  const machine = buildMachine(parseScenario(yaml, 'README.md'), 42);
  machine.runUntil(5e9);
  const [host, vm1, vm2] = takeSnapshot(machine).domains;
  const moved = (domain: typeof host, name: string) =>
    domain!.interrupts.rows.some((r) => r.actions[0] === name && r.counts.some((n) => n > 10));
  expect(moved(host, 'nvme0q1') || moved(host, 'nvme0q2')).toBe(true);
  expect([moved(vm1, 'virtio0-input.0'), moved(vm1, 'virtio1-req.0')]).toEqual([true, true]);
  expect(vm2!.exits!.rows.map((r) => r.name)).toContain('HLT');
  expect(machine.devices().map((d) => d.name)).toEqual(['vm1.kbd', 'vm2.uart']);
});

test('its scenario boots, and its guest and devices are busy', () => {
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(README)!;
  const machine = buildMachine(parseScenario(yaml, 'README.md'), 42);
  machine.runUntil(20e9);
  const guest = takeSnapshot(machine).domains[1]!.interrupts.rows;
  const counted = (name: string) =>
    guest.filter((r) => r.actions[0]!.startsWith(name)).some((r) => r.counts.some((n) => n > 10));
  expect([counted('blkif'), counted('vif0-q0-rx'), counted('timer')]).toEqual([true, true, true]);
  expect(machine.devices().map((d) => d.name)).toEqual(['kbd', 'disk', 'nic']);
});
