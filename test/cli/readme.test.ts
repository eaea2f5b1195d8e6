/** What the README shows works. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildMachine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

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
