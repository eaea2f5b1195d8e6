/**
 * What is idle costs nothing: an interrupt's way through the simulator is as long among a hundred guests, on
 * 64 CPUs and beside a hundred idle interrupts as it is without them. Measured in one run, as a ratio of CPU
 * times, the best of several rounds each; the limits are generous, a scan of what is idle is far beyond them.
 */
import { expect, test } from 'vitest';
import { buildMachine } from '../../engine/machine/build.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

interface Size {
  readonly xen?: '3.4' | '4.17';
  readonly cpus?: number;
  readonly guests?: number;
  /** cards with 64 messages each that are never used */
  readonly cards?: number;
}

/** Two busy guests, and whatever else the size says. */
function build({ xen = '4.17', cpus = 4, guests = 2, cards = 0 }: Size): Machine {
  const kernel = xen === '3.4' ? 'linux-2.6.3x-xen' : 'linux-6.1';
  const idle = Array.from({ length: guests - 2 }, () => `  - {kernel: ${kernel}, rings: 0, queues: 0}\n`);
  const unused = Array.from(
    { length: cards },
    (_, n) => `    - {driver: msix, name: card${n}, messages: 64}\n`,
  );
  const text = `
name: scale
title: two busy guests and others
xen: '${xen}'
cpus: ${cpus}
dom0:
  kernel: ${kernel}
  vcpus: 4
  devices:
    - {driver: nvme, name: nvme0, queues: 4, as: disk}
    - {driver: msi-nic, name: eth0, as: nic}
${unused.join('')}
guests:
  - {kernel: ${kernel}, vcpus: 2}
  - {kernel: ${kernel}, vcpus: 2}
${idle.join('')}
workloads:
  - {what: disk, domain: 1, jobs: 4, think: 0.1}
  - {what: disk, domain: 2, jobs: 4, think: 0.1}
  - {what: packets, domain: 1, pattern: {kind: poisson, rate: 5000}}
  - {what: packets, domain: 2, pattern: {kind: poisson, rate: 5000}}
`;
  const machine = buildMachine(parseScenario(text, 'scale.yaml'), 1);
  machine.runUntil(1e8);
  return machine;
}

type Unit = (machine: Machine) => number;
const interrupts: Unit = (machine) => machine.platform.totals().interrupts;
const events: Unit = (machine) => machine.clock.events;

/** CPU time in ns for each unit of the next 50 ms. */
function cost(machine: Machine, unit: Unit): number {
  const before = unit(machine);
  const start = process.cpuUsage();
  machine.runUntil(machine.clock.now + 5e7);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1e3) / (unit(machine) - before);
}

/** How much more a unit costs on the larger machine; rounds alternate, so that a slow moment hits both. */
function ratio(small: Size, large: Size, unit: Unit): number {
  const machines = [build(small), build(large)] as const;
  const best = [Infinity, Infinity];
  for (let round = 0; round < 7; round++) {
    machines.forEach((m, n) => {
      best[n] = Math.min(best[n]!, cost(m, unit));
    });
  }
  return best[1]! / best[0]!;
}

test.each<[string, Size, Size, Unit, number]>([
  ['98 idle guests', {}, { guests: 100 }, interrupts, 3],
  ['60 idle CPUs', {}, { cpus: 64 }, interrupts, 3],
  ['128 idle interrupts', {}, { cards: 2 }, interrupts, 3],
  ['98 idle guests on Xen 3.4', { xen: '3.4' }, { xen: '3.4', guests: 100 }, interrupts, 3],
  // a wake-up tickles every idle CPU there (__runq_tickle): more events by nature, each as cheap as ever
  ['60 idle CPUs on Xen 3.4', { xen: '3.4' }, { xen: '3.4', cpus: 64 }, events, 3],
])('%s do not make the others dearer', (_, small, large, unit, most) => {
  const times = ratio(small, large, unit);
  expect(times).toBeLessThan(most);
});
