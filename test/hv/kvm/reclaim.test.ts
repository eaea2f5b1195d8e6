/** Pages that the next interrupt of a virtual CPU needs are on the swap device, while APICv comes and goes. */
import { describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  type Command,
  type Machine,
  takeSnapshot,
} from '../../../engine/index.ts';

const MS = 1_000_000;
const RECLAIM: Command = { do: 'reclaim', domain: 'vm1', vcpu: 0 };

function machineOf(name: string): Machine {
  const machine = buildMachine(builtinScenario(name)!, 7);
  machine.runUntil(100 * MS);
  return machine;
}

const look = (machine: Machine) => takeSnapshot(machine).domains.find((d) => d.name === 'vm1')!;

function faults(machine: Machine): number {
  return look(machine).exits!.rows.find((row) => row.name === 'EPT_VIOLATION')?.counts[0] ?? 0;
}

const waits = (machine: Machine) => /^waits for a page/.test(look(machine).x86!.lapics[0]!.vmcs!.place);

/** Until it is so; the answer is how many events that took. */
function until(machine: Machine, so: () => boolean): number {
  for (let n = 1; n < 5_000; n++) {
    machine.step();
    expect(machine.platform.pendingMismatch()).toEqual([]);
    if (so()) return n;
  }
  throw new Error('it does not come to that');
}

describe.each(['kvm', 'kvm-noack', 'kvm-apicv', 'kvm-posted'])('%s', (name) => {
  test('the interrupt comes to its handler after two EPT violations, and nothing is lost', () => {
    const machine = machineOf(name);
    const before = faults(machine);
    expect(machine.do(RECLAIM)).toEqual({});
    until(machine, () => waits(machine));
    const { vmcs, isr } = look(machine).x86!.lapics[0]!;
    const cut = vmcs!.fields.find(([field]) => field === 'IDT-vectoring information')![1];
    expect(cut >>> 8).toBe(0x80_0000);
    expect((isr[(cut & 0xff) >> 5]! >>> (cut & 31)) & 1).toBe(1);
    until(machine, () => faults(machine) === before + 2);
    // it has been delivered: the exit at its first instructions tells of no event
    const again = look(machine).x86!.lapics[0]!;
    expect(again.vmcs!.fields.find(([field]) => field === 'IDT-vectoring information')![1]).toBe(0);
    expect(again.interruptFlag).toBe(false);
    until(machine, () => !waits(machine));
    const timer = () => look(machine).interrupts.arch.find((row) => row.label === 'LOC')!.counts[0]!;
    const ticks = timer();
    machine.runUntil(machine.clock.now + 200 * MS);
    expect(timer()).toBeGreaterThan(ticks);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });
});

test('a copy taken while a page is read, the first or the second, goes on the same', () => {
  for (const page of [1, 2]) {
    const machine = machineOf('kvm-apicv');
    const before = faults(machine);
    machine.do(RECLAIM);
    until(machine, () => faults(machine) === before + page && waits(machine));
    const copy = buildMachine(builtinScenario('kvm-apicv')!, 7);
    copy.restore(JSON.parse(JSON.stringify(machine.save())));
    for (const m of [machine, copy]) m.runUntil(m.clock.now + 5 * MS);
    expect(waits(machine)).toBe(false);
    expect(JSON.stringify(copy.save())).toBe(JSON.stringify(machine.save()));
  }
});

test('APICv is off in the whole machine while any virtual CPU has a source with AutoEOI', () => {
  const machine = machineOf('kvm-apicv');
  const active = () => look(machine).x86!.lapics.map((l) => l.vmcs!.apicv!.active);
  const set = (vcpu: number, on: boolean) => {
    expect(machine.do({ do: 'autoeoi', domain: 'vm1', vcpu, on })).toEqual({});
    machine.runUntil(machine.clock.now + 50 * MS);
  };
  expect(active()).toEqual([true, true]);
  set(0, true);
  expect(active()).toEqual([false, false]);
  set(1, true);
  set(0, false);
  expect(active()).toEqual([false, false]);
  set(1, false);
  expect(active()).toEqual([true, true]);
});

test('SVI is that of the highest in service, and RVI of the highest request, after every event', () => {
  for (const name of ['kvm-apicv', 'kvm-posted']) {
    const machine = machineOf(name);
    for (let n = 0; n < 600; n++) {
      machine.step();
      const stale = look(machine).x86!.lapics.flatMap((l) => l.vmcs!.apicv!.stale);
      expect(stale, name).toEqual([]);
    }
  }
});

test('what cannot be done is refused in words', () => {
  const refused = (name: string, command: Command) =>
    buildMachine(builtinScenario(name)!, 7).do(command).refused;
  expect(refused('kvm-apicv', { ...RECLAIM, vcpu: 9 })).toMatch(/vm1 has no CPU 9/);
  expect(refused('kvm-apicv', { ...RECLAIM, domain: 'host' })).toMatch(/host is no machine of KVM/);
  expect(refused('xen-pv', { ...RECLAIM, domain: 'dom1' })).toMatch(/for machines of KVM: this is Xen/);
  expect(refused('kvm', { do: 'autoeoi', domain: 'vm1', vcpu: 0, on: true })).toBe(
    'vm1 has no APICv that could be inhibited',
  );
  expect(refused('kvm-apicv', { do: 'autoeoi', domain: 'vm1', vcpu: 5, on: true })).toMatch(/no CPU 5/);
});
