/** A guest's MSI-X vector that is masked for a while: what the pending bit holds is booked, shown, and saved. */
import { expect, test } from 'vitest';
import { ms } from '../../engine/core/clock.ts';
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { lastFired } from '../../engine/machine/journey.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const text = (options: string) => `
name: masked
title: a disk whose vectors are masked
kvm: '6.1'
cpus: 2
host: {devices: [{driver: nvme, name: nvme0, queues: 1}]}
vms: [{devices: [{driver: virtio-blk${options}}]}]
workloads: [{what: disk, vm: 1, jobs: 2, think: 1}]
`;
/** the second message, that of the queue */
const IRQ = 25;

function machineOf(options: string): Machine {
  const machine = buildMachine(parseScenario(text(options), 'm.yaml'), 1);
  machine.runUntil(ms(100));
  expect(machine.do({ do: 'mask', domain: 'vm1', irq: IRQ, masked: true })).toEqual({});
  machine.runUntil(ms(200));
  return machine;
}

const vm = (machine: Machine) => takeSnapshot(machine).domains[1]!;
const total = (machine: Machine) =>
  vm(machine)
    .interrupts.rows.find((r) => r.irq === IRQ)!
    .counts.reduce((n, m) => n + m);
const state = (machine: Machine) => vm(machine).irqStates.find((s) => s.row?.irq === IRQ)!;
const fact = (machine: Machine, name: string) =>
  machine.platform.details(1, IRQ)!.state.find(([n]) => n === name)?.[1];
const pending = (machine: Machine) =>
  machine.shop.books.accounts().find((a) => a.source === 'vm1.disk' && a.destination === 'vm1 msi')?.pending;

test('its pending bit is a raise that waits, is in a copy too, and comes at unmask', () => {
  const machine = machineOf(', unlazy: true');
  const before = total(machine);
  expect(fact(machine, 'MSI-X')).toBe('entry masked, PBA 1: sent when unmasked');
  expect(fact(machine, 'IRQD_IRQ_MASKED')).toBe('as it was disabled, masked until enabled');
  expect(state(machine)).toMatchObject({ pending: true, masked: true });
  expect(pending(machine)).toBe(1);
  expect(machine.platform.pendingMismatch()).toEqual([]);

  const copy = machineOf(', unlazy: true');
  copy.restore(machine.save());
  for (const m of [machine, copy]) {
    m.do({ do: 'mask', domain: 'vm1', irq: IRQ, masked: false });
    m.runUntil(ms(300));
  }
  expect(JSON.stringify(takeSnapshot(copy))).toBe(JSON.stringify(takeSnapshot(machine)));
  expect(total(machine)).toBeGreaterThan(before + 20);
  expect(fact(machine, 'MSI-X')).toBe('entry not masked, PBA 0');
  expect(pending(machine)).toBe(0);
});

test('its way waits at the table, and goes on from there at unmask', () => {
  const machine = machineOf(', unlazy: true');
  const mask = (masked: boolean) => {
    machine.do({ do: 'mask', domain: 'vm1', irq: IRQ - 1, masked });
    machine.runUntil(machine.clock.now + ms(10));
  };
  const hops = () => lastFired(machine)!.hops.map((h) => h.name);
  mask(true);
  machine.do({ do: 'raise', domain: 'vm1', irq: IRQ - 1 });
  machine.runUntil(machine.clock.now + ms(10));
  expect(hops()).toEqual(['msix_notify']);
  expect(lastFired(machine)!.hops[0]!.text).toBe('msix_notify vm1 masked, PBA 1');
  mask(false);
  expect(hops().slice(0, 3)).toEqual(['msix_notify', 'kvm_set_msi', '__apic_accept_irq']);
  expect(lastFired(machine)!.latency).toBeGreaterThan(ms(10));
});

test('without pending bits the queue hangs, unless the kernel has taken the interrupt to replay it', () => {
  const after = (options: string) => {
    const machine = machineOf(options);
    expect(state(machine)).toMatchObject({ pending: !options.includes('unlazy'), masked: true });
    const before = total(machine);
    machine.do({ do: 'mask', domain: 'vm1', irq: IRQ, masked: false });
    machine.runUntil(ms(300));
    return total(machine) - before;
  };
  expect(after(', pba: false, unlazy: true')).toBe(0);
  expect(after(', pba: false')).toBeGreaterThan(20);
});
