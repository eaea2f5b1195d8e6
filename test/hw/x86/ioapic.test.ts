/** The IOAPIC, sentence by sentence of the 82093AA's datasheet, programmed as Linux does; and where emulations part from it. */
import { describe, expect, test } from 'vitest';
import { Clock, ms } from '../../../engine/core/clock.ts';
import { COALESCED, IGNORED, IoApic } from '../../../engine/hw/x86/ioapic.ts';
import {
  INTEL_IOAPIC,
  type IoApicOptions,
  KVM_IOAPIC,
  XEN_IOAPIC,
} from '../../../engine/hw/x86/ioapic-options.ts';
import {
  IOAPICID,
  IOAPICVER,
  IOEOI,
  IOREDTBL,
  IOREGSEL,
  IOWIN,
  RTE_LEVEL,
  RTE_MASKED,
  RTE_REMOTE_IRR,
} from '../../../engine/hw/x86/ioapic-regs.ts';

const PIN = 9;
const VECTOR = 0x41;

const PRESETS = [
  ['datasheet', INTEL_IOAPIC],
  ['KVM', KVM_IOAPIC],
  ['Xen', XEN_IOAPIC],
] as const;

/** A chip whose messages `taken` processors take, and what it said. */
function chip(options: IoApicOptions = INTEL_IOAPIC) {
  const sent: number[] = [];
  const acked: number[] = [];
  const state = { taken: 1 };
  const clock = new Clock();
  const io = new IoApic(
    'pc',
    options,
    {
      send: (low) => {
        sent.push(low & 0xff);
        return state.taken;
      },
      acked: (pin) => acked.push(pin),
    },
    clock,
  );
  return { io, sent, acked, state, clock };
}

/** native_io_apic_write */
function write(io: IoApic, register: number, value: number): void {
  io.write(IOREGSEL, register, 4);
  io.write(IOWIN, value, 4);
}

function read(io: IoApic, register: number): number {
  io.write(IOREGSEL, register, 4);
  return io.read(IOWIN, 4);
}

/** __ioapic_write_entry: the high word first, the low word lets it go. */
function entry(io: IoApic, pin: number, low: number, high = 0): void {
  write(io, IOREDTBL + 2 * pin + 1, high);
  write(io, IOREDTBL + 2 * pin, low);
}

const remoteIrr = (io: IoApic, pin: number) => (io.low[pin]! & RTE_REMOTE_IRR) !== 0;

