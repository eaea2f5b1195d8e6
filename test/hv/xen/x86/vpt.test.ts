/** Virtual platform timers: ticks that are due, raised, injected and missed, in every timer mode. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ms, type Ns, us } from '../../../../engine/core/clock.ts';
import { XEN_3_4_HVM, XEN_HVM } from '../../../../engine/hv/xen/x86/hvm-options.ts';
import type { PeriodicTime, PtSource } from '../../../../engine/hv/xen/x86/periodic-time.ts';
import { type PtMode, TIMER_MODES } from '../../../../engine/hv/xen/x86/vpt.ts';
import { Mode, Reg } from '../../../../engine/hw/x86/apic-regs.ts';
import { RTE_LEVEL, RTE_MASKED } from '../../../../engine/hw/x86/ioapic-regs.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const VECTOR = 0x40;
const GSI_VECTOR = 0x30;
const MASKED = 1 << 16;
const EXTINT = Mode.EXTINT << 8;

let rig: HvmRig;
let taken: number;

function make(mode?: PtMode, options = XEN_HVM, align = false): void {
  rig = new HvmRig(2, options, mode, align);
  taken = 0;
}

function timer(source: PtSource, name = 'timer', keepsMasked = false): PeriodicTime {
  return rig.vpt.periodicTime(name, source, () => taken++, keepsMasked);
}

/** Of virtual CPU 0's local APIC, LVTT unmasked. */
function lapicTimer(period: Ns, delta = period): PeriodicTime {
  rig.vcpus[0]!.apic.write(Reg.LVT_TIMER, VECTOR);
  const pt = timer('lapic');
  rig.vpt.create(0, pt, delta, period, VECTOR);
  return pt;
}

/** Interrupts that virtual CPU 0 takes now, each with its EOI. */
function takeAll(): number {
  for (let n = 0; ; n++) {
    if (rig.enter() === 'none') return n;
    rig.eoi();
  }
}

beforeEach(() => make());

describe('ticks', () => {
  test('of a local APIC first come after one and a half periods, of others after what was asked', () => {
    const lapic = lapicTimer(ms(1));
    const isa = timer('isa', 'isa');
    rig.vpt.create(0, isa, us(300), ms(1), 0);
    expect([lapic.scheduled, isa.scheduled]).toEqual([us(1500), us(300)]);
  });

  test('one that is due counts, and kicks the virtual CPU', () => {
    const pt = lapicTimer(ms(1));
    rig.forget();
    rig.run(us(1500) - 1);
    expect([pt.pending, rig.kicked]).toEqual([0, []]);
    rig.run(1);
    expect([pt.pending, rig.kicked, rig.requests()]).toEqual([1, [0], []]);
  });

  test('it is raised on the way into the guest, and over when it was injected', () => {
    const pt = lapicTimer(ms(1));
    rig.run(us(1500));
    expect(rig.vpt.updateIrq(0)).toBe(VECTOR);
    expect([pt.pending, pt.issued, rig.requests()]).toEqual([1, true, [VECTOR]]);
    expect([rig.enter(), pt.pending, pt.issued, taken]).toEqual(['lapic 40', 0, false, 1]);
    expect(pt.scheduled).toBe(us(2500));
  });

  test('another interrupt that is injected in its place leaves it', () => {
    const pt = lapicTimer(ms(1));
    rig.run(us(1500));
    rig.vcpus[0]!.pendNmi();
    expect([rig.enter(), pt.pending, pt.issued, rig.enter()]).toEqual(['nmi 2', 1, true, 'lapic 40']);
    expect(pt.pending).toBe(0);
  });

  test('a callback vector of the same number is none of it', () => {
    const pt = lapicTimer(ms(1));
    rig.run(us(1500));
    rig.vpt.updateIrq(0);
    rig.vpt.intrPost(0, { source: 'vector', vector: VECTOR });
    expect(pt.pending).toBe(1);
  });

  test('a one-shot timer ticks once', () => {
    const pt = lapicTimer(0, ms(1));
    rig.run(ms(1));
    expect([rig.vpt.isActive(pt), takeAll(), rig.vpt.isActive(pt)]).toEqual([true, 1, false]);
    rig.run(ms(10));
    expect([takeAll(), pt.pending]).toEqual([0, 0]);
  });

  test('no period is shorter than 0.1 ms', () => {
    const pt = timer('isa');
    rig.vpt.create(0, pt, us(10), us(10), 0);
    expect([pt.period, pt.scheduled, pt.tooShort]).toEqual([us(100), us(10), 1]);
  });

  test('aligned they fall on multiples of their period, those of local APICs, too', () => {
    make(undefined, XEN_HVM, true);
    rig.run(us(300));
    const pt = lapicTimer(ms(1));
    expect(pt.scheduled).toBe(ms(2));
    const exact = timer('isa', 'exact');
    rig.vpt.create(0, exact, us(700), ms(1), 0);
    expect(exact.scheduled).toBe(ms(1));
  });

  test('to set it again forgets what was pending, to destroy it stops it', () => {
    const pt = lapicTimer(ms(1));
    rig.run(us(1500));
    rig.vpt.create(0, pt, ms(4), ms(4), VECTOR);
    expect([pt.pending, pt.scheduled]).toEqual([0, us(1500) + ms(6)]);
    rig.vpt.destroy(pt);
    rig.run(ms(50));
    expect([pt.pending, rig.vpt.isActive(pt), takeAll()]).toEqual([0, false, 0]);
  });

  test('of two timers the one that lags most is raised first', () => {
    rig.vcpus[0]!.apic.write(Reg.LVT_TIMER, VECTOR);
    rig.entry(2, GSI_VECTOR);
    const slow = timer('isa', 'slow');
    const fast = timer('lapic', 'fast');
    rig.vpt.create(0, slow, ms(1), ms(3), 0);
    rig.vpt.create(0, fast, us(400), us(400), VECTOR);
    rig.run(ms(1));
    expect([slow.pending, fast.pending]).toEqual([1, 1]);
    rig.vpt.updateIrq(0);
    expect([slow.issued, fast.issued]).toEqual([false, true]);
  });
});

