/**
 * What the parts of a scenario must have in common: CPUs, pins, devices and domains that are named must be
 * there, no two devices may be one, and nothing may be asked for that the machine has no room for.
 */
import { quoted } from '../core/errors.ts';
import type { DeviceSpec } from './shapes.ts';
import { near, oneOf } from './words.ts';
import type { GuestDeviceSpec, XenScenario } from './xen-schema.ts';

type Path = readonly (string | number)[];

/** Told about each mistake: where it is, what is wrong and what would be right. */
export type Wrong = (path: Path, problem: string) => void;

/** Pins that Xen has for itself: the interval timer, the cascade of the two PICs, the first serial line. */
const XENS_PINS: ReadonlyMap<number, string> = new Map([
  [0, "Xen's timer"],
  [2, 'the cascade of the PICs'],
  [4, "Xen's serial line"],
]);
/**
 * Vectors that Xen has for messages and for pins above the 8259s' 16: 192 (30 to ef; on 3.4 20 to df), but not
 * those of two system calls and of 13 pins below 16.
 */
const MOST_INTERRUPTS = 177;
const LEGACY_PINS = 16;
const MOST_VCPUS = 4096;
const MOST_CHANNELS = 131_072;

/** What can be fired on every Xen host. */
const XENS_DEVICES = ['uart', 'xen-key', 'machine-check', 'corrected-error'];

/** An uncorrected error in a page of this domain can be fired, too: the name of that. */
function machineCheckOf(domain: number): string {
  return `dom${domain}.machine-check`;
}

export function checkXenParts(s: XenScenario, wrong: Wrong): void {
  checkCpus(s, wrong);
  checkKernels(s, wrong);
  checkCommandLine(s, wrong);
  checkPins(s, wrong);
  checkNames(s, wrong);
  checkGuests(s, wrong);
}

function checkCpus(s: XenScenario, wrong: Wrong): void {
  const check = (path: Path, cpus: readonly number[] | undefined) => {
    cpus?.forEach((cpu, i) => {
      if (cpu >= s.cpus) wrong([...path, i], `there is no CPU ${cpu}, expected 0 to ${s.cpus - 1}`);
    });
  };
  check(['dom0', 'cpus'], s.dom0.cpus);
  s.guests.forEach((g, i) => {
    check(['guests', i, 'cpus'], g.cpus);
  });
  const vcpus = s.dom0.vcpus + s.guests.reduce((n, g) => n + g.vcpus, 0);
  if (vcpus > MOST_VCPUS) wrong(['guests'], `${vcpus} virtual CPUs, expected at most ${MOST_VCPUS} in all`);
}

/** Options that Xen 3.4 does not know. */
const NEW_OPTIONS = ['irq_ratelimit', 'irq-max-guests'] as const;

function checkCommandLine(s: XenScenario, wrong: Wrong): void {
  if (s.xen !== '3.4') return;
  for (const option of NEW_OPTIONS) {
    if (s['command-line'][option] === undefined) continue;
    wrong(['command-line', option], 'Xen 3.4 has no such option, expected none, or xen: 4.17');
  }
}

/** Kernels of the time of Xen 3.4, and those that a PVH guest can be. */
const OLD = ['linux-2.6.18-xen', 'linux-2.6.3x-xen'];
const PVH = ['linux-6.1', 'linux-6.18', 'linux-2026'];

function checkKernels(s: XenScenario, wrong: Wrong): void {
  if (s.xen === '3.4' && !OLD.includes(s.dom0.kernel)) {
    wrong(['dom0', 'kernel'], `${s.dom0.kernel} on Xen 3.4, expected ${oneOf(OLD)}`);
  }
  s.guests.forEach((g, i) => {
    if (g.type === 'hvm') {
      const known = s.xen === '3.4' ? [NATIVE] : [...PVH, NATIVE];
      if (!known.includes(g.kernel)) {
        wrong(
          ['guests', i, 'kernel'],
          `${g.kernel} as an HVM guest of Xen ${s.xen}, expected ${oneOf(known)}`,
        );
      }
    } else if (g.kernel === NATIVE) {
      wrong(['guests', i, 'kernel'], `${NATIVE} as a guest of type ${g.type}, expected type hvm`);
    } else if (s.xen === '3.4') {
      if (g.type === 'pvh') wrong(['guests', i, 'type'], 'a PVH guest on Xen 3.4, expected type pv');
      else if (!OLD.includes(g.kernel)) {
        wrong(['guests', i, 'kernel'], `${g.kernel} on Xen 3.4, expected ${oneOf(OLD)}`);
      }
    } else if (g.type === 'pvh' && !PVH.includes(g.kernel)) {
      wrong(['guests', i, 'kernel'], `${g.kernel} as a PVH guest, expected ${oneOf(PVH)}`);
    }
  });
}

