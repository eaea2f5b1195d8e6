/** The two 8259As, sentence by sentence of the datasheet, programmed as Linux does; and where emulations part from it. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../engine/core/rng.ts';
import { COALESCED, DELIVERED, I8259Pair, IGNORED } from '../../../engine/hw/x86/i8259.ts';
import { INTEL_PIC, KVM_PIC, type PicOptions, XEN_PIC } from '../../../engine/hw/x86/i8259-options.ts';

const MASTER_CMD = 0x20;
const MASTER_IMR = 0x21;
const SLAVE_CMD = 0xa0;
const SLAVE_IMR = 0xa1;
const MASTER_ELCR = 0x4d0;
const SLAVE_ELCR = 0x4d1;
/** IRQ n is vector 0x30 + n, as in arch/x86/kernel/i8259.c */
const VECTOR = 0x30;

const SPECIFIC_EOI = 0x60;
const EOI = 0x20;
const READ_ISR = 0x0b;
const READ_IRR = 0x0a;
const POLL = 0x0c;
const SPECIAL_MASK = 0x68;

const PRESETS = [
  ['datasheet', INTEL_PIC],
  ['KVM', KVM_PIC],
  ['Xen', XEN_PIC],
] as const;

/** Two chips with nobody at their INT; what they tell is kept. */
function blank(options: PicOptions = INTEL_PIC) {
  const acked: number[] = [];
  const pic = new I8259Pair('pc', options, { intr: () => {}, acked: (pin) => acked.push(pin) });
  return { pic, acked };
}

/** ICW1 to ICW4, then OCW1, of init_8259A. */
function init8259A(pic: I8259Pair, { icw4 = 0x01, imr = 0 } = {}): void {
  pic.write(MASTER_IMR, 0xff);
  pic.write(MASTER_CMD, 0x11);
  pic.write(MASTER_IMR, VECTOR);
  pic.write(MASTER_IMR, 1 << 2);
  pic.write(MASTER_IMR, icw4);
  pic.write(SLAVE_CMD, 0x11);
  pic.write(SLAVE_IMR, VECTOR + 8);
  pic.write(SLAVE_IMR, 2);
  pic.write(SLAVE_IMR, icw4);
  pic.write(MASTER_IMR, imr & 0xff);
  pic.write(SLAVE_IMR, imr >> 8);
}

function linux(options: PicOptions = INTEL_PIC, how: { icw4?: number; imr?: number } = {}) {
  const made = blank(options);
  init8259A(made.pic, how);
  made.acked.length = 0;
  return made;
}

function pulse(pic: I8259Pair, ...pins: number[]): void {
  for (const pin of pins) {
    pic.setIrq(pin, true);
    pic.setIrq(pin, false);
  }
}

/** Edges that stay high until they are taken, as the datasheet wants them. */
function raise(pic: I8259Pair, ...pins: number[]): void {
  for (const pin of pins) pic.setIrq(pin, true);
}

/** What Linux does at the end of an interrupt: mask_and_ack_8259A's specific EOIs. */
function endOf(pic: I8259Pair, irq: number): void {
  if (irq >= 8) {
    pic.write(SLAVE_CMD, SPECIFIC_EOI + (irq & 7));
    pic.write(MASTER_CMD, SPECIFIC_EOI + 2);
  } else pic.write(MASTER_CMD, SPECIFIC_EOI + irq);
}

function inService(pic: I8259Pair): number {
  pic.write(MASTER_CMD, READ_ISR);
  pic.write(SLAVE_CMD, READ_ISR);
  return pic.read(MASTER_CMD) | (pic.read(SLAVE_CMD) << 8);
}

function requested(pic: I8259Pair): number {
  pic.write(MASTER_CMD, READ_IRR);
  pic.write(SLAVE_CMD, READ_IRR);
  return pic.read(MASTER_CMD) | (pic.read(SLAVE_CMD) << 8);
}

