/** The keyboard controller with keyboard and mouse: buffer, wires, queues and commands. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { I8042 } from '../../../engine/devices/pc/i8042.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const FULL = 0x01;
const AUX = 0x20;

class Rig {
  readonly clock = new Clock();
  readonly irq1 = new Wire(this.clock);
  readonly irq12 = new Wire(this.clock);
  readonly chip: I8042;

  constructor(byteTime = 0) {
    this.chip = new I8042('kbd', this.clock, this.irq1, this.irq12, byteTime);
  }

  data(): number {
    return this.chip.read(0, 1);
  }

  status(): number {
    return this.chip.read(4, 1);
  }

  command(...bytes: number[]): void {
    this.chip.write(4, bytes[0]!, 1);
    for (const byte of bytes.slice(1)) this.chip.write(0, byte, 1);
  }

  /** All that waits. */
  drain(): number[] {
    const bytes: number[] = [];
    while (this.status() & FULL) bytes.push(this.data());
    return bytes;
  }

  /** Both interrupts on, the mouse sends. */
  ready(): void {
    this.command(0x60, 0x47);
    this.command(0xd4, 0xf4);
    this.drain();
    this.irq1.rises = [];
    this.irq12.rises = [];
  }
}

describe('the output buffer', () => {
  test('holds one byte; its wire is high until it is read', () => {
    const rig = new Rig();
    rig.ready();
    rig.chip.press(0x1e);
    expect([rig.irq1.high, rig.irq12.high, rig.status() & (FULL | AUX)]).toEqual([true, false, FULL]);
    expect(rig.data()).toBe(0x1e);
    expect([rig.irq1.high, rig.status() & FULL]).toEqual([false, 0]);
  });

  test('a byte in the queue makes the wire rise once more when the one before is read', () => {
    const rig = new Rig();
    rig.ready();
    rig.chip.press(0x1e);
    rig.chip.keyboard.press(0x1f);
    expect(rig.irq1.rises).toHaveLength(1);
    rig.data();
    expect([rig.irq1.rises.length, rig.irq1.high]).toEqual([2, true]);
    expect(rig.data()).toBe(0x1f);
    expect(rig.irq1.high).toBe(false);
  });

  test("a movement is three bytes on IRQ 12, marked as the mouse's", () => {
    const rig = new Rig();
    rig.ready();
    rig.chip.move(-3, 5, 1);
    expect(rig.status() & (FULL | AUX)).toBe(FULL | AUX);
    expect(rig.drain()).toEqual([0x19, 0xfd, 0x05]);
    expect([rig.irq12.rises.length, rig.irq1.rises.length]).toEqual([3, 0]);
  });

  test('reading it while it is empty gives nothing and disturbs nothing', () => {
    const rig = new Rig();
    rig.ready();
    expect(rig.data()).toBe(0);
    rig.chip.press();
    expect(rig.irq1.rises).toHaveLength(1);
  });

  test('keys beyond the queue are lost', () => {
    const rig = new Rig();
    rig.ready();
    for (let n = 0; n < 30; n++) rig.chip.press(n + 1);
    expect(rig.drain()).toEqual(Array.from({ length: 17 }, (_, n) => n + 1));
    expect(rig.chip.keyboard.dropped).toBe(13);
  });

  test('bytes of a real keyboard take their time on the line', () => {
    const rig = new Rig(700_000);
    rig.ready();
    rig.chip.press(0x10);
    rig.chip.keyboard.press(0x11);
    expect(rig.irq1.high).toBe(false);
    rig.clock.runUntil(700_000);
    expect(rig.data()).toBe(0x10);
    expect(rig.irq1.high).toBe(false);
    rig.clock.runUntil(2_000_000);
    expect(rig.irq1.rises).toEqual([700_000, 1_400_000]);
  });
});

describe('the command byte', () => {
  test('keeps wires low whose interrupt it does not enable', () => {
    const rig = new Rig();
    rig.command(0x60, 0x44);
    rig.chip.press();
    expect([rig.status() & FULL, rig.irq1.high]).toEqual([FULL, false]);
    rig.command(0x60, 0x45);
    expect(rig.irq1.high).toBe(true);
  });

  test('can be read back', () => {
    const rig = new Rig();
    rig.command(0x60, 0x47);
    rig.command(0x20);
    expect(rig.drain()).toEqual([0x47]);
  });

  test('a disabled line holds its bytes back', () => {
    const rig = new Rig();
    rig.ready();
    rig.command(0xad);
    rig.chip.press(0x1e);
    expect(rig.status() & FULL).toBe(0);
    rig.command(0xae);
    expect(rig.drain()).toEqual([0x1e]);
    rig.command(0xa7);
    rig.chip.move(1, 1);
    expect(rig.status() & FULL).toBe(0);
    rig.command(0xa8);
    expect(rig.drain()).toHaveLength(3);
  });
});

