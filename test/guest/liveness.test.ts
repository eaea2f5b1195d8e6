/** Machines go on: whatever moved keeps moving, and nothing piles up. */
import { expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenarios,
  type Machine,
  type Scenario,
  takeSnapshot,
} from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

function build(scenario: Scenario, seed: number): Machine {
  const machine = buildMachine(scenario, seed);
  machine.shop.trace.enabled = false;
  return machine;
}

/** Counts of all rows, by domain and row, and of what else must not stand still. */
function counts(machine: Machine): Map<string, number> {
  const out = new Map<string, number>();
  for (const { name, interrupts, vcpus } of takeSnapshot(machine).domains) {
    for (const { irq, actions, counts } of interrupts.rows) {
      out.set(
        `${name} ${irq} ${actions.join(', ')}`,
        counts.reduce((a, b) => a + b, 0),
      );
    }
    for (const v of vcpus) out.set(`${name}.${v.vcpu} upcalls`, v.upcalls);
  }
  return out;
}

/** Everything that waits somewhere, by part. */
function queues(machine: Machine): [string, number][] {
  const lengths: [string, number][] = [];
  for (const [id, state] of Object.entries(machine.save().parts)) {
    const s = state as Record<string, number[]> & number[][];
    if (/\.(netback|netfront|nic)\./.test(id)) lengths.push([id, s.queue!.length]);
    else if (/\.blkfront\./.test(id)) lengths.push([id, s[0]!.length]);
    else if (/\.napi$/.test(id))
      lengths.push([id, Math.max(...(s.lists as unknown as number[][]).map((l) => l.length))]);
    else if (/^(dom\d+|host|vm\d+)\.cpu\d+$/.test(id)) lengths.push([id, s.runq!.length + s.frames!.length]);
    else if (/^host\.worker\./.test(id)) lengths.push([id, (s as unknown as number[][]).length]);
    else if (/\.(oxenstored|xenstored|xenconsoled)$/.test(id)) lengths.push([id, s.length]);
  }
  expect(lengths.length).toBeGreaterThan(8);
  return lengths;
}

/**
 * Runs it in intervals: rows that moved more than a little in the first move again and again. One interval may be
 * the quiet time between two bursts. A domain that hangs by the scenario's intent is left out.
 */
function expectAlive(machine: Machine, seconds: number, intervals: number, most: number, hangs = ''): void {
  let before = counts(machine);
  let moving: string[] = [];
  let still = new Set<string>();
  for (let i = 1; i <= intervals; i++) {
    for (let k = 0; k < 10; k++) {
      machine.runUntil(machine.clock.now + seconds * 1e8);
      for (const [id, n] of queues(machine)) expect(n, `waiting in ${id}`).toBeLessThanOrEqual(most);
    }
    const now = counts(machine);
    const moved = (row: string) => now.get(row)! - before.get(row)!;
    if (i === 1) moving = [...now.keys()].filter((row) => moved(row) > 12 && row.split(' ')[0] !== hangs);
    const stands = moving.filter((row) => moved(row) === 0);
    expect(stands.filter((row) => still.has(row))).toEqual([]);
    still = new Set(stands);
    before = now;
  }
  expect(moving.length).toBeGreaterThan(8);
  const { interrupts, upcalls } = takeSnapshot(machine).totals;
  expect(upcalls).toBeLessThan(interrupts * 1.2);
}

/** By scenario: the domain whose interrupt handler never returns. */
const HANGS: Readonly<Record<string, string>> = { 'xen-eoi-timer': 'dom2' };

test.each(builtinScenarios())(
  '$name: for 30 seconds, what moved keeps moving, and nothing waits for long',
  (scenario) => {
    expectAlive(build(scenario, 1), 10, 3, 64, HANGS[scenario.name]);
  },
);

const overload = (cpus: number, kernels: boolean) => `
name: overload
title: more packets than one virtual CPU can take
xen: '${kernels ? '3.4' : '4.17'}'
cpus: ${cpus}
dom0:
  ${kernels ? 'kernel: linux-2.6.3x-xen' : ''}
  vcpus: ${cpus}
  devices:
    - {driver: ${kernels ? 'msi-nic' : 'e1000e'}, name: eth0, as: nic}
    - {driver: ahci, name: ahci0, as: disk}
guests:
  - {vcpus: 1${kernels ? ', kernel: linux-2.6.18-xen' : ''}}
workloads:
  - {what: packets, domain: 1, pattern: {kind: poisson, rate: 200000}}
  - {what: disk, domain: 1, jobs: 4, think: 2}
  - {what: disk, domain: 0, jobs: 2, think: 5}
  - {what: xenstore, domain: 1, rate: 50}
  - {what: console, domain: 1, rate: 50}
  - {what: compute, domain: 1, share: 0.3}
`;

test.each([
  ['on four CPUs', 4, false],
  ['all on one CPU', 1, false],
  ['in old kernels', 4, true],
  ['in old kernels, all on one CPU', 1, true],
] as const)(
  '200,000 packets a second for one virtual CPU, %s: everything else goes on too',
  (_, cpus, old) => {
    const machine = build(parseScenario(overload(cpus, old), 'overload.yaml'), 1);
    expectAlive(machine, 0.5, 4, 1_000);
  },
);
