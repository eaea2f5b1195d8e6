/** What a passed-through device is bound to in its guest, which processor its messages are aimed at, and whose EOI ends it. */
import { describe, expect, test } from 'vitest';
import { EBUSY } from '../../../../engine/abi/xen.ts';
import type { GuestMsi } from '../../../../engine/hv/xen/x86/dpci.ts';
import { pciLink } from '../../../../engine/hv/xen/x86/hvm-wires.ts';
import type { Xen } from '../../../../engine/hv/xen/x86/xen.ts';
import type { Machine } from '../../../../engine/index.ts';
import { amiss, HOSTS, handled, passedMachine, told } from '../../../support/passed.ts';

const [, NATIVE, OLD] = HOSTS as readonly [(typeof HOSTS)[0], (typeof HOSTS)[0], (typeof HOSTS)[0]];
const MS = 1e6;
const GUEST = 1;

const xenOf = (machine: Machine) => (machine.platform as unknown as { host: { xen: Xen } }).host.xen;
const dpciOf = (machine: Machine) => xenOf(machine).hvm[GUEST]!.dpci;
const message = (vector: number, destination: number): GuestMsi => ({
  vector,
  destination,
  logical: false,
  mode: 0,
  level: false,
});
/** The interrupts that are messages of the guest, in the order they were bound. */
const messages = (machine: Machine) =>
  xenOf(machine).irqs.descs.flatMap((d) =>
    d?.type.startsWith('PCI-MSI') && d.action?.guests[0]?.domain === GUEST ? [d] : [],
  );
const pirqOf = (machine: Machine, n: number) => messages(machine)[n]!.pirqs[0]!.pirq;

describe('pirqs', () => {
  test('of a message is the highest that is free, of a line the lowest behind those of ISA', () => {
    const machine = passedMachine(NATIVE);
    const { irqs } = xenOf(machine);
    const [first, second] = [pirqOf(machine, 0), pirqOf(machine, 1)];
    expect(second).toBe(first - 1);
    expect(irqs.descs[23]!.pirqs.find((p) => p.domain === GUEST)!.pirq).toBe(16);
    // a second function on the line gets the same
    expect(dpciOf(machine).mapGsi(23)).toBe(16);
  });

  test('of a line cannot be bound as a message', () => {
    expect(dpciOf(passedMachine(NATIVE)).bindMsi(16, message(0x60, 0))).toBe(-EBUSY);
  });

  test('a GSI that the guest asks for has that of the device behind it', () => {
    const machine = passedMachine(NATIVE);
    const dpci = dpciOf(machine);
    const gsis = Array.from({ length: 48 }, (_, gsi) => gsi);
    expect(gsis.flatMap((gsi) => (dpci.pirqOfGsi(gsi) === 16 ? [gsi] : []))).toEqual([32]);
    expect(xenOf(machine).hvm[GUEST]!.mapPirq(32)).toBe(16);
  });
});

describe('messages', () => {
  test('bound anew come by the new vector', () => {
    const machine = passedMachine(NATIVE);
    const { chips } = xenOf(machine).hvm[GUEST]!;
    const wanted: number[] = [];
    const { sendMessage } = chips;
    chips.sendMessage = (...args) => {
      wanted.push(args[0]);
      return sendMessage.apply(chips, args);
    };
    dpciOf(machine).bindMsi(pirqOf(machine, 0), message(0x77, 0));
    machine.fire('dom1.vf');
    machine.runUntil(machine.clock.now + MS);
    expect(wanted).toEqual([0x77]);
    // the guest has no gate for it
    expect(handled(machine, GUEST, 'vf-0')).toBe(0);
    expect(amiss(machine)).toEqual([]);
  });

  test('nobody is meant: lost, and told of as that', () => {
    for (const host of [NATIVE, OLD]) {
      const machine = passedMachine(host);
      dpciOf(machine).bindMsi(pirqOf(machine, 0), message(0x77, 0x55));
      machine.fire('dom1.vf');
      machine.runUntil(machine.clock.now + MS);
      expect(told(machine, 'dom1.vf')).toBe('nobody meant 1');
    }
  });

  test('4.17 aims them at the processor of their virtual CPU, and again when that has moved', () => {
    const machine = passedMachine(NATIVE);
    const xen = xenOf(machine);
    const { vcpus } = xen.hvm[GUEST]!;
    expect(messages(machine).map((d) => d.cpu)).toEqual([1, 1]);
    for (const v of vcpus) v.cpu = xen.cpus[0]!;
    // that of the other one is left for its own move
    dpciOf(machine).migrate(1);
    // aimed with the next interrupt that comes (IRQ_MOVE_PENDING)
    expect(messages(machine).map((d) => (d.moveTo >= 0 ? d.moveTo : d.cpu))).toEqual([1, 0]);
  });

  test('3.4 leaves them where they were bound', () => {
    const machine = passedMachine(OLD);
    const xen = xenOf(machine);
    const before = messages(machine).map((d) => d.cpu);
    xen.hvm[GUEST]!.vcpus[1]!.cpu = xen.cpus[0]!;
    dpciOf(machine).migrate(1);
    expect(messages(machine).map((d) => [d.cpu, d.moveTo])).toEqual(before.map((cpu) => [cpu, -1]));
  });
});

describe('the assist of 3.4', () => {
  test("is virtual CPU 0's alone", () => {
    const machine = passedMachine(OLD);
    const dpci = dpciOf(machine);
    const waits = () => dpci.waiting().some((e) => e.masked);
    // taken on CPU 0, which kicks the guest's
    machine.fire('dom1.hba');
    for (let i = 0; i < 100 && !waits(); i++) machine.step();
    expect(waits()).toBe(true);
    dpci.assistOn(1);
    expect(waits()).toBe(true);
    dpci.assistOn(0);
    expect(waits()).toBe(false);
  });
});

