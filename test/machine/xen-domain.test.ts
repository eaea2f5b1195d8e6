/** Xen as a domain of its own in the snapshot, and its interrupt hook on whole machines. */
import { describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  type HookRecordSnapshot,
  type Machine,
  takeSnapshot,
  type XenX86Snapshot,
} from '../../engine/index.ts';
import { timing } from '../../engine/timing.ts';
import { onX86 } from '../support/xen-snapshots.ts';

const SECOND = 1e9;

const made = (name: string) => buildMachine(builtinScenario(name)!, 42);

function xenOf(machine: Machine): XenX86Snapshot {
  return onX86(takeSnapshot(machine).xen);
}

/** A machine that has run with the hook on, and what the hook has recorded. */
function hooked(name: string, ns: number) {
  const machine = made(name);
  const records: HookRecordSnapshot[] = [];
  machine.platform.hook!.on = true;
  machine.platform.hook!.listen((record) => records.push(record));
  machine.runUntil(ns);
  return { machine, records, xen: xenOf(machine) };
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

describe('Xen as a domain', () => {
  const machine = made('xen-hvm');
  const before = xenOf(machine);
  machine.runUntil(2 * SECOND);
  for (let n = 1; n <= 3; n++) {
    machine.fire('kbd');
    machine.runUntil((2 + n / 1000) * SECOND);
  }
  machine.fire('uart');
  machine.runUntil(2.01 * SECOND);
  const xen = xenOf(machine);
  const row = (owner: string, of = xen) => of.vectors.find((v) => v.owner === owner)!;

  test('vectors stand in order, each with what it is and whose, per physical CPU', () => {
    const vectors = xen.vectors.map((v) => v.vector);
    expect(vectors).toEqual([...new Set(vectors)].sort((a, b) => a - b));
    expect(row('dom0:1 i8042')).toMatchObject({ what: 'irq 1 IO-APIC-edge' });
    expect(row('Xen ns16550_interrupt')).toMatchObject({ vector: 0xf1, what: 'irq 4 IO-APIC-edge' });
    expect(xen.vectors.at(-1)).toMatchObject({ vector: 0xfc, what: 'event_check_interrupt', owner: 'Xen' });
    for (const { counts } of xen.vectors) expect(counts.length).toBe(4);
  });

  test('an interrupt that somebody waits for has its row before it comes; what is fired counts there', () => {
    expect(row('dom0:1 i8042', before).counts).toEqual([0, 0, 0, 0]);
    expect(sum(row('dom0:1 i8042').counts)).toBe(2);
    expect(sum(row('Xen ns16550_interrupt').counts)).toBe(1);
  });

  test('an interrupt that was aimed elsewhere has a new vector; the old one tells whose it was', () => {
    expect(xen.vectors.find((v) => v.vector === row('dom0:1 i8042', before).vector)).toMatchObject({
      what: 'was irq 1',
      owner: '',
      counts: [1, 0, 0, 0],
    });
  });

  test('the physical chips: a local APIC for each CPU, the pins where vectors are, and whose they are', () => {
    const { lapics, ioapic, vectors } = xen.x86;
    expect(lapics.map(({ cpu, vmcs }) => [cpu, vmcs])).toEqual([0, 1, 2, 3].map((cpu) => [cpu, null]));
    const { vector } = row('dom0:1 i8042');
    expect(ioapic!.pins[1]!.low & 0xff).toBe(vector);
    expect(vectors.map((names) => names[vector])).toEqual(new Array(4).fill('dom0:1 i8042'));
    expect(vectors[0]![0xf1]).toBe('Xen ns16550_interrupt');
    expect(vectors[0]![0xfc]).toBe('event_check_interrupt');
  });

  test('a level line that waits for its EOI is in service on the CPU whose stack it is on', () => {
    const seen: string[] = [];
    const waits = made('xen-mixed');
    waits.runUntil(SECOND);
    waits.fire('usb');
    for (let n = 0; n < 2000 && seen.length < 3; n++) {
      waits.step();
      const { pendingEoi, x86 } = xenOf(waits);
      pendingEoi.forEach((stack, cpu) => {
        for (const { irq, vector } of stack) {
          const inService = (x86.lapics[cpu]!.isr[vector >> 5]! >>> (vector & 31)) & 1;
          seen.push(`irq ${irq} ${inService === 1 ? 'in service' : 'not in service'}`);
        }
      });
    }
    expect(seen).toEqual(['irq 23 in service', 'irq 23 in service', 'irq 23 in service']);
  });

  test('a driver of dom0 counts as many as its vector does', () => {
    const { rows } = takeSnapshot(machine).domains[0]!.interrupts;
    for (const name of ['rtc0', 'acpi', 'i8042']) {
      const irq = rows.find((r) => r.actions.includes(name) && r.irq < 12)!;
      const vectors = xen.vectors.filter(
        (v) => v.owner === `dom0:${irq.irq} ${name}` || v.what === `was irq ${irq.irq}`,
      );
      expect([name, sum(vectors.map((v) => sum(v.counts)))]).toEqual([name, sum(irq.counts)]);
    }
  });

  test('softirqs stand in the order they run, with NMIs and event checks beside', () => {
    expect(xen.softirqs.map((s) => s.name).slice(0, 4)).toEqual(['TIMER', 'RCU', 'SCHED_SLAVE', 'SCHEDULE']);
    expect(sum(xen.softirqs[0]!.counts)).toBeGreaterThan(1000);
    expect(sum(xen.nmis)).toBeGreaterThan(0);
    expect(xen.eventChecks.sent).toBeGreaterThan(0);
    expect(xen.pendingEoi.length).toBe(4);
  });

  test('it is plain data, and elsewhere there is none', () => {
    expect(JSON.parse(JSON.stringify(xen))).toEqual(xen);
    expect(takeSnapshot(made('kvm')).xen).toBeUndefined();
    expect(made('kvm').platform.hook).toBeUndefined();
  });
});

test('an interrupt of a guest on the stack of pending EOIs is shown on its CPU', () => {
  const machine = made('xen-pv');
  machine.runUntil(0.1 * SECOND);
  machine.fire('usb');
  let seen: { cpu: number; irq: number; vector: number } | undefined;
  for (let n = 0; n < 2000 && !seen; n++) {
    machine.step();
    xenOf(machine).pendingEoi.forEach((stack, cpu) => {
      for (const { irq, vector } of stack) seen ??= { cpu, irq, vector };
    });
  }
  const row = xenOf(machine).vectors.find((v) => v.vector === seen?.vector);
  expect(row?.what).toBe(`irq ${seen?.irq} IO-APIC-level`);
  expect(row?.counts[seen!.cpu]).toBeGreaterThan(0);
});

describe('the hook', () => {
  test.each([
    ['xen-hvm', ['direct_apic_vector', 'do_IRQ', 'exception exit']],
    ['xen-pv', ['direct_apic_vector', 'do_IRQ']],
    ['xen-pv-2.6.18', ['do_IRQ', 'smp']],
  ])('on %s every vector comes by %j', (name, points) => {
    const { records, xen } = hooked(name, 10 * SECOND);
    expect([...new Set(records.map((r) => r.point))].sort()).toEqual(points);
    // as many as the vectors' counts say, and the exceptions beside
    const exceptions = records.filter((r) => r.point === 'exception exit').length;
    expect(records.length - exceptions).toBe(sum(xen.vectors.map((v) => sum(v.counts))));
  });

  test('an exception is an exit of an HVM guest, recorded with the virtual CPU that had it', () => {
    const { records, machine } = hooked('xen-hvm', 3 * SECOND);
    const exceptions = records.filter((r) => r.point === 'exception exit');
    for (const { domain, vector, what, who } of exceptions) {
      expect(domain).toBeGreaterThan(0);
      expect([vector, what]).toEqual([2, 'NMI']);
      expect(who).toMatch(/^d[12]v[01]$/);
    }
    const exits = takeSnapshot(machine).domains.flatMap((d) => d.exits?.rows ?? []);
    const nmis = exits.filter((row) => row.name === 'EXCEPTION_NMI').map((row) => sum(row.counts));
    expect(exceptions.length).toBe(sum(nmis));
  });

  test.each(['xen-hvm', 'xen-pv-2.6.18'])('on %s the time it adds is its records by their cost', (name) => {
    const { records, xen } = hooked(name, SECOND);
    xen.hook.cpus.forEach((cpu, n) => {
      expect(cpu.records).toBe(records.filter((r) => r.cpu === n).length);
      expect(cpu.added).toBe(cpu.records * timing.hookRecord);
      expect(cpu.records).toBeGreaterThan(0);
    });
  });

  test('the last records are kept, and go with the machine when it is saved', () => {
    const { machine, records, xen } = hooked('xen-hvm', 0.2 * SECOND);
    expect(xen.hook.on).toBe(true);
    expect(xen.hook.last.length).toBeGreaterThan(20);
    expect(xen.hook.last).toEqual(records.slice(-xen.hook.last.length));
    const other = made('xen-hvm');
    other.restore(JSON.parse(JSON.stringify(machine.save())));
    expect(xenOf(other)).toEqual(xen);
  });

  test('the idle are named as that Xen prints them', () => {
    const idle = (name: string) => hooked(name, 0.1 * SECOND).records.find((r) => r.domain === 0x7fff)!;
    const [now, then] = [idle('xen-hvm'), idle('xen-pv-2.6.18')];
    expect(now.who).toBe(`d[IDLE]v${now.cpu}`);
    expect(then.who).toBe(`d32767:v${then.cpu}`);
  });

  test('switched off again it leaves a machine as if it never was on', () => {
    const [never, off] = [made('xen-hvm'), made('xen-hvm')];
    off.platform.hook!.on = true;
    off.platform.hook!.on = false;
    for (const machine of [never, off]) machine.runUntil(0.5 * SECOND);
    expect(JSON.stringify(off.save())).toBe(JSON.stringify(never.save()));
  });

  test('while it is on, time goes otherwise, and the books balance', () => {
    const { machine, xen } = hooked('xen-hvm', 0.5 * SECOND);
    const never = made('xen-hvm');
    never.runUntil(0.5 * SECOND);
    expect(xen.vectors).not.toEqual(xenOf(never).vectors);
    const open = takeSnapshot(machine).books.filter(
      (a) => a.raised !== a.delivered + a.coalesced + sum(Object.values(a.ignored)) + a.pending,
    );
    expect(open).toEqual([]);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });

  test('an interrupt that is followed passes it as a hop', () => {
    const { machine } = hooked('xen-hvm', 0.1 * SECOND);
    machine.fire('kbd');
    machine.runUntil(0.101 * SECOND);
    const hops = takeSnapshot(machine).lastFired!.hops;
    const hook = hops.find((h) => h.name === 'hook')!;
    expect(hook).toMatchObject({
      detail: expect.stringMatching(/^do_IRQ vector 0x30, /),
      charged: timing.hookRecord,
    });
    expect(hops.indexOf(hook)).toBeLessThan(hops.findIndex((h) => h.name === 'do_IRQ'));
  });
});
