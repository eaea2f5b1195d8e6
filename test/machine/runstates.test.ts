/** Where the time of virtual CPUs goes: running, waiting for a CPU, asleep. */
import { describe, expect, test } from 'vitest';
import { buildMachine } from '../../engine/machine/build.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';
import { onArm, XEN_4_17 } from '../support/quiet.ts';

const KVM = `
name: crowd
title: two machines that compute on one CPU of two
kvm: '6.1'
cpus: 2
host:
  devices:
    - {driver: nvme, name: nvme0, queues: 2, as: disk}
    - {driver: e1000e, name: eth0, as: nic}
vms:
  - {vcpus: 1, cpus: [1], devices: [{driver: virtio-blk, disk: disk}]}
  - {vcpus: 1, cpus: [1], devices: [{driver: virtio-blk, disk: disk}]}
keys: [{device: disk}]
workloads:
  - {what: compute, vm: 1, share: 1}
  - {what: compute, vm: 2, share: 1}
`;

const XEN = `${XEN_4_17.replace('cpus: [0]', 'cpus: [1]').replace('vcpus: 1, cpus: [1], disk', 'vcpus: 2, cpus: [1], disk')}workloads:
  - {what: compute, domain: 1, share: 1}
`;

const run = (text: string, until = 500e6): Machine => {
  const machine = buildMachine(parseScenario(text, 'crowd.yaml'), 42);
  machine.runUntil(until);
  return machine;
};

const vcpusOf = (machine: Machine) =>
  takeSnapshot(machine).domains.flatMap((d) => d.vcpus.map((v) => ({ ...v, name: `${d.name}.${v.vcpu}` })));

describe.each([
  ['Xen', XEN],
  ['KVM', KVM],
  ['Xen on ARM', onArm(3)],
] as const)('%s', (_, text) => {
  test('the times of every virtual CPU add up to the time, those that run are those on CPUs', () => {
    const machine = run(text);
    for (const at of [500_000_000, 500_000_777, 500_123_456, 501_000_001]) {
      machine.runUntil(at);
      const snapshot = takeSnapshot(machine);
      const vcpus = vcpusOf(machine).filter((v) => v.times);
      expect(vcpus.length).toBeGreaterThan(1);
      let ran = 0;
      for (const { name, times, runNs } of vcpus) {
        const { running, runnable, blocked, offline } = times!;
        expect(running + runnable + blocked + offline, name).toBe(at);
        expect(runNs).toBe(running);
        ran += running;
      }
      const guests = snapshot.cpus.reduce((n, cpu) => n + cpu.guestNs, 0);
      const busy = snapshot.cpus.reduce((n, cpu) => n + cpu.guestNs + cpu.xenNs, 0);
      expect(ran).toBeGreaterThanOrEqual(guests);
      expect(ran).toBeLessThanOrEqual(busy);
    }
  });
});

test.each([
  ['Xen', XEN, 'dom1.0', 'dom1.1'],
  ['KVM', KVM, 'vm1.0', 'vm2.0'],
] as const)(
  'on %s two that compute on one CPU have half of it each, the rest is stolen',
  (_, text, ...names) => {
    const machine = run(text, 3e9);
    for (const name of names) {
      const { times, state } = vcpusOf(machine).find((v) => v.name === name)!;
      expect(times!.running / 3e9).toBeGreaterThan(0.42);
      expect(times!.running / 3e9).toBeLessThan(0.55);
      expect(times!.runnable / 3e9).toBeGreaterThan(0.42);
      expect(['running', 'runnable']).toContain(state);
    }
    const { cpus } = takeSnapshot(machine);
    expect(cpus[1]!.queue!.length).toBeGreaterThanOrEqual(1);
    expect(cpus[0]!.queue).toEqual([]);
    expect(cpus[1]!.switches).toBeGreaterThan(100);
  },
);

test("a virtual CPU of KVM's that halts is asleep, and counts as woken each time", () => {
  const machine = run(
    KVM.replace(
      '  - {what: compute, vm: 1, share: 1}\n  - {what: compute, vm: 2, share: 1}\n',
      '  - {what: disk, vm: 1, jobs: 1, think: 10}\n',
    ),
  );
  const before = vcpusOf(machine).find((v) => v.name === 'vm1.0')!;
  machine.runUntil(1_500e6);
  const now = vcpusOf(machine).find((v) => v.name === 'vm1.0')!;
  expect(now.times!.blocked - before.times!.blocked).toBeGreaterThan(0.9e9);
  expect(now.wakeUps! - before.wakeUps!).toBeGreaterThan(90);
  expect(now.times!.running).toBeGreaterThan(before.times!.running);
});

test('exits are counted by the CPU that they happen on', () => {
  const { cpus, domains, totals } = takeSnapshot(run(KVM));
  expect(cpus[0]!.exits).toBe(0);
  expect(cpus[1]!.exits).toBe(totals.exits);
  expect(domains[0]!.vcpus[0]!.times).toBeUndefined();
});
