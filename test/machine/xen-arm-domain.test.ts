/** What Xen hosts on ARM tell of their GICs: Xen as a domain of its own, and the virtual CPUs' list registers. */
import { describe, expect, test } from 'vitest';
import type { Part } from '../../engine/core/state.ts';
import type { Disk } from '../../engine/devices/disk.ts';
import { buildMachine, builtinScenario, type Machine, takeSnapshot } from '../../engine/index.ts';
import type { XenArmSnapshot } from '../../engine/machine/inspect.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const SECOND = 1e9;
const made = (name: string) => buildMachine(builtinScenario(name)!, 42);

function xenOf(machine: Machine): XenArmSnapshot {
  const { xen } = takeSnapshot(machine);
  if (!xen || !('irqs' in xen)) throw new Error('no Xen on ARM here');
  return xen;
}

const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);

describe.each(['xen-arm-v2', 'xen-arm-v3', 'xen-arm-lr-exhaustion'])('%s', (name) => {
  test('Xen has taken each physical interrupt of a domain as often as its kernel has, but for those under way', () => {
    const machine = made(name);
    machine.runUntil(2 * SECOND);
    const { domains } = takeSnapshot(machine);
    const shared = xenOf(machine).irqs.filter(({ owner }) => owner.startsWith('dom'));
    expect(shared.length).toBeGreaterThan(2);
    for (const { intid, owner, counts, what } of shared) {
      const [, id, virq, driver] = /^dom(\d+):(\d+) (.+)$/.exec(owner)!;
      const row = domains[Number(id)]!.interrupts.rows.find((r) => r.hwirq === Number(virq) && r.trigger)!;
      expect([row.actions.join(', '), what.endsWith('level')]).toEqual([driver, row.trigger === 'Level']);
      expect(sum(counts) - sum(row.counts), `irq ${intid}`).toBeGreaterThanOrEqual(0);
      expect(sum(counts) - sum(row.counts), `irq ${intid}`).toBeLessThanOrEqual(1);
    }
  });

  test('its own interrupts are there by who they are for, and only softirqs that there are on ARM', () => {
    const machine = made(name);
    machine.runUntil(SECOND);
    const { irqs, softirqs, gic } = xenOf(machine);
    const owner = (intid: number) => irqs.find((irq) => irq.intid === intid)?.owner;
    expect([0, 25, 26, 27, 33].map(owner)).toEqual([
      'Xen GIC_SGI_EVENT_CHECK',
      'Xen irq-maintenance',
      'Xen hyptimer',
      'Xen virtimer',
      'Xen uart-pl011',
    ]);
    expect(irqs.map((irq) => irq.intid)).toEqual(irqs.map((irq) => irq.intid).sort((a, b) => a - b));
    expect(softirqs.map((s) => s.name)).toEqual([
      'TIMER',
      'RCU',
      'SCHED_SLAVE',
      'SCHEDULE',
      'NEW_TLBFLUSH_CLOCK_PERIOD',
      'TASKLET',
    ]);
    expect(sum(irqs.find((irq) => irq.intid === 26)!.counts)).toBeGreaterThan(0);
    expect(gic.cpus.every((cpu) => cpu.split)).toBe(true);
  });

  test('a virtual CPU has its list registers on one CPU at most, which says the same', () => {
    const machine = made(name);
    let lived = 0;
    for (let n = 0; n < 3000; n++) {
      machine.step();
      if (n % 10 !== 0) continue;
      const { domains } = takeSnapshot(machine);
      const { cpus } = xenOf(machine).gic;
      for (const { name: dom, arm } of domains) {
        for (const { vcpu, live, lrMask, lrs, hcr } of arm!.vcpus) {
          const on = cpus.filter((cpu) => cpu.vcpu === `${dom}.${vcpu}`);
          expect(on.length).toBe(Number(live));
          if (!live) continue;
          lived++;
          expect([on[0]!.lrMask, on[0]!.hcr]).toEqual([lrMask, hcr]);
          // what is pending or active in a register is one that Xen counts
          for (const lr of lrs) if (lr.state !== 'invalid') expect(lr.used).toBe(true);
        }
      }
    }
    expect(lived).toBeGreaterThan(100);
  });

  test('looking changes nothing', () => {
    const [looked, never] = [made(name), made(name)];
    for (let n = 0; n < 500; n++) {
      looked.step();
      takeSnapshot(looked);
    }
    for (let n = 0; n < 500; n++) never.step();
    expect(looked.save()).toEqual(never.save());
  });
});

describe('two PCI devices on one line', () => {
  const SHARED = `
name: shared
title: two disks whose slots are four apart
gic: 3
cpus: 1
dom0:
  vcpus: 1
  devices:
    - {driver: virtio-blk, name: virtio1, slot: 1, as: a}
    - {driver: virtio-blk, name: virtio2, slot: 5, as: b}
workloads:
  - {what: device, device: a, pattern: {kind: poisson, rate: 20000}}
  - {what: device, device: b, pattern: {kind: poisson, rate: 20000}}
`;

  test('it falls when the last of them lets go: none that is not served is forgotten', () => {
    const machine = buildMachine(parseScenario(SHARED, 'shared.yaml'), 42);
    const { all } = machine.shop.parts as unknown as { all: ReadonlyMap<string, Part> };
    const disks = ['device.a', 'device.b'];
    let low = 0;
    let both = 0;
    while (machine.clock.now < 10e6) {
      machine.step();
      const waiting = disks.filter((id) => (all.get(id) as Disk).done(0) > 0);
      const line = (machine.platform.xen!() as XenArmSnapshot).gic.interrupts.find(
        (i) => i.intid === 36,
      )!.line;
      expect(line, `${waiting} at ${machine.clock.now}`).toBe(waiting.length > 0);
      if (!line) low++;
      if (waiting.length === 2) both++;
    }
    expect(Math.min(low, both)).toBeGreaterThan(20);
    const { rows } = takeSnapshot(machine).domains[0]!.interrupts;
    expect(rows.find((row) => row.hwirq === 36)!.actions).toEqual(['virtio1', 'virtio2']);
  });
});

test.each([2, 3])('GICv%i: domains with 2-level channels sleep and wake', (gic) => {
  const text = `
name: 2l
title: channels of the 2-level kind
gic: ${gic}
cpus: 4
dom0:
  vcpus: 4
  fifo: false
  devices:
    - {driver: virtio-blk, name: virtio2, slot: 1, as: disk}
    - {driver: virtio-net, name: virtio0, transport: 30, as: nic}
guests: [{type: xl, vcpus: 2, fifo: false}]
workloads: [{what: console, domain: 1, rate: 500}]
`;
  const machine = buildMachine(parseScenario(text, '2l.yaml'), 1);
  machine.runUntil(SECOND / 2);
  expect(machine.platform.pendingMismatch()).toEqual([]);
  const { cpus, domains } = takeSnapshot(machine);
  expect(
    sum(domains[0]!.interrupts.rows.find((r) => r.chip.startsWith('xen-dyn') && sum(r.counts) > 50)!.counts),
  ).toBeGreaterThan(50);
  for (const { idleNs } of cpus) expect(idleNs).toBeGreaterThan(SECOND / 4);
});
