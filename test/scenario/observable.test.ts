/** Paths into a snapshot: what they lead to, and that a slip leads nowhere. */
import { expect, test } from 'vitest';
import { observe, pathOf, type Value } from '../../engine/scenario/observable.ts';

const SNAPSHOT = {
  time: 5,
  domains: [
    {
      id: 1,
      name: 'vm1',
      interrupts: {
        rows: [
          { irq: 1, counts: [3, 4], actions: ['i8042'] },
          { irq: 11, counts: [10, 0], actions: ['eth0', 'uhci_hcd:usb1'] },
        ],
        arch: [{ label: 'LOC', counts: [100, 200] }],
      },
      irqStates: [{ row: { irq: 11, actions: ['eth0'] }, masked: true }],
      exits: {
        rows: [
          { reason: 1, name: 'EXTERNAL_INTERRUPT', counts: [5] },
          { reason: 12, name: 'HLT', counts: [6] },
        ],
        stats: [['irq_injections', 7]],
      },
      x86: {
        lapics: [{ cpu: 0, isr: [0, 2, 0, 0, 0, 0, 0, 4096] }],
        ioapic: { pins: [{ pin: 11, low: 0x4000 }] },
      },
      messages: ['irq 11: nobody cared', 'Disabling IRQ #11'],
      vcpus: [
        { vcpu: 0, upcalls: 2 },
        { vcpu: 1, upcalls: 3 },
      ],
    },
  ],
  books: [
    { source: 'nic', destination: 'a', raised: 2, ignored: { masked: 1, 'no handler': 2 } },
    { source: 'nic', destination: 'b', raised: 3, ignored: {} },
    { source: 'kbd', destination: 'a', raised: 9, ignored: {} },
  ],
};

const at = (path: string): Value | undefined => observe(SNAPSHOT, pathOf(path)!);

test.each<[string, Value]>([
  ['time', 5],
  ['domains[vm1].id', 1],
  ['domains[1].name', 'vm1'],
  ['domains[vm1].interrupts[11].total', 10],
  ['domains[vm1].interrupts[11].counts[0]', 10],
  ['domains[vm1].interrupts[uhci_hcd:usb1].total', 10],
  ['domains[vm1].interrupts[LOC].total', 300],
  ['domains[vm1].interrupts[LOC].counts[1]', 200],
  ['domains[vm1].irqStates[11].masked', true],
  ['domains[vm1].exits[HLT].total', 6],
  ['domains[vm1].exits[*].total', 11],
  ['domains[vm1].exits.total', 11],
  ['domains[vm1].exits[irq_injections]', 7],
  ['domains[vm1].x86.lapics[0].isr[0x21]', true],
  ['domains[vm1].x86.lapics[0].isr[236]', true],
  ['domains[vm1].x86.lapics[0].isr[0x22]', false],
  ['domains[vm1].x86.lapics[0].isr.count', 2],
  ['domains[vm1].x86.ioapic.pins[11].low[14]', true],
  ['domains[vm1].x86.ioapic.pins[11].low[16]', false],
  ['domains[vm1].messages[*nobody cared*]', 'irq 11: nobody cared'],
  ['domains[vm1].messages.count', 2],
  ['domains[vm1].vcpus[*].upcalls', 5],
  ['books[source=nic].raised', 5],
  ['books[source=nic,destination=b].raised', 3],
  ['books[source=n*].raised', 5],
  ['books[source=nic].ignored[masked]', 1],
  ['books[source=nic].ignored.total', 3],
])('%s is %s', (path, value) => {
  expect(at(path)).toBe(value);
});

test.each([
  'domains[vm2].id',
  'domains[vm1].interrupts[12].total',
  'domains[vm1].interrupts[LOX].total',
  'domains[vm1].exits[CPUID].total',
  'domains[vm1].irq',
  'books[source=usb].raised',
  'domains[vm1].x86.lapics[0].isr[256]',
  'nobody.at.home',
])('%s leads nowhere', (path) => {
  expect(at(path)).toBeUndefined();
});

test.each(['', '[vm1]', 'domains[vm1', 'domains.[vm1]', 'domains[]', 'a b', '3'])(
  '"%s" is no path',
  (text) => {
    expect(pathOf(text)).toBeUndefined();
  },
);
