/** What the parts of a scenario of ARM must have in common: CPUs, transports, devices and domains that are named. */
import { quoted } from '../core/errors.ts';
import type { ArmDeviceSpec, ArmScenario } from './arm-schema.ts';
import { microbenchmarkMistake } from './microbenchmark-rules.ts';
import { near, oneOf } from './words.ts';
import type { Wrong } from './xen-rules.ts';

type Path = readonly (string | number)[];

/** CPU interfaces that a GICv2 has */
const GICV2_CPUS = 8;
const MOST_VCPUS = 4096;

/** What can be fired on every Xen host. */
const XENS_DEVICES = ['uart', 'xen-key', 'fiq', 'xen.serror'];

export function checkArmScenario(s: ArmScenario, wrong: Wrong): void {
  checkCpus(s, wrong);
  checkDevices(s, wrong);
  checkGuests(s, wrong);
  checkUse(s, wrong);
}

function checkCpus(s: ArmScenario, wrong: Wrong): void {
  if (s.gic === 2 && s.cpus > GICV2_CPUS) {
    wrong(['cpus'], `${s.cpus} CPUs, expected at most ${GICV2_CPUS} with gic: 2`);
  }
  const check = (path: Path, { vcpus, cpus }: { vcpus: number; cpus?: readonly number[] | undefined }) => {
    cpus?.forEach((cpu, i) => {
      if (cpu >= s.cpus) wrong([...path, 'cpus', i], `there is no CPU ${cpu}, expected 0 to ${s.cpus - 1}`);
    });
    if (s.gic === 2 && vcpus > GICV2_CPUS) {
      wrong([...path, 'vcpus'], `${vcpus} virtual CPUs, expected at most ${GICV2_CPUS} with gic: 2`);
    }
  };
  check(['dom0'], s.dom0);
  s.guests.forEach((g, i) => {
    check(['guests', i], g);
  });
  const vcpus = s.dom0.vcpus + s.guests.reduce((n, g) => n + g.vcpus, 0);
  if (vcpus > MOST_VCPUS) wrong(['guests'], `${vcpus} virtual CPUs, expected at most ${MOST_VCPUS} in all`);
}

/** By name as keys have it. */
export function deviceName(d: ArmDeviceSpec): string {
  return d.driver === 'rtc' ? 'rtc' : (d.as ?? d.name);
}

function checkDevices(s: ArmScenario, wrong: Wrong): void {
  const names = new Set(XENS_DEVICES);
  const taken = { transport: new Set<number>(), slot: new Set<number>() };
  s.dom0.devices.forEach((d, i) => {
    const path = ['dom0', 'devices', i];
    const called = deviceName(d);
    if (names.has(called)) {
      wrong(
        [...path, d.driver === 'rtc' ? 'driver' : 'name'],
        `there is a device ${quoted(called)} already, expected another name`,
      );
    }
    names.add(called);
    if (d.driver === 'rtc') return;
    const { transport, slot } = d;
    const once = (what: 'transport' | 'slot', n: number | undefined) => {
      if (n === undefined) return;
      if (taken[what].has(n))
        wrong([...path, what], `${what} ${n} has a device already, expected another one`);
      taken[what].add(n);
    };
    if ((transport === undefined) === (slot === undefined)) {
      const both = transport === undefined ? 'neither a transport nor a slot' : 'a transport and a slot';
      wrong(path, `a device with ${both}, expected one of both`);
      return;
    }
    once('transport', transport);
    once('slot', slot);
  });
}

function checkGuests(s: ArmScenario, wrong: Wrong): void {
  const disks = s.dom0.devices.filter((d) => d.driver === 'virtio-blk').map(deviceName);
  let owner = s.dom0.devices.some((d) => d.driver === 'rtc') ? 'dom0' : '';
  s.guests.forEach((g, i) => {
    const path = ['guests', i];
    if (g.type === 'xl' && g.rings > 0) {
      if (disks.length === 0) wrong(path, 'dom0 has no disk, expected one among its devices');
      else if (g.disk !== undefined && !disks.includes(g.disk)) {
        wrong(
          [...path, 'disk'],
          `there is no disk ${quoted(g.disk)}, expected ${near(g.disk, disks) ?? oneOf(disks)}`,
        );
      }
    }
    if (g.devices.length === 0) return;
    if (owner !== '') wrong([...path, 'devices'], `the rtc is ${owner}'s, expected it in one domain`);
    owner = `domain ${i + 1}`;
  });
}

function checkUse(s: ArmScenario, wrong: Wrong): void {
  const names = [...s.dom0.devices.map(deviceName), ...XENS_DEVICES];
  s.guests.forEach((g, i) => {
    if (g.devices.length > 0) names.push(`dom${i + 1}.rtc`);
  });
  for (let id = 0; id <= s.guests.length; id++) names.push(`dom${id}.serror`);
  const known = (path: Path, device: string) => {
    if (names.includes(device)) return;
    wrong(path, `there is no device ${quoted(device)}, expected one of ${names.join(', ')}`);
  };
  s.keys.forEach(({ device }, i) => {
    known(['keys', i, 'device'], device);
  });
  s.workloads.forEach((w, i) => {
    const path = ['workloads', i];
    if (w.what === 'device') {
      known([...path, 'device'], w.device);
      return;
    }
    if (w.what === 'fiq' || w.domain === undefined) return;
    if (w.domain > s.guests.length) {
      const last = s.guests.length;
      wrong(
        [...path, 'domain'],
        `there is no domain ${w.domain}, expected ${last === 0 ? '0' : `0 to ${last}`}`,
      );
      return;
    }
    const g = s.guests[w.domain - 1];
    const apart = g?.type === 'dom0less';
    if (w.what === 'packets' && !s.dom0.devices.some((d) => d.driver === 'virtio-net')) {
      wrong([...path, 'what'], 'dom0 has no network card, expected one among its devices');
    } else if (
      apart &&
      (w.what === 'disk' || w.what === 'packets' || w.what === 'console' || w.what === 'xenstore')
    ) {
      wrong([...path, 'domain'], `domain ${w.domain} knows nothing of Xen, expected one that does`);
    } else if (w.what === 'disk') {
      const has = g ? g.rings > 0 : s.dom0.devices.some((d) => d.driver === 'virtio-blk');
      if (!has) wrong([...path, 'domain'], `domain ${w.domain} has no disk, expected one that has`);
    } else if (w.what === 'events' && (!g || apart || g.queues === 0)) {
      wrong(
        [...path, 'domain'],
        `domain ${w.domain} has no paravirtual network card, expected a guest that has one`,
      );
    } else if (w.what === 'console' && !g) {
      wrong([...path, 'domain'], 'dom0 has no console of this kind, expected a guest, 1 or more');
    } else if (w.what === 'microbenchmark') {
      if (!g || apart) wrong([...path, 'domain'], `domain ${w.domain} is no guest of type xl, expected one`);
      else {
        const mistake = microbenchmarkMistake(w, { name: `domain ${w.domain}`, vcpus: g.vcpus });
        if (mistake) wrong([...path, mistake[0]], mistake[1]);
      }
    }
  });
}