describe('ticks that come while the virtual CPU is busy', () => {
  /** Due at 1.5, 2.5, 3.5, 4.5 ms; the guest is entered again at 5 ms. What is taken then, step by step. */
  function busy(mode: PtMode, options = XEN_HVM): { before: number; pending: number[]; next: Ns } {
    make(mode, options);
    const pt = lapicTimer(ms(1));
    rig.run(ms(5));
    const before = pt.pending;
    const pending: number[] = [];
    while (rig.enter() !== 'none') {
      pending.push(pt.pending);
      rig.eoi();
    }
    return { before, pending, next: pt.scheduled };
  }

  test.each(['delay_for_missed_ticks', 'no_delay_for_missed_ticks'] as const)(
    '%s: each is made up for',
    (mode) => {
      expect(busy(mode)).toEqual({ before: 1, pending: [3, 2, 1, 0], next: us(5500) });
    },
  );

  test.each(['no_missed_ticks_pending', 'one_missed_tick_pending'] as const)('%s: all are one', (mode) => {
    expect(busy(mode)).toEqual({ before: 1, pending: [0], next: us(5500) });
  });

  test('under 3.4 the timer goes on, so that they are counted as they come', () => {
    const answers = TIMER_MODES.map((mode) => busy(mode, XEN_3_4_HVM));
    const each = { before: 4, pending: [3, 2, 1, 0], next: us(5500) };
    const one = { before: 4, pending: [0], next: us(5500) };
    expect(answers).toEqual([each, each, one, one]);
  });

  test.each(TIMER_MODES)('%s: the next comes in its time', (mode) => {
    busy(mode);
    rig.run(us(500));
    expect(takeAll()).toBe(1);
  });
});

