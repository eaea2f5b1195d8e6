/**
 * Whatever people do to whatever built-in machine, in whatever order: the books balance, the chips agree with them, and a copy
 * that takes the state over goes on the same.
 *
 * A few commands with a fixed seed every time; FUZZ_RUNS=N does it N times as often.
 */
import { describe, expect, test } from 'vitest';
import { Rng, type Stream } from '../../engine/core/rng.ts';
import {
  buildMachine,
  builtinScenarios,
  type Command,
  type Machine,
  takeSnapshot,
} from '../../engine/index.ts';
import type { Scenario } from '../../engine/scenario/kinds.ts';

const TIMES = Number(process.env.FUZZ_RUNS ?? 1);
const COMMANDS = 12 * TIMES;
const SEED = Number(process.env.FUZZ_SEED ?? 11);

function check(machine: Machine, where: string): void {
  for (const a of takeSnapshot(machine).books) {
    const ignored = Object.values(a.ignored).reduce((n, x) => n + x, 0);
    const account = `${where}: ${a.source} -> ${a.destination} ${JSON.stringify(a)}`;
    expect(a.delivered + a.coalesced + ignored + a.pending, account).toBe(a.raised);
    expect(a.raised, account).toBeGreaterThanOrEqual(0);
  }
  expect(machine.platform.pendingMismatch(), where).toEqual([]);
}

/** Rows and CPUs of each domain; Xen's rows are vectors or INTIDs. */
function targets(machine: Machine) {
  const { domains, xen } = takeSnapshot(machine);
  const own = domains.map((d) => ({
    name: d.name,
    rows: [...d.interrupts.rows.map((r) => r.irq), ...d.interrupts.arch.map((r) => r.label)],
    cpus: d.vcpus.length,
  }));
  if (!xen) return own;
  const rows = 'vectors' in xen ? xen.vectors.map((v) => v.vector) : xen.irqs.map((i) => i.intid);
  return [...own, { name: xen.name, rows, cpus: xen.softirqs[0]!.counts.length }];
}

/** Some kinds are refused more often than not; wrong names and numbers are among them all. */
function draw(machine: Machine, rng: Stream): Command {
  const { devices, sources } = takeSnapshot(machine);
  const all = targets(machine);
  const target = all[rng.below(all.length)]!;
  const { name: domain, cpus } = target;
  const row = target.rows[rng.below(target.rows.length)]!;
  const irq = typeof row === 'number' ? row : 999;
  const device = devices[rng.below(devices.length)]!.name;
  const cpu = () => rng.below(cpus + (rng.below(8) === 0 ? 1 : 0));
  const kinds: (() => Command)[] = [
    () => ({ do: 'fire', device, times: 1 + rng.below(5) }),
    () => ({ do: 'raise', domain, irq: row, times: 1 + rng.below(3) }),
    () => ({ do: 'raise', domain, irq: row, cpu: cpu() }),
    () => ({ do: 'mask', domain, irq, masked: true }),
    () => ({ do: 'mask', domain, irq, masked: rng.below(3) === 0 }),
    () => ({ do: 'affinity', domain, irq, cpus: [cpu()] }),
    () => ({ do: 'affinity', domain, irq, cpus: [cpu(), cpu()] }),
    () => ({ do: 'priority', domain, irq, priority: rng.below(17) }),
    () => ({ do: 'autoeoi', domain, vcpu: cpu(), on: rng.below(2) === 0 }),
    () => ({ do: 'reclaim', domain, vcpu: cpu() }),
    () => ({ do: 'ipi', domain, from: cpu(), to: cpu() }),
    () => ({ do: 'nmi', domain, vcpu: cpu() }),
    () => ({ do: 'storm', device, on: rng.below(3) > 0, rate: 100 + rng.below(40_000) }),
    () => ({
      do: 'rate',
      source: rng.below(3) === 0 ? device : sources[rng.below(sources.length)]!.name,
      factor: 2,
    }),
    () => ({ do: 'rate', source: sources[rng.below(sources.length)]!.name, perSecond: rng.below(200) }),
  ];
  return kinds[rng.below(sources.length > 0 ? kinds.length : kinds.length - 2)]!();
}

function sameAfterwards(scenario: Scenario, machine: Machine, where: string): Machine {
  const copy = buildMachine(scenario, SEED);
  copy.restore(JSON.parse(JSON.stringify(machine.save())));
  for (let n = 0; n < 150; n++) {
    machine.step();
    copy.step();
  }
  const [left, right] = [machine.save().parts, copy.save().parts];
  const differ = Object.keys(left).filter((id) => JSON.stringify(left[id]) !== JSON.stringify(right[id]));
  expect(differ, where).toEqual([]);
  return copy;
}

describe.each(builtinScenarios())('$name', (scenario) => {
  test('commands of all kinds at any moment', { timeout: 30_000 * TIMES }, () => {
    const rng = new Rng(SEED, (stream) => stream).stream(scenario.name);
    let machine = buildMachine(scenario, SEED);
    machine.runUntil(30_000_000 + rng.below(30_000_000));
    const log: string[] = [];
    const done = new Set<string>();
    for (let n = 0; n < COMMANDS; n++) {
      const command = draw(machine, rng);
      log.push(`${machine.clock.now}: ${JSON.stringify(command)}`);
      const where = log.slice(-8).join('\n');
      const before = rng.below(6) === 0 ? JSON.stringify(machine.save()) : undefined;
      const { refused } = machine.do(command);
      if (refused === undefined) done.add(command.do);
      else if (before !== undefined)
        expect(JSON.stringify(machine.save()), `${where}\n${refused}`).toBe(before);
      check(machine, where);
      for (let steps = rng.below(60); steps > 0; steps--) {
        machine.step();
        if (steps % 8 === 0) check(machine, where);
      }
      if (rng.below(3) === 0) machine.runUntil(machine.clock.now + rng.below(2_000_000));
      check(machine, where);
      if (n % 6 === 5) machine = sameAfterwards(scenario, machine, where);
    }
    expect(done.size, [...done].join(' ')).toBeGreaterThanOrEqual(3);
  });
});