describe.each(PRESETS)('as all have it: %s', (_name, options) => {
  test('an edge raises INT; the acknowledge cycle gives its vector and puts it in service', () => {
    const { pic } = linux(options);
    expect(pic.setIrq(1, true)).toBe(DELIVERED);
    expect(pic.intr).toBe(true);
    expect(pic.ack()).toBe(VECTOR + 1);
    expect([pic.intr, requested(pic), inService(pic)]).toEqual([false, 0, 1 << 1]);
  });

  test('an edge line that stays high after its acknowledge does not request again', () => {
    const { pic } = linux(options);
    raise(pic, 1);
    pic.ack();
    endOf(pic, 1);
    expect([pic.intr, inService(pic)]).toEqual([false, 0]);
  });

  test('a second raise before the acknowledge is one with the first', () => {
    const { pic } = linux(options);
    pic.write(SLAVE_ELCR, 1 << 2);
    expect(pic.setIrq(10, true)).toBe(DELIVERED);
    expect(pic.setIrq(10, true)).toBe(COALESCED);
  });

  test('a level line requests again after EOI for as long as it is high', () => {
    const { pic } = linux(options);
    pic.write(SLAVE_ELCR, 1 << 3);
    pic.setIrq(11, true);
    expect(pic.ack()).toBe(VECTOR + 11);
    endOf(pic, 11);
    expect(pic.intr).toBe(true);
    expect(pic.ack()).toBe(VECTOR + 11);
    pic.setIrq(11, false);
    endOf(pic, 11);
    expect(pic.intr).toBe(false);
  });

  test('a shared level line is high while any of its sources is', () => {
    const { pic } = linux(options);
    pic.write(MASTER_ELCR, 1 << 5);
    pic.setIrq(5, true, 0);
    pic.setIrq(5, true, 1);
    pic.setIrq(5, false, 0);
    expect(pic.intr).toBe(true);
    pic.setIrq(5, false, 1);
    expect(pic.intr).toBe(false);
  });

  test('IR0 is first, and the slave stands between IR1 and IR3 of the master', () => {
    const { pic } = linux(options);
    raise(pic, 3, 9, 8, 1, 0);
    const taken: number[] = [];
    while (pic.intr) {
      const irq = pic.ack() - VECTOR;
      taken.push(irq);
      endOf(pic, irq);
    }
    expect(taken).toEqual([0, 1, 8, 9, 3]);
  });

  test('while an input is in service only inputs of higher priority get through (fully nested mode)', () => {
    const { pic } = linux(options);
    raise(pic, 4);
    pic.ack();
    raise(pic, 6);
    expect(pic.intr).toBe(false);
    raise(pic, 1);
    expect(pic.ack()).toBe(VECTOR + 1);
    expect(inService(pic)).toBe((1 << 4) | (1 << 1));
  });

  test('a slave in service holds back its own higher inputs, until both chips have their EOI', () => {
    const { pic } = linux(options);
    raise(pic, 12);
    pic.ack();
    raise(pic, 8);
    expect(pic.intr).toBe(false);
    pic.write(MASTER_CMD, SPECIFIC_EOI + 2);
    expect(pic.ack()).toBe(VECTOR + 8);
  });

  test('special fully nested mode lets higher inputs of a slave in service through', () => {
    const { pic } = linux(options, { icw4: 0x11 });
    raise(pic, 12);
    pic.ack();
    raise(pic, 8);
    expect(pic.ack()).toBe(VECTOR + 8);
  });

  test('a masked input keeps its request, and INT rises when OCW1 unmasks it', () => {
    const { pic } = linux(options, { imr: 1 << 4 });
    expect(pic.setIrq(4, true)).toBe(IGNORED);
    expect([pic.intr, requested(pic)]).toEqual([false, 1 << 4]);
    pic.write(MASTER_IMR, 0);
    expect(pic.ack()).toBe(VECTOR + 4);
  });

  test('OCW1 reads back at the odd ports', () => {
    const { pic } = linux(options, { imr: 0xb8fe });
    expect([pic.read(MASTER_IMR), pic.read(SLAVE_IMR)]).toEqual([0xfe, 0xb8]);
  });

  test('a non-specific EOI ends the highest input in service', () => {
    const { pic, acked } = linux(options);
    raise(pic, 6);
    pic.ack();
    raise(pic, 3);
    pic.ack();
    pic.write(MASTER_CMD, EOI);
    expect(inService(pic)).toBe(1 << 6);
    pic.write(MASTER_CMD, EOI);
    expect([inService(pic), acked]).toEqual([0, [3, 6]]);
  });

  test('a non-specific EOI with nothing in service does nothing', () => {
    const { pic, acked } = linux(options);
    pic.write(MASTER_CMD, EOI);
    expect(acked).toEqual([]);
  });

  test('rotate on EOI makes the input that ends the last in the order', () => {
    const { pic } = linux(options);
    raise(pic, 3);
    pic.ack();
    pic.write(MASTER_CMD, 0xa0);
    raise(pic, 0, 4);
    expect(pic.ack()).toBe(VECTOR + 4);
  });

  test('set priority makes an input the last in the order, the next one the first', () => {
    const { pic } = linux(options);
    pic.write(MASTER_CMD, 0xc0 + 4);
    raise(pic, 0, 5);
    expect(pic.ack()).toBe(VECTOR + 5);
  });

  test('with automatic EOI nothing is in service after the acknowledge', () => {
    const { pic } = linux(options, { icw4: 0x03 });
    raise(pic, 6);
    expect(pic.ack()).toBe(VECTOR + 6);
    expect(inService(pic)).toBe(0);
    raise(pic, 7);
    expect(pic.ack()).toBe(VECTOR + 7);
  });

  test('rotation on automatic EOI makes the input that was taken the last in the order', () => {
    const { pic } = linux(options, { icw4: 0x03 });
    pic.write(MASTER_CMD, 0x80);
    raise(pic, 1);
    pic.ack();
    pic.setIrq(1, false);
    raise(pic, 1, 6);
    expect(pic.ack()).toBe(VECTOR + 6);
  });

  test('two level lines of a slave with automatic EOI are both taken, one after the other', () => {
    const { pic } = linux(options, { icw4: 0x03 });
    pic.write(SLAVE_ELCR, 0x0c);
    raise(pic, 10, 11);
    expect(pic.ack()).toBe(VECTOR + 10);
    pic.setIrq(10, false);
    expect(pic.ack()).toBe(VECTOR + 11);
  });

  test('timer, keyboard, cascade, clock and coprocessor cannot be made level', () => {
    const { pic } = linux(options);
    pic.write(MASTER_ELCR, 0xff);
    pic.write(SLAVE_ELCR, 0xff);
    expect([pic.read(MASTER_ELCR), pic.read(SLAVE_ELCR)]).toEqual([0xf8, 0xde]);
  });

  test('ICW1 clears the mask and forgets edges, not levels', () => {
    const { pic } = linux(options, { imr: 0xffff });
    pic.write(MASTER_ELCR, 1 << 5);
    raise(pic, 4, 5);
    pic.write(MASTER_CMD, 0x11);
    expect([pic.master.imr, pic.master.irr]).toEqual([0, 1 << 5]);
  });

  test('without ICW4 initialisation ends with ICW3, and nesting and EOI are the normal ones', () => {
    const { pic } = linux(options, { icw4: 0x13 });
    for (const [port, value] of [
      [MASTER_CMD, 0x10],
      [MASTER_IMR, 0x40],
      [MASTER_IMR, 1 << 2],
      [MASTER_IMR, 0xfb],
    ] as const) {
      pic.write(port, value);
    }
    expect([pic.read(MASTER_IMR), pic.master.autoEoi, pic.master.specialFullyNested]).toEqual([
      0xfb,
      false,
      false,
    ]);
  });

  test('only bits 7 to 3 of ICW2 count: the input is the rest of the vector', () => {
    const { pic } = linux(options);
    pic.write(MASTER_CMD, 0x11);
    for (const value of [0x6f, 1 << 2, 1]) pic.write(MASTER_IMR, value);
    raise(pic, 3);
    expect(pic.ack()).toBe(0x6b);
  });

  test('only bytes are taken from a wider bus', () => {
    const { pic } = linux(options);
    const ports = pic.ports(MASTER_CMD);
    ports.write(1, 0xff, 2);
    expect([ports.read(1, 1), ports.read(1, 2)]).toEqual([0, 0xffff]);
    ports.write(1, 0xfb, 1);
    expect(ports.read(1, 1)).toBe(0xfb);
  });

  test('a saved pair goes on where it was', () => {
    const { pic } = linux(options, { imr: 1 << 7 });
    pic.write(SLAVE_ELCR, 1 << 3);
    raise(pic, 4, 11, 12);
    pic.ack();
    const copy = blank(options).pic;
    copy.restore(JSON.parse(JSON.stringify(pic.save())));
    const [one, other] = [pic, copy].map((chip) => {
      endOf(chip, 11);
      chip.setIrq(11, false);
      return [chip.ack(), inService(chip), requested(chip), chip.intr];
    });
    expect(one).toEqual([VECTOR + 12, (1 << 12) | (1 << 2), 1 << 4, false]);
    expect(other).toEqual(one);
    expect(copy.save()).toEqual(pic.save());
  });

  test('whatever is written to them, registers stay bytes, and initialisation makes all well', () => {
    const { pic } = blank(options);
    const rng = new Rng(8259).stream('accesses');
    const ports = [MASTER_CMD, MASTER_IMR, SLAVE_CMD, SLAVE_IMR, MASTER_ELCR, SLAVE_ELCR];
    const wide: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      const port = ports[rng.below(6)]!;
      switch (rng.below(4)) {
        case 0:
          pic.setIrq(rng.below(16), rng.below(2) === 0, rng.below(64));
          break;
        case 1:
          pic.write(port, rng.below(256));
          break;
        case 2:
          pic.ack();
          break;
        default:
          wide.push(pic.read(port) & ~0xff);
      }
      const { irr, imr, isr, elcr } = pic.slave;
      wide.push((irr | imr | isr | elcr) & ~0xff);
    }
    expect(wide.filter((bits) => bits !== 0)).toEqual([]);
    for (let pin = 0; pin < 16; pin++)
      for (let source = 0; source < 64; source++) pic.setIrq(pin, false, source);
    for (const port of [MASTER_ELCR, SLAVE_ELCR]) pic.write(port, 0);
    init8259A(pic);
    // what KVM's ICW1 leaves behind
    for (const port of [MASTER_CMD, SLAVE_CMD]) for (let i = 0; i < 8; i++) pic.write(port, EOI);
    while (pic.intr) endOf(pic, pic.ack() - VECTOR);
    raise(pic, 9);
    expect([pic.ack(), inService(pic)]).toEqual([VECTOR + 9, (1 << 9) | (1 << 2)]);
  });
});