describe('a virtual CPU that does not run', () => {
  /** It takes the tick at 1.5 ms, is put off the processor at 2 ms and back at 10 ms. */
  function away(mode: PtMode, options = XEN_HVM, blocked = false): PeriodicTime {
    make(mode, options);
    const pt = lapicTimer(ms(1));
    rig.run(us(1500));
    takeAll();
    rig.run(us(500));
    rig.vpt.saveTimer(0, blocked);
    rig.run(ms(8));
    return pt;
  }

  test('has no ticks until it does', () => {
    const pt = away('no_delay_for_missed_ticks');
    expect([pt.pending, pt.scheduled]).toEqual([0, us(2500)]);
  });

  test('blocked it has them: its timers go on', () => {
    expect(away('no_delay_for_missed_ticks', XEN_HVM, true).pending).toBe(1);
  });

  test.each([
    ['delay_for_missed_ticks', 8, 8],
    ['no_delay_for_missed_ticks', 8, 8],
    ['no_missed_ticks_pending', 0, 0],
    ['one_missed_tick_pending', 8, 1],
  ] as const)('%s: %i wait when it runs again, of which it takes %i', (mode, waiting, takes) => {
    const pt = away(mode);
    rig.vpt.restoreTimer(0);
    // those of 2.5 to 9.5 ms
    expect([pt.pending, pt.scheduled]).toEqual([waiting, us(10_500)]);
    expect(takeAll()).toBe(takes);
    rig.run(us(500));
    expect(takeAll()).toBe(1);
  });

  test('no_missed_ticks_pending: after missing some the timer is not stopped again, until it has ticked', () => {
    const pt = away('no_missed_ticks_pending');
    rig.vpt.restoreTimer(0);
    expect(pt.doNotFreeze).toBe(true);
    rig.vpt.saveTimer(0, false);
    rig.run(us(500));
    expect([pt.pending, pt.doNotFreeze]).toEqual([1, false]);
  });

  test('one with a tick that waits is not set again, which 3.4 does', () => {
    for (const [options, pending] of [
      [XEN_HVM, 1],
      [XEN_3_4_HVM, 2],
    ] as const) {
      make('no_delay_for_missed_ticks', options);
      const pt = lapicTimer(ms(1));
      rig.run(us(1500));
      rig.vpt.saveTimer(0, false);
      rig.vpt.restoreTimer(0);
      rig.run(ms(1));
      expect(pt.pending).toBe(pending);
    }
  });

  test('delay_for_missed_ticks: its time stands still, and goes on tick by tick', () => {
    const pt = away('delay_for_missed_ticks');
    expect(rig.vpt.time.look(0)).toBe(ms(10));
    rig.vpt.restoreTimer(0);
    const start = rig.vpt.time.look(0);
    expect(start - ms(2)).toBeLessThan(us(1));
    for (let n = 2; n <= 9; n++) {
      expect(rig.enter()).toBe('lapic 40');
      rig.eoi();
      // the clock of the guest is never behind the last tick it was given
      expect(rig.vpt.time.look(0)).toBeGreaterThanOrEqual(pt.lastTick);
      expect(rig.vpt.time.look(0) - Math.max(ms(n), start)).toBeLessThan(us(1));
    }
  });

  test('the time of other virtual CPUs, and in other modes, goes on', () => {
    away('delay_for_missed_ticks');
    rig.vpt.restoreTimer(0);
    expect(rig.vpt.time.look(1)).toBeGreaterThanOrEqual(ms(10));
    away('no_delay_for_missed_ticks');
    rig.vpt.restoreTimer(0);
    expect(rig.vpt.time.look(0)).toBeGreaterThanOrEqual(ms(10));
  });
});

describe("the guest's time", () => {
  test('is never told twice the same; under 3.4 it may be', () => {
    rig.run(ms(1));
    const [first, second] = [rig.vpt.time.of(0), rig.vpt.time.of(1)];
    expect([first, second]).toEqual([ms(1), ms(1) + 1]);
    make(undefined, XEN_3_4_HVM);
    rig.run(ms(1));
    expect([rig.vpt.time.of(0), rig.vpt.time.of(1)]).toEqual([ms(1), ms(1)]);
  });

  test('looking at it does not change it', () => {
    rig.run(ms(1));
    rig.vpt.time.of(0);
    expect([rig.vpt.time.look(0), rig.vpt.time.look(0), rig.vpt.time.of(0)]).toEqual([
      ms(1),
      ms(1),
      ms(1) + 1,
    ]);
  });
});

describe('an interrupt of ISA', () => {
  test('is an edge at each tick, though its wire stays', () => {
    rig.entry(2, GSI_VECTOR);
    const pt = timer('isa');
    rig.vpt.create(0, pt, ms(1), ms(1), 0);
    for (let n = 1; n <= 3; n++) {
      rig.run(ms(1));
      expect([rig.enter(), rig.irq.gsiCount[2], taken]).toEqual(['lapic 30', 1, n]);
      rig.eoi();
    }
  });

  test('comes by the 8259s if they let it through', () => {
    rig.startPic();
    rig.vcpus[0]!.apic.write(Reg.LVT_LINT0, EXTINT);
    const pt = timer('isa');
    rig.vpt.create(0, pt, ms(1), ms(1), 0);
    rig.run(ms(1));
    expect([rig.enter(), pt.pending]).toEqual(['pic 8', 0]);
  });

  test('its vector is told if it is requested at the local APIC', () => {
    const pt = timer('isa');
    rig.vpt.create(0, pt, ms(1), ms(1), 8);
    rig.entry(8, GSI_VECTOR);
    rig.run(ms(1));
    expect(rig.vpt.updateIrq(0)).toBe(GSI_VECTOR);
    rig.entry(8, GSI_VECTOR, 9);
    rig.take();
    expect(rig.vpt.updateIrq(0)).toBe(-1);
  });
});

describe('a timer of a GSI', () => {
  test('pulses it', () => {
    rig.entry(20, GSI_VECTOR);
    const pt = timer('ioapic');
    rig.vpt.create(0, pt, ms(1), ms(1), 20);
    rig.run(ms(1));
    expect([rig.enter(), rig.irq.gsiCount[20], pt.pending]).toEqual(['lapic 30', 0, 0]);
  });

  test('or holds it, masked or not, and that is all of its tick', () => {
    rig.entry(20, RTE_LEVEL | RTE_MASKED | GSI_VECTOR);
    const pt = timer('ioapic');
    rig.vpt.create(0, pt, ms(1), 0, 20, true);
    rig.run(ms(1));
    expect([rig.enter(), rig.irq.gsiCount[20], pt.pending, taken]).toEqual(['none', 1, 0, 1]);
    rig.entry(20, RTE_LEVEL | GSI_VECTOR);
    expect(rig.enter()).toBe('lapic 30');
  });
});

