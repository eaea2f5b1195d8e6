/** What a KVM scenario may say, and the line for each mistake. */
import { describe, expect, test } from 'vitest';
import { vmDeviceNames } from '../../engine/scenario/kvm-rules.ts';
import type { KvmScenario } from '../../engine/scenario/kvm-schema.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const head = (more = '') => `name: x\ntitle: t\nkvm: '6.1'\ncpus: 2\n${more}`;

function complaint(text: string): string {
  try {
    parseScenario(text, 'k.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

test('the least that there is, with its defaults', () => {
  const s = parseScenario(head('vms: [{}]\n'), 'k.yaml') as KvmScenario;
  expect([s.apicv, s.posted, s.ept, s['ack-on-exit'], s.host.kernel]).toEqual([
    false,
    false,
    true,
    undefined,
    'linux-6.1',
  ]);
  expect(s.vms[0]).toEqual({ kernel: 'linux-6.1', vcpus: 1, x2apic: true, devices: [] });
});

test('devices of a machine have names by their kind, numbered from the second on', () => {
  const s = parseScenario(
    head(`host: {devices: [{driver: nvme, name: nvme0, queues: 1}]}
vms:
  - devices: [{driver: i8042}, {driver: virtio-blk}, {driver: virtio-net}, {driver: virtio-blk}, {driver: serial}]
`),
    'k.yaml',
  ) as KvmScenario;
  expect(vmDeviceNames(s.vms[0]!.devices)).toEqual([
    ['kbd', 'mouse'],
    ['disk'],
    ['nic'],
    ['disk2'],
    ['uart'],
  ]);
});

describe('mistakes', () => {
  const OLD = "name: x\ntitle: t\nkvm: '2.6.36'\ncpus: 2\nhost: {kernel: linux-2.6.36}\n";
  test.each([
    [head(), 'k.yaml:1: vms: missing, expected a list of at most 500'],
    [head('vms: [{cpus: [2]}]\n'), 'k.yaml:5: vms[0].cpus[0]: there is no CPU 2, expected 0 to 1'],
    [
      head('posted: true\nvms: [{}]\n'),
      'k.yaml:5: posted: posted interrupts need virtual delivery, expected apicv: true',
    ],
    [
      `${OLD}apicv: true\nvms: [{kernel: linux-2.6.36}]\n`,
      'k.yaml:6: apicv: KVM of 2.6.36 has no such thing, expected false',
    ],
    [
      `${OLD}vms: [{kernel: linux-2.6.36, pv-eoi: true}]\n`,
      'k.yaml:6: vms[0].pv-eoi: KVM of 2.6.36 has no such thing, expected false',
    ],
    [
      `${OLD}halt-poll-ns: 1\nvms: [{kernel: linux-2.6.36}]\n`,
      'k.yaml:6: halt-poll-ns: KVM of 2.6.36 does not poll, expected 0',
    ],
    [
      `${OLD}vms: [{kernel: linux-2.6.36, timer: tsc-deadline}]\n`,
      'k.yaml:6: vms[0].timer: 2.6.36 has no TSC-deadline timer, expected lapic or pit',
    ],
    [
      `${OLD}vms: [{kernel: linux-2.6.36, devices: [{driver: virtio-net, unlazy: true}]}]\n`,
      'k.yaml:6: vms[0].devices[0].unlazy: 2.6.36 has no IRQ_DISABLE_UNLAZY, expected false',
    ],
    [
      head('vms: [{vcpus: 2, timer: pit}]\n'),
      'k.yaml:5: vms[0].timer: the PIT interrupts one CPU, expected lapic or tsc-deadline, or vcpus: 1',
    ],
    [
      head('vms: [{devices: [{driver: virtio-blk}]}]\n'),
      'k.yaml:5: vms[0].devices[0]: the host has no disk, expected an nvme or ahci among its devices',
    ],
    [
      head('vms: [{devices: [{driver: rtc}, {driver: rtc}]}]\n'),
      'k.yaml:5: vms[0].devices[1].driver: a second rtc, expected one at most',
    ],
    [
      head('vms: [{devices: [{driver: e1000, gsi: 4}]}]\n'),
      'k.yaml:5: vms[0].devices[0].gsi: PCI interrupts do not reach GSI 4, expected one of 5, 9, 10, 11, 16 to 23',
    ],
    [
      head('host: {devices: [{driver: line, name: a, gsi: 2}]}\nvms: [{}]\n'),
      'k.yaml:5: host.devices[0].gsi: GSI 2 is the cascade of the PICs, expected another one',
    ],
    [
      head('vms: [{devices: [{driver: i8042}]}]\nkeys: [{device: vm1.kdb}]\n'),
      'k.yaml:6: keys[0].device: there is no device "vm1.kdb", expected vm1.kbd',
    ],
    [
      head('vms: [{}]\nworkloads: [{what: compute, vm: 2, share: 1}]\n'),
      'k.yaml:6: workloads[0].vm: there is no machine 2, expected 0 (the host) to 1',
    ],
    [
      head('vms: [{}]\nworkloads: [{what: compute, vm: -1, share: 1}]\n'),
      'k.yaml:6: workloads[0].vm: expected a whole number from 0 to 500, got -1',
    ],
    [
      head('vms: [{}]\nworkloads: [{what: disk, vm: 1}]\n'),
      'k.yaml:6: workloads[0].vm: machine 1 has no disk, expected one that has',
    ],
    [
      head('vms: [{}]\nworkloads: [{what: faults, vm: 0, rate: 1}]\n'),
      'k.yaml:6: workloads[0].vm: faults of the host are not simulated, expected a machine, 1 or more',
    ],
  ])('%#', (text, line) => {
    expect(complaint(text)).toBe(line);
  });
});
