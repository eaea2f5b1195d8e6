/** The 8254 and the real-time clock of an HVM guest: their ticks are those of virtual platform timers. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ms, type Ns, seconds, us } from '../../../../engine/core/clock.ts';
import { I8254 } from '../../../../engine/devices/pc/i8254.ts';
import { Rtc } from '../../../../engine/devices/pc/rtc.ts';
import type { IsaTicks } from '../../../../engine/hv/xen/x86/vpt.ts';
import { Mode } from '../../../../engine/hw/x86/apic-regs.ts';
import { RTE_MASKED } from '../../../../engine/hw/x86/ioapic-regs.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const VECTOR = 0x30;

let rig: HvmRig;
let ticks: IsaTicks;

/** When an interrupt is taken within this time, the guest entered at each event. */
function interrupts(time: Ns, handler: () => void = () => {}): Ns[] {
  const end = rig.clock.now + time;
  const at: Ns[] = [];
  while (rig.clock.next <= end) {
    rig.clock.step();
    if (rig.enter() === 'none') continue;
    at.push(rig.clock.now);
    handler();
    rig.eoi();
  }
  rig.clock.runUntil(end);
  return at;
}

beforeEach(() => {
  rig = new HvmRig(2);
});

describe('the 8254', () => {
  let pit: I8254;

  beforeEach(() => {
    ticks = rig.vpt.isaTicks('pit', 0, () => pit.taken());
    const line = { set: () => expect.unreachable('its ticks raise the interrupt themselves') };
    pit = new I8254('pit', rig.clock, line, { output: 'xen', reinject: false, ticks });
    rig.chips.timerRuns = () => rig.vpt.isActive(ticks.pt);
    rig.entry(2, VECTOR);
  });

  function program(mode: number, count: number): void {
    pit.write(3, 0x30 | (mode << 1), 1);
    pit.write(0, count & 0xff, 1);
    pit.write(0, count >> 8, 1);
  }

  function count(): number {
    pit.write(3, 0, 1);
    return pit.read(0, 1) | (pit.read(0, 1) << 8);
  }

  test.each([2, 3])('in mode %i interrupts once a period', (mode) => {
    program(mode, 11_932);
    expect(ticks.pt.period).toBe(10_000_151);
    expect(interrupts(ms(35))).toEqual([10_000_151, 20_000_302, 30_000_453]);
    expect(pit.ticks).toBe(3);
  });

  test.each([1, 4])('in mode %i interrupts once', (mode) => {
    program(mode, 11_932);
    expect(interrupts(ms(50))).toEqual([10_000_151]);
  });

  test('in modes 0 and 5 it does not, and stops what was set', () => {
    program(2, 11_932);
    program(0, 11_932);
    expect([interrupts(ms(50)), rig.chips.timerRuns()]).toEqual([[], false]);
  });

  test('it counts from when its tick was injected, however late that was', () => {
    program(2, 11_932);
    rig.run(ms(14));
    rig.enter();
    rig.run(ms(3));
    // 3 ms after the injection
    expect(11_932 - count()).toBe(Math.floor((3 * 1_193_182) / 1000));
  });

  test('masked its ticks wait, and come when they are let through', () => {
    rig.entry(2, RTE_MASKED | VECTOR);
    program(2, 11_932);
    expect(interrupts(ms(35))).toEqual([]);
    rig.entry(2, VECTOR);
    expect(rig.enter()).toBe('lapic 30');
  });

  test('by lowest priority they are taken by virtual CPU 0', () => {
    rig.entry(2, (Mode.LOWEST << 8) | VECTOR, 0xff);
    program(2, 11_932);
    expect(interrupts(ms(35)).length).toBe(3);
    expect(rig.requests(1)).toEqual([]);
  });

  test('one more at once, when it runs', () => {
    pit.fire();
    expect(rig.enter()).toBe('none');
    program(2, 11_932);
    pit.fire();
    expect(rig.enter()).toBe('lapic 30');
  });

  test('what it tells is of its guest time', () => {
    program(2, 11_932);
    rig.run(ms(5));
    expect(pit.inspect().counters[0]).toEqual({ mode: 2, count: 11_932, output: true });
    const state = rig.vpt.save();
    pit.inspect();
    expect(rig.vpt.save()).toEqual(state);
  });
});

describe('the real-time clock', () => {
  const B = 11;
  const C = 12;
  const PIE = 0x40;
  const UIE = 0x10;
  const H24 = 2;
  let rtc: Rtc;

  beforeEach(() => {
    ticks = rig.vpt.isaTicks('rtc', 8, () => rtc.taken(), true);
    const set = (high: boolean) => (high ? rig.irq.isaIrqAssert(8) : rig.irq.isaIrqDeassert(8));
    rtc = new Rtc('rtc', rig.clock, { set }, 1_709_251_197, ticks);
    rig.entry(8, VECTOR);
  });

  function put(index: number, value: number): void {
    rtc.write(0, index, 1);
    rtc.write(1, value, 1);
  }

  function get(index: number): number {
    rtc.write(0, index, 1);
    return rtc.read(1, 1);
  }

  test('has its periodic interrupt at the rate of register A, while B enables it', () => {
    expect(interrupts(ms(10))).toEqual([]);
    put(B, H24 | PIE);
    // 1,024 Hz
    expect(ticks.pt.period).toBe(976_563);
    expect(interrupts(ms(5)).length).toBe(5);
    put(10, 0x2f);
    expect([ticks.pt.period, interrupts(ms(1010)).length]).toEqual([500_000_000, 2]);
    put(B, H24);
    expect([interrupts(seconds(2)), rig.vpt.isActive(ticks.pt)]).toEqual([[], false]);
  });

  test('its ticks fall on multiples of their period', () => {
    rig.run(us(1500));
    put(B, H24 | PIE);
    expect(ticks.pt.scheduled).toBe(2 * 976_563);
  });

  test('interrupts though register C was not read; that tells of it, and of ticks that did not', () => {
    put(B, H24 | PIE);
    interrupts(ms(3));
    expect([get(C), get(C)]).toEqual([0xc0, 0]);
    put(B, H24);
    rig.run(ms(2));
    expect(get(C)).toBe(PIE);
  });

  test('rate 0 has none', () => {
    put(B, H24 | PIE);
    put(10, 0x20);
    expect(interrupts(ms(10))).toEqual([]);
  });

  test('an update is an edge of its own beside them, once until register C is read', () => {
    put(10, 0x2f);
    put(B, H24 | PIE | UIE);
    const at = interrupts(seconds(2));
    expect(at).toEqual([0.5, 1, 1, 1.5, 2].map(seconds));
    expect(get(C) & 0xf0).toBe(0xd0);
  });

  test('one that was saved ticks on', () => {
    put(B, H24 | PIE);
    const saved = JSON.parse(JSON.stringify(rtc.save()));
    rtc.restore(saved);
    expect(rtc.save()).toEqual(saved);
    put(10, 0x26);
    expect(ticks.pt.scheduled).toBe(976_563);
  });
});
