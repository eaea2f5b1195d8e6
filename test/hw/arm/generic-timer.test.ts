/** The generic timer: counter, offset, compare values, levels; in the words of its chapter in the architecture manual. */
import { describe, expect, test } from 'vitest';
import { Clock, ms, us } from '../../../engine/core/clock.ts';
import { Rng } from '../../../engine/core/rng.ts';
import { GenericTimer, SystemCounter } from '../../../engine/hw/arm/generic-timer.ts';
import { CNT } from '../../../engine/hw/arm/timer-regs.ts';

const ENABLE = 1;
const IMASK = 2;
const ISTATUS = 4;
/** ns of a tick at 62.5 MHz */
const TICK = 16;

function timers(hz?: number) {
  const clock = new Clock();
  const edges: [at: number, ppi: number, high: boolean][] = [];
  const timer = new GenericTimer({
    id: 'timer0',
    clock,
    counter: new SystemCounter(hz),
    output: (ppi, high) => edges.push([clock.now, ppi, high]),
  });
  return { clock, timer, edges };
}

describe('the counter', () => {
  test('ticks every 16 ns on this board', () => {
    const { clock, timer } = timers();
    clock.runUntil(1600);
    expect(timer.read(CNT.CNTPCT_EL0)).toBe(100);
    clock.runUntil(1615);
    expect(timer.read(CNT.CNTPCT_EL0)).toBe(100);
    expect(timer.read(CNT.CNTFRQ_EL0)).toBe(62_500_000);
  });

  test('the first moment of a value is found for any rate, also after months', () => {
    const rng = new Rng(1, () => {}).stream('counter');
    for (const hz of [62_500_000, 25_000_000, 54_000_000, 1_000_000_000, 24_576_000]) {
      const counter = new SystemCounter(hz);
      for (let i = 0; i < 200; i++) {
        const count = rng.below(2 ** 31) * (i % 2 === 0 ? 1 : 50_000);
        const when = counter.when(count);
        expect(counter.at(when)).toBeGreaterThanOrEqual(count);
        if (when > 0) expect(counter.at(when - 1)).toBeLessThan(count);
      }
    }
  });

  test('a rate that is not whole kHz is refused', () => {
    expect(() => new SystemCounter(32_768)).toThrow('32768 Hz');
  });

  test('the virtual counter is the physical one less the offset', () => {
    const { clock, timer } = timers();
    clock.runUntil(ms(1));
    timer.write(CNT.CNTVOFF_EL2, 1000);
    expect(timer.read(CNT.CNTPCT_EL0)).toBe(62_500);
    expect(timer.read(CNT.CNTVCT_EL0)).toBe(61_500);
    expect(timer.read(CNT.CNTVOFF_EL2)).toBe(1000);
  });
});

describe.each([
  ['CNTV', 27, CNT.CNTV_CTL_EL0, CNT.CNTV_CVAL_EL0, CNT.CNTV_TVAL_EL0],
  ['CNTP', 30, CNT.CNTP_CTL_EL0, CNT.CNTP_CVAL_EL0, CNT.CNTP_TVAL_EL0],
  ['CNTHP', 26, CNT.CNTHP_CTL_EL2, CNT.CNTHP_CVAL_EL2, CNT.CNTHP_TVAL_EL2],
])('%s', (_name, ppi, CTL, CVAL, TVAL) => {
  test('its level rises when the counter reaches CVAL and stays until software does something', () => {
    const { clock, timer, edges } = timers();
    timer.write(CVAL, 1000);
    timer.write(CTL, ENABLE);
    clock.runUntil(999 * TICK);
    expect(timer.read(CTL)).toBe(ENABLE);
    clock.runUntil(ms(1));
    expect(edges).toEqual([[1000 * TICK, ppi, true]]);
    expect(timer.read(CTL)).toBe(ENABLE | ISTATUS);
    timer.write(CVAL, 200_000);
    expect(edges.at(-1)).toEqual([ms(1), ppi, false]);
    expect(timer.read(CTL)).toBe(ENABLE);
  });

  test('IMASK lowers the wire and leaves ISTATUS, as a hypervisor does before it injects', () => {
    const { clock, timer, edges } = timers();
    timer.write(CVAL, 1000);
    timer.write(CTL, ENABLE);
    clock.runUntil(us(20));
    timer.write(CTL, ENABLE | IMASK);
    expect(edges.map(([, , high]) => high)).toEqual([true, false]);
    expect(timer.read(CTL)).toBe(ENABLE | IMASK | ISTATUS);
    timer.write(CTL, ENABLE);
    expect(edges.at(-1)).toEqual([us(20), ppi, true]);
  });

  test('disabled it has neither wire nor status, and no alarm is left', () => {
    const { clock, timer, edges } = timers();
    timer.write(CVAL, 1000);
    timer.write(CTL, ENABLE);
    timer.write(CTL, 0);
    expect(clock.pending).toBe(0);
    clock.runUntil(ms(1));
    expect([timer.read(CTL), edges]).toEqual([0, []]);
  });

  test('TVAL is relative and signed', () => {
    const { clock, timer, edges } = timers();
    clock.runUntil(us(16));
    timer.write(TVAL, 500);
    expect(timer.read(CVAL)).toBe(1500);
    timer.write(CTL, ENABLE);
    clock.runUntil(1499 * TICK);
    expect(timer.read(TVAL)).toBe(1);
    clock.runUntil(1502 * TICK);
    expect(timer.read(TVAL)).toBe(2 ** 32 - 2);
    expect(edges).toEqual([[1500 * TICK, ppi, true]]);
    timer.write(TVAL, 0xffff_ffff);
    expect(timer.read(CVAL)).toBe(1501);
    expect(timer.read(CTL)).toBe(ENABLE | ISTATUS);
  });

  test('a value that is never reached is kept whole and waits for nothing', () => {
    const { clock, timer, edges } = timers();
    timer.write(CVAL, 0xffff_ffff, 0xffff_ffff);
    timer.write(CTL, ENABLE);
    expect(clock.pending).toBe(0);
    expect(timer.read(CVAL)).toBe(2 ** 64);
    expect(timer.read(TVAL)).toBe(0xffff_ffff);
    timer.write(CVAL, 0, 0x7fff_ffff);
    expect([clock.pending, edges]).toEqual([0, []]);
  });

  test('a register of its own, no other, and none that cannot be written', () => {
    const { timer } = timers();
    expect(timer.write(CNT.CNTVCT_EL0, 0)).toBe(false);
    expect(timer.write(CNT.CNTFRQ_EL0, 0)).toBe(false);
    expect(timer.read(0)).toBeUndefined();
  });
});

