/** How a kernel binds event channels to interrupt numbers, in the older trees and in pvops. */
import { describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

function guest(xen: string, kernel: string, more = '') {
  const dom0 = xen === '3.4' ? 'linux-2.6.3x-xen' : 'linux-6.1';
  const machine = buildMachine(
    parseScenario(
      `
name: binding
title: one guest
xen: '${xen}'
dom0: {kernel: ${dom0}, vcpus: 1}
guests:
  - {kernel: ${kernel}, rings: 0, queues: 0, vcpus: 2${more}}
`,
      'binding.yaml',
    ),
    1,
  );
  machine.runUntil(1e8);
  return { machine, domain: takeSnapshot(machine).domains[1]! };
}

const names = (rows: readonly { irq: number; actions: readonly string[] }[]) =>
  rows.map((r) => `${r.irq} ${r.actions.join(', ')}`);

describe('find_unbound_irq', () => {
  test('gives the first dynamic number without a binding, in order of binding', () => {
    const { domain } = guest('3.4', 'linux-2.6.18-xen', ', channels: 3');
    expect(names(domain.interrupts.rows).slice(6)).toEqual([
      '262 xenbus',
      '263 xencons',
      '264 channel0',
      '265 channel1',
      '266 channel2',
    ]);
  });

  test('answers -ENOSPC when all 256 are bound: the port is given back and the kernel says so', () => {
    const { domain, machine } = guest('3.4', 'linux-2.6.18-xen', ', channels: 300');
    expect(domain.interrupts.rows).toHaveLength(256);
    expect(domain.interrupts.rows.at(-1)!.irq).toBe(511);
    expect(domain.messages).toEqual([
      'channel248: No available IRQ to bind to: 256 to 511 are all bound (-ENOSPC)',
    ]);
    // 2 of the toolstack's, 3 for each CPU and 248 more; the one that found no number is free again
    expect(domain.channels).toHaveLength(2 + 6 + 248);
    machine.runUntil(1e9);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });
});

test('a domain out of event channels goes on with those it has', () => {
  const { domain } = guest('4.17', 'linux-6.1', ', channels: 100, max-event-channels: 60');
  expect(domain.channels.at(-1)!.port).toBe(60);
  expect(domain.messages).toEqual(['channel46: EVTCHNOP_alloc_unbound: no event channel left (-ENOSPC)']);
});

describe('VIRQ_DEBUG', () => {
  const debug = (more: string, kernel = 'linux-6.1') =>
    guest('4.17', kernel, more)
      .domain.interrupts.rows.map((r) => r.actions[0])
      .filter((name) => name!.startsWith('debug'));

  test('is bound on every CPU by a kernel with 2-level channels', () => {
    expect(debug(', fifo: false')).toEqual(['debug0', 'debug1']);
    expect(debug('', 'linux-3.10')).toEqual(['debug0', 'debug1']);
  });

  test('is not bound by one with FIFO channels', () => {
    expect(debug('')).toEqual([]);
  });
});

describe('dialects of guests', () => {
  test.each([
    ['linux-3.10', '2.6.31'],
    ['linux-6.1', '4.13'],
    ['linux-6.18', '6.14'],
    ['linux-2026', '2026'],
    ['linux-2.6.18-xen', 'xen-2.6.18'],
  ])('%s prints /proc/interrupts as %s', (kernel, dialect) => {
    const { domain } = guest('4.17', kernel);
    expect(domain.interrupts.dialect).toBe(dialect);
    expect(domain.interrupts.rows.some((r) => r.counts.some((n) => n > 0))).toBe(true);
  });
});

describe('PHYSDEVOP_eoi', () => {
  /** Names of what happens to a fired device's interrupt, in order, once its event is pending. */
  function order(device: string, irq: number): string[] {
    const machine = buildMachine({ ...builtinScenario('xen-pv')!, keys: [{ device }] }, 42);
    machine.runUntil(1e8);
    const since = machine.shop.trace.written + 1;
    machine.fire(device);
    machine.runUntil(machine.clock.now + 50_000);
    const mine = /^(do_IRQ|flush_ready_eoi|irq_handler_entry|irq_handler_exit)$/;
    return [...machine.shop.trace.records(since)]
      .filter((r) => mine.test(r.point.name))
      .filter((r) => (r.point.name.startsWith('irq_') ? r.args[1] : r.args[0]) === irq)
      .map((r) => r.point.name);
  }

  test('of a level line comes after its handlers', () => {
    expect(order('usb', 23)).toEqual(['do_IRQ', 'irq_handler_entry', 'irq_handler_exit', 'flush_ready_eoi']);
  });

  test('of a message that cannot be masked comes before them', () => {
    // dom0's interrupt 53 is Xen's 25
    const seen = [...order('ahci1', 25), ...order('ahci1', 53)];
    expect(seen).toEqual(['do_IRQ', 'flush_ready_eoi', 'irq_handler_entry', 'irq_handler_exit']);
  });
});
