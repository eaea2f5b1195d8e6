/** The high precision event timer, by the sentences of its specification. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { Hpet } from '../../../engine/devices/pc/hpet.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const CONFIG = 0x10;
const STATUS = 0x20;
const COUNTER = 0xf0;
const T0 = 0x100;
const LEVEL = 2;
const ENABLED = 4;
const PERIODIC = 8;
const SETVAL = 0x40;
const MODE_32 = 0x100;

class Rig {
  readonly clock = new Clock();
  readonly irq0 = new Wire(this.clock);
  readonly irq8 = new Wire(this.clock);
  readonly pin2 = new Wire(this.clock);
  readonly pin20 = new Wire(this.clock);
  readonly hpet: Hpet;

  constructor() {
    const pins: Wire[] = [];
    pins[2] = this.pin2;
    pins[20] = this.pin20;
    this.hpet = new Hpet('hpet', this.clock, { legacy: [this.irq0, this.irq8], pins });
  }

  write(offset: number, value: number): void {
    this.hpet.write(offset, value, 4);
  }

  read(offset: number): number {
    return this.hpet.read(offset, 4);
  }

  /** In counts of 10 ns. */
  run(counts: number): void {
    this.clock.runUntil(counts * 10);
  }
}

describe('the counter', () => {
  test('runs while the timer is enabled and keeps its value otherwise', () => {
    const rig = new Rig();
    rig.run(100);
    expect(rig.read(COUNTER)).toBe(0);
    rig.write(CONFIG, 1);
    rig.run(350);
    expect(rig.read(COUNTER)).toBe(250);
    rig.write(CONFIG, 0);
    rig.run(1000);
    expect(rig.read(COUNTER)).toBe(250);
    rig.write(COUNTER, 7);
    expect(rig.hpet.read(COUNTER, 8)).toBe(7);
  });

  test('has 64 bits', () => {
    const rig = new Rig();
    rig.write(COUNTER + 4, 3);
    rig.write(COUNTER, 0xffff_ffff);
    rig.write(CONFIG, 1);
    rig.run(1);
    expect([rig.read(COUNTER), rig.read(COUNTER + 4)]).toEqual([0, 4]);
  });

  test('is of 100 MHz, and there are three timers that can replace the legacy ones', () => {
    const rig = new Rig();
    expect(rig.read(4)).toBe(10_000_000);
    expect(rig.read(0)).toBe(0x8086a201);
    expect(rig.read(T0 + 4)).toBe((1 << 2) | (1 << 20));
  });
});

describe('timers', () => {
  test('one-shot: an edge when the counter reaches the comparator', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | MODE_32 | (2 << 9));
    rig.write(T0 + 8, 500);
    rig.write(CONFIG, 1);
    rig.run(10_000);
    expect(rig.pin2.rises).toEqual([5_000]);
  });

  test('a comparator that the counter has passed does not match before it comes round', () => {
    const rig = new Rig();
    rig.write(CONFIG, 1);
    rig.run(1000);
    rig.write(T0, ENABLED | MODE_32 | (2 << 9));
    rig.write(T0 + 8, 999);
    rig.run(2 ** 32 + 998);
    expect(rig.pin2.rises).toEqual([]);
    rig.run(2 ** 32 + 1000);
    expect(rig.pin2.rises).toEqual([(2 ** 32 + 999) * 10]);
  });

  test('in 64-bit mode the upper half counts too', () => {
    const rig = new Rig();
    rig.write(T0 + 0x20, ENABLED | (20 << 9));
    rig.hpet.write(T0 + 0x28, 2 ** 32 + 5, 8);
    rig.write(CONFIG, 1);
    rig.run(2 ** 32);
    expect(rig.pin20.rises).toEqual([]);
    rig.run(2 ** 32 + 5);
    expect(rig.pin20.rises).toHaveLength(1);
  });

  test('periodic: the first match where the comparator was set, then each period', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | PERIODIC | SETVAL | MODE_32 | (2 << 9));
    rig.write(T0 + 8, 300);
    rig.write(T0 + 8, 1000);
    rig.write(CONFIG, 1);
    rig.run(2500);
    expect(rig.pin2.rises).toEqual([3_000, 13_000, 23_000]);
    expect(rig.read(T0 + 8)).toBe(3300);
    expect(rig.read(T0) & SETVAL).toBe(0);
  });

  test('edge: the status bit stays clear', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | (2 << 9));
    rig.write(T0 + 8, 5);
    rig.write(T0 + 12, 0);
    rig.write(CONFIG, 1);
    rig.run(10);
    expect(rig.pin2.rises).toHaveLength(1);
    expect(rig.read(STATUS)).toBe(0);
  });

  test('level: the wire is high until the status bit is written with 1', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | LEVEL | MODE_32 | (20 << 9));
    rig.write(T0 + 8, 5);
    rig.write(CONFIG, 1);
    rig.run(10);
    expect([rig.pin20.high, rig.read(STATUS)]).toEqual([true, 1]);
    rig.write(STATUS, 2);
    expect(rig.pin20.high).toBe(true);
    rig.write(STATUS, 1);
    expect([rig.pin20.high, rig.read(STATUS)]).toEqual([false, 0]);
  });

  test('a timer whose interrupt is not enabled sets its status bit and no wire', () => {
    const rig = new Rig();
    rig.write(T0, LEVEL | MODE_32 | (20 << 9));
    rig.write(T0 + 8, 5);
    rig.write(CONFIG, 1);
    rig.run(10);
    expect([rig.pin20.high, rig.read(STATUS)]).toEqual([false, 1]);
  });
});