/** The kernel that knows nothing of Xen. */
export const NATIVE = 'linux-2.6.36';

/** The names of an HVM guest's devices, within it. */
export function guestDeviceNames(devices: readonly GuestDeviceSpec[]): string[][] {
  return devices.map((d) => {
    switch (d.driver) {
      case 'i8042':
        return ['kbd', 'mouse'];
      case 'serial':
        return ['uart'];
      case 'ata':
        return ['disk'];
      case 'e1000':
        return ['nic'];
      case 'vkbd':
        return [];
      case 'passthrough':
        return [d.name];
      default:
        return [d.driver];
    }
  });
}

/** The names under which a device can be fired. */
function deviceNames(d: DeviceSpec): string[] {
  if (d.driver === 'i8042') return ['kbd', 'mouse'];
  return [d.as ?? d.name];
}

/** The pins of a device: the keys they stand under. */
function pinsOf(d: DeviceSpec): (readonly [key: string, pin: number])[] {
  if (d.driver === 'i8042') {
    return [
      ['kbd', d.kbd],
      ['aux', d.aux],
    ];
  }
  return 'gsi' in d ? [['gsi', d.gsi]] : [];
}

function isLevel(d: DeviceSpec): boolean {
  return d.driver === 'e1000' || (d.driver === 'line' && d.level);
}

function messagesOf(d: DeviceSpec): number {
  if ('queues' in d) return d.queues + 1;
  if (d.driver === 'msix') return d.messages;
  if (d.driver === 'e1000e' || d.driver === 'virtio-net') return 3;
  return pinsOf(d).length > 0 ? 0 : 1;
}

function checkPins(s: XenScenario, wrong: Wrong): void {
  const { levels } = s.firmware;
  levels.forEach((pin, i) => {
    const owner = XENS_PINS.get(pin);
    if (owner !== undefined) wrong(['firmware', 'levels', i], `GSI ${pin} is ${owner}, expected another one`);
  });
  const used = new Map(levels.map((pin) => [pin, true]));
  let interrupts = 0;
  const take = (path: Path, pin: number, level: boolean) => {
    const owner = XENS_PINS.get(pin);
    if (pin >= s['ioapic-pins']) {
      wrong(path, `there is no GSI ${pin}, expected 0 to ${s['ioapic-pins'] - 1} (ioapic-pins)`);
    } else if (owner !== undefined) {
      wrong(path, `GSI ${pin} is ${owner}, expected another one`);
    } else if (used.has(pin) && used.get(pin) !== level) {
      const [here, there] = level ? ['level', 'edge'] : ['edge', 'level'];
      wrong(path, `a device of kind ${here} on GSI ${pin}, which is ${there}, expected all of one kind`);
    }
    if (!used.has(pin) && pin >= LEGACY_PINS) interrupts++;
    used.set(pin, level);
  };
  s.dom0.devices.forEach((d, i) => {
    for (const [key, pin] of pinsOf(d)) take(['dom0', 'devices', i, key], pin, isLevel(d));
    const messages = messagesOf(d);
    interrupts += messages;
    if (messages > 0 && s.dom0.kernel === 'linux-2.6.18-xen') {
      const problem = `a device with messages and ${s.dom0.kernel}, expected one with a GSI, or another kernel`;
      wrong(['dom0', 'devices', i, 'driver'], problem);
    }
  });
  s.guests.forEach((g, i) => {
    g.devices.forEach((d, n) => {
      if (d.driver !== 'passthrough') return;
      if (d.gsi !== undefined) take(['guests', i, 'devices', n, 'gsi'], d.gsi, true);
      else interrupts += d.messages ?? 0;
    });
  });
  if (interrupts > MOST_INTERRUPTS) {
    wrong(
      ['dom0', 'devices'],
      `${interrupts} messages and pins above ${LEGACY_PINS - 1}, expected at most ${MOST_INTERRUPTS} in all`,
    );
  }
}

function checkNames(s: XenScenario, wrong: Wrong): void {
  const named = new Set(XENS_DEVICES);
  s.dom0.devices.forEach((d, i) => {
    for (const name of deviceNames(d)) {
      if (named.has(name)) {
        const place = 'as' in d && d.as !== undefined ? ['as'] : 'name' in d ? ['name'] : [];
        wrong(
          ['dom0', 'devices', i, ...place],
          `there is a device ${quoted(name)} already, expected another name (as: NAME)`,
        );
      }
      named.add(name);
    }
  });
  s.guests.forEach((g, i) => {
    guestDeviceNames(g.devices).forEach((names, n) => {
      for (const device of names) {
        const full = `dom${i + 1}.${device}`;
        if (named.has(full) && g.devices[n]!.driver === 'passthrough') {
          const problem = `there is a device ${quoted(full)} already, expected another name`;
          wrong(['guests', i, 'devices', n, 'name'], problem);
        }
        named.add(full);
      }
    });
  });
  const pages = new Set([s.dom0, ...s.guests].map((_, domain) => machineCheckOf(domain)));
  const known = [...named];
  const check = (path: Path, name: string) => {
    if (!named.has(name) && !pages.has(name)) {
      wrong(
        path,
        `there is no device ${quoted(name)}, expected ${near(name, [...known, ...pages]) ?? oneOf(known)}`,
      );
    }
  };
  s.keys.forEach((k, i) => {
    check(['keys', i, 'device'], k.device);
  });
  s.workloads.forEach((w, i) => {
    if (w.what === 'device') check(['workloads', i, 'device'], w.device);
  });
}