describe('the softirq of 4.17', () => {
  test('what waits for it already, on whatever CPU, is not put there twice', () => {
    const machine = passedMachine(NATIVE);
    const xen = xenOf(machine);
    const pirq = pirqOf(machine, 0);
    const lists = () => xen.dpci.save() as [number, number][][];
    xen.dpci.raiseFor(xen.cpus[1]!, GUEST, pirq);
    xen.dpci.raiseFor(xen.cpus[0]!, GUEST, pirq);
    expect(lists()).toEqual([[], [[GUEST, pirq]]]);
    // there was nothing to do after all
    machine.runUntil(machine.clock.now + MS);
    expect(lists()).toEqual([[], []]);
    expect(handled(machine, GUEST, 'vf-0')).toBe(0);
  });
});

describe('EOI', () => {
  test.each([NATIVE, OLD])('%s: by the 8259s, where the link of its pin leads to them', (...host) => {
    const machine = passedMachine(host, { shared: false, stuck: true });
    const xen = xenOf(machine);
    const { irq, dpci } = xen.hvm[GUEST]!;
    const ISA_IRQ = 11;
    irq.setPciLinkRoute(pciLink(4, 0), ISA_IRQ);
    const { action } = xen.irqs.descs[23]!;
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 50_000);
    expect([action!.inFlight, irq.gsiCount[32], irq.gsiCount[ISA_IRQ]]).toEqual([1, 1, 1]);
    // of another link's
    dpci.eoi(ISA_IRQ - 1);
    expect(action!.inFlight).toBe(1);
    dpci.eoi(ISA_IRQ);
    expect([action!.inFlight, irq.gsiCount[32], irq.gsiCount[ISA_IRQ]]).toEqual([0, 0, 0]);
  });

  test('of a pin with another device does nothing', () => {
    const machine = passedMachine(NATIVE, { shared: false, stuck: true });
    const { action } = xenOf(machine).irqs.descs[23]!;
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 50_000);
    dpciOf(machine).eoi(31);
    expect(action!.inFlight).toBe(1);
    dpciOf(machine).eoi(32);
    expect(action!.inFlight).toBe(0);
  });

  test('two pins on one machine line: both are to be ended', () => {
    const machine = passedMachine(NATIVE, { shared: false, stuck: true });
    const xen = xenOf(machine);
    const { dpci, irq } = xen.hvm[GUEST]!;
    expect(dpci.bindPci(16, { device: 9, intx: 2 })).toBe(0);
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 50_000);
    const gsi = Array.from({ length: 48 }, (_, n) => n).find((n) => n !== 32 && irq.gsiCount[n]! > 0)!;
    const copy = passedMachine(NATIVE, { shared: false, stuck: true }, 0);
    copy.restore(machine.save());
    for (const m of [machine, copy]) {
      const inFlight = () => xenOf(m).irqs.descs[23]!.action!.inFlight;
      dpciOf(m).eoi(32);
      expect(inFlight()).toBe(1);
      dpciOf(m).eoi(gsi);
      expect(inFlight()).toBe(0);
    }
  });

  test('two messages of one vector: 4.17 looks who is meant, 3.4 knows the one bound last', () => {
    const ended = (host: typeof NATIVE, vcpu: number) => {
      const machine = passedMachine(host);
      const pirqs = [pirqOf(machine, 0), pirqOf(machine, 1)];
      const [APIC_OF_0, APIC_OF_1] = [0, 2];
      dpciOf(machine).bindMsi(pirqs[1]!, message(0x77, APIC_OF_1));
      dpciOf(machine).bindMsi(pirqs[0]!, message(0x77, APIC_OF_0));
      const copy = passedMachine(host, {}, 0);
      copy.restore(machine.save());
      return [machine, copy].map((m) => {
        const { trace } = m.shop;
        const before = trace.written;
        dpciOf(m).msiEoi(vcpu, 0x77);
        const told = [...trace.records(before + 1)].filter((r) => r.point.name === 'hvm_dpci_msi_eoi');
        return told.map((r) => pirqs.indexOf(r.args[1]!));
      });
    };
    expect([ended(NATIVE, 0), ended(NATIVE, 1)]).toEqual([
      [[0], [0]],
      [[1], [1]],
    ]);
    expect([ended(OLD, 0), ended(OLD, 1)]).toEqual([
      [[0], [0]],
      [[0], [0]],
    ]);
  });

  test('3.4: what a time-out has ended is not counted any more', () => {
    const machine = passedMachine(OLD, { shared: false, stuck: true });
    const { action } = xenOf(machine).irqs.descs[23]!;
    machine.fire('dom1.hba');
    // given up twice, and asserted a third time
    machine.runUntil(machine.clock.now + 17 * MS);
    expect(action!.inFlight).toBe(1);
    dpciOf(machine).eoi(32);
    expect(action!.inFlight).toBe(0);
  });

  test('of a line still high is a raise of its own: what is under way is not it', () => {
    const more = 'command-line: {ioapic_ack: old}\n';
    const machine = passedMachine(NATIVE, { shared: false, stuck: true, more });
    const { books, irqs } = xenOf(machine);
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 50_000);
    books.begin(books.sourceOf('somebody'));
    const { source, journey } = books;
    const before = machine.shop.trace.written;
    dpciOf(machine).eoi(32);
    expect(irqs.descs[23]!.action!.ackType).toBe('UNMASK');
    expect([...machine.shop.trace.records(before + 1)].map((r) => r.point.name)).toContain('irq_raise');
    expect([books.source, books.journey]).toEqual([source, journey]);
  });
});
