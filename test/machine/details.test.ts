/** One interrupt in full: config, state and route agree with what the snapshot and the chips say. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  type DomainSnapshot,
  type IrqDetails,
  type Machine,
  takeSnapshot,
} from '../../engine/index.ts';
import { KVM, machineOf, XEN_4_17 } from '../support/quiet.ts';

let machine: Machine;
let domains: readonly DomainSnapshot[];

function boot(made: Machine): void {
  machine = made;
  machine.runUntil(1e9);
  domains = takeSnapshot(machine).domains;
}

/** Of the first row that has this handler. */
function of(domain: number, name: RegExp): IrqDetails {
  const row = domains[domain]!.interrupts.rows.find((r) => r.actions.some((a) => name.test(a)));
  expect(row, `a row ${name}`).toBeDefined();
  return machine.platform.details(domains[domain]!.id, row!.irq)!;
}

const fact = (facts: IrqDetails['config'], name: string) => facts.find(([n]) => n === name)?.[1];
const places = ({ route }: IrqDetails) => route.map(([place]) => place);

/** Every row of /proc/interrupts with a number has details that end at its handlers. */
function allRows(): void {
  for (const { id, name, interrupts, irqStates } of domains) {
    interrupts.rows.forEach(({ irq, actions }, i) => {
      const details = machine.platform.details(id, irq);
      expect(details, `${name} irq ${irq}`).toBeDefined();
      const [last, text] = details!.route.at(-1)!;
      expect(last).toBe('handler');
      expect(text).toContain(`irq ${irq}: `);
      expect(fact(details!.config, 'handlers')).toBe(actions.join(', ') || 'none requested');
      const { port } = irqStates[i]!;
      if (port !== null) expect(details!.route.map(([p]) => p)).toContain(`port ${port}`);
      for (const [n, value] of [...details!.config, ...details!.state, ...details!.route]) {
        expect(`${n} ${value}`).not.toMatch(/undefined|NaN|\[object/);
      }
    });
  }
  expect(machine.platform.details(0, 9999)).toBeUndefined();
  expect(machine.platform.details(99, 1)).toBeUndefined();
}

describe('on Xen x86', () => {
  beforeAll(() => boot(machineOf(XEN_4_17)));

  test('every row has them', allRows);

  test('a level line: pin, Xen’s irq, pirq, port, vCPU, upcall, handler', () => {
    const details = of(0, /uhci/);
    expect(places(details)).toEqual([
      'IOAPIC GSI 23',
      'CPU0',
      'Xen',
      expect.stringMatching(/^port \d+$/),
      'dom0.0',
      'upcall',
      'handler',
    ]);
    expect(fact(details.route, 'IOAPIC GSI 23')).toMatch(
      /^level, vector 0x[0-9a-f]{2} to logical destination 0x01$/,
    );
    expect(fact(details.config, 'trigger')).toBe('level');
    expect(fact(details.config, 'unmask')).toBe('not masked; stays pending until the handlers are through');
    expect(fact(details.config, 'bound to')).toMatch(/^dom0:23, ACKTYPE_EOI$/);
    expect(fact(details.state, 'status')).toContain('IRQ_GUEST');
  });

  test('an event channel of another domain: its other end, late EOI', () => {
    const details = of(0, /blkif|vif|xenbus|evtchn/);
    expect(fact(details.config, 'trigger')).toBe('event');
    const [, port] = details.config.find(([n]) => n.startsWith('port '))!;
    expect(port).toMatch(/^ECS_INTERDOMAIN, dom\d port \d+, notifies vCPU 0$/);
    expect(details.route[0]![1]).toMatch(/^EVTCHNOP_send on its port \d+$/);
    const late = domains[0]!.interrupts.rows.find((r) => r.chip === 'xen-dyn-lateeoi')!;
    const { config, state } = machine.platform.details(0, late.irq)!;
    expect(fact(config, 'unmask')).toBe('late EOI: masked until the driver calls xen_irq_lateeoi');
    expect(fact(state, 'late EOI')).toBe('not delayed');
  });

  test('the timer comes from Xen as a virq', () => {
    const details = of(1, /^timer0$/);
    expect(details.route[0]).toEqual(['Xen', 'virq 0: timer of the virtual CPU']);
    expect(places(details)).toContain('dom1.0');
  });
});

describe('on KVM', () => {
  beforeAll(() => boot(machineOf(KVM)));

  test('every row has them', allRows);

  test('a line of a guest: pin of its IOAPIC, its local APIC, the way in, the gate', () => {
    const details = of(1, /i8042/);
    expect(places(details)).toEqual([
      'IOAPIC pin 1',
      'local APIC of vm1.0',
      'vm1.0',
      'delivery',
      'gate',
      'handler',
    ]);
    const [, vector] = /vector (0x[0-9a-f]{2})/.exec(fact(details.route, 'IOAPIC pin 1')!)!;
    expect(fact(details.config, 'vector')).toBe(`${vector} on CPU 0`);
    expect(fact(details.route, 'gate')).toContain(vector);
  });

  test('a message of the host: function, vector, whether a guest must be left', () => {
    const details = of(0, /nvme/);
    expect(fact(details.config, 'MSI')).toMatch(/^0000:[0-9a-f]{2}:[0-9a-f]{2}\.\d, message \d+$/);
    expect(places(details)[0]).toBe('message');
    expect(fact(details.route, 'CPU0') ?? fact(details.route, 'CPU1')).toMatch(/root mode|VM exit/);
  });

  test('how long exits took agrees with the table of exits', () => {
    for (const { reason, counts, totalNs, p99Ns } of domains[1]!.exits!.rows) {
      const span = machine.platform.exitSpan!(1, reason);
      if (!span) continue;
      const total = counts.reduce((a, b) => a + b, 0);
      expect(Math.abs(span.mean * total - totalNs)).toBeLessThan(span.max + 1);
      expect(span.p99).toBe(p99Ns);
      expect(span.min).toBeLessThanOrEqual(span.mean);
      expect(span.mean).toBeLessThanOrEqual(span.max);
    }
    expect(machine.platform.exitSpan!(0, 12)).toBeUndefined();
  });
});

describe('on Xen on ARM', () => {
  beforeAll(() => boot(buildMachine(builtinScenario('xen-arm-v3')!, 42)));

  test('every row has them', allRows);

  test('an SPI: distributor, Xen, list register, handler', () => {
    const details = of(0, /^virtio/);
    expect(places(details)).toEqual(['distributor', 'Xen', 'list register', 'dom0.0', 'handler']);
    expect(fact(details.config, 'irq of Xen')).toMatch(/^\d+ routed to CPU\d$/);
  });

  test('a PPI is each CPU’s own, and no physical interrupt is behind it', () => {
    const details = of(0, /^arch_timer$/);
    expect(fact(details.config, 'INTID')).toBe('27 PPI, each CPU its own');
    expect(details.state.filter(([n]) => n.startsWith('virtual GIC of vCPU ')).length).toBe(
      domains[0]!.vcpus.length,
    );
    expect(details.route[0]![1]).toContain('no physical interrupt behind it');
  });
});
