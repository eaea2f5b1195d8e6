/** The interval timer: the datasheet's modes on OUT of counter 0, its reading commands, and KVM's ticks. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { I8254, type PitOptions } from '../../../engine/devices/pc/i8254.ts';
import { clocksIn, PIT_HZ, timeOf } from '../../../engine/devices/pc/i8254-counter.ts';

class Rig {
  readonly clock = new Clock();
  /** time in clocks of the timer, level */
  edges: [number, boolean][] = [];
  readonly pit: I8254;

  constructor(options: PitOptions = { output: 'chip', reinject: false }) {
    let level = false;
    const set = (high: boolean) => {
      if (high !== level) this.edges.push([clocksIn(this.clock.now), high]);
      level = high;
    };
    this.pit = new I8254('pit', this.clock, { set }, options);
  }

  program(word: number, count: number): void {
    this.pit.write(3, word, 1);
    this.pit.write(0, count & 0xff, 1);
    this.pit.write(0, count >> 8, 1);
  }

  run(clocks: number): void {
    this.clock.runUntil(timeOf(clocks));
  }

  rises(): number[] {
    return this.edges.filter(([, high]) => high).map(([at]) => at);
  }

  count(): number {
    this.pit.write(3, 0x00, 1);
    return this.pit.read(0, 1) | (this.pit.read(0, 1) << 8);
  }
}

describe('modes of counter 0', () => {
  test('mode 0: OUT goes low with the control word and high at the terminal count, for good', () => {
    const rig = new Rig();
    rig.pit.write(3, 0x34, 1);
    rig.program(0x30, 100);
    rig.run(100_000);
    expect(rig.edges).toEqual([
      [0, true],
      [0, false],
      [100, true],
    ]);
  });

  test('mode 2: OUT is low for one clock in each period', () => {
    const rig = new Rig();
    rig.program(0x34, 1000);
    rig.run(2500);
    expect(rig.edges).toEqual([
      [0, true],
      [999, false],
      [1000, true],
      [1999, false],
      [2000, true],
    ]);
  });

  test('mode 3: OUT is high for the first half, the longer one of an odd count', () => {
    const rig = new Rig();
    rig.program(0x36, 5);
    rig.run(12);
    expect(rig.edges.map(([at]) => at)).toEqual([0, 3, 5, 8, 10]);
  });

  test('mode 4: OUT is low for one clock after the count, once', () => {
    const rig = new Rig();
    rig.program(0x38, 50);
    rig.run(1000);
    expect(rig.edges).toEqual([
      [0, true],
      [50, false],
      [51, true],
    ]);
  });

  test('a count of 0 is 65,536', () => {
    const rig = new Rig();
    rig.program(0x34, 0);
    rig.run(70_000);
    expect(rig.rises()).toEqual([0, 65_536]);
  });

  test('periods do not drift: a second has 1,193,182 clocks', () => {
    const rig = new Rig();
    rig.program(0x34, 1193);
    rig.clock.runUntil(100_000_000_000);
    expect(rig.rises().length - 1).toBe(Math.floor((100 * PIT_HZ) / 1193));
  });

  test('a control word without a count stops it', () => {
    const rig = new Rig();
    rig.program(0x34, 1000);
    rig.run(500);
    rig.pit.write(3, 0x30, 1);
    rig.run(100_000);
    expect(rig.rises()).toEqual([0]);
  });
});