describe('with an offset', () => {
  test('CNTV is due when the counter less the offset reaches CVAL', () => {
    const { clock, timer, edges } = timers();
    timer.write(CNT.CNTV_CVAL_EL0, 1000);
    timer.write(CNT.CNTV_CTL_EL0, ENABLE);
    clock.runUntil(us(8));
    timer.write(CNT.CNTVOFF_EL2, 400);
    clock.runUntil(ms(1));
    expect(edges).toEqual([[1400 * TICK, 27, true]]);
  });

  test('ahead of the counter, the virtual one is near its end, past any CVAL until it wraps', () => {
    const { clock, timer, edges } = timers();
    timer.write(CNT.CNTVOFF_EL2, 1000);
    timer.write(CNT.CNTV_CVAL_EL0, 500);
    timer.write(CNT.CNTV_CTL_EL0, ENABLE);
    expect(timer.read(CNT.CNTVCT_EL0)).toBe(Number(2n ** 64n - 1000n));
    clock.runUntil(ms(1));
    expect(edges).toEqual([
      [0, 27, true],
      [1000 * TICK, 27, false],
      [1500 * TICK, 27, true],
    ]);
  });

  test('a negative offset sets the virtual counter ahead', () => {
    const { clock, timer, edges } = timers();
    timer.write(CNT.CNTVOFF_EL2, 0xffff_ff00, 0xffff_ffff);
    expect(timer.read(CNT.CNTVCT_EL0)).toBe(256);
    timer.write(CNT.CNTV_TVAL_EL0, 44);
    expect(timer.read(CNT.CNTV_CVAL_EL0)).toBe(300);
    timer.write(CNT.CNTV_CTL_EL0, ENABLE);
    clock.runUntil(ms(1));
    expect(edges).toEqual([[44 * TICK, 27, true]]);
  });
});

test('a processor whose time is ahead of the clock programs by its own time', () => {
  const clock = new Clock();
  let ahead = 1600;
  const edges: [number, boolean][] = [];
  const timer = new GenericTimer({
    id: 'timer0',
    clock,
    counter: new SystemCounter(),
    now: () => clock.now + ahead,
    output: (_ppi, high) => edges.push([clock.now, high]),
  });
  timer.write(CNT.CNTP_TVAL_EL0, 50);
  timer.write(CNT.CNTP_CTL_EL0, ENABLE);
  ahead = 0;
  clock.runUntil(ms(1));
  expect(edges).toEqual([[150 * TICK, true]]);
});

test('saved at any moment and put into another, it goes on the same', () => {
  const { clock, timer, edges } = timers();
  clock.runUntil(us(2));
  timer.write(CNT.CNTVOFF_EL2, 100);
  timer.write(CNT.CNTV_CVAL_EL0, 5000);
  timer.write(CNT.CNTV_CTL_EL0, ENABLE);
  timer.write(CNT.CNTHP_CVAL_EL2, 200);
  timer.write(CNT.CNTHP_CTL_EL2, ENABLE);
  timer.write(CNT.CNTP_CVAL_EL0, 0xffff_ffff, 0xffff_ffff);
  clock.runUntil(us(10));
  const saved = JSON.parse(JSON.stringify([clock.save(), timer.save()]));
  const other = timers();
  other.clock.restore(saved[0]);
  other.timer.restore(saved[1]);
  expect(JSON.stringify(other.timer.save())).toBe(JSON.stringify(saved[1]));
  clock.runUntil(ms(1));
  other.clock.runUntil(ms(1));
  expect(other.edges).toEqual(edges.slice(1));
  expect(edges).toHaveLength(2);
});
