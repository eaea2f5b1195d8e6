/** Real files of xentrace: what is read of them is what xenalyze prints of them. */
import { describe, expect, test } from 'vitest';
import { TRC } from '../../engine/abi/xen-trace.ts';
import { type ExitClass, vmxClass } from '../../engine/import/exits.ts';
import { xenCapture } from '../../engine/import/xen-capture.ts';
import { readXentrace } from '../../engine/import/xentrace.ts';
import { capture } from '../support/captures.ts';
import { captureBytes, traceOf } from '../support/imports.ts';

const ALL = 'xen-x86/hvm-pc.all.xentrace.gz';
const trace = traceOf(ALL);
const guest = trace.guests[0]!;
const summary = capture('xen-x86/hvm-pc.all.xenalyze-summary.txt');
/** what xenalyze says of the guest */
const ofGuest = summary.slice(summary.indexOf('|-- Domain 2'), summary.indexOf('|-- Domain 32767'));

/** Counts of the lines that a pattern takes a number from, over all virtual CPUs. */
function sum(pattern: RegExp): number {
  return [...ofGuest.matchAll(pattern)].reduce((n, found) => n + Number(found[1]), 0);
}

describe('a busy guest, all classes', () => {
  test('is the guest of two virtual CPUs that it was, on SVM', () => {
    expect(trace).toMatchObject({ format: 'xentrace', system: 'xen', isa: 'SVM', cpus: 4, dom0Vcpus: 4 });
    expect(trace.guests.map((g) => [g.name, g.vcpus])).toEqual([['dom2', 2]]);
  });

  test.each<[ExitClass, string]>([
    ['exception', 'EXCEPTION_NM'],
    ['external interrupt', 'INTR'],
    ['interrupt window', 'VINTR'],
    ['HLT', 'HLT'],
    ['MSR', 'MSR'],
    ['hypercall', 'VMMCALL'],
  ])('%s: as many exits as xenalyze counts of VMEXIT_%s', (of, name) => {
    const counted = sum(new RegExp(`VMEXIT_${name} +(\\d+)`, 'g'));
    expect(counted).toBeGreaterThan(100);
    expect(guest.exits.total(of)).toBe(counted);
  });

  test('no exits but those', () => {
    expect(guest.exits.all).toBe(sum(/VMEXIT_\w+ +(\d+)/g));
  });

  test('its injections are those that xenalyze counts', () => {
    expect([...guest.injections.bySecond.keys()]).toEqual([0xf3]);
    expect(guest.injections.total(0xf3)).toBe(sum(/\[243\] (\d+)/g));
  });

  test('it takes as long as xenalyze says, at the same clock', () => {
    expect(trace.length / 1e9).toBeCloseTo(3.26, 2);
    expect(traceOf(ALL, 2_600_000_000).length / 1e9).toBeCloseTo((3.264 * 2.4) / 2.6, 2);
  });

  test('each injection has one source, and what waits is woken by it', () => {
    const raises = guest.sources.reduce((n, s) => n + s.raises, 0);
    expect(raises).toBe(guest.injections.all);
    const kinds = new Set(guest.sources.map((s) => s.kind));
    expect([...kinds].sort()).toEqual(['event', 'ipi', 'timer']);
    // a guest of this kernel ticks and calls itself; little comes from dom0
    const of = (kind: string) =>
      guest.sources.filter((s) => s.kind === kind).reduce((n, s) => n + s.raises, 0);
    expect(of('timer')).toBeGreaterThan(600);
    expect(of('ipi')).toBeGreaterThan(300);
    expect(of('event')).toBeLessThan(100);
  });

  test('what a second counts adds up to the whole', () => {
    const seconds = guest.exits.bySecond.get('HLT')!;
    expect(seconds.length).toBe(4);
    expect(seconds.reduce((a, b) => a + b, 0)).toBe(guest.exits.total('HLT'));
  });

  test('the records are as many as there are in the windows', () => {
    const { rows, records, lost, scheduled } = readXentrace(ALL, captureBytes(ALL));
    expect(records).toBe(58_225);
    expect([lost, scheduled]).toEqual([0, true]);
    let exits = 0;
    let before = 0;
    rows.inOrder((time, values, at) => {
      expect(time).toBeGreaterThanOrEqual(before);
      before = time;
      if (values[at + 1] === TRC.HVM_VMEXIT64) exits++;
    });
    expect(exits).toBe(4015);
  });
});

describe('a busy guest, the HVM class alone', () => {
  const hvm = traceOf('xen-x86/hvm-pc.hvm-class.xentrace.gz');

  test('its virtual CPUs are told apart by who takes the interrupts of the 8259s', () => {
    expect(hvm.notes.join()).toContain('no records of the scheduler');
    expect(hvm.guests.map((g) => g.vcpus)).toEqual([2]);
    expect(hvm.guests[0]!.injections.total(0xf3)).toBe(1305);
    expect(hvm.guests[0]!.exits.total('HLT')).toBe(951);
    expect(hvm.guests[0]!.exits.total('hypercall')).toBe(1528);
  });
});

test('a trace of the scheduler alone drives nothing', () => {
  const words = [0x2001_f003, 0, 16, (0x9002_1002 | 0) >>> 0, 5, 0, 0x7fff_0000];
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  expect(() => xenCapture('sched.xen', bytes)).toThrow(
    'sched.xen: no exit of a guest and no interrupt of the host is in it; xentrace -e all would be right',
  );
});

describe('a guest on VMX', () => {
  const CYCLES = 0x8000_0000;
  const record = (event: number, ...words: number[]) => {
    const time = (CYCLES | (words.length << 28) | event) >>> 0;
    return [time, 0, 0, ...words];
  };
  const of = (...records: number[][]) => {
    const scheduled = record(TRC.SCHED_CONTINUE_RUNNING, 1 << 16);
    const body = [scheduled, ...records].flat();
    const words = Uint32Array.from([0x2001_f003, 0, body.length * 4, ...body]);
    return xenCapture('vmx.xen', new Uint8Array(words.buffer));
  };

  test('uses its FPU where the record of the exception says #NM', () => {
    const trace = of(
      record(TRC.HVM_VMEXIT64, 0, 0, 0),
      record(TRC.HVM_TRAP, 7),
      record(TRC.HVM_VMENTRY),
      record(TRC.HVM_VMEXIT64, 0, 0, 0),
      record(TRC.HVM_TRAP, 6),
    );
    expect(trace.isa).toBe('VMX');
    expect(trace.guests[0]!.exits.total('exception')).toBe(2);
    expect(trace.guests[0]!.driven.get('exception')).toBe(1);
  });

  test('is one with flags in a reason too: the guest has held a bus lock', () => {
    const trace = of(record(TRC.HVM_VMEXIT64, 0x0400_000c, 0, 0));
    expect(trace.isa).toBe('VMX');
    expect(trace.guests[0]!.exits.total('HLT')).toBe(1);
  });
});

test('reasons of VMX and of SVM fall into the same classes', () => {
  expect([1, 7, 12, 18, 32, 30].map(vmxClass)).toEqual([
    'external interrupt',
    'interrupt window',
    'HLT',
    'hypercall',
    'MSR',
    'port I/O',
  ]);
});
