/** The local APIC's timer, as the SDM has it ("APIC Timer"), and where KVM and Xen part from it. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../engine/core/clock.ts';
import { MSR_TSC_DEADLINE, Reg } from '../../../engine/hw/x86/apic-regs.ts';
import { type ApicTimer, tscAt } from '../../../engine/hw/x86/apic-timer.ts';
import type { LocalApic } from '../../../engine/hw/x86/lapic.ts';
import { ApicRig, type RigOptions, SYSTEMS } from '../../support/apics.ts';

const { manual, kvm, xen } = SYSTEMS;
const VECTOR = 0xec;
const PERIODIC = 1 << 17;
const DEADLINE = 2 << 17;
const RESERVED = 3 << 17;
const MASKED = 1 << 16;
/** TDCR: divide by 1, by 2, by 16 */
const BY1 = 0xb;
const BY2 = 0;
const BY16 = 3;

/** A local APIC at 1 ms whose timer counts bus cycles, with what its timer requested and when. */
class TimerRig extends ApicRig {
  readonly apic: LocalApic;
  readonly at: number[] = [];

  constructor(lvtt: number, rig: RigOptions = {}) {
    super(rig);
    this.apic = this.apics[0]!;
    this.clock.runUntil(ms(1));
    this.apic.write(Reg.TDCR, BY1);
    this.apic.write(Reg.LVT_TIMER, lvtt | VECTOR);
  }

  /** Runs for a time, taking and ending each interrupt at once; as a virtual CPU in its guest does. */
  run(ns: number): number[] {
    const end = this.clock.now + ns;
    const { apic, clock, at } = this;
    at.length = 0;
    for (;;) {
      apic.injectPendingTimer();
      if (apic.ack() === VECTOR) {
        at.push(clock.now - ms(1));
        apic.eoi();
      }
      if (clock.next > end) break;
      clock.step();
    }
    clock.runUntil(end);
    return [...at];
  }
}

describe('one-shot', () => {
  test('a write of TMICT starts it; it interrupts once when the count reaches 0', () => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TMICT, 500);
    expect(rig.run(ms(1))).toEqual([5000]);
  });

  test('a cycle of the bus is 10 ns, 1 ns under KVM (busCycle)', () => {
    const first = [manual, kvm, xen].map((system) => {
      const rig = new TimerRig(0, system);
      rig.apic.write(Reg.TMICT, 500);
      return rig.run(ms(1));
    });
    expect(first).toEqual([[5000], [500], [5000]]);
  });

  test.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
  ])('TDCR %i divides by %i', (tdcr, divisor) => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TDCR, tdcr);
    rig.apic.write(Reg.TMICT, 100);
    expect([rig.apic.read(Reg.TDCR, 4), rig.run(ms(1))]).toEqual([tdcr, [1000 * divisor]]);
  });

  test('TMICT 0 stops it, another value starts it anew', () => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TMICT, 500);
    rig.run(us(3));
    rig.apic.write(Reg.TMICT, 0);
    expect(rig.run(us(100))).toEqual([]);
    rig.apic.write(Reg.TMICT, 500);
    rig.run(us(3));
    rig.apic.write(Reg.TMICT, 1000);
    expect(rig.run(ms(1))).toEqual([103_000 + 3000 + 10_000]);
  });

  test('TMCCT falls from TMICT to 0; under KVM it is the rest, rounded down, 0 when it starts (countOfRest)', () => {
    const counts = [manual, kvm, xen].map((system) => {
      const rig = new TimerRig(0, system);
      const { busCycle } = system.options;
      rig.apic.write(Reg.TDCR, BY2);
      rig.apic.write(Reg.TMICT, 100);
      const count = () => rig.apic.read(Reg.TMCCT, 4);
      const seen = [count()];
      for (const steps of [1, 1, 2, 194, 1, 1]) {
        rig.run(steps * busCycle);
        seen.push(count());
      }
      return seen;
    });
    const falls = [100, 100, 99, 98, 1, 1, 0];
    expect(counts).toEqual([falls, [0, 99, 99, 98, 1, 0, 0], falls]);
  });

  test('software-disabled it stays masked', () => {
    const rig = new TimerRig(0, { enabled: false });
    rig.apic.write(Reg.TMICT, 500);
    expect(rig.run(ms(1))).toEqual([]);
  });
});