describe('commands', () => {
  test("of the controller: self test, line tests, the mouse's loop as Linux probes it", () => {
    const rig = new Rig();
    rig.command(0xaa);
    rig.command(0xab);
    rig.command(0xa9);
    expect(rig.drain()).toEqual([0x55, 0, 0]);
    rig.command(0xd3, 0x5a);
    expect([rig.status() & AUX, rig.data()]).toEqual([AUX, 0x5a]);
    rig.command(0xd2, 0x33);
    expect([rig.status() & AUX, rig.data()]).toEqual([0, 0x33]);
  });

  test('of the keyboard: reset, identify, lamps, echo', () => {
    const rig = new Rig();
    const say = (...bytes: number[]) => {
      for (const byte of bytes) rig.chip.write(0, byte, 1);
      return rig.drain();
    };
    expect(say(0xff)).toEqual([0xfa, 0xaa]);
    expect(say(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(say(0xed, 0x02)).toEqual([0xfa, 0xfa]);
    expect(rig.chip.keyboard.leds).toBe(2);
    expect(say(0xee)).toEqual([0xee]);
    expect(say(0x01)).toEqual([0xfe]);
    say(0xf5);
    rig.chip.press();
    expect(rig.drain()).toEqual([]);
    say(0xf4);
    rig.chip.press();
    expect(rig.drain()).toEqual([0x1e]);
  });

  test('of the mouse: reset, identify, rate, status', () => {
    const rig = new Rig();
    const say = (...bytes: number[]) => {
      for (const byte of bytes) rig.command(0xd4, byte);
      return rig.drain();
    };
    expect(say(0xff)).toEqual([0xfa, 0xaa, 0x00]);
    expect(say(0xf2)).toEqual([0xfa, 0x00]);
    expect(say(0xf3, 200)).toEqual([0xfa, 0xfa]);
    expect(say(0xe9)).toEqual([0xfa, 0, 2, 200]);
    expect(say(0xe8, 3)).toEqual([0xfa, 0xfa]);
    rig.chip.move(1, 1);
    expect(rig.drain()).toEqual([]);
    expect(say(0xf4)).toEqual([0xfa]);
    expect(say(0xe9)).toEqual([0xfa, 0x20, 3, 200]);
    expect(say(0xf6)).toEqual([0xfa]);
    expect(say(0xe9)).toEqual([0xfa, 0, 2, 100]);
    expect(say(0x77)).toEqual([0xfe]);
  });
});

test('the user types a key, which comes up again after a while, and moves the mouse', () => {
  const rig = new Rig();
  rig.ready();
  rig.chip.fire();
  expect(rig.drain()).toEqual([0x1e]);
  rig.clock.runUntil(100_000_000);
  expect(rig.drain()).toEqual([0x9e]);
  expect(rig.irq1.rises).toEqual([0, 80_000_000]);
  rig.chip.fireMouse();
  expect(rig.drain()).toEqual([8, 1, 0]);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig(700_000);
  rig.command(0x60, 0x47);
  rig.command(0xd4, 0xf4);
  rig.clock.runUntil(10_000_000);
  rig.chip.press(0x20);
  rig.chip.move(2, 2);
  rig.command(0xd3);
  const copy = new Rig(700_000);
  copy.clock.restore(rig.clock.save());
  copy.chip.restore(travelled(rig.chip.save()));
  for (const r of [rig, copy]) {
    r.chip.write(0, 0x66, 1);
    r.irq1.rises = [];
    r.irq12.rises = [];
  }
  const bytes = [rig, copy].map((r) => {
    const out: number[] = [];
    for (let n = 1; n < 200; n++) {
      r.clock.runUntil(10_000_000 + n * 700_000);
      out.push(...r.drain());
    }
    return out;
  });
  expect(bytes[1]).toEqual(bytes[0]);
  expect(bytes[0]).toEqual([0xfa, 0x66, 0x20, 8, 2, 2, 0xa0]);
  expect([copy.irq1.rises, copy.irq12.rises]).toEqual([rig.irq1.rises, rig.irq12.rises]);
  expect(copy.chip.inspect()).toEqual(rig.chip.inspect());
});