describe('where they part', () => {
  /** What each does, in the order of PRESETS. */
  function each<T>(run: (options: PicOptions) => T): T[] {
    return PRESETS.map(([, options]) => run(options));
  }

  test('an edge that falls before its acknowledge: lost, but KVM keeps it', () => {
    const irr = each((options) => {
      const { pic } = linux(options);
      pulse(pic, 4);
      return [requested(pic), pic.intr];
    });
    expect(irr).toEqual([
      [0, false],
      [1 << 4, true],
      [0, false],
    ]);
  });

  test('an acknowledge cycle without a request: IRQ7, none in service; Xen gives no vector', () => {
    const vectors = each((options) => {
      const { pic } = linux(options);
      return [pic.ack(), inService(pic)];
    });
    expect(vectors).toEqual([
      [VECTOR + 7, 0],
      [VECTOR + 7, 0],
      [-1, 0],
    ]);
  });

  test('a slave whose request goes away: INT falls with it; under KVM its edge stays and gives IRQ15', () => {
    const vectors = each((options) => {
      const { pic } = linux(options);
      pic.write(SLAVE_ELCR, 1 << 3);
      pic.setIrq(11, true);
      pic.setIrq(11, false);
      return [pic.intr, pic.ack(), inService(pic)];
    });
    expect(vectors).toEqual([
      [false, VECTOR + 7, 0],
      [true, VECTOR + 15, 1 << 2],
      [false, -1, 0],
    ]);
  });

  test('input 2 of the master is wired to the slave; KVM lets others drive it', () => {
    const answers = each((options) => {
      const { pic } = linux(options);
      return [pic.setIrq(2, true), pic.intr];
    });
    expect(answers).toEqual([
      [IGNORED, false],
      [DELIVERED, true],
      [IGNORED, false],
    ]);
  });

  test('ICW1 ends what is in service, and INT is low until initialisation is over; under KVM neither', () => {
    const states = each((options) => {
      const { pic } = linux(options);
      pic.write(MASTER_ELCR, 1 << 5);
      raise(pic, 6);
      pic.ack();
      raise(pic, 5);
      pic.write(MASTER_CMD, 0x11);
      return [pic.master.isr, pic.intr];
    });
    expect(states).toEqual([
      [0, false],
      [1 << 6, true],
      [0, false],
    ]);
  });

  test('ICW1 tells whose request or service it forgets; KVM tells of requests only, and only if somebody listens', () => {
    const told = each((options) => {
      const { pic, acked } = linux(options);
      raise(pic, 6);
      pic.ack();
      raise(pic, 4);
      pic.write(MASTER_CMD, 0x11);
      return acked;
    });
    expect(told).toEqual([[4, 6], [4], [4, 6]]);
    const acked: number[] = [];
    const pic = new I8259Pair('vm', KVM_PIC, {
      intr: () => {},
      acked: (pin) => acked.push(pin),
      inUse: () => false,
    });
    init8259A(pic);
    raise(pic, 4);
    pic.write(MASTER_CMD, 0x11);
    expect(acked).toEqual([]);
  });

  test('after ICW1 a line that stayed high must fall before it can request again; not under KVM', () => {
    const irr = each((options) => {
      const { pic } = linux(options);
      raise(pic, 4);
      init8259A(pic);
      raise(pic, 4);
      return requested(pic);
    });
    expect(irr).toEqual([0, 1 << 4, 0]);
  });

  test('a single chip skips ICW3; KVM waits for it', () => {
    const imr = each((options) => {
      const { pic } = blank(options);
      for (const [port, value] of [
        [MASTER_CMD, 0x13],
        [MASTER_IMR, VECTOR],
        [MASTER_IMR, 0x01],
        [MASTER_IMR, 0xfb],
      ] as const) {
        pic.write(port, value);
      }
      return pic.read(MASTER_IMR);
    });
    expect(imr).toEqual([0xfb, 0, 0xfb]);
  });

  test('a poll acknowledges: 80 and the input; KVM gives the bare number and does not acknowledge', () => {
    const polls = each((options) => {
      const { pic } = linux(options);
      raise(pic, 3);
      pic.write(MASTER_CMD, POLL);
      return [pic.read(MASTER_CMD), inService(pic), requested(pic)];
    });
    expect(polls).toEqual([
      [0x83, 1 << 3, 0],
      [3, 0, 0],
      [3, 1 << 3, 0],
    ]);
  });

  test('a poll without a request: bit 7 clear; KVM 7, Xen ff', () => {
    const polls = each((options) => {
      const { pic } = linux(options);
      pic.write(MASTER_CMD, POLL);
      return [pic.read(MASTER_CMD), pic.read(MASTER_CMD)];
    });
    expect(polls).toEqual([
      [0, 0],
      [7, 0],
      [0xff, 0],
    ]);
  });

  test("a poll of the master says that it is the slave; Xen's acknowledges there too", () => {
    const polls = each((options) => {
      const { pic } = linux(options);
      raise(pic, 12);
      pic.write(MASTER_CMD, POLL);
      return [pic.read(MASTER_IMR), inService(pic)];
    });
    expect(polls).toEqual([
      [0x82, 1 << 2],
      [2, 0],
      [12, (1 << 12) | (1 << 2)],
    ]);
  });

  test('a poll of the slave takes its request, and INT of the master falls with it', () => {
    const polls = each((options) => {
      const { pic } = linux(options);
      raise(pic, 12);
      pic.write(SLAVE_CMD, POLL);
      return [pic.read(SLAVE_CMD), inService(pic), pic.intr];
    });
    expect(polls).toEqual([
      [0x84, 1 << 12, false],
      [4, 0, false],
      [4, 1 << 12, false],
    ]);
  });

  test('special mask mode lets lower inputs past one that is in service and masked; KVM stores it only', () => {
    const vectors = each((options) => {
      const { pic } = linux(options);
      raise(pic, 1);
      pic.ack();
      pic.write(MASTER_IMR, 1 << 1);
      raise(pic, 4);
      pic.write(MASTER_CMD, SPECIAL_MASK);
      return [pic.master.specialMask, pic.intr];
    });
    expect(vectors).toEqual([
      [true, true],
      [true, false],
      [true, true],
    ]);
  });

  test('in special mask mode a non-specific EOI passes over masked inputs; under KVM it does not', () => {
    const isr = each((options) => {
      const { pic } = linux(options);
      raise(pic, 6);
      pic.ack();
      raise(pic, 1);
      pic.ack();
      pic.write(MASTER_IMR, 1 << 1);
      pic.write(MASTER_CMD, SPECIAL_MASK);
      pic.write(MASTER_CMD, EOI);
      return inService(pic);
    });
    expect(isr).toEqual([1 << 1, 1 << 6, 1 << 1]);
  });

  test('special fully nested mode is for the slave alone; KVM lets inputs below it through too', () => {
    const intr = each((options) => {
      const { pic } = linux(options, { icw4: 0x11 });
      raise(pic, 12);
      pic.ack();
      raise(pic, 5);
      return pic.intr;
    });
    expect(intr).toEqual([false, true, false]);
  });

  test("Xen's input 2 is level in the edge/level register, unseen: the slave's request stays through the acknowledge", () => {
    const states = each((options) => {
      const { pic } = linux(options);
      pic.write(MASTER_ELCR, 0);
      return [pic.master.elcr, pic.read(MASTER_ELCR)];
    });
    expect(states).toEqual([
      [0, 0],
      [0, 0],
      [1 << 2, 0],
    ]);
  });

  test('automatic EOI is told of; not by Xen, where the input never was in service', () => {
    const told = each((options) => {
      const { pic, acked } = linux(options, { icw4: 0x03 });
      raise(pic, 6);
      pic.ack();
      return acked;
    });
    expect(told).toEqual([[6], [6], []]);
  });
});
