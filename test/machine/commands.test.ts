/** What people do to interrupts beside firing devices: raising rows, masks, affinities, storms, IPIs and NMIs. */
import { describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  type Command,
  type DomainSnapshot,
  type Machine,
  takeSnapshot,
} from '../../engine/index.ts';

const MS = 1_000_000;

function machineOf(name: string): Machine {
  const machine = buildMachine(builtinScenario(name)!, 5);
  machine.runUntil(200 * MS);
  return machine;
}

function run(machine: Machine, ms: number): void {
  machine.runUntil(machine.clock.now + ms * MS);
}

function domainOf(machine: Machine, name: string): DomainSnapshot {
  return takeSnapshot(machine).domains.find((d) => d.name === name)!;
}

/** Number of the first row with this action. */
function irqOf(machine: Machine, domain: string, action: RegExp): number {
  const { rows } = domainOf(machine, domain).interrupts;
  return rows.find((row) => row.actions.some((a) => action.test(a)))!.irq;
}

function rowOf(machine: Machine, domain: string, irq: number) {
  const { irqStates } = domainOf(machine, domain);
  const state = irqStates.find(({ row }) => row.irq === irq)!;
  return { ...state, total: state.row.counts.reduce((a, b) => a + b, 0), counts: state.row.counts };
}

function archOf(machine: Machine, domain: string, label: string): readonly number[] {
  return domainOf(machine, domain).interrupts.arch.find((row) => row.label === label)!.counts;
}

function done(machine: Machine, command: Command): number | undefined {
  const outcome = machine.do(command);
  expect(outcome.refused).toBeUndefined();
  return outcome.journey;
}

/** Rows that are quiet unless somebody raises them: a device's, an event channel's, an emulated one's, a message. */
const QUIET_ROWS = [
  ['xen-pv', 'dom0', /^i8042$/],
  ['xen-pv', 'dom0', /^xen-pcpu$/],
  ['xen-pv-2.6.18', 'dom0', /^i8042$/],
  ['xen-hvm', 'dom1', /^i8042$/],
  ['xen-hvm-3.4', 'dom1', /^i8042$/],
  ['xen-arm-v2', 'dom0', /^rtc-pl031$/],
  ['xen-arm-v3', 'dom0', /^hvc_console$/],
  ['kvm', 'host', /^i8042$/],
  ['kvm', 'vm1', /^rtc0|^i8042$/],
] as const;

describe.each(QUIET_ROWS)('%s, %s, %s', (scenario, domain, action) => {
  test('raised, it is handled once; disabled, it stays pending until it is enabled', () => {
    const machine = machineOf(scenario);
    const irq = irqOf(machine, domain, action);
    const before = rowOf(machine, domain, irq).total;
    const journey = done(machine, { do: 'raise', domain, irq });
    expect(machine.lastFired).toMatchObject({ device: `${domain} irq ${irq}`, journey });
    run(machine, 10);
    const handled = rowOf(machine, domain, irq).total - before;
    expect(handled).toBeGreaterThanOrEqual(1);
    expect(takeSnapshot(machine).lastFired!.latency).toBeGreaterThan(0);

    done(machine, { do: 'mask', domain, irq, masked: true });
    run(machine, 60);
    expect(rowOf(machine, domain, irq)).toMatchObject({ masked: true, total: before + handled });
    done(machine, { do: 'raise', domain, irq });
    run(machine, 10);
    expect(rowOf(machine, domain, irq)).toMatchObject({
      masked: true,
      pending: true,
      total: before + handled,
    });
    expect(machine.platform.pendingMismatch()).toEqual([]);
    done(machine, { do: 'mask', domain, irq, masked: false });
    run(machine, 60);
    const after = rowOf(machine, domain, irq);
    expect(after).toMatchObject({ masked: false, pending: false });
    expect(after.total).toBeGreaterThan(before + handled);
  });
});

test('what has come to the local APIC of an HVM guest is pending until its handler runs', () => {
  const machine = machineOf('xen-hvm-3.4');
  const irq = irqOf(machine, 'dom1', /^i8042$/);
  expect(rowOf(machine, 'dom1', irq).pending).toBe(false);
  done(machine, { do: 'raise', domain: 'dom1', irq });
  expect(rowOf(machine, 'dom1', irq).pending).toBe(true);
  run(machine, 10);
  expect(rowOf(machine, 'dom1', irq).pending).toBe(false);
});