describe('a masked interrupt', () => {
  function masked(options = XEN_HVM): PeriodicTime {
    make(undefined, options);
    const pt = lapicTimer(ms(1));
    rig.vcpus[0]!.apic.write(Reg.LVT_TIMER, MASKED | VECTOR);
    rig.forget();
    rig.run(us(1500));
    return pt;
  }

  test('puts its timer aside at the next entry; it is looked at again when unmasked', () => {
    const pt = masked();
    expect([rig.kicked, rig.enter(), pt.onList, pt.pending]).toEqual([[0], 'none', false, 1]);
    rig.vpt.resume(pt);
    expect([pt.onList, rig.kicked]).toEqual([true, [0, 0]]);
  });

  test('under 3.4 its timer goes on, and kicks nobody', () => {
    const pt = masked(XEN_3_4_HVM);
    expect([rig.kicked, rig.enter(), pt.onList, pt.pending]).toEqual([[], 'none', true, 1]);
    rig.run(ms(1));
    expect(pt.pending).toBe(2);
  });

  test.each([
    ['an entry of the IOAPIC', () => rig.entry(2, GSI_VECTOR)],
    [
      'the 8259s',
      () => {
        rig.vcpus[0]!.apic.write(Reg.LVT_LINT0, EXTINT);
        rig.startPic();
      },
    ],
  ])('of ISA is unmasked by %s', (_, unmask) => {
    rig.chips.pic.write(0x21, 0xff);
    const pt = timer('isa');
    rig.vpt.create(0, pt, ms(1), ms(1), 0);
    rig.run(ms(1));
    rig.enter();
    expect(pt.onList).toBe(false);
    unmask();
    expect([pt.onList, rig.enter()]).toEqual([true, expect.stringMatching(/^(lapic 30|pic 8)$/)]);
  });

  test('of the clock is raised all the same: it sees to that itself', () => {
    const pt = timer('isa', 'clock', true);
    rig.vpt.create(0, pt, ms(1), ms(1), 8);
    rig.run(ms(1));
    rig.enter();
    expect([pt.onList, pt.issued, rig.irq.isaIrq]).toEqual([true, true, 1 << 8]);
  });
});

test("timers of devices go with the 8259s' target, those of local APICs stay", () => {
  const lapic = lapicTimer(ms(1));
  const isa = timer('isa', 'isa');
  rig.vpt.create(0, isa, ms(1), ms(1), 0);
  rig.vcpus[1]!.apic.write(Reg.LVT_LINT0, EXTINT);
  expect([lapic.vcpu, isa.vcpu, isa.onList]).toEqual([0, 1, true]);
  rig.forget();
  rig.run(ms(1));
  expect(rig.kicked).toEqual([1]);
});

test('timers move with their virtual CPU to another processor', () => {
  const pt = lapicTimer(ms(1));
  const moved: number[] = [];
  pt.timer.migrate = (vcpu) => moved.push(vcpu);
  rig.vpt.migrate(0);
  rig.vpt.migrate(1);
  expect(moved).toEqual([0]);
});

test('saved timers go on where they were', () => {
  function build(): { pt: PeriodicTime; isa: PeriodicTime } {
    make('delay_for_missed_ticks');
    return { pt: timer('lapic'), isa: timer('isa', 'isa') };
  }
  function start({ pt, isa }: { pt: PeriodicTime; isa: PeriodicTime }): void {
    rig.vcpus[0]!.apic.write(Reg.LVT_TIMER, VECTOR);
    rig.vpt.create(0, pt, ms(1), ms(1), VECTOR);
    rig.vpt.create(1, isa, ms(2), ms(2), 0);
    rig.run(us(3500));
    rig.enter();
    rig.vpt.saveTimer(1, false);
  }
  function go(): unknown {
    rig.vpt.restoreTimer(1);
    rig.run(ms(3));
    return [rig.enter(), rig.enter(1), rig.vpt.save(), rig.clock.save()];
  }
  const parts = () => [rig.vpt, rig.chips, rig.irq, ...rig.vcpus, rig.clock];
  start(build());
  const saved = JSON.parse(JSON.stringify(parts().map((p) => p.save())));
  const onward = JSON.stringify(go());
  build();
  parts().forEach((part, i) => {
    part.restore(saved[i]);
  });
  expect(parts().map((p) => p.save())).toEqual(saved);
  expect(JSON.stringify(go())).toBe(onward);
});