describe('while LVTT is masked', () => {
  const unmaskedLate = (system: RigOptions) => {
    const rig = new TimerRig(MASKED, system);
    rig.apic.write(Reg.TMICT, 500);
    rig.run(us(50));
    const pending = rig.apic.timer.pending;
    rig.apic.write(Reg.LVT_TIMER, VECTOR);
    return [pending, rig.run(us(50))];
  };

  test('an expiry is lost; under KVM and Xen it waits for LVTT to be unmasked (timerWaits)', () => {
    expect([manual, kvm, xen].map(unmaskedLate)).toEqual([
      [0, []],
      [1, [us(50)]],
      [1, [us(50)]],
    ]);
  });

  test('what waits is forgotten by a new count and by disabling', () => {
    const rig = new TimerRig(MASKED, kvm);
    rig.apic.write(Reg.TMICT, 500);
    rig.run(us(50));
    rig.apic.write(Reg.TMICT, 0);
    rig.apic.write(Reg.LVT_TIMER, VECTOR);
    expect(rig.run(us(50))).toEqual([]);
    rig.apic.write(Reg.LVT_TIMER, VECTOR | MASKED);
    rig.apic.write(Reg.TMICT, 500);
    rig.run(us(50));
    rig.apic.write(Reg.SVR, 0xff);
    rig.apic.write(Reg.SVR, 0x1ff);
    rig.apic.write(Reg.LVT_TIMER, VECTOR);
    expect(rig.run(us(50))).toEqual([]);
  });

  test('under KVM several expiries that wait are one, and the virtual CPU is told', () => {
    const rig = new TimerRig(PERIODIC, kvm);
    rig.apic.write(Reg.TMICT, 250_000);
    rig.told.length = 0;
    rig.clock.runUntil(ms(2));
    expect([rig.apic.timer.pending, rig.apic.timerPending, rig.told]).toEqual([1, true, ['cpu0 look']]);
  });
});

describe('periodic', () => {
  test('the count is loaded again at each expiry', () => {
    const rig = new TimerRig(PERIODIC);
    rig.apic.write(Reg.TMICT, 30_000);
    expect(rig.run(ms(1))).toEqual([300_000, 600_000, 900_000]);
    expect(rig.apic.read(Reg.TMCCT, 4)).toBe(20_000);
  });

  test('KVM has a least period (leastPeriod)', () => {
    const times = [manual, kvm].map((system) => {
      const rig = new TimerRig(PERIODIC, system);
      rig.apic.write(Reg.TMICT, 150_000 / system.options.busCycle);
      return rig.run(us(400));
    });
    expect(times).toEqual([
      [150_000, 300_000],
      [200_000, 400_000],
    ]);
  });

  test('a one-shot timer under way that is made periodic goes on so', () => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TMICT, 30_000);
    rig.run(us(100));
    rig.apic.write(Reg.LVT_TIMER, PERIODIC | VECTOR);
    expect(rig.run(ms(1))).toEqual([300_000, 600_000, 900_000]);
  });
});

describe('a new divisor', () => {
  test('scales what is left', () => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TMICT, 10_000);
    rig.run(us(60));
    rig.apic.write(Reg.TDCR, BY2);
    expect(rig.run(ms(1))).toEqual([60_000 + 80_000]);
  });

  test('is that of the periods to come, too; KVM keeps to its least', () => {
    const rig = new TimerRig(PERIODIC, kvm);
    rig.apic.write(Reg.TDCR, BY2);
    rig.apic.write(Reg.TMICT, 150_000);
    rig.run(us(300));
    rig.apic.write(Reg.TDCR, BY16);
    expect(rig.run(ms(6))).toEqual([300_000 + ms(2.4), 300_000 + ms(4.8)]);
    rig.apic.write(Reg.TMICT, 300_000);
    rig.apic.write(Reg.TDCR, BY1);
    rig.apic.write(Reg.TMICT, 150_000);
    rig.apic.write(Reg.TDCR, BY2);
    rig.apic.write(Reg.TDCR, BY1);
    expect([(rig.apic.timer as ApicTimer).period, rig.run(us(250)).length]).toEqual([200_000, 1]);
  });

  test('that is the old one changes nothing', () => {
    const rig = new TimerRig(0, kvm);
    rig.apic.write(Reg.TMICT, 100);
    rig.run(us(50));
    rig.apic.write(Reg.TDCR, BY1);
    expect(rig.run(us(50))).toEqual([]);
  });

  test('does not wake a timer that has run out; under KVM it runs out again (expiredRefires)', () => {
    const again = [manual, kvm, xen].map((system) => {
      const rig = new TimerRig(0, system);
      rig.apic.write(Reg.TMICT, 100);
      rig.run(us(50));
      rig.apic.write(Reg.TDCR, BY16);
      return rig.run(us(50));
    });
    expect(again).toEqual([[], [us(50)], []]);
  });

  test('does not start a count of 0 after INIT', () => {
    const rig = new TimerRig(PERIODIC, kvm);
    rig.apic.write(Reg.TMICT, 300_000);
    rig.apic.reset(true);
    rig.apic.write(Reg.SVR, 0x1ff);
    rig.apic.write(Reg.LVT_TIMER, VECTOR);
    rig.apic.write(Reg.TDCR, BY16);
    expect(rig.run(ms(2))).toEqual([]);
  });
});

