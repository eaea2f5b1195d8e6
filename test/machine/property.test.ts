/**
 * Whatever machine is built and whatever is done to it: the books balance, nothing that is counted is
 * uncounted, and a machine that was saved runs on as if nothing had happened.
 *
 * A few runs with a fixed seed every time; FUZZ_RUNS=N makes N runs, from FUZZ_SEED or a seed of the moment.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildMachine } from '../../engine/machine/build.ts';
import type { DomainSnapshot, Snapshot } from '../../engine/machine/inspect.ts';
import type { Machine } from '../../engine/machine/machine.ts';
import { parseInterrupts } from '../../engine/proc/parse-interrupts.ts';
import { printInterrupts } from '../../engine/proc/print-interrupts.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';
import { type Command, commands, scenarioText } from '../support/random-scenario.ts';
import { limit, runs } from '../support/runs.ts';

const build = (text: string) => buildMachine(parseScenario(text, 'random.yaml'), 1);
const bytes = (machine: Machine) => JSON.stringify(takeSnapshot(machine));
const state = (machine: Machine) => JSON.stringify(machine.save());

/** What two plain objects differ in, as `path: left, right`; all at once would be pages. */
function differences(left: unknown, right: unknown, path = ''): string[] {
  if (left === right) return [];
  if (typeof left !== 'object' || typeof right !== 'object' || !left || !right) {
    return [`${path}: ${JSON.stringify(left)}, ${JSON.stringify(right)}`];
  }
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differences(a[key], b[key], `${path}/${key}`)).slice(0, 20);
}

/** Same bytes, or a line for each difference. */
function expectSame(left: string, right: string): void {
  if (left !== right) expect(differences(JSON.parse(left), JSON.parse(right))).toEqual(['nothing']);
}

