/** What a virtual CPU of an HVM guest has beside its local APIC: NMIs, INIT and SIPI. */
import { beforeEach, describe, expect, test } from 'vitest';
import { HVM_OPTIONS, XEN_3_4_HVM, XEN_HVM } from '../../../../engine/hv/xen/x86/hvm-options.ts';
import { Mode, Reg } from '../../../../engine/hw/x86/apic-regs.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const INIT = Mode.INIT << 8;
const SIPI = Mode.SIPI << 8;
const ASSERT = 1 << 14;
const LEVEL = 1 << 15;
const ALL_BUT_SELF = 3 << 18;

let rig: HvmRig;
beforeEach(() => {
  rig = new HvmRig();
});

function command(low: number, destination = 0, from = 0): void {
  rig.vcpus[from]!.apic.write(Reg.ICR2, destination << 24);
  rig.vcpus[from]!.apic.write(Reg.ICR, low);
}

const running = () => rig.vcpus.filter((v) => v.initialised && !v.down).map((v) => v.vcpu);

describe('INIT and SIPI', () => {
  test('the first virtual CPU is started, the others wait for a SIPI', () => {
    expect(running()).toEqual([0]);
  });

  test('a SIPI starts who is meant at its page, once', () => {
    command(SIPI | 0x9a, 2);
    rig.runTasklets();
    expect([running(), rig.vcpus[1]!.startedBy]).toEqual([[0, 1], 0x9a]);
    command(SIPI | 0x10, 2);
    rig.runTasklets();
    expect([rig.vcpus[1]!.startedBy, rig.started]).toEqual([0x9a, [[1, 0x9a]]]);
  });

  test('they are carried out by a tasklet; until then the sender is paused and sends no other', () => {
    command(SIPI | 0x9a, 2);
    command(SIPI | 0x10, 4);
    expect([running(), rig.vcpus[0]!.commands, rig.tasklets]).toEqual([[0], true, [0]]);
    rig.runTasklets();
    expect([running(), rig.vcpus[0]!.commands]).toEqual([[0, 1], false]);
  });

  test('INIT resets a virtual CPU that was started, and what waited for it', () => {
    command(SIPI | 0x9a | ALL_BUT_SELF);
    rig.runTasklets();
    rig.vcpus[1]!.apic.setIrq(0x41);
    rig.vcpus[1]!.pendNmi();
    command(INIT | ASSERT | LEVEL, 2);
    rig.runTasklets();
    expect([running(), rig.requests(1), rig.take(1)]).toEqual([[0, 2], [], 'none']);
    expect(rig.vcpus[1]!.apic.softwareEnabled).toBe(false);
  });

  test("INIT's deassertion does nothing", () => {
    command(SIPI | 0x9a, 2);
    rig.runTasklets();
    command(INIT | LEVEL, 2);
    rig.runTasklets();
    expect(running()).toEqual([0, 1]);
  });

  test('who is meant is decided when the tasklet runs, local APIC enabled or not', () => {
    rig.vcpus[2]!.apic.write(Reg.SVR, 0xff);
    command(SIPI | 0x9a, 4);
    expect(rig.requests(2)).toEqual([]);
    rig.runTasklets();
    expect(running()).toEqual([0, 2]);
  });
});

describe('NMI', () => {
  const NMI = Mode.NMI << 8;

  test('one waits at most', () => {
    command(SIPI | 0x9a | ALL_BUT_SELF);
    rig.runTasklets();
    rig.forget();
    command(NMI, 2);
    command(NMI, 2);
    expect([rig.kicked, rig.take(1), rig.take(1)]).toEqual([[1], 'nmi 2', 'none']);
  });

  test('one of another virtual CPU brings back who is down, not who was never started', () => {
    rig.vcpus[1]!.initialised = true;
    command(NMI | ALL_BUT_SELF);
    expect([rig.vcpus[1]!.down, rig.vcpus[2]!.down]).toEqual([false, true]);
  });

  test('one of the IOAPIC does not', () => {
    rig.vcpus[1]!.initialised = true;
    rig.entry(20, NMI, 0xff);
    rig.irq.ioapicAssert(20, true);
    expect(rig.vcpus.map((v) => [v.nmiPending, v.down])).toEqual([
      [true, false],
      [true, true],
      [true, true],
    ]);
  });
});

test('one that was saved goes on where it was', () => {
  command(SIPI | 0x9a, 2);
  rig.runTasklets();
  rig.vcpus[1]!.pendNmi();
  rig.vcpus[1]!.mcePending = true;
  rig.vcpus[1]!.upcallVector = 0xf3;
  command(INIT | ASSERT, 4, 1);
  const state = JSON.parse(JSON.stringify(rig.vcpus[1]!.save()));
  const [, copy] = new HvmRig().vcpus;
  copy!.restore(state);
  expect(copy!.save()).toEqual(state);
  expect([copy!.commands, copy!.nmiPending, copy!.initialised, copy!.startedBy]).toEqual([
    true,
    true,
    true,
    0x9a,
  ]);
});

describe('under 3.4', () => {
  test('an NMI does not bring back who is down (nmiWakes)', () => {
    rig = new HvmRig(2, XEN_3_4_HVM);
    rig.vcpus[1]!.initialised = true;
    command((Mode.NMI << 8) | ALL_BUT_SELF);
    expect([rig.vcpus[1]!.nmiPending, rig.vcpus[1]!.down]).toEqual([true, true]);
  });

  test('there is no TSC-deadline mode (tscDeadline)', () => {
    const modes = [XEN_HVM, XEN_3_4_HVM].map((options) => {
      const { apic } = new HvmRig(1, options).vcpus[0]!;
      apic.write(Reg.LVT_TIMER, (3 << 17) | 0x40);
      return apic.reg(Reg.LVT_TIMER) >>> 17;
    });
    expect(modes).toEqual([3, 1]);
  });
});

test('each version of Xen has its chips', () => {
  const made = (['3.4', '4.17'] as const).map((profile) => {
    const { apic } = new HvmRig(1, HVM_OPTIONS[profile]).vcpus[0]!;
    return [apic.options.hasX2apic, apic.options.esrAtOnce, HVM_OPTIONS[profile].ioapic.eoiForAll];
  });
  expect(made).toEqual([
    [false, false, false],
    [true, true, true],
  ]);
});
