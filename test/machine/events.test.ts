/** The trace as a log: whose records there are, in whose words. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type EventSnapshot, type Machine, recentEvents } from '../../engine/index.ts';
import { KVM, machineOf, XEN_4_17 } from '../support/quiet.ts';

describe('of a Xen host', () => {
  let machine: Machine;
  beforeAll(() => {
    machine = machineOf(XEN_4_17);
    machine.runUntil(1e9);
    machine.fire('2');
    machine.runUntil(1.01e9);
  });

  test('the last records in the order of their times, with who had the CPU', () => {
    const { written, from, events } = recentEvents(machine, { last: 50 });
    const seqs = events.map((e) => e.seq).sort((a, b) => a - b);
    expect(seqs).toEqual(Array.from({ length: 50 }, (_, i) => written - 49 + i));
    const times = events.map((e) => e.time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(from).toBe(written - 49);
    for (const { cpu, who } of events) expect(who).toMatch(cpu < 0 ? /^$/ : /^(dom\d+\.\d+|idle)$/);
  });

  test('a switch of context is of who comes, and what follows there is his until the next', () => {
    const { events } = recentEvents(machine, { last: 2000 });
    const runs = new Map<number, string>();
    let switches = 0;
    for (const { cpu, who, name, detail } of events) {
      if (cpu < 0) continue;
      if (name === 'context_switch') {
        const [prev, next] = detail.split(' to ');
        expect(who).toBe(next);
        expect(runs.get(cpu) ?? prev).toBe(prev);
        runs.set(cpu, next!);
        switches++;
      } else expect(who, `${name} ${detail}`).toBe(runs.get(cpu) ?? who);
    }
    expect(switches).toBeGreaterThan(20);
  });

  test('of a domain those that name it or that its virtual CPUs passed, and no others', () => {
    const all = recentEvents(machine, { last: 1000 });
    const mine = recentEvents(machine, { last: 1000, since: all.from, domain: 0 }).events;
    const concerns = ({ who, detail }: EventSnapshot) => who.startsWith('dom0.') || /\bdom0\b/.test(detail);
    expect(mine.length).toBeGreaterThan(100);
    expect(mine.filter((e) => !concerns(e))).toEqual([]);
    expect(all.events.filter(concerns)).toEqual(mine);
  });

  test('since and until bound what is looked at; none is written by looking', () => {
    const { written } = recentEvents(machine, { last: 0 });
    const { events } = recentEvents(machine, { last: 10, since: written - 20, until: written - 15 });
    expect(new Set(events.map((e) => e.seq - written))).toEqual(new Set([-20, -19, -18, -17, -16, -15]));
    expect(recentEvents(machine, { last: 0 })).toEqual({ written, oldest: 1, from: 1, events: [] });
  });
});

test('on KVM a processor is of the virtual CPU in KVM_RUN, or of the host', () => {
  const machine = machineOf(KVM);
  machine.runUntil(1e9);
  const { events } = recentEvents(machine, { last: 500 });
  const who = (name: string) => new Set(events.filter((e) => e.name === name).map((e) => e.who));
  expect([...who('vmexit')].every((w) => /^vm1\.\d$/.test(w))).toBe(true);
  expect([...who('kvm_arch_vcpu_load')]).toEqual(['host']);
  for (const { detail } of events.filter((e) => e.name === 'vmx_vcpu_enter_exit'))
    expect(detail).toMatch(/^vm1/);
  const mine = recentEvents(machine, { last: 500, domain: 1 }).events;
  expect(mine.some((e) => e.who === 'host')).toBe(true);
  expect(mine.every((e) => e.who.startsWith('vm1.') || /vm1\b/.test(e.detail) || e.who === 'host')).toBe(
    true,
  );
});