describe('TSC-deadline', () => {
  /** The deadline in cycles of 1 GHz from now. */
  const arm = (rig: TimerRig, cycles: number) =>
    rig.apic.wrmsr(MSR_TSC_DEADLINE, tscAt(rig.clock.now, 1_000_000) + cycles, 0);

  test('it interrupts once the TSC has reached the deadline, and the MSR is 0 again', () => {
    const rig = new TimerRig(DEADLINE);
    arm(rig, 700);
    expect(rig.apic.rdmsr(MSR_TSC_DEADLINE)).toEqual([ms(1) + 700, 0]);
    expect([rig.run(us(50)), rig.apic.rdmsr(MSR_TSC_DEADLINE)]).toEqual([[700], [0, 0]]);
  });

  test('a deadline that has passed interrupts at once', () => {
    const rig = new TimerRig(DEADLINE);
    arm(rig, -5);
    expect(rig.run(0)).toEqual([0]);
  });

  test('0 disarms it', () => {
    const rig = new TimerRig(DEADLINE);
    arm(rig, 700);
    rig.apic.wrmsr(MSR_TSC_DEADLINE, 0, 0);
    expect(rig.run(us(50))).toEqual([]);
  });

  test('cycles become time by the rate of the TSC, rounded down', () => {
    const rig = new TimerRig(DEADLINE, { tscKhz: 2_999_999 });
    rig.apic.wrmsr(MSR_TSC_DEADLINE, tscAt(ms(1), 2_999_999) + 1000, 0);
    expect(rig.run(us(50))).toEqual([333]);
  });

  test('a deadline of 64 bits is far away, and its time is as exact as C makes it', () => {
    const rig = new TimerRig(DEADLINE, kvm);
    rig.apic.wrmsr(MSR_TSC_DEADLINE, 0xffff_ffff, 0x7fff_ffff);
    const cycles = 0x7fff_ffff_ffff_ffffn - BigInt(ms(1));
    const ns = BigInt.asUintN(64, cycles * 1_000_000n) / 1_000_000n;
    expect(rig.clock.next).toBe(ms(1) + Number(ns));
  });

  test('TMICT is 0 and cannot be written, TMCCT reads 0', () => {
    const rig = new TimerRig(DEADLINE);
    rig.apic.write(Reg.TMICT, 500);
    expect([rig.apic.read(Reg.TMICT, 4), rig.apic.read(Reg.TMCCT, 4), rig.run(us(50))]).toEqual([0, 0, []]);
  });

  test('entering and leaving the mode disarms the timer', () => {
    const rig = new TimerRig(0);
    rig.apic.write(Reg.TMICT, 500);
    rig.apic.write(Reg.LVT_TIMER, DEADLINE | VECTOR);
    expect([rig.apic.read(Reg.TMICT, 4), rig.run(us(50))]).toEqual([0, []]);
    arm(rig, 700);
    rig.apic.write(Reg.LVT_TIMER, PERIODIC | VECTOR);
    expect(rig.run(us(50))).toEqual([]);
  });
});

test('the TSC at a moment is its rate times the time, rounded down', () => {
  const moments = [0, 1, 999_999, 1_000_001, 123_456_789_012_345];
  const exact = (ns: number) => Number((BigInt(ns) * 2_999_999n) / 1_000_000n);
  expect(moments.map((ns) => tscAt(ns, 2_999_999))).toEqual(moments.map(exact));
});

test('in the reserved mode nothing begins to count', () => {
  const rig = new TimerRig(RESERVED, kvm);
  rig.apic.write(Reg.TMICT, 500);
  rig.apic.write(Reg.TDCR, BY16);
  expect(rig.run(ms(1))).toEqual([]);
});

describe('its state', () => {
  test('travels with that of the clock, the count under way', () => {
    const rig = new TimerRig(PERIODIC);
    rig.apic.write(Reg.TMICT, 30_000);
    rig.run(us(400));
    const saved = JSON.parse(JSON.stringify([rig.clock.save(), rig.apic.save()]));
    const other = new TimerRig(0);
    other.clock.restore(saved[0]);
    other.apic.restore(saved[1]);
    expect([other.apic.read(Reg.TMCCT, 4), other.run(us(600))]).toEqual([20_000, [600_000, 900_000]]);
  });

  test('an image that is taken back goes on from its count; what had run out runs out again', () => {
    const rig = new TimerRig(0, kvm);
    rig.apic.write(Reg.TMICT, 10_000);
    rig.run(4000);
    rig.apic.reload();
    expect(rig.run(us(50))).toEqual([10_000]);
    rig.apic.reload();
    expect(rig.run(us(50))).toEqual([54_000]);
  });

  test('a periodic one whose count has run out begins a whole period', () => {
    const rig = new TimerRig(PERIODIC, kvm);
    rig.apic.write(Reg.TMICT, 300_000);
    rig.apic.reload(); // TMCCT is 0 at the start
    expect(rig.run(us(400))).toEqual([300_000]);
  });

  test('a deadline goes on too', () => {
    const rig = new TimerRig(DEADLINE, kvm);
    rig.apic.wrmsr(MSR_TSC_DEADLINE, ms(1) + 900, 0);
    rig.apic.reload();
    expect(rig.run(us(50))).toEqual([900]);
  });
});
