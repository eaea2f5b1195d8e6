/** Debug key `d` of Xen on ARM: its format, and that what it says of registers is what was put there. */
import { describe, expect, test } from 'vitest';
import type { ArmVcpu } from '../../../../engine/hv/xen/arm/arm-vcpu.ts';
import type { XenArm } from '../../../../engine/hv/xen/arm/xen.ts';
import { buildMachine, type Machine } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';

const build = (gic: 2 | 3, guest: string): Machine =>
  buildMachine(
    parseScenario(
      `
name: registers
title: registers
gic: ${gic}
cpus: 2
dom0: {vcpus: 1, cpus: [0]}
guests: [{vcpus: 1, rings: 0, queues: 0, cpus: [1]${guest}}]
workloads: [{what: compute, domain: 1, share: 0.5}]
`,
      'registers.yaml',
    ),
    1,
  );
const xenOf = (machine: Machine): XenArm =>
  (machine.platform as unknown as { host: { xen: XenArm } }).host.xen;
const guestOf = (machine: Machine): ArmVcpu => xenOf(machine).armDomain(1).vcpus[0]!;

/** The lines of one CPU's part, by what it begins with. */
function part(machine: Machine, header: string): string[] {
  const lines = machine.platform.dump('d')!.trimEnd().split('\n');
  const from = lines.indexOf(`(XEN) ${header}`);
  const to = lines.findIndex((line, i) => i > from && line.startsWith('(XEN) ***'));
  return lines.slice(from + 1, to < 0 ? undefined : to).map((line) => line.slice('(XEN) '.length));
}

function until(machine: Machine, there: () => boolean): void {
  machine.runUntil(1e9);
  while (!there()) machine.step();
}

const GUEST = '*** Dumping CPU1 guest state (d1v0): ***';

test('an idle CPU shows Xen in its idle loop, with what the last guest has left', () => {
  const machine = build(3, '');
  const [, cpu] = xenOf(machine).cpus;
  until(machine, () => cpu!.idle && !cpu!.inXen);
  const lines = part(machine, '*** Dumping CPU1 host state: ***');
  expect(lines.slice(0, 6)).toEqual([
    '----[ Xen-4.17.7  arm64  debug=n  Not tainted ]----',
    'CPU:    1',
    'PC:     000000000024033c domain.c#idle_loop+0x13c/0x18c',
    'LR:     000000000024033c',
    expect.stringMatching(/^SP: {5}[0-9a-f]{16}$/),
    'CPSR:   0000000000000249 MODE:64-bit EL2h (Hypervisor, handler)',
  ]);
  expect(lines.slice(-13)).toEqual([
    '    X27: 0000000000000000 X28: 0000000000000000  FP: 0000000000000000',
    '',
    '  VTCR_EL2: 0000000080043594',
    ' VTTBR_EL2: 0002000000000000',
    '',
    ' SCTLR_EL2: 0000000030cd183d',
    '   HCR_EL2: 00000000807c663f',
    ' TTBR0_EL2: 0000000000000000',
    '',
    // it has waited: WFI
    '   ESR_EL2: 0000000007e00000',
    expect.stringMatching(/^ HPFAR_EL2: [0-9a-f]{16}$/),
    expect.stringMatching(/^ {3}FAR_EL2: [0-9a-f]{16}$/),
    '',
  ]);
});

describe('a guest', () => {
  test('shows where its kernel is, and PSTATE as it is', () => {
    const machine = build(3, '');
    const v = guestOf(machine);
    until(machine, () => v.cpu.current === v && !v.exited && !v.irqsMasked && !v.cpu.inXen);
    const lines = part(machine, GUEST);
    expect(lines[2]).toMatch(/^PC: {5}ffff8000080[0-9a-f]{5}$/);
    expect(lines).toContain('CPSR:   0000000000000005 MODE:64-bit EL1h (Guest Kernel, handler)');
    expect(machine.platform.dump('d')).not.toContain('CPU1 host state');
  });

  test('in an interrupt handler shows what that has interrupted', () => {
    const machine = build(3, '');
    const v = guestOf(machine);
    until(machine, () => v.cpu.current === v && v.irqsMasked && !v.cpu.inXen && v.guest.where!().elr !== 0);
    const lines = part(machine, GUEST);
    const { pc, elr } = v.guest.where!();
    expect(lines).toContain('CPSR:   00000000000000c5 MODE:64-bit EL1h (Guest Kernel, handler)');
    expect(lines[2]).toBe(`PC:     ffff8000${pc.toString(16).padStart(8, '0')}`);
    expect(lines).toContain(`   ELR_EL1: ffff8000${elr.toString(16).padStart(8, '0')}`);
    expect(pc).not.toBe(elr);
  });

  test('a register that a trapped store was made from holds what was stored, FAR_EL2 where to', () => {
    const machine = build(2, '');
    const xen = xenOf(machine);
    const v = guestOf(machine);
    // its kernel enables an interrupt at the distributor
    until(machine, () => v.cpu.current === v && !v.exited && !v.cpu.inXen);
    const { map } = xen.armDomain(1);
    const { hardware } = v.guest as unknown as {
      hardware: { store(address: number, value: number): void; load(address: number): number };
    };
    hardware.store(map.dist + 0x104, 0x1234_5678);
    let lines = part(machine, GUEST);
    expect(lines.find((line) => line.startsWith('     X0:'))).toContain('X0: 0000000012345678 ');
    expect(lines).toContain('   FAR_EL2: 0000000003001104');
    expect(lines).toContain(' HPFAR_EL2: 0000000000030010');
    expect(lines.find((line) => line.startsWith('   ESR_EL2'))).toBe('   ESR_EL2: 0000000093800047');
    const value = hardware.load(map.dist + 4);
    lines = part(machine, GUEST);
    const x0 = value.toString(16).padStart(16, '0');
    expect(lines.find((line) => line.startsWith('     X0:'))).toContain(`X0: ${x0} `);
  });

  test('of 32 bits has banked registers', () => {
    const machine = build(2, ', aarch32: true');
    const v = guestOf(machine);
    until(machine, () => v.cpu.current === v && v.irqsMasked && !v.cpu.inXen && v.guest.where!().elr !== 0);
    const lines = part(machine, GUEST);
    expect(lines[2]).toMatch(/^PC: {5}c0100[0-9a-f]{3}$/);
    expect(lines).toContain('CPSR:   0000000000000093 MODE:32-bit Guest SVC');
    expect(lines.find((line) => line.startsWith('IRQ: SP:'))).toMatch(/LR: c0100[0-9a-f]{3} SPSR:00000013$/);
    expect(lines).toContain('   HCR_EL2: 00000000007c663f');
  });
});

test('typed on the serial line it is handled within the interrupt, the CPU that has it first', () => {
  const machine = build(3, '');
  const xen = xenOf(machine);
  machine.runUntil(1e9);
  xen.serialInput('\x01\x01\x01d');
  machine.runUntil(1.1e9);
  const { lines } = xen.console;
  const from = lines.indexOf("'d' pressed -> dumping registers");
  expect(from).toBeGreaterThan(0);
  expect(lines[from + 2]).toMatch(/^\*\*\* Dumping CPU0 /);
  expect(lines.filter((line) => line.startsWith('CPU:  '))).toEqual(
    expect.arrayContaining(['CPU:    0', 'CPU:    1']),
  );
});

test('looking changes nothing', () => {
  const machine = build(3, '');
  machine.runUntil(1e9);
  const before = JSON.stringify(machine.save());
  machine.platform.dump('d');
  expect(JSON.stringify(machine.save())).toBe(before);
});