describe.each(PRESETS)('as all have it: %s', (_name, options) => {
  test('all entries are masked after reset', () => {
    const { io, sent } = chip(options);
    for (let pin = 0; pin < options.pins; pin++) {
      expect(read(io, IOREDTBL + 2 * pin)).toBe(RTE_MASKED);
      expect(io.setIrq(pin, true)).toBe(IGNORED);
    }
    expect(sent).toEqual([]);
  });

  test('the version register has the number of the last entry', () => {
    expect((read(chip(options).io, IOAPICVER) >>> 16) & 0xff).toBe(options.pins - 1);
  });

  test('only bits 27 to 24 of the ID can be written', () => {
    const { io } = chip(options);
    write(io, IOAPICID, 0xffff_ffff);
    expect(read(io, IOAPICID)).toBe(0x0f00_0000);
  });

  test('an edge sends one message; a wire that stays high sends none', () => {
    const { io, sent } = chip(options);
    entry(io, PIN, VECTOR);
    expect(io.setIrq(PIN, true)).toBe(1);
    expect(io.setIrq(PIN, true)).toBe(COALESCED);
    io.setIrq(PIN, false);
    io.setIrq(PIN, true);
    expect(sent).toEqual([VECTOR, VECTOR]);
  });

  test('an edge that comes while masked is not sent when the entry is unmasked, unless it is made level', () => {
    const { io, sent } = chip(options);
    entry(io, PIN, RTE_MASKED | VECTOR);
    expect(io.setIrq(PIN, true)).toBe(IGNORED);
    entry(io, PIN, VECTOR);
    expect(sent).toEqual([]);
    expect(io.setIrq(PIN, true)).toBe(COALESCED);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    expect(sent).toEqual([VECTOR]);
  });

  test('a level interrupt that was taken sets remote IRR, and is not sent again while it is set', () => {
    const { io, sent } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    expect(io.setIrq(PIN, true)).toBe(1);
    expect(remoteIrr(io, PIN)).toBe(true);
    expect(io.setIrq(PIN, true)).toBe(IGNORED);
    expect(sent).toEqual([VECTOR]);
  });

  test('the EOI clears remote IRR, and a wire that is still high sends again', () => {
    const { io, sent, acked } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true);
    io.eoi(VECTOR, true);
    expect([sent.length, remoteIrr(io, PIN)]).toEqual([2, true]);
    io.setIrq(PIN, false);
    io.eoi(VECTOR, true);
    expect([sent.length, remoteIrr(io, PIN), acked]).toEqual([2, false, [PIN, PIN]]);
  });

  test('the EOI of another vector is not for it', () => {
    const { io, acked } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true);
    io.eoi(VECTOR + 1, true);
    expect([remoteIrr(io, PIN), acked]).toEqual([true, []]);
  });

  test('a shared level wire is high while any of its sources is', () => {
    const { io, sent } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true, 0);
    io.setIrq(PIN, true, 1);
    io.setIrq(PIN, false, 0);
    io.eoi(VECTOR, true);
    io.setIrq(PIN, false, 1);
    io.eoi(VECTOR, true);
    expect(sent.length).toBe(2);
  });

  test('remote IRR and delivery status are read-only to software', () => {
    const { io } = chip(options);
    entry(io, PIN, RTE_LEVEL | RTE_MASKED | RTE_REMOTE_IRR | (1 << 12) | VECTOR);
    expect(read(io, IOREDTBL + 2 * PIN)).toBe(RTE_LEVEL | RTE_MASKED | VECTOR);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true);
    entry(io, PIN, RTE_LEVEL | RTE_MASKED | VECTOR);
    expect(remoteIrr(io, PIN)).toBe(true);
  });

  test('writing the entry as edge clears remote IRR: how Linux ends a level interrupt without its local APIC', () => {
    const { io } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true);
    entry(io, PIN, RTE_MASKED | VECTOR);
    entry(io, PIN, RTE_LEVEL | RTE_MASKED | VECTOR);
    expect(remoteIrr(io, PIN)).toBe(false);
  });

  test('a masked level wire that is high is sent when it is unmasked', () => {
    const { io, sent } = chip(options);
    entry(io, PIN, RTE_LEVEL | RTE_MASKED | VECTOR);
    expect(io.setIrq(PIN, true)).toBe(IGNORED);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    expect([sent, remoteIrr(io, PIN)]).toEqual([[VECTOR], true]);
  });

  test('the upper half of an entry has the destination', () => {
    const { io } = chip(options);
    entry(io, PIN, RTE_MASKED, 0x0300_0000);
    expect([read(io, IOREDTBL + 2 * PIN + 1), read(io, IOREDTBL + 2 * PIN)]).toEqual([
      0x0300_0000,
      RTE_MASKED,
    ]);
  });

  test('other offsets of the page read as 0 and take nothing', () => {
    const { io } = chip(options);
    io.write(0x20, 0xffff_ffff, 4);
    expect([io.read(0x20, 4), io.read(IOREGSEL, 4)]).toEqual([0, 0]);
  });

  test('a wire that never falls is sent again with every EOI, however often', () => {
    const { io, sent, clock } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR);
    io.setIrq(PIN, true);
    for (let i = 0; i < 70_000; i++) {
      io.eoi(VECTOR, true);
      if (!remoteIrr(io, PIN)) clock.runUntil(clock.now + ms(8));
    }
    expect(sent.length).toBe(70_001);
  });

  test('a saved one goes on where it was', () => {
    const { io } = chip(options);
    entry(io, PIN, RTE_LEVEL | VECTOR, 0x0100_0000);
    entry(io, 4, RTE_MASKED | 0x33);
    io.setIrq(PIN, true, 3);
    const { io: copy, sent } = chip(options);
    copy.restore(JSON.parse(JSON.stringify(io.save())));
    expect(copy.save()).toEqual(io.save());
    copy.eoi(VECTOR, true);
    expect(sent).toEqual([VECTOR]);
    copy.setIrq(PIN, false, 3);
    copy.eoi(VECTOR, true);
    expect(remoteIrr(copy, PIN)).toBe(false);
  });
});

