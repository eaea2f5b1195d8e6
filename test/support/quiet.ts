/** Scenarios of machines that do as little as possible: what is fired in them passes undisturbed. */
import { buildMachine } from '../../engine/machine/build.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

export const XEN_4_17 = `
name: quiet
title: dom0 on one CPU, a guest on another
xen: '4.17'
cpus: 2
dom0:
  kernel: linux-6.1
  vcpus: 1
  cpus: [0]
  devices:
    - {driver: i8042, kbd: 1, aux: 12}
    - {driver: line, name: 'uhci_hcd:usb3', gsi: 23, level: true, as: usb}
    - {driver: nvme, name: nvme0, queues: 1, as: disk}
guests:
  - {vcpus: 1, cpus: [1], disk: disk}
keys: [{device: kbd}, {device: usb}, {device: disk}, {device: uart}]
`;

export const XEN_3_4 = `
name: quiet
title: dom0 on one CPU, a guest on another
xen: '3.4'
cpus: 2
dom0:
  kernel: linux-2.6.3x-xen
  vcpus: 1
  cpus: [0]
  devices:
    - {driver: i8042, kbd: 1, aux: 12}
    - {driver: line, name: 'uhci_hcd:usb3', gsi: 18, level: true, as: usb}
    - {driver: ata, name: ata_piix, gsi: 14, as: disk, least: 400, extra: 900}
guests:
  - {kernel: linux-2.6.18-xen, vcpus: 1, cpus: [1], disk: disk}
keys: [{device: kbd}, {device: usb}]
`;

export const KVM = `
name: quiet
title: one machine with two virtual CPUs
kvm: '6.1'
cpus: 2
host:
  devices:
    - {driver: nvme, name: nvme0, queues: 2, as: disk}
    - {driver: e1000e, name: eth0, as: nic}
vms:
  - vcpus: 1
    cpus: [1]
    devices:
      - {driver: i8042}
      - {driver: virtio-blk, disk: disk}
      - {driver: ata, disk: disk}
      - {driver: e1000}
keys: [{device: vm1.kbd}, {device: vm1.disk}, {device: vm1.nic}, {device: disk}]
`;

export const POSTED = `
name: quiet
title: one machine that is given a card
kvm: '6.1'
cpus: 2
apicv: true
posted: true
host:
  devices:
    - {driver: nvme, name: nvme0, queues: 2, as: disk}
    - {driver: e1000e, name: eth0, as: nic}
vms:
  - vcpus: 1
    cpus: [1]
    devices:
      - {driver: virtio-blk, disk: disk}
      - {driver: vfio, name: ixgbevf, queues: 1}
keys: [{device: vm1.disk}, {device: vm1.ixgbevf}]
`;

/** The same machine with something to do besides. */
export const busy = (text: string, workload: string) => `${text}workloads:\n  - ${workload}\n`;

/** Between two ticks of its kernels. */
export function machineOf(text: string, at = 101.5e6): Machine {
  const machine = buildMachine(parseScenario(text, 'quiet.yaml'), 42);
  machine.runUntil(at);
  return machine;
}

/** @param gic version of the GIC */
export const onArm = (gic: 2 | 3) => `
name: quiet
title: dom0 on one CPU, guests on two others
gic: ${gic}
cpus: 3
dom0:
  vcpus: 1
  cpus: [0]
  devices:
    - {driver: virtio-blk, name: virtio2, slot: 1, as: disk}
    - {driver: virtio-blk, name: virtio1, transport: 31, as: disk1}
    - {driver: virtio-net, name: virtio0, transport: 30, as: nic}
guests:
  - {vcpus: 1, cpus: [1]}
  - {type: dom0less, vcpus: 1, cpus: [2], devices: [{driver: rtc}]}
keys: [{device: disk}, {device: disk1}, {device: nic}, {device: dom2.rtc}, {device: uart}, {device: xen-key}]
`;
