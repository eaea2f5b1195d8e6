/** From raises to handlers: what the histograms say is what the ways of the same interrupts say. */
import { describe, expect, test } from 'vitest';
import { LatencyTable } from '../../engine/core/latency.ts';
import { type LatencySnapshot, type Machine, type Snapshot, takeSnapshot } from '../../engine/index.ts';
import { fired, last } from '../support/journeys.ts';
import { busy, KVM, machineOf, onArm, XEN_3_4, XEN_4_17 } from '../support/quiet.ts';

const ofDomain = (snapshot: Snapshot, domain: number, name: string): LatencySnapshot =>
  snapshot.domains[domain]!.latency!.find((row) => row.name === name)!;

const rowOf = (machine: Machine, domain: number, name: string) =>
  ofDomain(takeSnapshot(machine), domain, name);

const countOf = (machine: Machine, domain: number, name: string): number =>
  rowOf(machine, domain, name)?.count ?? 0;

describe.each([
  ['Xen 4.17, an edge', XEN_4_17, 'kbd', 0, 'i8042'],
  ['Xen 4.17, a level line', XEN_4_17, 'usb', 0, 'uhci_hcd:usb3'],
  ['Xen 4.17, a message', XEN_4_17, 'disk', 0, 'nvme0q1'],
  ['Xen 3.4, a message that has a pin', XEN_3_4, 'usb', 0, 'uhci_hcd:usb3'],
  ['KVM, a line of QEMU', KVM, 'vm1.kbd', 1, 'i8042'],
  ['KVM, a message of QEMU', KVM, 'vm1.disk', 1, 'virtio0-config'],
  ['KVM, the host itself', KVM, 'disk', 0, 'nvme0q1'],
  ['Xen on ARM with GICv2, an SPI', onArm(2), 'disk', 0, 'virtio2'],
  ['Xen on ARM with GICv3, an SPI', onArm(3), 'disk', 0, 'virtio2'],
  ['Xen on ARM with GICv3, passed through', onArm(3), 'dom2.rtc', 2, 'rtc-pl031'],
] as const)('%s', (_, text, device, domain, handler) => {
  test('one raise is one more, of the length of its way', () => {
    const machine = machineOf(text);
    const before = countOf(machine, domain, handler);
    const journey = fired(machine, device);
    const end = journey.hops.find((hop) => hop.end)!;
    const row = rowOf(machine, domain, handler);
    expect(end.detail).toContain(handler);
    expect(row.count).toBe(before + 1);
    expect(row.last).toBe(end.at);
    expect(row.max).toBeGreaterThanOrEqual(row.last);
  });
});

test.each([
  [
    'an event of another domain',
    busy(XEN_4_17, '{what: disk, domain: 1, jobs: 1, think: 20}'),
    'disk',
    1,
    'blkif',
  ],
  ['an event of another domain, on ARM', onArm(3), 'nic', 1, 'vif0-q0-rx'],
] as const)('%s counts from where it is sent', (_, text, device, domain, handler) => {
  const machine = machineOf(text);
  machine.fire(device);
  machine.runUntil(machine.clock.now + 300e6);
  const sent = last(machine, domain, handler);
  expect(rowOf(machine, domain, handler).last).toBe(sent.hops.find((hop) => hop.end)!.at);
});

test('a raise that goes through the host to a machine is in a row of either, the later by more', () => {
  const machine = machineOf(KVM);
  const journey = fired(machine, 'vm1.kbd');
  const [host, guest] = [rowOf(machine, 0, 'eth0-rx-0').last, rowOf(machine, 1, 'i8042').last];
  const handlers = journey.hops.filter((hop) => hop.name === 'handle_irq_event').map((hop) => hop.at);
  expect(handlers).toEqual([host, guest]);
  expect(guest).toBeGreaterThan(host);
});

test('raises that are coalesced are one, as long as the first of them has waited', () => {
  const [alone, two] = [machineOf(XEN_4_17), machineOf(XEN_4_17)];
  alone.fire('kbd');
  two.fire('kbd');
  const accounts = () => two.shop.books.accounts().reduce((n, a) => n + a.coalesced, 0);
  const before = accounts();
  two.fire('kbd');
  expect(accounts()).toBe(before + 1);
  for (const machine of [alone, two]) machine.runUntil(machine.clock.now + 1e6);
  expect(rowOf(two, 0, 'i8042')).toEqual(rowOf(alone, 0, 'i8042'));
});

test('Xen has a row for what it takes itself, up to do_IRQ', () => {
  const machine = machineOf(XEN_4_17);
  const journey = fired(machine, 'usb');
  const taken = takeSnapshot(machine).xen!.latency!.find((row) => row.name.includes('uhci_hcd:usb3'))!;
  expect(taken.count).toBe(1);
  expect(taken.last).toBe(journey.hops.find((hop) => hop.name === 'do_IRQ')!.at);
});

test("a tick of KVM's local APIC counts from when the timer has expired, not from when KVM delivers it", () => {
  const machine = machineOf(KVM);
  const { shop } = machine;
  const before = countOf(machine, 1, 'timer');
  while (countOf(machine, 1, 'timer') === before) machine.step();
  const handled = [...shop.trace.records()].findLast((r) => r.point.name === 'irq_handler_entry')!;
  const injected = shop.trace.journey(handled.journey)[0]!;
  expect(rowOf(machine, 1, 'timer').last).toBeGreaterThan(handled.time - injected.time + 500);
});

test('what was measured is saved and goes on where it was', () => {
  const [run, other] = [machineOf(XEN_4_17), machineOf(XEN_4_17, 1e6)];
  run.fire('disk');
  other.restore(JSON.parse(JSON.stringify(run.save())) as ReturnType<Machine['save']>);
  for (const machine of [run, other]) machine.runUntil(150e6);
  const of = (machine: Machine) => takeSnapshot(machine).domains.map((d) => d.latency);
  expect(of(other)).toEqual(of(run));
  expect(rowOf(run, 0, 'nvme0q1').count).toBeGreaterThan(0);
});

test('a row counts a journey once, and leaves out what nobody knows the beginning of', () => {
  const table = new LatencyTable('test');
  table.add(5, 1, 100, 140);
  table.add(5, 1, 100, 900);
  table.add(5, 2, Number.NaN, 900);
  table.add(-236, 3, 100, 3_000_100);
  expect(table.totals().map(({ row, totals }) => [row, totals.count, totals.last])).toEqual([
    [-236, 1, 3_000_000],
    [5, 1, 40],
  ]);
  const copy = new LatencyTable('test');
  copy.restore(JSON.parse(JSON.stringify(table.save())));
  expect(copy.totals()).toEqual(table.totals());
});