test('who is named wrongly is refused in words, and nothing happens', () => {
  const machine = machineOf('xen-pv');
  const before = JSON.stringify(machine.save());
  const refused = (command: Command) => machine.do(command).refused;
  expect(refused({ do: 'raise', domain: 'dom9', irq: 1 })).toBe('there is no domain dom9');
  expect(refused({ do: 'raise', domain: 'dom0', irq: 999 })).toBe('dom0 has no irq 999');
  expect(refused({ do: 'raise', domain: 'dom0', irq: 'RES' })).toContain('RES counts what a CPU does');
  expect(refused({ do: 'mask', domain: 'Xen', irq: 0x59, masked: true })).toContain('Xen has no processes');
  const timer = irqOf(machine, 'dom0', /^timer0$/);
  expect(refused({ do: 'affinity', domain: 'dom0', irq: timer, cpus: [1] })).toBe(
    `dom0 irq ${timer}: xen-percpu stays on its CPU (-EIO)`,
  );
  const disk = irqOf(machine, 'dom0', /nvme|ahci/);
  expect(refused({ do: 'affinity', domain: 'dom0', irq: disk, cpus: [99] })).toMatch(/dom0 has no CPU 99/);
  expect(refused({ do: 'ipi', domain: 'dom1', from: 0, to: 99 })).toMatch(/dom1 has no CPU 99/);
  expect(refused({ do: 'storm', device: 'kbd', on: true, rate: -1 })).toMatch(/more than 0/);
  expect(refused({ do: 'mask', domain: 'dom0', irq: disk, masked: false })).toContain('is not disabled');
  expect(JSON.stringify(machine.save())).toBe(before);
});

test.each([
  ['xen-pv', 'dom0', /^i8042$/],
  ['xen-arm-v2', 'dom0', /^rtc-pl031$/],
  ['kvm', 'vm1', /^i8042$/],
] as const)('%s: %s %s goes to the CPU that root allows', (scenario, domain, action) => {
  const machine = machineOf(scenario);
  const irq = irqOf(machine, domain, action);
  done(machine, { do: 'affinity', domain, irq, cpus: [1] });
  run(machine, 60);
  expect(rowOf(machine, domain, irq).affinity).toEqual([1]);
  // on x86 it moves as it next comes (IRQ_MOVE_PENDING)
  for (let n = 0; n < 3; n++) {
    done(machine, { do: 'raise', domain, irq });
    run(machine, 10);
  }
  const before = rowOf(machine, domain, irq).counts;
  done(machine, { do: 'raise', domain, irq });
  run(machine, 10);
  const { counts } = rowOf(machine, domain, irq);
  expect(counts[1]! - before[1]!).toBe(1);
  expect(counts[0]).toBe(before[0]);
});