export function hasDisk(g: XenScenario['guests'][number]): boolean {
  return g.kernel === NATIVE ? g.devices.some((d) => d.driver === 'ata') : g.rings > 0;
}

export function disksOf(s: XenScenario): string[] {
  return s.dom0.devices.filter((d) => 'least' in d).flatMap(deviceNames);
}

function checkGuests(s: XenScenario, wrong: Wrong): void {
  const disks = disksOf(s);
  s.guests.forEach((g, i) => {
    if (g.channels >= 4096 && (!g.fifo || !/^linux-(6|20)/.test(g.kernel))) {
      wrong(
        ['guests', i, 'channels'],
        `${g.channels} event channels, expected less than 4096: all that the 2-level ABI has`,
      );
    }
    if (g.debugger && g.type === 'pv') {
      wrong(['guests', i, 'debugger'], 'a debugger of a guest of type pv, expected type hvm or pvh');
    }
    checkGuestDevices(g, i, disks, wrong);
    if (g.rings === 0 || g.kernel === NATIVE) return;
    if (disks.length === 0) {
      wrong(
        ['guests', i, 'rings'],
        'dom0 has no disk, expected rings: 0, or a disk among the devices of dom0',
      );
    } else if (g.disk !== undefined && !disks.includes(g.disk)) {
      wrong(['guests', i, 'disk'], `there is no disk ${quoted(g.disk)}, expected ${oneOf(disks)}`);
    }
  });
  const channels = s.guests.reduce((n, g) => n + g.channels, 0);
  if (channels > MOST_CHANNELS) {
    wrong(['guests'], `${channels} event channels, expected at most ${MOST_CHANNELS} in all`);
  }
}

/** The device model has each device once. */
function checkGuestDevices(
  g: XenScenario['guests'][number],
  i: number,
  disks: readonly string[],
  wrong: Wrong,
): void {
  if (g.type !== 'hvm') {
    if (g.devices.length > 0) {
      wrong(['guests', i, 'devices'], `devices of a guest of type ${g.type}, expected type hvm, or none`);
    }
    return;
  }
  checkPassedThrough(g.devices, ['guests', i, 'devices'], wrong);
  const seen = new Set<string>();
  g.devices.forEach((d, n) => {
    if (d.driver === 'passthrough') return;
    const path = ['guests', i, 'devices', n];
    if (seen.has(d.driver)) wrong([...path, 'driver'], `a second ${d.driver}, expected one at most`);
    seen.add(d.driver);
    if (d.driver === 'vkbd' && g.kernel === NATIVE) {
      wrong([...path, 'driver'], `vkbd and ${NATIVE}, which knows nothing of Xen, expected another device`);
    }
    if (d.driver !== 'ata') return;
    if (disks.length === 0) wrong(path, 'dom0 has no disk, expected one among its devices');
    else if (d.disk !== undefined && !disks.includes(d.disk)) {
      wrong([...path, 'disk'], `there is no disk ${quoted(d.disk)}, expected ${oneOf(disks)}`);
    }
  });
}

/** Places on the guest's PCI bus beside what the device model has there itself, and pirqs that a guest has for messages. */
const MOST_PASSED = 24;
const MOST_GUEST_MESSAGES = 32;

function checkPassedThrough(devices: readonly GuestDeviceSpec[], path: Path, wrong: Wrong): void {
  let count = 0;
  let messages = 0;
  devices.forEach((d, n) => {
    if (d.driver !== 'passthrough') return;
    count++;
    messages += d.messages ?? 0;
    if ((d.gsi === undefined) === (d.messages === undefined)) {
      const has = d.gsi === undefined ? 'neither messages nor a gsi' : 'messages and a gsi';
      wrong([...path, n], `a device with ${has}, expected one of both`);
    }
  });
  if (count > MOST_PASSED) {
    wrong(path, `${count} devices passed through, expected at most ${MOST_PASSED}`);
  } else if (messages > MOST_GUEST_MESSAGES) {
    wrong(path, `${messages} messages of devices passed through, expected at most ${MOST_GUEST_MESSAGES}`);
  }
}