describe('legacy replacement', () => {
  test('timer 0 takes interrupt 0, timer 1 interrupt 8, whatever their routes say', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | MODE_32 | (20 << 9));
    rig.write(T0 + 8, 10);
    rig.write(T0 + 0x20, ENABLED | MODE_32 | (20 << 9));
    rig.write(T0 + 0x28, 20);
    rig.write(T0 + 0x40, ENABLED | MODE_32 | (20 << 9));
    rig.write(T0 + 0x48, 30);
    rig.write(CONFIG, 3);
    expect(rig.hpet.replaces).toBe(true);
    rig.run(100);
    expect([rig.irq0.rises, rig.irq8.rises, rig.pin20.rises]).toEqual([[100], [200], [300]]);
  });

  test('a level timer leaves the wire it held when replacement is turned on', () => {
    const rig = new Rig();
    rig.write(T0, ENABLED | LEVEL | MODE_32 | (20 << 9));
    rig.write(T0 + 8, 5);
    rig.write(CONFIG, 1);
    rig.run(10);
    rig.write(CONFIG, 3);
    expect([rig.pin20.high, rig.irq0.high]).toEqual([false, true]);
  });
});

test('narrow and misplaced accesses change nothing', () => {
  const rig = new Rig();
  rig.hpet.write(CONFIG, 1, 1);
  rig.hpet.write(CONFIG + 1, 0xffff, 4);
  rig.hpet.write(0x400, 1, 4);
  expect([rig.read(CONFIG), rig.read(0x400), rig.hpet.read(7, 1)]).toEqual([0, 0, 0x00]);
});

test('the user can make timer 0 interrupt', () => {
  const rig = new Rig();
  rig.write(T0, ENABLED | (2 << 9));
  rig.write(CONFIG, 1);
  rig.hpet.fire();
  expect(rig.pin2.rises).toHaveLength(1);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  rig.write(T0, ENABLED | PERIODIC | SETVAL | MODE_32 | (2 << 9));
  rig.write(T0 + 8, 300);
  rig.write(CONFIG, 1);
  rig.run(700);
  const copy = new Rig();
  copy.clock.restore(rig.clock.save());
  copy.hpet.restore(travelled(rig.hpet.save()));
  rig.pin2.rises = [];
  for (const r of [rig, copy]) r.run(1600);
  expect(copy.pin2.rises).toEqual(rig.pin2.rises);
  expect(copy.pin2.rises).toHaveLength(3);
  expect(copy.hpet.inspect()).toEqual(rig.hpet.inspect());
});
