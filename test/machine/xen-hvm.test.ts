/** HVM guests of a Xen host: the numbers a real one has, what leaves the guest, and what the device model costs. */
import { describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { capture } from '../support/captures.ts';
import { channelTable, domain, PC, shape, shapeOfCapture } from '../support/xen-tables.ts';

const asDomain1 = (lines: readonly string[]) => lines.map((line) => line.replace(' d=2 ', ' d=1 '));

describe('the pc machine of the captures', () => {
  const machine = buildMachine(parseScenario(PC, 'pc.yaml'), 1);
  machine.runUntil(2e9);
  const dump = machine.platform.dump('e')!;
  const real = capture('xen-x86/hvm-pc.debug-key-e.txt');

  test("the guest's rows are those of the real one", () => {
    expect(shape(domain(machine, 1).interrupts)).toBe(shapeOfCapture('domU-hvm-pc.interrupts.4.txt'));
  });

  test("dom0's rows are those of the real one, with the device model's channels", () => {
    const names = shapeOfCapture('dom0-pc-with-hvm-domU.interrupts.txt').replaceAll('vif2.0', 'vif1.0');
    expect(shape(domain(machine, 0).interrupts)).toBe(names);
  });

  test('every event channel of dom0 is as in the real one', () => {
    expect(channelTable(dump, 0)).toEqual(asDomain1(channelTable(real, 0)));
  });

  test('every event channel of the guest is as in the real one: Xen consumes three, four are emulated pirqs', () => {
    const notify = (lines: readonly string[]) => lines.map((line) => line.replace(/ n=\d/, ''));
    expect(notify(channelTable(dump, 1))).toEqual(notify(channelTable(real, 2)));
  });

  test('events come by a vector of the local APIC: one callback may serve several ports', () => {
    const { interrupts } = domain(machine, 1);
    const hyp = interrupts.arch.find((r) => r.label === 'HYP')!.counts;
    const events = interrupts.rows.filter((r) => r.chip.startsWith('xen-'));
    const sum = (cpu: number) => events.reduce((n, r) => n + r.counts[cpu]!, 0);
    for (const cpu of [0, 1]) {
      expect(hyp[cpu]).toBeGreaterThan(100);
      // setting the upcall's vector interrupts once
      expect(hyp[cpu]).toBeLessThanOrEqual(sum(cpu) + 1);
    }
  });
});

describe('xen-hvm', () => {
  const machine = buildMachine(builtinScenario('xen-hvm')!, 42);
  machine.runUntil(2e9);
  const exits = (id: number) => {
    const { rows } = domain(machine, id).exits!;
    return Object.fromEntries(rows.map((r) => [r.name, r.counts.reduce((a, b) => a + b)]));
  };
  const total = (m: Machine, id: number, action: string) =>
    domain(m, id)
      .interrupts.rows.filter((r) => r.actions[0] === action)
      .flatMap((r) => r.counts)
      .reduce((a, b) => a + b, 0);

  test('a PVHVM guest leaves by hypercalls, EOIs and HLT, and not for its local APIC timer', () => {
    const { VMCALL, MSR_WRITE, HLT, EXTERNAL_INTERRUPT, APIC_ACCESS, IO_INSTRUCTION } = exits(1);
    expect(VMCALL).toBeGreaterThan(1000);
    expect(MSR_WRITE).toBeGreaterThan(1000);
    expect(HLT).toBeGreaterThan(100);
    expect(EXTERNAL_INTERRUPT).toBeGreaterThan(50);
    expect([APIC_ACCESS, IO_INSTRUCTION]).toEqual([undefined, undefined]);
  });

  test('each callback is ended at the local APIC: a WRMSR for each', () => {
    const hyp = domain(machine, 1).interrupts.arch.find((r) => r.label === 'HYP')!.counts;
    expect(exits(1).MSR_WRITE).toBe(hyp[0]! + hyp[1]!);
  });

  test('a key of the guest comes by the network, QEMU, hvm_isa_irq_assert and an event channel', () => {
    const fired = buildMachine(builtinScenario('xen-hvm')!, 42);
    fired.runUntil(5e8);
    const before = total(fired, 1, 'i8042');
    const qemu = total(fired, 0, 'evtchn:xen-qemu-system');
    fired.fire('dom1.kbd');
    fired.runUntil(5.2e8);
    expect(total(fired, 1, 'i8042')).toBe(before + 1);
    // the driver reads the status and the character at ports of the device model
    const io = domain(fired, 1).exits!.rows.find((r) => r.name === 'IO_INSTRUCTION')!;
    expect(io.counts.reduce((a, b) => a + b)).toBeGreaterThan(0);
    expect(total(fired, 0, 'evtchn:xen-qemu-system')).toBeGreaterThan(qemu);
    const hops = takeSnapshot(fired).lastFired!.hops.map((h) => h.name);
    const wanted = [
      'raise',
      'do_IRQ',
      'send_guest_pirq',
      'test_all_events',
      'hvm_isa_irq_assert',
      'send_guest_pirq',
      'hvm_assert_evtchn_irq',
      'vlapic_set_irq',
      'vlapic_ack_pending_irq',
      'vmx_inject_extint',
      'vlapic_EOI_set',
      'hvm_isa_irq_deassert',
    ];
    expect(hops.filter((name) => wanted.includes(name))).toEqual(wanted);
  });

  test("an unmodified kernel's IDE and network card are the device model's, its interrupts the virtual IOAPIC's", () => {
    expect(total(machine, 2, 'ata_piix')).toBeGreaterThan(10);
    expect(total(machine, 2, 'eth0')).toBeGreaterThan(10);
    const { APIC_ACCESS, IO_INSTRUCTION, EPT_VIOLATION } = exits(2);
    expect(APIC_ACCESS).toBeGreaterThan(100);
    expect(IO_INSTRUCTION).toBeGreaterThan(100);
    expect(EPT_VIOLATION).toBeGreaterThan(100);
  });
});