/** The machine on which the commands go on. */
function act(machine: Machine, text: string, command: Command): Machine {
  const { fireables } = machine.platform;
  switch (command.do) {
    case 'run':
      machine.runUntil(machine.clock.now + command.ns);
      return machine;
    case 'step':
      for (let n = 0; n < command.times; n++) machine.step();
      return machine;
    case 'fire':
      machine.fire(fireables[command.key % fireables.length]!.name, command.times);
      return machine;
    case 'restore': {
      const copy = build(text);
      copy.restore(JSON.parse(state(machine)));
      return copy;
    }
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

function checkBooks({ books }: Snapshot): void {
  for (const a of books) {
    const ended = a.delivered + a.coalesced + a.pending + sum(Object.values(a.ignored));
    expect(ended, `${a.source} -> ${a.destination}: ${JSON.stringify(a)}`).toBe(a.raised);
    for (const n of [a.delivered, a.coalesced, a.pending]) expect(n).toBeGreaterThanOrEqual(0);
  }
}

/** Counts of the rows whose first action matches, on one CPU. */
function rowSum({ interrupts }: DomainSnapshot, action: RegExp, cpu: number): number {
  return sum(interrupts.rows.map((r) => (action.test(r.actions[0] ?? '') ? r.counts[cpu]! : 0)));
}

/** On these kernels RES and CAL are counted by the handlers of the rows. */
function checkSums(domain: DomainSnapshot): void {
  for (const [label, action] of [
    ['RES', /^resched\d*$/],
    ['CAL', /^(callfunc|callfuncsingle|call1func)\d*$/],
  ] as const) {
    const row = domain.interrupts.arch.find((r) => r.label === label);
    if (!row) continue;
    domain.interrupts.cpus.forEach((_, cpu) => {
      const active = domain.irqStates.some((s) => s.active && action.test(s.row.actions[0] ?? ''));
      const counted = rowSum(domain, action, cpu);
      if (active) expect(counted - row.counts[cpu]!, `${domain.name} ${label}`).toBeOneOf([0, 1]);
      else expect(row.counts[cpu], `${domain.name} ${label} CPU${cpu}`).toBe(counted);
    });
  }
}

/**
 * Each interrupt that a row counts is one delivery in the books: to the row's event channel, or to its
 * physical interrupt. A level interrupt is delivered when its handlers are through; a lock's event is polled
 * for and never counted. Rows that serve all CPUs have several channels, and are looked at together; those of a driver
 * that reopens had others before.
 */
function checkDeliveries({ books, domains }: Snapshot): void {
  const delivered = new Map<string, number>();
  for (const { destination, delivered: n } of books) {
    delivered.set(destination, (delivered.get(destination) ?? 0) + n);
  }
  for (const { name, irqStates, channels } of domains) {
    const shared = irqStates.some((s) => s.row.actions[0] === 'resched');
    const total = { counted: 0, delivered: 0 };
    const ports = new Map(channels.map((c) => [c.port, c]));
    const take = (port: number): number => {
      const pirq = /^pirq (\d+)/.exec(ports.get(port)?.peer ?? '')?.[1];
      ports.delete(port);
      return (delivered.get(`${name}:${port}`) ?? 0) + (delivered.get(`${name} pirq ${pirq}`) ?? 0);
    };
    for (const { row, port, active } of irqStates) {
      if (port === null || /^(spinlock\d|reopen-)/.test(row.actions[0] ?? '')) continue;
      const counted = sum(row.counts);
      if (shared && row.name === 'percpu') {
        total.counted += counted;
        continue;
      }
      const of = `${name} irq ${row.irq} ${row.actions[0]}`;
      const n = take(port);
      if (active) expect(counted - n, of).toBeOneOf([0, 1]);
      else expect(n, of).toBe(counted);
    }
    for (const { port, kind, peer } of channels) {
      if (shared && (kind === 'ipi' || peer === 'virq 0')) total.delivered += take(port);
    }
    expect(total.delivered, `${name}, rows of all CPUs`).toBe(total.counted);
  }
}

function checkGrowth(before: Snapshot, after: Snapshot): void {
  after.domains.forEach((domain, d) => {
    const was = new Map(before.domains[d]!.interrupts.rows.map((r) => [r.irq, r.counts]));
    for (const { irq, counts } of domain.interrupts.rows) {
      const old = was.get(irq) ?? counts.map(() => 0);
      was.delete(irq);
      counts.forEach((n, cpu) => {
        expect(n, `${domain.name} irq ${irq} CPU${cpu}`).toBeGreaterThanOrEqual(old[cpu]!);
      });
    }
    expect([...was.keys()], `rows that ${domain.name} lost`).toEqual([]);
  });
  expect(after.time).toBeGreaterThanOrEqual(before.time);
  expect(after.totals.interrupts).toBeGreaterThanOrEqual(before.totals.interrupts);
}

function checkPrinting(snapshot: Snapshot): void {
  for (const { interrupts, name } of snapshot.domains) {
    const text = printInterrupts(interrupts);
    expect(printInterrupts(parseInterrupts(text, name)), name).toBe(text);
  }
}

function checkTimes({ cpus, time }: Snapshot): void {
  for (const c of cpus) expect(c.guestNs + c.xenNs + c.idleNs, `CPU${c.cpu}`).toBe(time);
}

test(
  'after every command the machine is in order',
  () => {
    fc.assert(
      fc.property(scenarioText, commands, (text, list) => {
        let machine = build(text);
        let before = takeSnapshot(machine);
        for (const command of list) {
          machine = act(machine, text, command);
          const after = takeSnapshot(machine);
          checkBooks(after);
          expect(machine.platform.pendingMismatch()).toEqual([]);
          checkGrowth(before, after);
          after.domains.forEach(checkSums);
          checkDeliveries(after);
          checkPrinting(after);
          checkTimes(after);
          before = after;
        }
      }),
      runs(24),
    );
  },
  limit(),
);

test(
  'a snapshot is plain data, and neither it nor saving changes anything',
  () => {
    fc.assert(
      fc.property(scenarioText, commands, (text, list) => {
        let machine = build(text);
        for (const command of list) machine = act(machine, text, command);
        const before = state(machine);
        const first = takeSnapshot(machine);
        const saved = machine.save();
        expect(differences(JSON.parse(JSON.stringify(first)), first)).toEqual([]);
        expect(differences(JSON.parse(JSON.stringify(saved)), saved)).toEqual([]);
        expectSame(bytes(machine), JSON.stringify(first));
        expectSame(state(machine), before);
      }),
      runs(12),
    );
  },
  limit(),
);

test(
  'what was saved does not change when the machine, or one that took it over, runs on',
  () => {
    fc.assert(
      fc.property(scenarioText, commands, (text, list) => {
        let machine = build(text);
        machine.runUntil(2_000_000);
        const saved = machine.save();
        const before = JSON.stringify(saved);
        const other = build(text);
        other.restore(saved);
        other.runUntil(6_000_000);
        for (const command of list) machine = act(machine, text, command);
        expectSame(JSON.stringify(saved), before);
      }),
      runs(8),
    );
  },
  limit(),
);

test(
  'saved anywhere and restored into a new machine, it runs on the same',
  () => {
    fc.assert(
      fc.property(scenarioText, commands, commands, (text, first, then) => {
        let machine = build(text);
        for (const command of first) machine = act(machine, text, command);
        const copy = build(text);
        copy.restore(JSON.parse(state(machine)));
        expectSame(bytes(copy), bytes(machine));
        for (const command of then) {
          if (command.do === 'restore') continue;
          act(machine, text, command);
          act(copy, text, command);
        }
        expectSame(bytes(copy), bytes(machine));
        expectSame(state(copy), state(machine));
      }),
      runs(20),
    );
  },
  limit(),
);

test(
  'at any of many moments a copy that takes the state over goes on the same',
  () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(scenarioText, fc.integer({ min: 0, max: 80_000_000 }), gaps, (text, start, list) => {
        const [machine, copy] = [build(text), build(text)];
        // the ring of the trace is by far the largest part, and is compared elsewhere
        machine.shop.trace.enabled = false;
        machine.runUntil(start);
        for (const gap of list) {
          for (let n = 0; n < gap; n++) machine.step();
          copy.restore(machine.save());
          for (let n = 0; n < 40; n++) {
            machine.step();
            copy.step();
          }
          expectSame(state(copy), state(machine));
        }
      }),
      runs(24),
    );
  },
  limit(),
);

test(
  'the same scenario, seed and commands: the same bytes',
  () => {
    fc.assert(
      fc.property(scenarioText, commands, (text, list) => {
        let [a, b] = [build(text), build(text)];
        for (const command of list) {
          a = act(a, text, command);
          if (command.do !== 'restore') b = act(b, text, command);
        }
        expectSame(bytes(b), bytes(a));
      }),
      runs(12),
    );
  },
  limit(),
);
