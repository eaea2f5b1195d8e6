/** AArch32 guests on Xen: the compat entries, and the exception classes of their instructions. */
import { describe, expect, test } from 'vitest';
import type { ArmVcpu } from '../../../../engine/hv/xen/arm/arm-vcpu.ts';
import type { XenArm } from '../../../../engine/hv/xen/arm/xen.ts';
import { CNT } from '../../../../engine/hw/arm/timer-regs.ts';
import { buildMachine, type Machine, takeSnapshot } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';

const build = (gic: 2 | 3, aarch32: boolean): Machine =>
  buildMachine(
    parseScenario(
      `
name: compat
title: a guest of 32 bits
gic: ${gic}
cpus: 2
dom0: {vcpus: 1, devices: [{driver: virtio-blk, name: virtio2, slot: 1, as: disk}]}
guests: [{vcpus: 2, aarch32: ${aarch32}}]
keys: [{device: disk}]
workloads:
  - {what: calls, domain: 1, rate: 50}
  - {what: disk, domain: 1, think: 5}
  - {what: compute, domain: 1, share: 0.5}
`,
      'compat.yaml',
    ),
    1,
  );
const xenOf = (machine: Machine): XenArm =>
  (machine.platform as unknown as { host: { xen: XenArm } }).host.xen;
const guestOf = (machine: Machine): ArmVcpu => xenOf(machine).armDomain(1).vcpus[0]!;

/** Exits of the guest by class. */
function exits(machine: Machine): string[] {
  const { rows } = takeSnapshot(machine).domains[1]!.exits!;
  return rows.filter(({ counts }) => counts.some((n) => n > 0)).map(({ name }) => name);
}

describe.each([2, 3] as const)('GICv%i', (gic) => {
  test('the same work leaves a guest by the classes of its own instructions', () => {
    const [wide, narrow] = [build(gic, false), build(gic, true)];
    wide.runUntil(1e9);
    narrow.runUntil(1e9);
    const sgi = gic === 3;
    expect(exits(wide).sort()).toEqual(
      ['IRQ', 'WFI_WFE', 'HVC64', ...(sgi ? ['SYSREG'] : ['DATA_ABORT_LOWER_EL'])].sort(),
    );
    expect(exits(narrow).sort()).toEqual(
      ['IRQ', 'WFI_WFE', 'HVC32', ...(sgi ? ['CP15_64'] : ['DATA_ABORT_LOWER_EL'])].sort(),
    );
    // and is done alike
    const [a, b] = [wide, narrow].map((machine) => takeSnapshot(machine).domains[1]!.interrupts.rows);
    expect(b!.map((row) => row.counts)).toEqual(a!.map((row) => row.counts));
    expect(narrow.platform.pendingMismatch()).toEqual([]);
  });

  test('its exceptions come by the compat entries', () => {
    const machine = build(gic, true);
    machine.runUntil(1e9);
    const { trace } = machine.shop;
    trace.enabled = true;
    const entries = new Set<string>();
    const from = trace.written;
    machine.runUntil(1.2e9);
    for (const record of trace.records(from + 1)) {
      if (record.point.name !== 'guest_exit') continue;
      const { name, detail } = machine.platform.hop(record);
      if (detail.startsWith('dom1.')) entries.add(`${name} ${/vector \w+/.exec(detail)![0]}`);
    }
    expect([...entries].sort()).toEqual(['guest_irq vector 0x680', 'guest_sync vector 0x600']);
  });
});

test('what is of 64 bits is in two registers, and reached in two words', () => {
  const machine = build(3, true);
  const v = guestOf(machine);
  machine.runUntil(1e9);
  while (v.cpu.current !== v || v.exited) machine.step();
  const { hardware } = v.guest as unknown as {
    hardware: {
      msr(register: number, low: number, high: number): boolean;
      store(address: number, value: number, width: 8): void;
      load(address: number, width: 8): number;
    };
  };
  hardware.msr(CNT.CNTP_CVAL_EL0, 0x1111, 0x2222);
  expect([...v.regs.x.subarray(0, 4)]).toEqual([0x1111, 0, 0x2222, 0]);
  const { map, vgic } = xenOf(machine).armDomain(1);
  const before = v.regs.hsr;
  // GICD_IROUTER of SPI 32
  hardware.store(map.dist + 0x6100, 1, 8);
  expect(v.regs.hsr).not.toBe(before);
  expect(hardware.load(map.dist + 0x6100, 8)).toBe(1);
  expect(xenOf(machine).traps.far[v.processor]).toBe(map.dist + 0x6104);
  expect(vgic.target(vgic.vcpus[0]!, 32).id).toBe(1);
});

test('functions of 64 bits are none for it', () => {
  const machine = build(3, true);
  machine.runUntil(1e9);
  const v = guestOf(machine);
  while (v.cpu.current !== v || v.exited) machine.step();
  const { hardware } = v.guest as unknown as {
    hardware: { smc(fn: number, x1?: number): number; hvc(imm: number, fn: number, x1?: number): number };
  };
  expect(hardware.smc(0xc400_0003, 1)).toBe(0xffff_ffff);
  expect(hardware.hvc(0, 0x8400_0003, 1)).toBe(-4 >>> 0);
  expect(hardware.smc(0x8400_0000)).toBe(0x1_0001);
  expect(v.regs.hsr >>> 0).toBe(0x4e00_0000);
});
