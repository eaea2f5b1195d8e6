/** Real traces of KVM, as text and as trace.dat of both versions: what is read of them is what their readers print. */
import { describe, expect, test } from 'vitest';
import type { TraceCapture } from '../../engine/import/capture.ts';
import { classOfName } from '../../engine/import/exits.ts';
import { ftraceCapture } from '../../engine/import/ftrace-text.ts';
import { KVM_EVENT } from '../../engine/import/kvm-events.ts';
import { capture } from '../support/captures.ts';
import { captureBytes, traceOf } from '../support/imports.ts';

/** How often a pattern is in a text. */
function times(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

describe('the text of a guest with two virtual CPUs', () => {
  const text = capture('xen-x86/kvm-text-trace.txt');
  const trace = traceOf('xen-x86/kvm-text-trace.txt.gz');
  const guest = trace.guests[0]!;
  const source = (name: string) => guest.sources.find((s) => s.name === name)!;

  test('is one machine on SVM', () => {
    expect(trace).toMatchObject({
      format: 'ftrace text',
      system: 'kvm',
      isa: 'SVM',
      cpus: 4,
      records: 10_414,
    });
    expect(trace.guests.map((g) => [g.name, g.vcpus, g.x2apic])).toEqual([['kvmmini-4242', 2, false]]);
    expect(trace.length).toBe(1_995_168_000);
  });

  test.each([
    ['HLT', 'hlt'],
    ['external interrupt', 'interrupt'],
    ['interrupt window', 'vintr'],
    ['port I/O', 'io'],
    ['memory', 'npf'],
  ] as const)('%s: each exit for reason %s', (of, reason) => {
    expect(guest.exits.total(of)).toBe(times(text, new RegExp(`kvm_exit: .* reason ${reason} `, 'g')));
  });

  test('each vector is injected as often as the text says', () => {
    for (const vector of [0x30, 0x34, 0x3a, 0x40, 0x45, 0x50]) {
      const counted = times(text, new RegExp(`kvm_inj_virq: IRQ 0x${vector.toString(16)}( |$)`, 'gm'));
      expect(counted, `0x${vector.toString(16)}`).toBeGreaterThan(5);
      expect(guest.injections.total(vector)).toBe(counted);
    }
  });

  test('lines rise and fall as they did, and lead where the IOAPIC says', () => {
    expect(source('gsi-0')).toMatchObject({
      kind: 'line',
      raises: 191,
      vcpu: 1,
      level: false,
      vectors: [0x30],
    });
    expect(source('gsi-10')).toMatchObject({ raises: 11, vcpu: 0, level: true, vectors: [0x3a] });
    expect(source('gsi-4').levels.slice(0, 4)).toEqual([true, false, true, false]);
    expect(source('gsi-4').times.length).toBe(times(text, /kvm_set_irq: gsi 4 /g));
  });

  test('messages go to the virtual CPUs that they went to', () => {
    expect(source('msi-0x45.0').raises).toBe(times(text, /kvm_msi_set_irq: dst 0 vec 69 /g));
    expect(source('msi-0x45.1').raises).toBe(times(text, /kvm_msi_set_irq: dst 1 vec 69 /g));
  });

  test('what has neither a line, a message nor an IPI before it is the timer of the local APIC', () => {
    expect(source('ipi.0-1')).toMatchObject({ raises: 31, vectors: [0x50] });
    expect(source('timer.0').vectors).toEqual([0x40]);
    const accepted = times(text, /kvm_apic_accept_irq: apicid 0 vec 64 /g);
    expect(source('timer.0').raises).toBeGreaterThanOrEqual(accepted - 2);
    expect(source('timer.0').raises).toBeLessThanOrEqual(accepted);
  });

  test('a handler takes from the injection to the EOI', () => {
    expect(source('gsi-0').handler).toBeGreaterThan(50_000);
    expect(source('gsi-0').handler).toBeLessThan(500_000);
  });
});

describe('trace.dat', () => {
  const report = captureBytes('traces/trace-cmd-report.txt.gz').toString();
  const files = ['v6.trace.dat.gz', 'v7.trace.dat.gz', 'v7-zstd.trace.dat'];

  test.each(files)('%s: as many exits and injections as trace-cmd report prints', (name) => {
    const trace = traceOf(`traces/${name}`);
    const guest = trace.guests[0]!;
    expect(trace).toMatchObject({ format: 'trace.dat', system: 'kvm', isa: 'VMX', cpus: 2 });
    expect(trace.records).toBe(report.trimEnd().split('\n').length - 1);
    for (const [of, reason] of [
      ['HLT', 'HLT'],
      ['external interrupt', 'EXTERNAL_INTERRUPT'],
      ['virtual APIC', 'APIC_WRITE'],
    ] as const) {
      const counted = times(report, new RegExp(`kvm_exit: +reason ${reason} `, 'g'));
      expect(counted).toBeGreaterThan(0);
      expect(guest.exits.total(of), reason).toBe(counted);
    }
    expect(guest.injections.total(65)).toBe(times(report, /kvm_inj_virq: +irq 65$/gm));
    expect(guest.sources.find((s) => s.name === 'gsi-10')!.raises).toBe(times(report, /gsi 10 level 1 /g));
  });

  test('the report of trace-cmd is read as the file itself is', () => {
    const counts = ({ guests }: TraceCapture) =>
      guests.map((g) => [[...g.exits.bySecond], [...g.injections.bySecond], g.sources.map((s) => s.raises)]);
    const text = ftraceCapture('report', new TextEncoder().encode(report));
    expect(counts(text)).toEqual(counts(traceOf('traces/v6.trace.dat.gz')));
  });
});

describe('parts of a trace', () => {
  const read = (lines: string) => ftraceCapture('part', new TextEncoder().encode(lines)).guests[0]!;
  const text = capture('xen-x86/kvm-text-trace.txt');
  const only = (pattern: RegExp) =>
    text
      .split('\n')
      .filter((line) => pattern.test(line))
      .join('\n');

  test('of injections alone each vector is a message', () => {
    const guest = read(only(/: kvm_(entry|exit|inj_virq): /));
    const messages = guest.sources.filter((s) => s.kind === 'message');
    expect(guest.sources.length).toBe(messages.length);
    expect(messages.find((s) => s.name === 'vec-0x30.1')!.raises).toBe(190);
    expect(guest.exits.total('memory')).toBe(665);
    // and which of the npf exits are pages is not known
    expect(guest.driven.get('memory') ?? 0).toBe(0);
  });

  test('with APICv what a local APIC takes has its own event', () => {
    const guest = read(text.replaceAll(/kvm_apic_accept_irq/g, 'kvm_apicv_accept_irq'));
    expect(guest.sources.map((s) => s.raises)).toEqual(
      traceOf('xen-x86/kvm-text-trace.txt.gz').guests[0]!.sources.map((s) => s.raises),
    );
  });

  test.each([
    ['EXIT_NPF', 'memory', true, false],
    ['EXIT_VINTR', 'interrupt window', true, false],
    ['EXIT_READ_CR0', 'registers', true, false],
    ['UNKNOWN (71)', 'exception', true, true],
    ['NM excp', 'exception', true, true],
    ['PENDING_INTERRUPT', 'interrupt window', false, false],
    ['EPT_MISCONFIG', 'memory', false, false],
    ['SIPI_SIGNAL', 'other', false, false],
  ] as const)('%s is an exit of class %s', (name, of, svm, nm) => {
    expect(classOfName(name)).toEqual({ of, svm, nm });
  });

  test.each([
    ['vcpu 0 reason EXCEPTION_NMI rip 0x1 info1 0x0 info2 0x0 intr_info 0x80000307 error_code 0x0', 1],
    ['vcpu 0 reason EXCEPTION_NMI rip 0x1 info1 0x0 info2 0x0 intr_info 0x80000306 error_code 0x0', 0],
    // before 5.10
    ['reason EXCEPTION_NMI rip 0x1 info 0 80000307', 1],
    ['reason EXCEPTION_NMI rip 0x1 info 0 80000b0e', 0],
    ['reason EXTERNAL_INTERRUPT rip 0x1 info 0 80000007', 0],
  ])('the exception of %s', (text, nm) => {
    const { text: values, values: names } = KVM_EVENT.get('kvm_exit')!;
    expect(values(text)![names.indexOf('nm')]).toBe(nm);
  });

  test('which exception it was is in the fields of each age', () => {
    const { fields, values } = KVM_EVENT.get('kvm_exit')!;
    const nm = (record: Record<string, number>) => fields((name) => record[name])[values.indexOf('nm')];
    const exit = { exit_reason: 0, isa: 1 };
    expect(nm({ ...exit, info2: 0x8000_0307 })).toBe(1);
    expect(nm({ ...exit, info2: 0x8000_0307, intr_info: 0x8000_0306 })).toBe(0);
    expect(nm({ ...exit, info2: 0, intr_info: 0x8000_0307 })).toBe(1);
  });
});
