/** What the parts of a KVM scenario must have in common: CPUs, pins, devices and machines that are named must be there. */
import { quoted } from '../core/errors.ts';
import type { HostDeviceSpec, KvmScenario, VmDeviceSpec, VmSpec } from './kvm-schema.ts';
import { microbenchmarkMistake } from './microbenchmark-rules.ts';
import { near, oneOf } from './words.ts';
import type { Wrong } from './xen-rules.ts';

const MOST_VCPUS = 4096;
const IOAPIC_PINS = 24;
/** Pins of the host that are the timer's and the cascade's. */
const TAKEN: ReadonlyMap<number, string> = new Map([
  [0, 'the timer'],
  [2, 'the cascade of the PICs'],
]);

export function checkKvmScenario(s: KvmScenario, wrong: Wrong): void {
  checkCpus(s, wrong);
  checkFeatures(s, wrong);
  checkHostDevices(s, wrong);
  s.vms.forEach((vm, i) => {
    checkVmDevices(s, vm, i, wrong);
  });
  checkNames(s, wrong);
  checkWorkloads(s, wrong);
}

function checkCpus(s: KvmScenario, wrong: Wrong): void {
  s.vms.forEach((vm, i) => {
    vm.cpus?.forEach((cpu, n) => {
      if (cpu >= s.cpus) wrong(['vms', i, 'cpus', n], `there is no CPU ${cpu}, expected 0 to ${s.cpus - 1}`);
    });
  });
  const vcpus = s.vms.reduce((n, vm) => n + vm.vcpus, 0);
  if (vcpus > MOST_VCPUS) wrong(['vms'], `${vcpus} virtual CPUs, expected at most ${MOST_VCPUS} in all`);
}

/** What a KVM of that age, and its guests, do not have. */
function checkFeatures(s: KvmScenario, wrong: Wrong): void {
  const old = s.kvm === '2.6.36';
  for (const key of ['ack-on-exit', 'apicv', 'posted', 'preemption-timer'] as const) {
    if (old && s[key] === true) wrong([key], `KVM of 2.6.36 has no such thing, expected false`);
  }
  if (old && s['halt-poll-ns']) wrong(['halt-poll-ns'], 'KVM of 2.6.36 does not poll, expected 0');
  if (old !== (s.host.kernel === 'linux-2.6.36')) {
    wrong(['host', 'kernel'], `${s.host.kernel} with KVM ${s.kvm}, expected linux-${s.kvm}`);
  }
  if (s.posted && !s.apicv)
    wrong(['posted'], 'posted interrupts need virtual delivery, expected apicv: true');
  s.vms.forEach((vm, i) => {
    if (old && vm['pv-eoi']) wrong(['vms', i, 'pv-eoi'], 'KVM of 2.6.36 has no such thing, expected false');
    if (vm.timer === 'pit' && vm.vcpus > 1) {
      wrong(['vms', i, 'timer'], 'the PIT interrupts one CPU, expected lapic or tsc-deadline, or vcpus: 1');
    }
    if (vm.timer === 'tsc-deadline' && (old || vm.kernel === 'linux-2.6.36')) {
      wrong(['vms', i, 'timer'], '2.6.36 has no TSC-deadline timer, expected lapic or pit');
    }
  });
}

/** The pins of a device of the host: the keys they stand under, and whether it is a level line. */
function pinsOf(d: HostDeviceSpec): (readonly [key: string, pin: number, level: boolean])[] {
  if (d.driver === 'i8042') {
    return [
      ['kbd', d.kbd, false],
      ['aux', d.aux, false],
    ];
  }
  return d.driver === 'line' ? [['gsi', d.gsi, d.level]] : [];
}

function checkHostDevices(s: KvmScenario, wrong: Wrong): void {
  const used = new Map<number, boolean>();
  s.host.devices.forEach((d, i) => {
    for (const [key, pin, level] of pinsOf(d)) {
      const path = ['host', 'devices', i, key];
      const owner = TAKEN.get(pin);
      if (pin >= IOAPIC_PINS) wrong(path, `there is no GSI ${pin}, expected 0 to ${IOAPIC_PINS - 1}`);
      else if (owner !== undefined) wrong(path, `GSI ${pin} is ${owner}, expected another one`);
      else if (used.has(pin) && used.get(pin) !== level) {
        wrong(path, `GSI ${pin} has edge and level devices, expected all of one kind`);
      }
      used.set(pin, level);
    }
  });
}

/** Devices of which a machine has one at most. */
const SINGLE = ['i8042', 'rtc', 'serial', 'acpi', 'ata', 'e1000', 'uhci'];

function checkVmDevices(s: KvmScenario, vm: VmSpec, i: number, wrong: Wrong): void {
  const disks = hostDisks(s);
  const seen = new Set<string>();
  vm.devices.forEach((d, n) => {
    const path = ['vms', i, 'devices', n];
    if (SINGLE.includes(d.driver) && seen.has(d.driver)) {
      wrong([...path, 'driver'], `a second ${d.driver}, expected one at most`);
    }
    seen.add(d.driver);
    if ('unlazy' in d && d.unlazy && vm.kernel === 'linux-2.6.36') {
      wrong([...path, 'unlazy'], '2.6.36 has no IRQ_DISABLE_UNLAZY, expected false');
    }
    if (
      (d.driver === 'e1000' || d.driver === 'uhci') &&
      (d.gsi < 16 ? ![5, 9, 10, 11].includes(d.gsi) : d.gsi >= IOAPIC_PINS)
    ) {
      wrong(
        [...path, 'gsi'],
        `PCI interrupts do not reach GSI ${d.gsi}, expected one of 5, 9, 10, 11, 16 to 23`,
      );
    }
    if (d.driver !== 'virtio-blk' && d.driver !== 'ata') return;
    if (disks.length === 0) wrong(path, 'the host has no disk, expected an nvme or ahci among its devices');
    else if (d.disk !== undefined && !disks.includes(d.disk)) {
      wrong([...path, 'disk'], `the host has no disk ${quoted(d.disk)}, expected ${oneOf(disks)}`);
    }
  });
}

