/** The timer of a virtual local APIC under Xen: its registers, and its ticks as those of a virtual platform timer. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ms, type Ns, us } from '../../../../engine/core/clock.ts';
import { type HvmOptions, XEN_3_4_HVM, XEN_HVM } from '../../../../engine/hv/xen/x86/hvm-options.ts';
import { MSR_APIC_BASE, MSR_TSC_DEADLINE, Reg, SVR_ENABLE } from '../../../../engine/hw/x86/apic-regs.ts';
import type { LocalApic } from '../../../../engine/hw/x86/lapic.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const VECTOR = 0x40;
const PERIODIC = 1 << 17;
const DEADLINE = 2 << 17;
const RESERVED = 3 << 17;
const MASKED = 1 << 16;
/** TDCR: by 1, by 4 */
const BY_1 = 0xb;
const BY_4 = 1;
/** of TMICT, in ms, divided by 1: 10 ns a cycle */
const MS = 100_000;

let rig: HvmRig;
let apic: LocalApic;

function make(options: HvmOptions = XEN_HVM): void {
  rig = new HvmRig(1, options);
  ({ apic } = rig.vcpus[0]!);
}

function start(mode: number, count: number, divisor = BY_1): void {
  apic.write(Reg.TDCR, divisor);
  apic.write(Reg.LVT_TIMER, mode | VECTOR);
  apic.write(Reg.TMICT, count);
}

/** When it ticks within this time, the guest entered at each tick. */
function ticks(time: Ns): Ns[] {
  const end = rig.clock.now + time;
  const at: Ns[] = [];
  while (rig.clock.next <= end) {
    rig.clock.step();
    if (rig.enter() === 'none') continue;
    at.push(rig.clock.now);
    rig.eoi();
  }
  rig.clock.runUntil(end);
  return at;
}

beforeEach(() => make());

describe('one-shot and periodic', () => {
  test('one-shot ticks after the count', () => {
    start(0, MS);
    expect(ticks(ms(10))).toEqual([ms(1)]);
  });

  test('the divisor makes it longer', () => {
    start(0, MS, BY_4);
    expect(ticks(ms(10))).toEqual([ms(4)]);
  });

  test('periodic ticks first after one and a half periods', () => {
    start(PERIODIC, MS);
    expect(ticks(ms(4))).toEqual([us(1500), us(2500), us(3500)]);
  });

  test('the count falls from TMICT, and over again', () => {
    rig.run(ms(1));
    start(PERIODIC, MS);
    const counts: number[] = [];
    for (let i = 0; i < 5; i++) {
      counts.push(apic.read(Reg.TMCCT, 4)!);
      rig.run(us(400));
    }
    expect(counts).toEqual([MS, MS * 0.6, MS * 0.2, MS * 0.8, MS * 0.4]);
  });

  test('a one-shot count stays at 0', () => {
    start(0, MS);
    rig.run(ms(3));
    expect(apic.read(Reg.TMCCT, 4)).toBe(0);
  });

  test('TMICT of 0 stops it', () => {
    start(PERIODIC, MS);
    apic.write(Reg.TMICT, 0);
    expect([ticks(ms(5)), apic.read(Reg.TMCCT, 4)]).toEqual([[], 0]);
  });

  test('to look at the count does not change the time', () => {
    start(0, MS);
    const before = rig.vpt.save();
    apic.inspect();
    expect(rig.vpt.save()).toEqual(before);
  });
});

describe('changed while it counts', () => {
  test('a divisor scales what is left', () => {
    start(0, MS);
    rig.run(us(400));
    apic.write(Reg.TDCR, BY_4);
    const [at] = ticks(ms(10));
    expect(Math.abs(at! - us(400 + 4 * 600))).toBeLessThan(us(1));
  });

  test('one-shot made periodic goes on with what is left, and half of it on top', () => {
    start(0, MS);
    rig.run(us(400));
    apic.write(Reg.LVT_TIMER, PERIODIC | VECTOR);
    const [first, second] = ticks(ms(3));
    expect(Math.abs(first! - us(400 + 900))).toBeLessThan(us(1));
    expect(second! - first!).toBe(ms(1));
  });

  test('periodic made one-shot ticks once more', () => {
    start(PERIODIC, MS);
    rig.run(us(400));
    apic.write(Reg.LVT_TIMER, VECTOR);
    expect(ticks(ms(5)).length).toBe(1);
  });

  test('another vector is that of a tick that waits, too', () => {
    start(PERIODIC, MS);
    rig.run(us(1500));
    apic.write(Reg.LVT_TIMER, PERIODIC | 0x55);
    rig.run(ms(2));
    expect(rig.enter()).toBe('lapic 55');
  });

  test('under 3.4 mode and divisor matter from the next TMICT on', () => {
    make(XEN_3_4_HVM);
    start(0, MS);
    rig.run(us(400));
    apic.write(Reg.TDCR, BY_4);
    apic.write(Reg.LVT_TIMER, PERIODIC | VECTOR);
    expect(ticks(ms(10))).toEqual([ms(1)]);
  });

  test('under 3.4 the count goes on below 0, and TMICT of 0 ticks at once', () => {
    make(XEN_3_4_HVM);
    start(PERIODIC, MS);
    rig.run(us(1200));
    expect(apic.read(Reg.TMCCT, 4)).toBe((MS - 1.2 * MS) >>> 0);
    start(0, 0);
    expect(ticks(ms(1)).length).toBe(1);
  });
});

