/**
 * The microbenchmarks: each row is the time between two records of a run, and is made of entries of the table of costs and of
 * nothing else. That the rows are near the published ones is test/cli/paper.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RESCHEDULE_VECTOR } from '../../engine/guest/linux/native.ts';
import { BY_IPI, BY_MWAIT } from '../../engine/hv/xen/softirq.ts';
import {
  buildMachine,
  builtinScenario,
  type CostOnPath,
  costsOf,
  type Measured,
  MICROBENCHMARKS,
  type MicrobenchmarkName,
  measureSystem,
  PAPER_SYSTEMS,
  type Scenario,
  takeSnapshot,
} from '../../engine/index.ts';
import { measure } from '../../engine/machine/microbenchmarks/measure.ts';
import { XEN_ARM_ROWS } from '../../engine/machine/microbenchmarks/rows.ts';
import type { ArmScenario } from '../../engine/scenario/arm-schema.ts';
import type { KvmScenario } from '../../engine/scenario/kvm-schema.ts';
import type { XenScenario } from '../../engine/scenario/xen-schema.ts';
import { COST_NAMES, timing, withCosts } from '../../engine/timing.ts';

const SEED = 42;

interface Made {
  readonly measured: readonly Measured[];
  readonly costs: ReadonlyMap<MicrobenchmarkName, readonly CostOnPath[]>;
}

const made: ReadonlyMap<string, Made> = new Map(
  PAPER_SYSTEMS.map((system) => {
    const measured = measureSystem(system, SEED);
    return [system.name, { measured, costs: costsOf(system, SEED, measured) }] as const;
  }),
);

describe.each(PAPER_SYSTEMS)('$name', (system) => {
  const { measured, costs } = made.get(system.name)!;

  test('all seven are there, each again and again with two records in order', () => {
    expect(measured.map((row) => row.run)).toEqual(MICROBENCHMARKS);
    for (const { from, to, ns, turns } of measured) {
      expect(turns).toBeGreaterThan(4);
      expect(to.seq).toBeGreaterThan(from.seq);
      expect(to.time - from.time).toBe(ns);
    }
  });

  test('each is its costs, so many times each, to the nanosecond', () => {
    for (const { run, ns } of measured) {
      const sum = costs.get(run)!.reduce((n, cost) => n + cost.count * cost.ns, 0);
      expect([run, sum]).toEqual([run, ns]);
      for (const { name, count } of costs.get(run)!) expect([name, count > 0]).toEqual([name, true]);
    }
  });

  test('an entry that doubles moves the rows that list it, by what it is there, and no other', () => {
    for (const name of COST_NAMES) {
      const twice = measureSystem(system, SEED, { [name]: 2 * timing[name] });
      const moved = twice.map((row, i) => [name, row.run, row.ns - measured[i]!.ns]);
      const listed = measured.map(({ run }) => {
        const { count = 0, ns = 0 } = costs.get(run)!.find((cost) => cost.name === name) ?? {};
        return [name, run, count * ns];
      });
      expect(moved).toEqual(listed);
    }
  });

  test('another seed changes nothing', () => {
    const other = measureSystem(system, SEED + 1);
    expect(other.map(({ run, ns }) => [run, ns])).toEqual(measured.map(({ run, ns }) => [run, ns]));
  });

  test('its books are balanced, and agree with the chips', () => {
    const machine = buildMachine(builtinScenario(system.scenario)!, SEED);
    machine.runUntil(machine.clock.now + 60e6);
    expect(machine.platform.pendingMismatch()).toEqual([]);
    for (const account of takeSnapshot(machine).books) {
      const { raised, delivered, coalesced, ignored, pending } = account;
      const lost = Object.values(ignored).reduce((n, x) => n + x, 0);
      expect([account, delivered + coalesced + lost + pending]).toEqual([account, raised]);
    }
  });
});

describe('what the scenarios have as it was then', () => {
  /** Records of this tracepoint in 30 ms of a scenario. */
  function records(scenario: Scenario, point: string): (readonly number[])[] {
    const machine = buildMachine(scenario, SEED);
    machine.runUntil(machine.clock.now + 30e6);
    return [...machine.shop.trace.records()].filter((r) => r.point.name === point).map((r) => r.args);
  }
  const built = <S extends Scenario>(name: string) => builtinScenario(name) as S;

  test('cpuidle: false of Xen: idle CPUs get IPIs, and not a store to the word that they monitor', () => {
    const told = (scenario: Scenario) =>
      new Set(records(scenario, 'cpu_raise_softirq').map(([, , how]) => how));
    const xen = built<XenScenario>('paper-xen');
    expect([told(xen).has(BY_IPI), told(xen).has(BY_MWAIT)]).toEqual([true, false]);
    expect(told({ ...xen, 'command-line': {} }).has(BY_MWAIT)).toBe(true);
  });

  test('idle: halt of a KVM host: so it is with threads that wake', () => {
    const kvm = built<KvmScenario>('paper-kvm');
    const ipis = (scenario: Scenario) =>
      records(scenario, 'apic_accept').filter(([, vector, cpu]) => vector === RESCHEDULE_VECTOR && cpu === 6);
    expect(ipis(kvm).length).toBeGreaterThan(5);
    expect(ipis({ ...kvm, host: { ...kvm.host, idle: 'mwait' } })).toEqual([]);
  });

  test("upcall-vectors: false of an HVM guest: events come by the domain's vector, which has no EOI", () => {
    const xen = built<XenScenario>('paper-xen');
    const own = { ...xen, guests: xen.guests.map((g) => ({ ...g, 'upcall-vectors': true })) };
    const inDomain2 = (scenario: Scenario, point: string) =>
      records(scenario, point).filter(([dom]) => dom === 2);
    expect(inDomain2(xen, 'irq_handler_entry').length).toBeGreaterThan(5);
    expect(inDomain2(xen, 'vlapic_EOI_set')).toEqual([]);
    expect(inDomain2(own, 'vlapic_EOI_set').length).toBeGreaterThan(5);
  });

  test('serrors: panic of Xen ARM: without, each trap is dearer by the two looks for an SError', () => {
    const arm = built<ArmScenario>('paper-xen-arm');
    const took = (scenario: Scenario) =>
      measure(buildMachine(scenario, SEED), XEN_ARM_ROWS).find(({ run }) => run === 'hypercall')!.ns;
    const now = { ...arm, 'command-line': { ...arm['command-line'], serrors: 'diverse' as const } };
    expect(took(now) - took(arm)).toBe(2 * timing.serrorSync);
  });
});

test('an entry on a path is there for two rows at least, or was taken from a published one', () => {
  const rows = new Map<string, number>();
  for (const { costs } of made.values()) {
    for (const cost of [...costs.values()].flat()) rows.set(cost.name, (rows.get(cost.name) ?? 0) + 1);
  }
  const text = readFileSync(join(import.meta.dirname, '../../engine/timing.ts'), 'utf8');
  const sourced = (name: string) =>
    new RegExp(`/\\*\\*(?:(?!\\*/)[^])*\\[dall\\](?:(?!\\*/)[^])*\\*/\\n  ${name}: `).test(text);
  const alone = [...rows].filter(([, n]) => n === 1).map(([name]) => name);
  expect(alone.filter((name) => !sourced(name))).toEqual([]);
  expect(alone.length).toBeGreaterThan(0);
});

test('costs that are changed for a while are what they were afterwards, also after a failure', () => {
  const { vmExit } = timing;
  expect(withCosts({ vmExit: 1 }, () => timing.vmExit)).toBe(1);
  expect(() =>
    withCosts({ vmExit: 2 }, () => {
      throw new Error('fails');
    }),
  ).toThrow('fails');
  expect(timing.vmExit).toBe(vmExit);
});