function hostName(d: Exclude<HostDeviceSpec, { driver: 'i8042' }>): string {
  return d.as ?? d.name;
}

/** The names under which devices of the host can be fired. */
function hostNames(d: HostDeviceSpec): string[] {
  return d.driver === 'i8042' ? ['kbd', 'mouse'] : [hostName(d)];
}

function hostDisks(s: KvmScenario): string[] {
  return s.host.devices.flatMap((d) => (d.driver === 'nvme' || d.driver === 'ahci' ? [hostName(d)] : []));
}

/** The names of a machine's devices, numbered from the second of a kind on: disk, disk2, ... */
export function vmDeviceNames(devices: readonly VmDeviceSpec[]): string[][] {
  const seen = new Map<string, number>();
  const next = (kind: string) => {
    const n = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, n);
    return n === 1 ? kind : `${kind}${n}`;
  };
  return devices.map((d) => {
    switch (d.driver) {
      case 'i8042':
        return ['kbd', 'mouse'];
      case 'serial':
        return ['uart'];
      case 'uhci':
        return ['usb'];
      case 'ata':
      case 'virtio-blk':
        return [next('disk')];
      case 'e1000':
      case 'virtio-net':
        return [next('nic')];
      case 'vfio':
        return [next(d.name)];
      default:
        return [d.driver];
    }
  });
}

/** As the host and `--domain` know it. */
export function vmName(vm: VmSpec, index: number): string {
  return vm.name ?? `vm${index + 1}`;
}

function checkNames(s: KvmScenario, wrong: Wrong): void {
  const named = new Set<string>();
  s.host.devices.forEach((d, i) => {
    for (const name of hostNames(d)) {
      if (named.has(name)) {
        wrong(
          ['host', 'devices', i],
          `there is a device ${quoted(name)} already, expected another name (as: NAME)`,
        );
      }
      named.add(name);
    }
  });
  const machines = new Set<string>(['host']);
  s.vms.forEach((vm, i) => {
    const name = vmName(vm, i);
    if (machines.has(name))
      wrong(['vms', i, 'name'], `there is a machine ${quoted(name)} already, expected another name`);
    machines.add(name);
    for (const device of vmDeviceNames(vm.devices).flat()) named.add(`${name}.${device}`);
  });
  const known = [...named];
  const check = (path: readonly (string | number)[], name: string) => {
    if (named.has(name)) return;
    wrong(path, `there is no device ${quoted(name)}, expected ${near(name, known) ?? oneOf(known)}`);
  };
  s.keys.forEach((k, i) => {
    check(['keys', i, 'device'], k.device);
  });
  s.workloads.forEach((w, i) => {
    if (w.what === 'device') check(['workloads', i, 'device'], w.device);
  });
}

/** A workload that nothing can come of is a mistake. */
function checkWorkloads(s: KvmScenario, wrong: Wrong): void {
  s.workloads.forEach((w, i) => {
    if (w.what === 'device') return;
    const path = ['workloads', i, 'vm'];
    if (w.vm > s.vms.length) {
      wrong(path, `there is no machine ${w.vm}, expected 0 (the host) to ${s.vms.length}`);
      return;
    }
    const machine = w.vm === 0 ? s.host : s.vms[w.vm - 1];
    // a number that is none is complained of by its shape
    if (!machine) return;
    const drivers: readonly string[] = machine.devices.map((d) => d.driver);
    const has = (...any: string[]) => any.some((d) => drivers.includes(d));
    if (w.what === 'disk' && !has('nvme', 'ahci', 'ata', 'virtio-blk')) {
      wrong(path, `machine ${w.vm} has no disk, expected one that has`);
    } else if (w.what === 'packets' && !has('e1000e', 'e1000', 'virtio-net')) {
      wrong(path, `machine ${w.vm} has no network card, expected one that has`);
    } else if (w.what === 'packets' && !s.host.devices.some((d) => d.driver === 'e1000e')) {
      wrong(['workloads', i, 'what'], 'the host has no network card, expected an e1000e among its devices');
    } else if (w.what === 'faults' && w.vm === 0) {
      wrong(path, 'faults of the host are not simulated, expected a machine, 1 or more');
    } else if (w.what === 'microbenchmark') {
      const vm = s.vms[w.vm - 1];
      if (!vm) {
        wrong(path, 'microbenchmarks run in a virtual machine, expected 1 or more');
        return;
      }
      const mistake = microbenchmarkMistake(w, { name: `machine ${w.vm}`, vcpus: vm.vcpus });
      if (mistake) wrong(['workloads', i, mistake[0]], mistake[1]);
      else if (w.run === 'io-out' && !has('virtio-net', 'virtio-blk')) {
        wrong(path, `machine ${w.vm} has no virtio device to tell, expected one that has`);
      }
    }
  });
}
