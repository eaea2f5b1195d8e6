/** "Acknowledge interrupt on exit", set and clear: what the exit leaves in the VMCS and in the physical local APIC. */
import { describe, expect, test } from 'vitest';
import { seconds } from '../../../engine/core/clock.ts';
import { Exit, Info } from '../../../engine/hw/x86/vmcs-fields.ts';
import { exits, kvmHost, ONE_VM, watch } from '../../support/kvm-rig.ts';

const LOAD = `${ONE_VM}workloads:
  - {what: compute, vm: 1, share: 0.9}
  - {what: packets, vm: 1, pattern: {kind: poisson, rate: 300}}
`;

interface AtExit {
  readonly info: number;
  readonly irr: readonly number[];
  readonly isr: readonly number[];
}

/** Each external-interrupt exit, and the vectors that then came through the host's gates. */
function run(ack: boolean) {
  const host = kvmHost(LOAD, `kvm: '6.1'\nack-on-exit: ${ack}\n`);
  const [lapic] = host.board.lapics;
  const [processor] = host.board.processors;
  const seen: AtExit[] = [];
  const gates: { vector: number; irr: boolean; isr: boolean; flag: boolean }[] = [];
  watch(host, ({ name, args }) => {
    if (name !== 'kvm_exit' || args[1] !== Exit.EXTERNAL_INTERRUPT) return;
    seen.push({ info: args[2]! >>> 0, irr: lapic!.irr.members(), isr: lapic!.isr.members() });
  });
  const { interrupt } = processor!.entry;
  processor!.entry.interrupt = (vector, remaining) => {
    const flag = processor!.interruptFlag;
    gates.push({ vector, irr: lapic!.irr.has(vector), isr: lapic!.isr.has(vector), flag });
    interrupt.call(processor!.entry, vector, remaining);
  };
  host.shop.clock.runUntil(seconds(0.5));
  return { host, seen, gates };
}

describe('set', () => {
  const { host, seen, gates } = run(true);

  test('the interruption information is valid and holds the vector, of type external interrupt', () => {
    expect(seen.length).toBeGreaterThan(100);
    for (const { info } of seen) expect([Info.valid.has(info), Info.type.get(info)]).toEqual([true, 0]);
  });

  test('the vector has left IRR and is in service before anything of the host runs', () => {
    for (const { info, irr, isr } of seen) {
      const vector = Info.vector.get(info);
      expect([irr.includes(vector), isr.includes(vector)]).toEqual([false, true]);
    }
  });

  test('the host calls the gate by hand, with interrupts off', () => {
    for (const { isr, flag } of gates) expect([isr, flag]).toEqual([true, false]);
  });

  test('handle_external_interrupt only counts', () => {
    const counted = Object.fromEntries(host.kvm.stats.sums([0]));
    expect(counted.irq_exits).toBe(exits(host).EXTERNAL_INTERRUPT);
    expect(counted.irq_exits).toBe(seen.length);
  });
});

describe('clear', () => {
  const { host, seen, gates } = run(false);

  test('the interruption information is not valid', () => {
    expect(seen.length).toBeGreaterThan(100);
    for (const { info } of seen) expect(Info.valid.has(info)).toBe(false);
  });

  test('the vector stays in IRR, nothing of it is in service', () => {
    for (const { irr, isr } of seen) expect([irr.length > 0, isr]).toEqual([true, []]);
  });

  test("once interrupts are on the processor delivers it through the host's own table", () => {
    expect(gates.length).toBeGreaterThanOrEqual(seen.length);
    for (const { irr, isr } of gates) expect([irr, isr]).toEqual([false, true]);
  });

  test('the guest is interrupted as often as with it', () => {
    const count = (h: typeof host) => h.vms[0]!.kernel.interrupts;
    expect(count(host)).toBe(count(run(true).host));
  });
});