describe('where they part', () => {
  function each<T>(run: (options: IoApicOptions) => T): T[] {
    return PRESETS.map(([, options]) => run(options));
  }

  test('24 pins, 48 under Xen; a window beyond the last entry reads 0, ones under KVM', () => {
    const values = each((options) => {
      const { io } = chip(options);
      return [options.pins, read(io, IOREDTBL + 2 * options.pins)];
    });
    expect(values).toEqual([
      [24, 0],
      [24, 0xffff_ffff],
      [48, 0],
    ]);
  });

  test("version 0x20 has an EOI register, KVM's and Xen's 0x11 has not", () => {
    const cleared = each((options) => {
      const { io } = chip(options);
      entry(io, PIN, RTE_LEVEL | VECTOR);
      io.setIrq(PIN, true);
      io.setIrq(PIN, false);
      io.write(IOEOI, VECTOR, 4);
      return [read(io, IOAPICVER) & 0xff, !remoteIrr(io, PIN)];
    });
    expect(cleared).toEqual([
      [0x20, true],
      [0x11, false],
      [0x11, false],
    ]);
  });

  test('a level interrupt that nobody takes sets remote IRR; under KVM only if nobody was meant', () => {
    const set = each((options) =>
      [0, -1].map((taken) => {
        const { io, state } = chip(options);
        state.taken = taken;
        entry(io, PIN, RTE_LEVEL | VECTOR);
        io.setIrq(PIN, true);
        return remoteIrr(io, PIN);
      }),
    );
    expect(set).toEqual([
      [true, true],
      [false, true],
      [true, true],
    ]);
  });

  test("the clock's interrupt waits for its EOI under KVM, if asked about coalescing", () => {
    const answers = each((options) => {
      const { io } = chip(options);
      entry(io, 8, 0x38);
      io.setIrq(8, true, 0, true);
      io.setIrq(8, false, 0, true);
      return io.setIrq(8, true, 0, true);
    });
    expect(answers).toEqual([1, COALESCED, 1]);
  });

  test('after 10,000 EOIs in a row with the wire high KVM waits 8 ms before it sends again', () => {
    const counts = each((options) => {
      const { io, sent, clock } = chip(options);
      entry(io, PIN, RTE_LEVEL | VECTOR);
      io.setIrq(PIN, true);
      for (let i = 0; i < 10_000; i++) io.eoi(VECTOR, true);
      const before = sent.length;
      clock.runUntil(ms(8));
      return [before, sent.length];
    });
    expect(counts).toEqual([
      [10_001, 10_001],
      [10_000, 10_001],
      [10_001, 10_001],
    ]);
  });

  test('an edge entry with the vector of a level one: its high wire is sent again at the EOI under KVM', () => {
    const counts = each((options) => {
      const { io, sent } = chip(options);
      entry(io, PIN, VECTOR);
      io.setIrq(PIN, true);
      io.eoi(VECTOR, true);
      return sent.length;
    });
    expect(counts).toEqual([1, 2, 1]);
  });

  test('pin 0 under Xen: writing its entry clears no remote IRR and sends nothing that waits', () => {
    const states = each((options) => {
      const { io, sent } = chip(options);
      entry(io, 0, RTE_LEVEL | VECTOR);
      io.setIrq(0, true);
      entry(io, 0, RTE_MASKED | VECTOR);
      const kept = remoteIrr(io, 0);
      io.eoi(VECTOR, true);
      entry(io, 0, RTE_LEVEL | VECTOR);
      return [kept, sent.length];
    });
    expect(states).toEqual([
      [false, 2],
      [false, 2],
      [true, 1],
    ]);
  });

  test("Xen's pins from 32 on do not share anything with the first ones", () => {
    const { io, sent } = chip(XEN_IOAPIC);
    entry(io, 33, RTE_LEVEL | VECTOR);
    io.setIrq(1, true);
    io.eoi(VECTOR, true);
    expect(sent).toEqual([]);
    io.setIrq(33, true);
    io.setIrq(1, false);
    io.eoi(VECTOR, true);
    expect(sent).toEqual([VECTOR, VECTOR]);
  });
});
