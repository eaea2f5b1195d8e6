/** Scenarios that are well-formed and ask for more than a machine has: it boots and complains, or says why not. */
import { describe, expect, test } from 'vitest';
import { findControl, UserError } from '../../engine/core/errors.ts';
import { buildMachine } from '../../engine/machine/build.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';

const DEVICES = `
  vcpus: 4
  devices:
    - {driver: nvme, name: nvme0, queues: 4, as: disk}
    - {driver: msi-nic, name: eth0, as: nic}
`;

function build(rest: string) {
  return buildMachine(parseScenario(`name: x\ntitle: t\n${rest}\n`, 'x.yaml'), 1);
}

function whyNot(rest: string): string {
  try {
    build(rest);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
  return 'it boots';
}

describe('channels that only fill the table', () => {
  test.each([
    ['channels: 5000', 5_000],
    ['channels: 4000, fifo: false', 4_000],
    ['channels: 300, kernel: linux-2.6.18-xen', 300],
  ])('%s: the kernel goes on without those that it has no room for, and says so once', (spec, asked) => {
    const machine = build(`dom0:${DEVICES}guests:\n  - {${spec}}`);
    machine.runUntil(1e8);
    const { messages = [], interrupts } = takeSnapshot(machine).domains[1]!;
    const got = interrupts.rows.filter((r) => r.actions[0]!.startsWith('channel')).length;
    expect(got).toBeLessThan(asked);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(/^channel\d+: .*\(-ENOSPC\)$/);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });

  test('a kernel with sparse numbers makes more of them as they run out', () => {
    const machine = build(`dom0:${DEVICES}guests:\n  - {channels: 5000, max-event-channels: 10000}`);
    const { messages, interrupts } = takeSnapshot(machine).domains[1]!;
    expect(messages).toEqual([]);
    expect(interrupts.rows.at(-1)!.actions).toEqual(['channel4999']);
    // five digits of numbers are not needed, four are: 5,000 and more
    expect(interrupts.precision).toBe(4);
  });
});

describe('a guest that cannot have what it needs', () => {
  test.each([2, 3, 9, 12])('max-event-channels: %i: one line, naming the scenario', (most) => {
    const message = whyNot(`dom0:${DEVICES}guests:\n  - {vcpus: 2, max-event-channels: ${most}}`);
    expect(message).toMatch(/^x: .*no event channel left \(-ENOSPC\)$/);
    expect(findControl(message)).toBe(-1);
  });

  test('16 are enough for one that has neither disk nor network', () => {
    const machine = build(`dom0:${DEVICES}guests:\n  - {max-event-channels: 16, rings: 0, queues: 0}`);
    machine.runUntil(1e8);
    expect(takeSnapshot(machine).domains[1]!.channels.length).toBeGreaterThan(5);
  });
});

describe('names that the machine itself makes', () => {
  test.each([
    ['a disk named after a workload', ['{driver: ahci, name: disk0}', '{driver: ahci, name: xen}']],
    ['a disk named after a CPU', ['{driver: ahci, name: cpu0}', '{driver: ahci, name: dom0}']],
  ])('%s', (_, list) => {
    const machine = build(
      `dom0:\n  vcpus: 1\n  devices:\n${list.map((d) => `    - ${d}\n`).join('')}workloads: [{what: compute, domain: 0, share: 0.5}]`,
    );
    machine.runUntil(1e7);
    expect(machine.clock.events).toBeGreaterThan(10);
  });
});

test('as many interrupts as there are vectors for', () => {
  const list = [1, 2].map((n) => `{driver: msix, name: m${n}, messages: 64}`).join(', ');
  const machine = build(`dom0: {vcpus: 1, devices: [${list}, {driver: msix, name: m3, messages: 49}]}`);
  expect(takeSnapshot(machine).domains[0]!.interrupts.rows.length).toBeGreaterThan(177);
});

test('the largest host', () => {
  const machine = build(
    'cpus: 256\ndom0: {vcpus: 256}\nguests: [{vcpus: 256, max-event-channels: 4000, rings: 0, queues: 0}]',
  );
  machine.runUntil(2e7);
  const { cpus, domains } = takeSnapshot(machine);
  expect(cpus).toHaveLength(256);
  expect(domains.map((d) => d.vcpus.length)).toEqual([256, 256]);
});
