/** Work for HVM guests that Xen leaves to a tasklet: events that pend while interrupts are off, INIT and SIPI. */
import { describe, expect, test } from 'vitest';
import type { TraceRecord } from '../../engine/core/trace.ts';
import { buildMachine, type Machine } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

function machineOf(xen: string, guest: string, workloads = ''): Machine {
  const dom0 = xen === '3.4' ? 'linux-2.6.18-xen' : 'linux-6.1';
  const text = `
name: t
title: t
xen: '${xen}'
cpus: 3
dom0: {vcpus: 1, cpus: [0], kernel: ${dom0}, devices: [{driver: ata, name: disk, gsi: 14}]}
guests: [${guest}]
workloads: [${workloads}]
`;
  return buildMachine(parseScenario(text, 't.yaml'), 1);
}

/** Records of these tracepoints from now up to a time. */
function records(machine: Machine, until: number, ...names: string[]): TraceRecord[] {
  const out: TraceRecord[] = [];
  const { trace } = machine.shop;
  while (machine.clock.now < until) {
    const seen = trace.written;
    if (!machine.step()) break;
    for (const r of trace.records(seen + 1)) if (names.includes(r.point.name)) out.push(r);
  }
  return out;
}

describe('events of a PVHVM guest', () => {
  const GUEST = '{type: hvm, vcpus: 2, cpus: [1, 2], rings: 0, devices: [{driver: i8042}]}';
  const machine = machineOf('4.17', GUEST, '{what: xenstore, domain: 1, rate: 200}');
  machine.runUntil(2e7);
  const tasklets = () => machine.platform.xen!().softirqs.find((s) => s.name === 'TASKLET')!.counts;
  const before = tasklets();
  const all = records(
    machine,
    1e8,
    'send_timer_event',
    'assert_evtchn_irq_tasklet',
    'hvm_assert_evtchn_irq',
    'evtchn_send',
  );
  const journeyed = (name: string) => all.filter((r) => r.point.name === name);

  test('a VIRQ is sent with interrupts off: its virtual CPU is told in the TASKLET softirq of that CPU', () => {
    const deferred = journeyed('assert_evtchn_irq_tasklet');
    const timers = journeyed('send_timer_event').filter((r) => r.args[0] === 1);
    expect(deferred.length).toBeGreaterThan(10);
    expect(deferred.every((r) => timers.some((t) => t.journey === r.journey && t.cpu === r.cpu))).toBe(true);
    for (const r of deferred) {
      const told = all.find((x) => x.point.name === 'hvm_assert_evtchn_irq' && x.journey === r.journey)!;
      expect([told.cpu, told.args[1]]).toEqual([r.cpu, r.args[1]]);
      expect(told.seq).toBeGreaterThan(r.seq);
    }
    const after = tasklets();
    for (const cpu of [1, 2]) expect(after[cpu]! - before[cpu]!).toBeGreaterThan(5);
  });

  test('an event that a domain sends is told at once', () => {
    const sent = journeyed('evtchn_send').filter((r) => r.args[0] === 0);
    expect(sent.length).toBeGreaterThan(3);
    for (const { journey } of sent) {
      expect(all.some((r) => r.point.name === 'assert_evtchn_irq_tasklet' && r.journey === journey)).toBe(
        false,
      );
    }
  });
});

test('3.4 tells at once, and has no such tasklet', () => {
  const guest = '{type: hvm, kernel: linux-2.6.36, vcpus: 1, cpus: [1], devices: [{driver: i8042}]}';
  const machine = machineOf('3.4', guest);
  expect(records(machine, 5e7, 'assert_evtchn_irq_tasklet')).toEqual([]);
});