describe('reading', () => {
  test('a latched count stands still until it has been read', () => {
    const rig = new Rig();
    rig.program(0x34, 1000);
    rig.run(300);
    rig.pit.write(3, 0x00, 1);
    rig.run(700);
    rig.pit.write(3, 0x00, 1);
    expect(rig.pit.read(0, 1) | (rig.pit.read(0, 1) << 8)).toBe(700);
    expect(rig.count()).toBe(300);
  });

  test('read-back latches status and count; the status comes first', () => {
    const rig = new Rig();
    rig.program(0x34, 1000);
    rig.run(10);
    rig.pit.write(3, 0xc2, 1);
    expect(rig.pit.read(0, 1)).toBe(0x80 | 0x30 | 0x04);
    expect(rig.pit.read(0, 1) | (rig.pit.read(0, 1) << 8)).toBe(990);
  });

  test('the status tells of a count not yet written', () => {
    const rig = new Rig();
    rig.pit.write(3, 0x34, 1);
    rig.pit.write(3, 0xe2, 1);
    expect(rig.pit.read(0, 1) & 0x40).toBe(0x40);
  });

  test('counters 1 and 2 count and have no interrupt', () => {
    const rig = new Rig();
    rig.pit.write(3, 0xb4, 1);
    rig.pit.write(2, 100, 1);
    rig.pit.write(2, 0, 1);
    rig.run(30);
    expect(rig.pit.read(2, 1)).toBe(70);
    rig.run(1000);
    expect(rig.edges).toEqual([]);
  });

  test('only the low byte is written and read where the control word says so', () => {
    const rig = new Rig();
    rig.pit.write(3, 0x14, 1);
    rig.pit.write(0, 200, 1);
    rig.run(50);
    expect([rig.pit.read(0, 1), rig.pit.read(0, 1)]).toEqual([150, 150]);
  });

  test('only the high byte likewise', () => {
    const rig = new Rig();
    rig.pit.write(3, 0x24, 1);
    rig.pit.write(0, 2, 1);
    rig.run(1);
    expect(rig.pit.read(0, 1)).toBe(1);
    rig.run(512);
    expect(rig.rises()).toEqual([0, 512]);
  });
});

describe('KVM', () => {
  const reinject: PitOptions = { output: 'kvm', reinject: true };

  test('a tick waits for the acknowledgement of the one before, and none is lost', () => {
    const rig = new Rig(reinject);
    rig.program(0x34, 1000);
    rig.run(3500);
    expect(rig.rises()).toEqual([1000]);
    rig.pit.ack();
    rig.pit.ack();
    expect(rig.rises()).toHaveLength(3);
    rig.pit.ack();
    expect(rig.rises()).toHaveLength(3);
    rig.run(4500);
    expect(rig.rises()).toHaveLength(4);
  });

  test('without reinjection every tick is a pulse, acknowledged or not', () => {
    const rig = new Rig({ output: 'kvm', reinject: false });
    rig.program(0x34, 1000);
    rig.run(3500);
    expect(rig.rises()).toHaveLength(3);
    rig.pit.ack();
    expect(rig.rises()).toHaveLength(3);
  });

  test('unmasking forgets what was missed', () => {
    const rig = new Rig(reinject);
    rig.program(0x34, 1000);
    rig.run(3500);
    rig.pit.forgive();
    rig.run(4100);
    expect(rig.rises()).toHaveLength(2);
    rig.pit.ack();
    expect(rig.rises()).toHaveLength(2);
  });

  test('modes 0 and 4 tick once', () => {
    for (const word of [0x30, 0x38]) {
      const rig = new Rig(reinject);
      rig.program(word, 1000);
      rig.run(5000);
      expect(rig.rises()).toEqual([1000]);
    }
  });

  test('no guest gets ticks faster than 200 us', () => {
    const rig = new Rig({ output: 'kvm', reinject: false });
    rig.program(0x34, 12);
    rig.clock.runUntil(1_000_000);
    expect(rig.rises()).toHaveLength(5);
  });

  test('reinjection can be turned off', () => {
    const rig = new Rig(reinject);
    rig.program(0x34, 1000);
    rig.run(2500);
    rig.pit.setReinject(false);
    rig.run(4500);
    expect(rig.rises()).toHaveLength(3);
  });
});

test('the user can make it tick', () => {
  for (const output of ['chip', 'kvm'] as const) {
    const rig = new Rig({ output, reinject: false });
    rig.pit.fire();
    expect(rig.rises()).toHaveLength(1);
    expect(rig.pit.inspect().ticks).toBe(1);
  }
});

test('a copy goes on as the original does', () => {
  const rig = new Rig({ output: 'kvm', reinject: true });
  rig.program(0x34, 1000);
  rig.run(3300);
  const copy = new Rig({ output: 'kvm', reinject: true });
  copy.clock.restore(rig.clock.save());
  copy.pit.restore(JSON.parse(JSON.stringify(rig.pit.save())));
  for (const r of [rig, copy]) {
    r.edges = [];
    r.pit.ack();
    r.run(6000);
  }
  expect(copy.edges).toEqual(rig.edges);
  expect(copy.edges.length).toBeGreaterThan(0);
  expect(copy.pit.inspect()).toEqual(rig.pit.inspect());
});
