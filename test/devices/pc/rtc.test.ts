/** The real-time clock, by the sentences of the MC146818A's datasheet. */
import { describe, expect, test } from 'vitest';
import { Clock, seconds } from '../../../engine/core/clock.ts';
import { Rtc } from '../../../engine/devices/pc/rtc.ts';
import { fieldsOf, nextAlarm, secondsOf } from '../../../engine/devices/pc/rtc-time.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const A = 10;
const B = 11;
const C = 12;
const PIE = 0x40;
const AIE = 0x20;
const UIE = 0x10;
const DM = 4;
const H24 = 2;

class Rig {
  readonly clock = new Clock();
  readonly wire = new Wire(this.clock);
  readonly rtc: Rtc;

  /** 29 February 2024, 23:59:57, a Thursday */
  constructor() {
    this.rtc = new Rtc('rtc', this.clock, this.wire, 1_709_251_197);
  }

  get(index: number): number {
    this.rtc.write(0, index, 1);
    return this.rtc.read(1, 1);
  }

  put(index: number, value: number): void {
    this.rtc.write(0, index, 1);
    this.rtc.write(1, value, 1);
  }

  time(): number[] {
    return [9, 8, 7, 6, 4, 2, 0].map((index) => this.get(index));
  }
}

describe('time', () => {
  test('is BCD of 24 hours unless register B says otherwise', () => {
    const rig = new Rig();
    expect(rig.time()).toEqual([0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x57]);
    expect(rig.get(0x32)).toBe(0x20);
    rig.put(B, DM | H24);
    expect(rig.time()).toEqual([24, 2, 29, 5, 23, 59, 57]);
    rig.put(B, 0);
    expect(rig.get(4)).toBe(0x11 | 0x80);
  });

  test('goes on, over the end of a leap day', () => {
    const rig = new Rig();
    rig.clock.runUntil(seconds(4));
    expect(rig.time()).toEqual([0x24, 0x03, 0x01, 6, 0, 0, 1]);
  });

  test('SET stops it until it is written and let go', () => {
    const rig = new Rig();
    rig.put(B, 0x80 | H24);
    rig.clock.runUntil(seconds(10));
    expect(rig.get(0)).toBe(0x57);
    rig.put(0, 0x10);
    rig.put(9, 0x31);
    rig.put(0x32, 0x19);
    rig.put(B, H24);
    rig.clock.runUntil(seconds(12));
    expect(rig.time()[0]).toBe(0x31);
    expect([rig.get(0x32), rig.get(0)]).toEqual([0x19, 0x12]);
  });

  test('UIP announces an update 244 us ahead', () => {
    const rig = new Rig();
    rig.clock.runUntil(seconds(1) - 300_000);
    expect(rig.get(A) & 0x80).toBe(0);
    rig.clock.runUntil(seconds(1) - 200_000);
    expect(rig.get(A) & 0x80).toBe(0x80);
  });

  test('dates are the calendar of the Gregorian years', () => {
    for (let t = -86_400 * 3; t < 4e9; t += 86_399 * 97) expect(secondsOf(fieldsOf(t))).toBe(t);
    expect(fieldsOf(946_684_799)).toMatchObject({ year: 1999, month: 12, day: 31, weekday: 6 });
  });
});

