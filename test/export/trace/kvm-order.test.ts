/** What KVM's tracepoints tell of one interrupt, and in which order: as in a trace of a real host (captures/xen-x86). */
import { expect, test } from 'vitest';
import { TRACE_FORMATS, TraceExporter, traceHost, writing } from '../../../engine/exchange.ts';
import { buildMachine, builtinScenario, type Command, type Machine } from '../../../engine/index.ts';
import { KVM, machineOf, POSTED } from '../../support/quiet.ts';

/** Lines of ftrace while a machine runs, from when a device is fired on: `kvm_set_irq: gsi 11 level 1 source 0`. */
function linesOf(machine: Machine, ms: number, device?: string, command?: Command): string[] {
  const pieces: Uint8Array[] = [];
  const ftrace = TRACE_FORMATS.find((format) => format.name === 'ftrace')!;
  const files = { append: (more: Uint8Array) => pieces.push(more.slice()) };
  const exporter = new TraceExporter(
    machine.shop.trace,
    machine.clock,
    writing(ftrace, traceHost(machine), files as never),
  );
  if (device) machine.fire(device);
  if (command) machine.do(command);
  machine.runUntil(machine.clock.now + ms * 1e6);
  exporter.end(machine.clock.now);
  const text = Buffer.concat(pieces).toString();
  return text
    .split('\n')
    .map((line) => /: (kvm_\w+: .*)$/.exec(line)?.[1] ?? '')
    .filter((line) => /^kvm_(\w+_set_irq|set_irq|apic\w+|inj_virq|eoi|ack_irq|vcpu_wakeup)/.test(line));
}

test('an edge: the vector is accepted before the chips tell of their pins, and nobody acknowledges', () => {
  const lines = linesOf(machineOf(KVM), 5, 'vm1.kbd');
  const at = lines.indexOf('kvm_set_irq: gsi 1 level 1 source 0');
  const vector = /vec (\d+)/.exec(lines[at + 2]!)![1];
  expect(lines.slice(at, at + 6)).toEqual([
    'kvm_set_irq: gsi 1 level 1 source 0',
    'kvm_pic_set_irq: chip 0 pin 1 (edge|masked)',
    `kvm_apic_accept_irq: apicid 0 vec ${vector} (Fixed|edge)`,
    `kvm_ioapic_set_irq: pin 1 dst 0 vec ${vector} (Fixed|physical|edge)`,
    expect.stringMatching(/^kvm_vcpu_wakeup: wait time \d+ ns, polling valid$/),
    `kvm_inj_virq: IRQ 0x${Number(vector).toString(16)}`,
  ]);
  expect(lines).toContain('kvm_set_irq: gsi 1 level 0 source 0');
  expect(lines.filter((line) => line.startsWith('kvm_ack_irq'))).toEqual([]);
});

test('a level: the trigger mode is told, and the EOI acknowledges the pin', () => {
  const lines = linesOf(machineOf(KVM), 20, 'vm1.nic');
  const accepted = lines.findIndex((line) => line.endsWith('(Fixed|level)'));
  const [, apic, vector] = /apicid (\w+) vec (\d+)/.exec(lines[accepted]!)!;
  expect(lines[accepted + 1]).toBe(
    `kvm_ioapic_set_irq: pin 11 dst ${apic} vec ${vector} (Fixed|physical|level)`,
  );
  const eoi = lines.indexOf(`kvm_eoi: apicid ${apic} vector ${vector}`);
  expect(eoi).toBeGreaterThan(accepted);
  expect(lines[eoi + 1]).toBe('kvm_ack_irq: irqchip IOAPIC pin 11');
});

test('an IPI as Linux commands it, without the bit to assert: then who accepts it', () => {
  const lines = linesOf(buildMachine(builtinScenario('kvm')!, 42), 60);
  const at = lines.findIndex((line) => line.startsWith('kvm_apic_ipi'));
  const [, to, vector] = /^kvm_apic_ipi: dst (\w+) vec (\d+) \(Fixed\|\w+\|de-assert\|edge\|dst\)$/.exec(
    lines[at]!,
  )!;
  expect(lines[at + 1]).toBe(`kvm_apic_accept_irq: apicid ${to} vec ${vector} (Fixed|edge)`);
});

test('a message that is posted: accepted, then by APICv; nothing is injected', () => {
  const lines = linesOf(machineOf(POSTED), 5, 'vm1.disk');
  const at = lines.findIndex((line) => line.startsWith('kvm_msi_set_irq'));
  const [, vector] = /vec (\d+)/.exec(lines[at]!)!;
  expect(lines.slice(at + 1, at + 3)).toEqual([
    `kvm_apic_accept_irq: apicid 0 vec ${vector} (Fixed|edge)`,
    `kvm_apicv_accept_irq: apicid 0 vec ${vector} (Fixed|edge)`,
  ]);
  expect(lines.filter((line) => line.startsWith('kvm_inj_virq'))).toEqual([]);
});

test('what inhibits APICv, and that nothing does any more', () => {
  const machine = machineOf(POSTED);
  const lines = [true, false].map((on) =>
    linesOf(machine, 100, undefined, { do: 'autoeoi', domain: 'vm1', vcpu: 0, on }),
  );
  expect(lines.flat().filter((line) => line.startsWith('kvm_apicv_inhibit_changed'))).toEqual([
    'kvm_apicv_inhibit_changed: set reason=1, inhibits=0x2',
    'kvm_apicv_inhibit_changed: cleared reason=1, inhibits=0x0',
  ]);
});
