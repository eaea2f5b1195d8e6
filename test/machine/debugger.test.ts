/** Guests on VMX under a debugger: what leaves them stops the whole domain, until its debugger in dom0 lets it go on. */
import { describe, expect, test } from 'vitest';
import { type Machine, takeSnapshot } from '../../engine/index.ts';
import { xenMachine } from '../support/xen-scenario.ts';

function machineOf(xen: string, kind: string, rate = 20): Machine {
  return xenMachine(xen, {
    dom0: `vcpus: 2, kernel: ${xen === '3.4' ? 'linux-2.6.3x-xen' : 'linux-6.1'}`,
    guests: [
      '{type: hvm, kernel: linux-2.6.36, vcpus: 2, debugger: true, devices: [{driver: i8042}]}',
      '{type: hvm, kernel: linux-2.6.36, vcpus: 1, devices: [{driver: i8042}]}',
    ],
    workloads: `{what: faults, domain: 1, kind: ${kind}, rate: ${rate}}, {what: compute, domain: 1, share: 0.6}, {what: compute, domain: 2, share: 0.6}`,
  });
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

/** VIRQ_DEBUGGER: how often dom0's debugger was told. */
function told(machine: Machine): number {
  const { port } = machine.platform.domains()[0]!.channels.find((c) => c.peer === 'virq 6')!;
  const accounts = machine.shop.books.accounts().filter((a) => a.destination === `dom0:${port}`);
  return sum(accounts.map((a) => a.delivered));
}

const places = (machine: Machine, id: number) =>
  machine.platform.domains()[id]!.x86!.lapics.map((l) => l.vmcs!.place);
const ran = (machine: Machine, id: number) => sum(machine.platform.domains()[id]!.vcpus.map((v) => v.runNs));

/** Runs until the domain has stopped for its debugger; the exception's vector. */
function stopped(machine: Machine): number {
  const seen = machine.shop.trace.written;
  for (let i = 0; i < 400_000; i++) {
    machine.step();
    if (!places(machine, 1).every((p) => p.startsWith('paused'))) continue;
    const exits = [...machine.shop.trace.records(seen + 1)].filter(
      (r) => r.point.name === 'vmexit' && r.args[1] === 0,
    );
    return exits.at(-1)!.args[2]! & 0xff;
  }
  throw new Error('never stopped');
}

function balanced(machine: Machine): void {
  expect(machine.platform.pendingMismatch()).toEqual([]);
  for (const a of machine.shop.books.accounts()) {
    expect(a.raised).toBe(a.delivered + a.coalesced + a.pending + sum(Object.values(a.ignored)));
  }
}

describe.each([
  ['4.17', 'int3', 3, false],
  ['4.17', 'debug', 1, true],
  ['3.4', 'int3', 3, true],
  ['3.4', 'debug', 1, true],
])('Xen %s, %s', (xen, kind, vector, tells) => {
  test('stops all virtual CPUs of the guest and no other guest, until the debugger has looked', () => {
    const machine = machineOf(xen, kind);
    machine.runUntil(5e7);
    const before = told(machine);
    expect(stopped(machine)).toBe(vector);
    const [at, other] = [machine.clock.now, ran(machine, 2)];
    // each leaves its CPU when that has heard
    machine.runUntil(at + 1e5);
    const stood = ran(machine, 1);
    // it is not asked before 2 ms are over, and looks for 3
    machine.runUntil(at + 2e6);
    expect(places(machine, 1).every((p) => p.startsWith('paused'))).toBe(true);
    expect(ran(machine, 1)).toBe(stood);
    balanced(machine);
    machine.runUntil(at + 2e7);
    expect(ran(machine, 1)).toBeGreaterThan(stood);
    expect(ran(machine, 2)).toBeGreaterThan(other);
    // VIRQ_DEBUGGER; of a breakpoint 4.17 tells only whom asks
    expect(told(machine) > before).toBe(tells);
    balanced(machine);
  });

  test('and the dump of domains says that it is held back', () => {
    const machine = machineOf(xen, kind);
    machine.runUntil(5e7);
    stopped(machine);
    const text = machine.platform.dump('q')!;
    if (xen === '3.4') return;
    const [, dom1] = text.split('General information for domain 1:') as [string, string];
    expect(dom1.split('\n')[1]).toContain('pause_count=1');
    expect(dom1).toContain('    pause_count=0 pause_flags=');
    expect(text.split('General information for domain 2:')[1]!.split('\n')[1]).toContain('pause_count=0');
  });

  test('saved while it is stopped and restored, it goes on the same', () => {
    const original = machineOf(xen, kind);
    original.runUntil(5e7);
    stopped(original);
    const copy = machineOf(xen, kind);
    copy.restore(JSON.parse(JSON.stringify(original.save())));
    expect(JSON.stringify(takeSnapshot(copy))).toBe(JSON.stringify(takeSnapshot(original)));
    const until = original.clock.now + 1e8;
    original.runUntil(until);
    copy.runUntil(until);
    expect(JSON.stringify(copy.save())).toBe(JSON.stringify(original.save()));
  });
});

test('a guest that its debugger lets go on at once stops again and again, and nothing is lost', () => {
  const machine = machineOf('3.4', 'int3', 2_000);
  machine.runUntil(1e9);
  expect(told(machine)).toBeGreaterThan(50);
  balanced(machine);
});