describe('priority', () => {
  test('the channel goes to another queue from its next event on, as the hypercall says', () => {
    const machine = machineOf('xen-pv');
    const channel = () => {
      const { irqStates, channels } = domainOf(machine, 'dom1');
      const { port } = irqStates.find(({ row }) => row.irq === irq)!;
      return channels.find((c) => c.port === port)!;
    };
    const irq = irqOf(machine, 'dom1', /^blkif$/);
    expect(channel().priority).toBe(7);
    done(machine, { do: 'priority', domain: 'dom1', irq, priority: 2 });
    run(machine, 20);
    expect(channel().priority).toBe(2);
  });

  test('where there is no such thing it is refused in words', () => {
    const refused = (name: string, command: Command) => machineOf(name).do(command).refused;
    const priority = (domain: string, irq: number, n: number) =>
      ({ do: 'priority', domain, irq, priority: n }) as const;
    expect(refused('kvm', priority('vm1', 1, 0))).toMatch(/^event channels are Xen's: this is KVM/);
    expect(refused('xen-pv-2.6.18', priority('dom1', 261, 0))).toMatch(/two levels.*-ENOSYS/);
    expect(refused('xen-pv', priority('dom1', 0, 16))).toBe(
      'a priority is 0, the most urgent, to 15: not 16',
    );
  });
});

test('a storm fires until it is switched off, in a copy as well', () => {
  const machine = machineOf('kvm');
  const irq = irqOf(machine, 'host', /^i8042$/);
  const total = () => rowOf(machine, 'host', irq).total;
  const before = total();
  done(machine, { do: 'storm', device: 'kbd', on: true, rate: 2_000 });
  run(machine, 50);
  expect(total() - before).toBeGreaterThanOrEqual(99);
  expect(total() - before).toBeLessThanOrEqual(101);
  expect(machine.devices().find((d) => d.name === 'kbd')).toMatchObject({ storm: 2_000, fired: 0 });

  const copy = buildMachine(builtinScenario('kvm')!, 5);
  copy.restore(machine.save());
  run(copy, 5);
  run(machine, 5);
  expect(JSON.stringify(takeSnapshot(copy))).toBe(JSON.stringify(takeSnapshot(machine)));

  done(machine, { do: 'storm', device: 'kbd', on: false });
  run(machine, 5);
  const after = total();
  run(machine, 50);
  expect(total()).toBe(after);
});

test.each([
  ['xen-pv', 'dom0'],
  ['xen-arm-v3', 'dom0'],
  ['kvm', 'vm1'],
] as const)('%s: a reschedule IPI of %s counts on the CPU that it is for', (scenario, domain) => {
  const machine = machineOf(scenario);
  const label = scenario.startsWith('xen-arm') ? 'IPI0' : 'RES';
  let [before, more] = [archOf(machine, domain, label)[1]!, 0];
  for (let n = 0; n < 20; n++) {
    done(machine, { do: 'ipi', domain, from: 0, to: 1 });
    run(machine, 6);
    const after = archOf(machine, domain, label)[1]!;
    if (after > before) more++;
    before = after;
  }
  expect(more).toBe(20);
});

test('two keys may fire one device', () => {
  const kvm = builtinScenario('kvm')!;
  const keys = [...kvm.keys, { device: kvm.keys[0]!.device }];
  const machine = buildMachine({ ...kvm, keys }, 5);
  machine.fire(kvm.keys[0]!.device);
  expect(machine.devices().map(({ fired }) => fired)).toEqual([1, ...kvm.keys.slice(1).map(() => 0), 1]);
});

test('an NMI counts where it is sent; ARM refuses', () => {
  for (const [scenario, domain] of [
    ['xen-pv', 'dom1'],
    ['xen-hvm', 'dom1'],
    ['kvm', 'vm1'],
    ['kvm', 'host'],
  ] as const) {
    const machine = machineOf(scenario);
    const before = archOf(machine, domain, 'NMI')[0]!;
    done(machine, { do: 'nmi', domain, vcpu: 0 });
    run(machine, 5);
    expect(archOf(machine, domain, 'NMI')[0], `${scenario} ${domain}`).toBe(before + 1);
  }
  expect(machineOf('kvm').do({ do: 'nmi', domain: 'vm1', vcpu: 1 }).refused).toContain(
    'LINT1 of vm1.1 is masked',
  );
  expect(machineOf('xen-arm-v2').do({ do: 'nmi', domain: 'dom0', vcpu: 0 }).refused).toContain('no NMI');
});

test.each([
  ['kvm', 'vm1.kbd', 'console'],
  ['xen-mixed', 'dom3.kbd', 'console'],
] as const)('%s: what a storm of %s loses at the network card is not waited for', (name, device, part) => {
  const machine = machineOf(name);
  done(machine, { do: 'storm', device, on: true, rate: 2_000_000 });
  run(machine, 3);
  done(machine, { do: 'storm', device, on: false });
  run(machine, 400);
  // what QEMU is still to be told of: nothing
  const waiting = machine.save().parts[part] as unknown[][];
  expect(waiting.flat()).toEqual([]);
});

describe('workloads', () => {
  const rate = (machine: Machine, source: string) =>
    takeSnapshot(machine).sources.find((s) => s.name === source)!.rate;

  test('go on at the rate that they are told', () => {
    const machine = machineOf('kvm');
    const source = takeSnapshot(machine).sources.find((s) => s.what.startsWith('packets for'))!;
    const received = () => {
      const irq = irqOf(machine, 'host', /-rx-0$/);
      const before = rowOf(machine, 'host', irq).total;
      run(machine, 300);
      return rowOf(machine, 'host', irq).total - before;
    };
    done(machine, { do: 'rate', source: source.name, perSecond: 0 });
    expect(received()).toBeLessThan(20);
    done(machine, { do: 'rate', source: source.name, perSecond: 100 });
    done(machine, { do: 'rate', source: source.name, factor: 2 });
    expect(rate(machine, source.name)).toBe(200);
    expect(received()).toBeGreaterThan(25);
    const copy = buildMachine(builtinScenario('kvm')!, 5);
    copy.restore(machine.save());
    expect(rate(copy, source.name)).toBe(200);
    expect(machine.do({ do: 'rate', source: source.name, perSecond: -1 }).refused).toContain('0 to 10000000');
    expect(machine.do({ do: 'rate', source: 'nothing', factor: 2 }).refused).toContain('no workload nothing');
  });

  test('a device that storms does so at another rate', () => {
    const machine = machineOf('kvm');
    done(machine, { do: 'storm', device: 'kbd', on: true, rate: 1_000 });
    done(machine, { do: 'rate', source: 'kbd', factor: 4 });
    expect(machine.devices().find((d) => d.name === 'kbd')!.storm).toBe(4_000);
  });
});

test.each(['xen-mixed', 'xen-arm-v2', 'kvm-posted'])(
  '%s: each device ends in rows that there are',
  (name) => {
    const machine = machineOf(name);
    const { devices, domains, xen } = takeSnapshot(machine);
    for (const device of devices) {
      for (const { domain, irq } of device.ends) {
        const rows =
          xen && domain === xen.id
            ? 'vectors' in xen
              ? xen.vectors.map((v) => v.vector)
              : xen.irqs.map((i) => i.intid)
            : domains.find((d) => d.id === domain)!.interrupts.rows.map((r) => r.irq);
        expect(rows, device.name).toContain(irq);
      }
      machine.fire(device.name);
      run(machine, 5);
      const names = takeSnapshot(machine).books.map((a) => a.source);
      if (device.ends.length > 0)
        expect(names, device.name).toEqual(expect.arrayContaining([device.sources[0]]));
    }
  },
);
