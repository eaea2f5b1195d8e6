/** Machine checks of a Xen host: who takes them, who is told, and what becomes of whose page is lost. */
import { describe, expect, test } from 'vitest';
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { xenMachine } from '../support/xen-scenario.ts';
import { onX86 } from '../support/xen-snapshots.ts';

const GUESTS = {
  native: '{type: hvm, kernel: linux-2.6.36, vcpus: 2, devices: [{driver: i8042}]}',
  pvhvm: '{type: hvm, vcpus: 2, rings: 0, devices: [{driver: i8042}]}',
  pvh: '{type: pvh, vcpus: 2, rings: 0}',
  pv: '{vcpus: 2, rings: 0}',
  shadow: '{type: hvm, hap: false, vcpus: 2, rings: 0, devices: [{driver: i8042}]}',
} as const;

function machineOf(xen: string, guests: readonly string[], workloads = ''): Machine {
  return xenMachine(xen, {
    dom0: `vcpus: 2, kernel: ${xen === '3.4' ? 'linux-2.6.18-xen' : 'linux-6.1'}`,
    guests,
    keys: '{device: machine-check}, {device: corrected-error}, {device: dom0.machine-check}, {device: dom1.machine-check}',
    workloads,
  });
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

function mceRow(machine: Machine, id: number): readonly number[] {
  const row = machine.platform.domains()[id]!.interrupts.arch.find((r) => r.label === 'MCE');
  return row ? row.counts : [];
}

/** VIRQ_MCA in dom0 */
function virqs(machine: Machine): number {
  return sum(machine.platform.domains()[0]!.interrupts.rows.find((r) => r.actions[0] === 'mce')!.counts);
}

function softirqs(machine: Machine): readonly number[] {
  return machine.platform.xen!().softirqs.find((s) => s.name === 'MACHINE_CHECK')!.counts;
}

function balanced(machine: Machine): void {
  expect(machine.platform.pendingMismatch()).toEqual([]);
  for (const a of machine.shop.books.accounts()) {
    expect(a.raised).toBe(a.delivered + a.coalesced + a.pending + sum(Object.values(a.ignored)));
  }
}

function fire(machine: Machine, name: string): void {
  machine.fire(name);
  machine.runUntil(machine.clock.now + 5e6);
  balanced(machine);
}

const place = (machine: Machine, id: number) =>
  machine.platform.domains()[id]!.x86!.lapics.map((l) => l.vmcs!.place);

describe.each(['4.17', '3.4'])('an uncorrected error in a free page, Xen %s', (xen) => {
  const machine = machineOf(xen, [GUESTS.native], '{what: compute, domain: 1, share: 1}');
  machine.runUntil(1e8);
  machine.platform.hook!.on = true;
  fire(machine, 'machine-check');
  const account = (destination: string) =>
    machine.shop.books.accounts().find((a) => a.source === 'machine-check' && a.destination === destination)!;

  test('is a #MC on every CPU, and one MACHINE_CHECK softirq on each', () => {
    for (const cpu of [0, 1, 2]) expect(account(`CPU${cpu} #MC`)).toMatchObject({ raised: 1, delivered: 1 });
    expect(softirqs(machine)).toEqual([1, 1, 1]);
  });

  test('leaves a guest on VMX as EXCEPTION_NMI, where the hook records vector 18', () => {
    const seen = onX86(machine.platform.xen!()).hook.last.filter((r) => r.vector === 18);
    expect(seen.length).toBeGreaterThan(0);
    for (const { point, domain, what } of seen) {
      expect([point, domain, what]).toEqual(['exception exit', 1, '#MC machine check']);
    }
  });

  test('dom0 is told by VIRQ_MCA once, and has fetched what was logged', () => {
    expect(virqs(machine)).toBe(1);
    const saved = machine.save().parts['xen.mce'] as unknown as { telemetry: { states: string[] } };
    expect(new Set(saved.telemetry.states)).toEqual(new Set(['free']));
  });

  test('no guest is told; 3.4 tells dom0', () => {
    expect(sum(mceRow(machine, 1))).toBe(0);
    expect(mceRow(machine, 0)).toEqual(xen === '3.4' ? [] : [0, 0]);
  });
});

describe('whose page it is, Xen 4.17', () => {
  test.each(['native', 'pvhvm', 'pvh'] as const)(
    'a guest on VMX (%s) takes one on each virtual CPU',
    (kind) => {
      const machine = machineOf('4.17', [GUESTS[kind], GUESTS.pvh]);
      machine.runUntil(1e8);
      fire(machine, 'dom1.machine-check');
      expect([mceRow(machine, 1), mceRow(machine, 2), mceRow(machine, 0)]).toEqual([
        [1, 1],
        [0, 0],
        [0, 0],
      ]);
      // MCIP is clear again: the next one is taken too
      fire(machine, 'dom1.machine-check');
      expect(mceRow(machine, 1)).toEqual([2, 2]);
      expect(virqs(machine)).toBe(2);
    },
  );

  test("dom0's own: its trap, by a bounce frame, before events", () => {
    const machine = machineOf('4.17', [GUESTS.pv]);
    machine.runUntil(1e8);
    fire(machine, 'dom0.machine-check');
    expect([mceRow(machine, 0), mceRow(machine, 1)]).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  test.each(['pv', 'shadow'] as const)(
    'a guest without nested paging (%s) is ended, and dom0 hears',
    (kind) => {
      const machine = machineOf('4.17', [GUESTS[kind], GUESTS.pvh]);
      machine.runUntil(1e8);
      const dead = () =>
        sum(
          machine.platform
            .domains()[0]!
            .interrupts.rows.filter((r) => r.actions[0] === 'evtchn:oxenstored')
            .flatMap((r) => r.counts),
        );
      const before = dead();
      fire(machine, 'dom1.machine-check');
      expect(dead()).toBe(before + 1);
      const ran = (id: number) => machine.platform.domains()[id]!.vcpus.map((v) => v.runNs);
      const [gone, other] = [ran(1), ran(2)];
      if (kind === 'shadow') expect(place(machine, 1)).toEqual(Array(2).fill('crashed by a machine check'));
      machine.runUntil(4e8);
      expect(ran(1)).toEqual(gone);
      expect(sum(ran(2))).toBeGreaterThan(sum(other));
      balanced(machine);
    },
  );
});

describe('Xen 3.4', () => {
  test("tells dom0's first virtual CPU, on the CPU that deals with the error, and gives it back its affinity", () => {
    const text = `
name: t
title: t
xen: '3.4'
cpus: 3
dom0: {vcpus: 2, cpus: [0], kernel: linux-2.6.18-xen, devices: [{driver: ata, name: disk, gsi: 14}]}
guests: [${GUESTS.native}]
keys: [{device: dom1.machine-check}]
workloads: [{what: compute, domain: 0, share: 0.5}]
`;
    const machine = buildMachine(parseScenario(text, 't.yaml'), 1);
    machine.runUntil(1e8);
    fire(machine, 'dom1.machine-check');
    const account = machine.shop.books.accounts().find((a) => a.destination === 'dom0.0 #MC')!;
    expect(account).toMatchObject({ source: 'machine-check', raised: 1, delivered: 1 });
    expect(sum(mceRow(machine, 1))).toBe(0);
    machine.runUntil(1.5e8);
    const records = [...machine.shop.trace.records()];
    const error = records.findIndex((r) => r.point.name === 'mca_error');
    const on = records
      .slice(error)
      .flatMap((r) => (r.point.name === 'sched_switch' && r.args[1] === 0 ? [r.cpu] : []));
    expect(on[0]).toBeGreaterThan(0);
    expect(on.length).toBeGreaterThan(2);
    expect(on.slice(1).every((cpu) => cpu === 0)).toBe(true);
    balanced(machine);
  });
});

test('an error that comes while another is dealt with waits; one more is one with that', () => {
  const machine = machineOf('4.17', [GUESTS.pvh]);
  machine.runUntil(1e8);
  for (let i = 0; i < 4; i++) machine.fire('dom1.machine-check');
  balanced(machine);
  machine.runUntil(1.05e8);
  balanced(machine);
  const of = (n: number) =>
    machine.shop.books
      .accounts()
      .find((a) => a.source === 'machine-check' && a.destination === `CPU${n} #MC`);
  for (const n of [0, 1, 2]) expect(of(n)).toMatchObject({ raised: 4, delivered: 2, coalesced: 2 });
  expect(softirqs(machine)).toEqual([2, 2, 2]);
});

describe('corrected errors', () => {
  test.each([
    ['4.17', 0xf2, 'cmci_interrupt'],
    ['3.4', 0xf7, 'smp_cmci_interrupt'],
  ])('interrupt the first CPU two by two (%s)', (xen, vector, what) => {
    const machine = machineOf(xen, [GUESTS.native]);
    machine.runUntil(1e8);
    const row = () => onX86(machine.platform.xen!()).vectors.find((v) => v.vector === vector);
    fire(machine, 'corrected-error');
    expect([row(), virqs(machine)]).toEqual([undefined, 0]);
    fire(machine, 'corrected-error');
    expect(row()).toMatchObject({ what, counts: [1, 0, 0] });
    expect(virqs(machine)).toBe(1);
    const [account] = machine.shop.books.accounts().filter((a) => a.destination === 'CPU0 CMCI');
    expect(account).toMatchObject({ raised: 2, delivered: 1, coalesced: 1, pending: 0 });
    expect(softirqs(machine)).toEqual([0, 0, 0]);
  });

  test.each(['4.17', '3.4'])('of a bank without CMCI are found by polling, more often then (%s)', (xen) => {
    const machine = machineOf(xen, [GUESTS.native], '{what: machine-check, error: polled, rate: 0.5}');
    const found: number[] = [];
    let before = 0;
    for (let t = 1e8; t <= 3e10; t += 1e8) {
      machine.runUntil(t);
      const n = virqs(machine);
      if (n > before) found.push(t / 1e9);
      before = n;
    }
    // the first after 8 s, then every 4 and every 2 while there is always something
    expect(found[0]).toBeCloseTo(8.1, 5);
    expect(found.length).toBeGreaterThan(5);
    const gaps = found.slice(1).map((t, i) => Math.round(t - found[i]!));
    expect(Math.min(...gaps)).toBe(2);
    balanced(machine);
  });
});

describe.each(['4.17', '3.4'])('with errors of all kinds, Xen %s', (xen) => {
  const guests = xen === '3.4' ? [GUESTS.native] : [GUESTS.pvhvm, GUESTS.native];
  const workloads = [
    '{what: machine-check, domain: 1, rate: 400}',
    '{what: machine-check, rate: 3000}',
    '{what: machine-check, domain: 0, rate: 300}',
    '{what: machine-check, error: corrected, rate: 500}',
    '{what: machine-check, error: polled, rate: 100}',
    '{what: compute, domain: 1, share: 0.7}',
    '{what: nmi, domain: 0, rate: 500}',
  ].join(', ');
  const make = () => machineOf(xen, guests, workloads);

  test('books and chips agree after every event, and nobody waits for ever', () => {
    const machine = make();
    machine.runUntil(2e7);
    for (let i = 0; i < 6_000; i++) {
      machine.step();
      const wrong = machine.platform.pendingMismatch();
      if (wrong.length > 0) expect([i, machine.clock.now, wrong]).toEqual([]);
    }
    machine.runUntil(1.5e8);
    balanced(machine);
    const mc = machine.shop.books.accounts().filter((a) => a.destination === 'CPU0 #MC');
    expect(sum(mc.map((a) => a.delivered))).toBeGreaterThan(100);
    const [a, b, c] = softirqs(machine) as [number, number, number];
    expect(Math.max(a, b, c) - Math.min(a, b, c)).toBeLessThanOrEqual(1);
    for (const { guestNs, xenNs, idleNs } of machine.platform.cpus()) {
      expect(guestNs + xenNs + idleNs).toBe(machine.clock.now);
    }
  });

  test('saved anywhere and restored, it runs on the same', () => {
    const original = make();
    original.runUntil(3e7);
    for (let n = 0; n < 25; n++) {
      for (let i = 0; i < 37; i++) original.step();
      const copy = make();
      copy.restore(JSON.parse(JSON.stringify(original.save())));
      expect(JSON.stringify(takeSnapshot(copy))).toBe(JSON.stringify(takeSnapshot(original)));
      const ahead = make();
      ahead.restore(JSON.parse(JSON.stringify(original.save())));
      for (let i = 0; i < 400; i++) ahead.step();
      for (let i = 0; i < 400; i++) copy.step();
      expect(JSON.stringify(copy.save())).toBe(JSON.stringify(ahead.save()));
    }
  });
});
