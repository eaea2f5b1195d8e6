/** The scenarios of the documentation work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/scenarios.md'), 'utf8');

/** Its scenario of that name. */
function scenario(name: string): Machine {
  const yaml = [...PAGE.matchAll(/```yaml\n(.*?)```/gs)]
    .map((m) => m[1]!)
    .find((y) => y.startsWith(`name: ${name}\n`))!;
  return buildMachine(parseScenario(yaml, 'scenarios.md'), 42);
}

test('its HVM scenario boots, and both guests work on their disks', () => {
  const machine = scenario('two-hvm');
  machine.runUntil(10e9);
  const [, emulated, split] = takeSnapshot(machine).domains;
  const counts = (domain: typeof emulated, name: string) =>
    Math.max(...domain!.interrupts.rows.filter((r) => r.actions[0] === name).flatMap((r) => r.counts));
  expect(counts(emulated, 'ata_piix')).toBeGreaterThan(100);
  expect(counts(split, 'blkif')).toBeGreaterThan(100);
});

test('its KVM scenario boots, and its machines are busy', () => {
  const machine = scenario('two');
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
  const machine = scenario('lab');
  machine.runUntil(20e9);
  const guest = takeSnapshot(machine).domains[1]!.interrupts.rows;
  const counted = (name: string) =>
    guest.filter((r) => r.actions[0]!.startsWith(name)).some((r) => r.counts.some((n) => n > 10));
  expect([counted('blkif'), counted('vif0-q0-rx'), counted('timer')]).toEqual([true, true, true]);
  expect(machine.devices().map((d) => d.name)).toEqual(['kbd', 'disk', 'nic']);
});