describe('TSC deadline', () => {
  const read = () => apic.rdmsr(MSR_TSC_DEADLINE);

  test('ticks when the counter reaches it, and reads 0 once that was injected', () => {
    apic.write(Reg.LVT_TIMER, DEADLINE | VECTOR);
    apic.wrmsr(MSR_TSC_DEADLINE, 3_000_000, 0);
    expect(read()).toEqual([3_000_000, 0]);
    rig.run(ms(3));
    expect([read(), rig.enter(), read()]).toEqual([[3_000_000, 0], 'lapic 40', [0, 0]]);
  });

  test('one that has passed ticks at once; 0 disarms', () => {
    rig.run(ms(5));
    apic.write(Reg.LVT_TIMER, DEADLINE | VECTOR);
    apic.wrmsr(MSR_TSC_DEADLINE, 3_000_000, 0);
    expect([read(), ticks(ms(1))]).toEqual([[0, 0], [ms(5)]]);
    apic.wrmsr(MSR_TSC_DEADLINE, 9_000_000, 0);
    apic.wrmsr(MSR_TSC_DEADLINE, 0, 0);
    expect(ticks(ms(10))).toEqual([]);
  });

  test('the way into it and out of it voids count and deadline', () => {
    start(0, MS);
    apic.write(Reg.LVT_TIMER, DEADLINE | VECTOR);
    expect([apic.read(Reg.TMICT, 4), ticks(ms(3))]).toEqual([0, []]);
    apic.wrmsr(MSR_TSC_DEADLINE, 9_000_000, 0);
    apic.write(Reg.LVT_TIMER, VECTOR);
    expect([read(), ticks(ms(10))]).toEqual([[0, 0], []]);
    apic.wrmsr(MSR_TSC_DEADLINE, 99_000_000, 0);
    expect([read(), ticks(ms(100))]).toEqual([[0, 0], []]);
  });

  test('nothing counts in it, nor in the fourth mode', () => {
    for (const mode of [DEADLINE, RESERVED]) {
      start(mode, MS);
      expect([apic.read(Reg.TMICT, 4), apic.read(Reg.TMCCT, 4), ticks(ms(5))]).toEqual([0, 0, []]);
    }
  });
});

describe('masked', () => {
  test('a tick that is due is lost when LVTT is written, in every mode', () => {
    for (const mode of [0, PERIODIC, DEADLINE]) {
      make();
      start(mode, MS);
      apic.wrmsr(MSR_TSC_DEADLINE, 1_000_000, 0);
      rig.run(us(1500));
      expect(rig.vcpus[0]!.timer.pending).toBe(1);
      apic.write(Reg.LVT_TIMER, mode | MASKED | VECTOR);
      apic.write(Reg.LVT_TIMER, mode | VECTOR);
      expect([rig.vcpus[0]!.timer.pending, rig.enter()]).toEqual([0, 'none']);
    }
  });

  test('by the software-enable bit it is put aside, and looked at when that is set', () => {
    start(0, MS);
    rig.run(ms(1));
    apic.write(Reg.SVR, 0xff);
    const { pt } = rig.vcpus[0]!.timer;
    expect([rig.enter(), pt.onList, pt.pending]).toEqual(['none', false, 1]);
    apic.write(Reg.SVR, SVR_ENABLE | 0xff);
    expect(pt.onList).toBe(true);
  });

  test('a periodic one has its ticks again', () => {
    start(PERIODIC, MS);
    rig.run(us(200));
    apic.write(Reg.LVT_TIMER, PERIODIC | MASKED | VECTOR);
    expect(ticks(ms(5))).toEqual([]);
    apic.write(Reg.LVT_TIMER, PERIODIC | VECTOR);
    expect(ticks(ms(3)).length).toBeGreaterThan(1);
  });

  test('INIT and a new start of the local APIC stop it', () => {
    start(PERIODIC, MS);
    apic.reset(true);
    expect(ticks(ms(5))).toEqual([]);
    apic.write(Reg.SVR, SVR_ENABLE | 0xff);
    start(PERIODIC, MS);
    apic.wrmsr(MSR_APIC_BASE, apic.base & ~(1 << 11), 0);
    apic.wrmsr(MSR_APIC_BASE, apic.base | (1 << 11), 0);
    expect(ticks(ms(5))).toEqual([]);
  });
});

test('one that was saved goes on', () => {
  start(PERIODIC, MS, BY_4);
  rig.run(ms(1));
  const parts = () => [rig.vpt, rig.chips, rig.irq, ...rig.vcpus, rig.clock];
  const saved = JSON.parse(JSON.stringify(parts().map((p) => p.save())));
  const on = ticks(ms(20));
  make();
  parts().forEach((part, i) => {
    part.restore(saved[i]);
  });
  expect(ticks(ms(20))).toEqual(on);
  expect(on.length).toBe(4);
});