describe('interrupts', () => {
  test('periodic: at the rate of register A, if register C is read each time', () => {
    const rig = new Rig();
    rig.put(A, 0x26);
    rig.put(B, PIE | H24);
    for (let n = 0; n < 4; n++) {
      rig.clock.runUntil(rig.clock.next);
      expect(rig.get(C)).toBe(0x80 | PIE);
    }
    const period = 1e9 / 1024;
    expect(rig.wire.rises).toEqual([1, 2, 3, 4].map((n) => Math.ceil(n * period)));
  });

  test('the wire stays high and nothing else comes until register C has been read', () => {
    const rig = new Rig();
    rig.put(B, PIE | H24);
    rig.clock.runUntil(seconds(0.5));
    expect([rig.wire.high, rig.wire.rises.length]).toEqual([true, 1]);
    rig.get(C);
    expect(rig.wire.high).toBe(false);
    rig.clock.runUntil(seconds(0.5) + 1_000_000);
    expect(rig.wire.rises).toHaveLength(2);
  });

  test('update-ended: each second', () => {
    const rig = new Rig();
    rig.put(B, UIE | H24);
    rig.clock.runUntil(seconds(1));
    expect([rig.wire.rises, rig.get(C)]).toEqual([[seconds(1)], 0x80 | PIE | UIE]);
    rig.clock.runUntil(seconds(2));
    expect(rig.wire.rises).toEqual([seconds(1), seconds(2)]);
  });

  test('alarm: at its hour, minute and second', () => {
    const rig = new Rig();
    rig.put(5, 0x00);
    rig.put(3, 0x01);
    rig.put(1, 0x30);
    rig.put(B, AIE | H24);
    rig.clock.runUntil(seconds(200));
    expect(rig.wire.rises).toEqual([seconds(3 + 90)]);
  });

  test('alarm: 0xc0 and above match any value', () => {
    const rig = new Rig();
    rig.put(5, 0xff);
    rig.put(3, 0xc0);
    rig.put(1, 0x05);
    rig.put(B, AIE | H24);
    rig.clock.runUntil(seconds(8));
    expect(rig.get(C) & AIE).toBe(AIE);
    rig.clock.runUntil(seconds(100));
    expect(rig.wire.rises).toEqual([seconds(8), seconds(68)]);
  });

  test('an alarm of no possible time never comes', () => {
    expect(nextAlarm(0, { hour: 25, minute: undefined, second: undefined })).toBeUndefined();
  });

  test('flags are set whether enabled or not; IRQF only with an enabled one', () => {
    const rig = new Rig();
    rig.clock.runUntil(seconds(1.5));
    expect(rig.get(C)).toBe(PIE | UIE);
    expect(rig.get(C)).toBe(0);
    expect(rig.wire.rises).toEqual([]);
  });

  test('no event is spent on what nobody has enabled', () => {
    const rig = new Rig();
    rig.put(A, 0x2f);
    rig.clock.runUntil(seconds(1000));
    expect(rig.clock.events).toBe(0);
  });

  test('enabling what has its flag set raises the wire at once', () => {
    const rig = new Rig();
    rig.clock.runUntil(seconds(1.5));
    rig.put(B, UIE | H24);
    expect(rig.wire.high).toBe(true);
    rig.put(B, H24);
    expect(rig.wire.high).toBe(false);
  });
});

test('registers C and D are read-only; other memory is memory', () => {
  const rig = new Rig();
  rig.put(0x0d, 0);
  rig.put(C, 0xff);
  rig.put(0x40, 0x5a);
  expect([rig.get(0x0d), rig.get(C), rig.get(0x40)]).toEqual([0x80, 0, 0x5a]);
});

test('the user can make the alarm ring', () => {
  const rig = new Rig();
  rig.rtc.fire();
  expect(rig.wire.rises).toHaveLength(1);
  expect(rig.get(C)).toBe(0x80 | AIE);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  rig.put(B, PIE | UIE | H24);
  rig.clock.runUntil(seconds(1.2));
  rig.get(C);
  const copy = new Rig();
  copy.clock.restore(rig.clock.save());
  copy.rtc.restore(travelled(rig.rtc.save()));
  rig.wire.rises = [];
  for (const r of [rig, copy]) {
    r.clock.runUntil(seconds(2.5));
    r.get(C);
    r.clock.runUntil(seconds(2.51));
  }
  expect(copy.wire.rises).toEqual(rig.wire.rises);
  expect(copy.wire.rises).toHaveLength(2);
  expect(copy.rtc.inspect()).toEqual(rig.rtc.inspect());
});
