/** PV EOI: which interrupts end without an exit, and what KVM makes of the bit at the next one. */
import { describe, expect, test } from 'vitest';
import { KVM_MSR_ENABLED, MSR_KVM_PV_EOI_EN, PvEoiWord } from '../../../engine/abi/kvm.ts';
import { ms, seconds } from '../../../engine/core/clock.ts';
import { exits, kvmHost, ONE_VM, type Seen, watch } from '../../support/kvm-rig.ts';

const LOAD = `workloads:
  - {what: compute, vm: 1, share: 0.6}
  - {what: packets, vm: 1, pattern: {kind: poisson, rate: 500}}
  - {what: disk, vm: 1, jobs: 2, think: 3}
  - {what: device, device: vm1.uart, pattern: {kind: poisson, rate: 100}}
  - {what: device, device: vm1.nic2, pattern: {kind: poisson, rate: 100}}
`;
/** Messages, an edge and a level line. */
const VM = ONE_VM.replace('{driver: i8042}', '{driver: serial}').replace(
  '      - {driver: virtio-blk',
  '      - {driver: e1000}\n      - {driver: virtio-blk',
);

function run(pv: boolean, more = '', text = VM + LOAD) {
  const host = kvmHost(text.replace('vcpus: 1', `vcpus: 1\n    pv-eoi: ${pv}`), `kvm: '6.1'\n${more}`);
  const ended: { vector: number; pv: boolean; handled: boolean }[] = [];
  const records: Seen[] = [];
  const [v] = host.kvm.vcpus;
  watch(host, (seen) => {
    if (/kvm_pv_eoi|kvm_guest_apic_eoi_write/.test(seen.name)) records.push(seen);
    if (seen.name !== 'kvm_eoi') return;
    const vector = seen.args[1]!;
    ended.push({ vector, pv: seen.args[2] === 1, handled: v!.vm.chip.handledVectors(0).has(vector) });
  });
  host.shop.clock.runUntil(seconds(0.5));
  const of = (name: string) => records.filter((r) => r.name === name).length;
  return { host, v: v!, ended, words: of('kvm_guest_apic_eoi_write'), made: of('kvm_pv_eoi') };
}

describe('with it', () => {
  const on = run(true);
  const off = run(false);

  test('nearly every EOI is a bit in memory, and exits for MSRs fall by as many', () => {
    const { words, made } = on;
    expect(words).toBeGreaterThan(500);
    // the last one may still wait for an exit
    expect(words - made).toBeLessThanOrEqual(1);
    expect(on.ended.filter((e) => e.pv)).toHaveLength(made);
    const saved = exits(off.host).MSR_WRITE! - exits(on.host).MSR_WRITE!;
    expect(Math.abs(saved - words)).toBeLessThan(words / 10);
  });

  test('the guest is interrupted as often as without', () => {
    const count = (h: typeof on) => h.host.vms[0]!.kernel.interrupts;
    expect(Math.abs(count(on) - count(off))).toBeLessThan(count(off) / 50);
    expect([off.words, off.made]).toEqual([0, 0]);
  });

  test('what the IOAPIC has to hear of, level lines above all, ends by an exit', () => {
    const level = on.ended.filter((e) => e.handled);
    expect(level.length).toBeGreaterThan(20);
    expect(level.every((e) => !e.pv)).toBe(true);
  });

  test('edges of the IOAPIC and messages end without', () => {
    const vectors = new Set(on.ended.filter((e) => e.pv).map((e) => e.vector));
    const pins = on.v.vm.chip.ioapic.low.map((low) => low & 0xff).filter((vector) => vectors.has(vector));
    expect(pins.length).toBeGreaterThan(0);
    expect(vectors.size).toBeGreaterThan(pins.length + 2);
  });
});

test('where the local APIC is at its page exits for EOI fall as well', () => {
  const page = (pv: boolean) =>
    exits(run(pv, '', VM.replace('vcpus: 1', 'x2apic: false\n    vcpus: 1') + LOAD).host);
  expect(page(true).APIC_ACCESS!).toBeLessThan(page(false).APIC_ACCESS! * 0.8);
});

test('under APICv it is not used, the processor ends interrupts itself', () => {
  const { words, made, host } = run(true, 'apicv: true\n');
  expect([words, made]).toEqual([0, 0]);
  expect(host.kvm.vcpus[0]!.pvEoi.pending).toBe(false);
});

describe('the bit', () => {
  /** One vector in service, the virtual CPU on its way in. */
  function inService(vector: number) {
    const { v } = run(true, '', VM);
    v.apic.request(vector);
    v.apic.ack();
    v.pvEoi.injected(vector);
    const address = 0x10_0000;
    const word = v.vm.memory.at(address, PvEoiWord)!;
    return { v, word };
  }

  test('is set on the way in, and what the guest has cleared KVM ends at the next exit', () => {
    const { v, word } = inService(0x61);
    v.pvEoi.toGuest();
    expect([word.bit, v.pvEoi.pending]).toEqual([true, true]);
    expect(word.testAndClear()).toBe(true);
    expect(v.apic.isr.has(0x61)).toBe(true);
    v.pvEoi.fromGuest();
    expect([v.apic.isr.has(0x61), v.pvEoi.pending]).toEqual([false, false]);
  });

  test('is taken back by an exit that comes before: the EOI is trapped then', () => {
    const { v, word } = inService(0x61);
    v.pvEoi.toGuest();
    v.pvEoi.fromGuest();
    expect([word.bit, v.apic.isr.has(0x61), v.pvEoi.pending]).toEqual([false, true, false]);
  });

  test('is not set while another vector is requested: its injection waits for the EOI', () => {
    const { v, word } = inService(0x61);
    v.apic.request(0x41);
    v.pvEoi.toGuest();
    expect([word.bit, v.pvEoi.pending]).toEqual([false, false]);
  });

  test('is set for the vector put in service last alone, and not for one that it has interrupted', () => {
    const { v, word } = inService(0x61);
    v.apic.request(0x81);
    v.apic.ack();
    v.pvEoi.injected(0x81);
    v.pvEoi.toGuest();
    word.testAndClear();
    v.pvEoi.fromGuest();
    expect([v.apic.isr.has(0x81), v.apic.isr.has(0x61)]).toEqual([false, true]);
    v.pvEoi.toGuest();
    expect(word.bit).toBe(false);
  });
});

describe('the MSR', () => {
  test('raises #GP without the feature, or where the address is not aligned', () => {
    const [off, on] = [run(false, '', VM).host, run(true, '', VM).host].map((h) => h.vms[0]!.cpus[0]!);
    expect(off!.wrmsr(MSR_KVM_PV_EOI_EN, 0x1000 | KVM_MSR_ENABLED)).toBe(false);
    expect(on!.wrmsr(MSR_KVM_PV_EOI_EN, 0x1002 | KVM_MSR_ENABLED)).toBe(false);
    expect(on!.wrmsr(MSR_KVM_PV_EOI_EN, 0)).toBe(true);
  });

  test('is not written by kernels of 2.6.36, and that KVM has none', () => {
    const old = "kvm: '2.6.36'\n";
    const text = VM.replace('host:\n', 'host:\n  kernel: linux-2.6.36\n').replace(
      'vcpus: 1',
      'kernel: linux-2.6.36\n    vcpus: 1',
    );
    const host = kvmHost(text, old);
    host.shop.clock.runUntil(ms(100));
    expect(host.vms[0]!.vm.features).toBe(0);
    expect(host.vms[0]!.kernel.cpus[0]!.apicEoi).toBeUndefined();
  });
});
