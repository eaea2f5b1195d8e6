/** PSCI of guests on ARM: who is up, who brings up whom, and what becomes of interrupts for one that is down. */
import { expect, test } from 'vitest';
import { ms } from '../../../../engine/core/clock.ts';
import type { Arm64Kernel } from '../../../../engine/guest/linux/arm64.ts';
import type { Arm64Cpu } from '../../../../engine/guest/linux/arm64-entry.ts';
import type { LinuxCpu } from '../../../../engine/guest/linux/entry.ts';
import type { XenArm } from '../../../../engine/hv/xen/arm/xen.ts';
import { ICC } from '../../../../engine/hw/arm/gic-regs.ts';
import { buildMachine, type Machine, takeSnapshot } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';

const VERSION = 0x8400_0000;
const CPU_OFF = 0x8400_0002;
const CPU_ON = 0xc400_0003;
const AFFINITY_INFO = 0xc400_0004;
const SYSTEM_OFF = 0x8400_0008;
const FEATURES = 0x8400_000a;

const build = (vcpus: number): Machine =>
  buildMachine(
    parseScenario(
      `
name: psci
title: CPUs that come and go
gic: 3
cpus: 2
dom0: {vcpus: 2}
guests: [{type: dom0less, vcpus: ${vcpus}}]
`,
      'psci.yaml',
    ),
    1,
  );

interface Host {
  readonly xen: XenArm;
  readonly domains: readonly { readonly kernel: Arm64Kernel }[];
}
const hostOf = (machine: Machine): Host => (machine.platform as unknown as { host: Host }).host;

/** A thread of the guest's does this on one of its CPUs, once, then. */
function later(machine: Machine, cpu: number, when: number, act: (on: Arm64Cpu) => void): void {
  const { kernel } = hostOf(machine).domains[1]!;
  const run = (on: LinuxCpu): boolean => {
    act(on as Arm64Cpu);
    return false;
  };
  const work = { cost: () => 1_000, run };
  const thread = kernel.thread(`once/${when}`, cpu, work);
  const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = when;
}

test('the first CPU of each domain has brought up the others, of any cluster', () => {
  const machine = build(20);
  const { xen } = hostOf(machine);
  expect(xen.vcpus.every((v) => v.online)).toBe(true);
  expect(hostOf(machine).domains[1]!.kernel.log).toEqual([]);
  const answers: number[] = [];
  later(machine, 0, ms(20), ({ hardware }) => {
    answers.push(
      hardware.hvc(0, VERSION, 0, 0, 0),
      hardware.hvc(0, CPU_ON, 0x103, 0x4000_0000, 0),
      hardware.hvc(0, CPU_ON, 0x104, 0x4000_0000, 0),
      hardware.hvc(0, AFFINITY_INFO, 0x103, 0, 0),
      hardware.hvc(0, AFFINITY_INFO, 0x200, 0, 0),
      hardware.hvc(0, FEATURES, CPU_ON, 0, 0),
      hardware.hvc(0, FEATURES, 0x8400_00ff, 0, 0),
      hardware.hvc(0, 0x8400_00ff, 0, 0, 0),
    );
  });
  machine.runUntil(ms(100));
  const [, ALREADY_ON, INVALID, UNKNOWN] = [0, -4, -2, -1].map((n) => n >>> 0);
  expect(answers).toEqual([0x1_0001, ALREADY_ON, INVALID, 0, INVALID, 0, UNKNOWN, UNKNOWN]);
  expect(xen.console.lines).toContain('d1v0 Unhandled SMC/HVC: 0x840000ff');
});

test('a CPU that is off takes no interrupts, which are accounted for, and comes back', () => {
  const machine = build(2);
  const { xen } = hostOf(machine);
  const v = xen.armDomain(1).vcpus[1]!;
  const sgi = (on: Arm64Cpu) => on.hardware.msr(ICC.SGI1R_EL1, 1 << 1, 0);
  const infos: number[] = [];
  const note = (on: Arm64Cpu) => infos.push(on.hardware.hvc(0, AFFINITY_INFO, 1, 0, 0));
  later(machine, 1, ms(200), (on) => on.hardware.hvc(0, CPU_OFF, 0, 0, 0));
  later(machine, 0, ms(300), (on) => {
    note(on);
    sgi(on);
  });
  later(machine, 0, ms(400), (on) => {
    expect(on.hardware.hvc(0, CPU_ON, 1, 0x4000_0000, 0)).toBe(0);
    note(on);
  });
  later(machine, 0, ms(500), sgi);
  const rescheduled = () =>
    takeSnapshot(machine).domains[1]!.interrupts.arch.find(({ label }) => label === 'IPI0')!.counts[1];

  machine.runUntil(ms(250));
  expect([v.online, takeSnapshot(machine).domains[1]!.vcpus[1]!.state]).toEqual([false, 'offline']);
  const ran = takeSnapshot(machine).domains[1]!.vcpus[1]!.runNs;
  const before = rescheduled();
  machine.runUntil(ms(390));
  expect(takeSnapshot(machine).domains[1]!.vcpus[1]!.runNs).toBe(ran);
  // the SGI to none other is not made at all, that of its timer neither
  expect(rescheduled()).toBe(before);
  machine.runUntil(ms(600));
  expect(infos).toEqual([1, 0]);
  expect(v.online).toBe(true);
  expect(rescheduled()).toBe(before! + 1);
  expect(takeSnapshot(machine).domains[1]!.vcpus[1]!.runNs).toBeGreaterThan(ran);
  expect(machine.platform.pendingMismatch()).toEqual([]);
});

test('a timer that expires while its CPU is off is dropped, and the books say why', () => {
  const machine = build(2);
  later(machine, 1, ms(200), (on) => {
    // its virtual timer is set for the next tick still
    on.hardware.hvc(0, CPU_OFF, 0, 0, 0);
  });
  machine.runUntil(ms(3_000));
  const dropped = takeSnapshot(machine).books.filter(({ ignored }) => (ignored.offline ?? 0) > 0);
  expect(dropped.map(({ source, ignored }) => [source, ignored.offline])).toEqual([['dom1.1 timer', 1]]);
});

test('SYSTEM_OFF ends the domain alone', () => {
  const machine = build(2);
  later(machine, 1, ms(200), (on) => on.hardware.hvc(0, SYSTEM_OFF, 0, 0, 0));
  machine.runUntil(ms(300));
  const { domains, ended } = takeSnapshot(machine);
  expect(domains[1]!.kind).toContain('powered off');
  expect(ended).toBeUndefined();
});
