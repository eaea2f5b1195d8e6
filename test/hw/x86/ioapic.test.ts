/** The IOAPIC, sentence by sentence of its manuals, programmed as Linux does; and where emulations part from them. */
import { describe, expect, test } from 'vitest';
import { Clock, ms } from '../../../engine/core/clock.ts';
import { Rng } from '../../../engine/core/rng.ts';
import { COALESCED, IGNORED, IoApic, type IoApicOutput } from '../../../engine/hw/x86/ioapic.ts';
import {
  INTEL_IOAPIC,
  type IoApicOptions,
  KVM_IOAPIC,
  XEN_IOAPIC,
} from '../../../engine/hw/x86/ioapic-options.ts';

const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOI = 0x40;
const ID = 0;
const VERSION = 1;
const ARBITRATION = 2;

const PIN = 5;
const OTHER = 6;
const VECTOR = 0x31;
const LEVEL = 1 << 15;
const REMOTE_IRR = 1 << 14;
const SEND_PENDING = 1 << 12;
const MASKED = 1 << 16;
const RESERVED = 1 << 17;
/** the real-time clock's pin */
const RTC = 8;

const PRESETS = [
  ['manual', INTEL_IOAPIC],
  ['KVM', KVM_IOAPIC],
  ['Xen', XEN_IOAPIC],
] as const;

/** An IOAPIC; what it sends, and the EOIs it tells of. `reached` is what its messages are answered with. */
function board(options: IoApicOptions = INTEL_IOAPIC, output: Partial<IoApicOutput> = {}) {
  const sent: number[] = [];
  const acked: number[] = [];
  const answer = { reached: 1 };
  const clock = new Clock();
  const chip: IoApic = new IoApic(
    'pc',
    options,
    {
      send: (_low, _high, _rtc, pin) => {
        sent.push(pin);
        return answer.reached;
      },
      acked: (pin) => acked.push(pin),
      ...output,
    },
    clock,
  );
  return { chip, sent, acked, answer, clock };
}

function read(chip: IoApic, register: number): number {
  chip.write(IOREGSEL, register, 4);
  return chip.read(IOWIN, 4);
}

function write(chip: IoApic, register: number, value: number): void {
  chip.write(IOREGSEL, register, 4);
  chip.write(IOWIN, value, 4);
}

const entry = (chip: IoApic, pin: number) => read(chip, 0x10 + 2 * pin);
const remoteIrr = (chip: IoApic, pin = PIN) => (entry(chip, pin) & REMOTE_IRR) !== 0;

/** ioapic_write_entry: the upper half first, so that the entry is whole when it is unmasked. */
function setup(chip: IoApic, pin: number, low: number, destination = 0): void {
  write(chip, 0x11 + 2 * pin, destination << 24);
  write(chip, 0x10 + 2 * pin, low);
}

/** A board with one entry written. */
function withEntry(low: number, options: IoApicOptions = INTEL_IOAPIC, output: Partial<IoApicOutput> = {}) {
  const made = board(options, output);
  setup(made.chip, PIN, low);
  return made;
}

describe.each(PRESETS)('as all have it: %s', (_name, options) => {
  describe('registers', () => {
    test('after reset all entries are masked and IOREGSEL is 0', () => {
      const { chip } = board(options);
      expect(chip.read(IOREGSEL, 4)).toBe(0);
      for (let pin = 0; pin < options.pins; pin++) expect(entry(chip, pin)).toBe(MASKED);
    });

    test('the version register tells the number of the last entry and cannot be written', () => {
      const { chip } = board(options);
      const version = ((options.pins - 1) << 16) | options.version;
      write(chip, VERSION, 0);
      expect(read(chip, VERSION)).toBe(version);
    });

    test('the ID is bits 27 to 24; the arbitration register shows it and cannot be written', () => {
      const { chip } = board(options);
      write(chip, ID, 0xffff_ffff);
      write(chip, ARBITRATION, 0);
      expect([read(chip, ID), read(chip, ARBITRATION)]).toEqual([0x0f00_0000, 0x0f00_0000]);
    });

    test('IOREGSEL reads back, and stays for the next access', () => {
      const { chip } = board(options);
      chip.write(IOREGSEL, 0x1a, 4);
      expect([chip.read(IOREGSEL, 4), chip.read(IOWIN, 4), chip.read(IOWIN, 4)]).toEqual([
        0x1a,
        MASKED,
        MASKED,
      ]);
    });

    test('the two halves of an entry are written apart', () => {
      const { chip } = board(options);
      setup(chip, PIN, MASKED | LEVEL | VECTOR, 3);
      expect([read(chip, 0x10 + 2 * PIN), read(chip, 0x11 + 2 * PIN)]).toEqual([
        MASKED | LEVEL | VECTOR,
        3 << 24,
      ]);
    });

    test('remote IRR and delivery status are read-only to software', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR | REMOTE_IRR | SEND_PENDING, options);
      expect(entry(chip, PIN)).toBe(LEVEL | VECTOR);
      chip.setIrq(PIN, true);
      setup(chip, PIN, LEVEL | VECTOR);
      expect([remoteIrr(chip), sent]).toEqual([true, [PIN]]);
    });

    test('between the named offsets there is nothing; it is counted', () => {
      const { chip } = board(options);
      const before = chip.save() as { misuses: number };
      chip.write(0x20, 0xffff_ffff, 4);
      expect([chip.read(0x20, 4), chip.read(0x04, 4)]).toEqual([0, 0]);
      expect(chip.save()).toEqual({ ...before, misuses: 3 });
    });

    test('so is an entry beyond the last one, and a register that does not exist', () => {
      const { chip } = board(options);
      const beyond = options === KVM_IOAPIC ? 0xffff_ffff : 0;
      const registers = [3, 0x0f, 0x10 + 2 * options.pins, 0x11 + 2 * options.pins];
      for (const register of registers) {
        write(chip, register, 0);
        expect(read(chip, register)).toBe(beyond);
      }
      expect(chip.misuses).toBe(2 * registers.length);
      expect(chip.low).toEqual(new Uint32Array(options.pins).fill(MASKED));
    });
  });

  describe('an edge entry', () => {
    test('sends one message for each rise of its wire', () => {
      const { chip, sent } = withEntry(VECTOR, options);
      expect(chip.setIrq(PIN, true)).toBe(1);
      expect(chip.setIrq(PIN, true)).toBe(COALESCED);
      chip.setIrq(PIN, false);
      expect(chip.setIrq(PIN, true)).toBe(1);
      expect(sent).toEqual([PIN, PIN]);
    });

    test('has no remote IRR, and an EOI of its vector finds nothing to do', () => {
      const { chip, sent } = withEntry(VECTOR, options);
      chip.setIrq(PIN, true);
      chip.setIrq(PIN, false);
      chip.eoi(VECTOR);
      expect([remoteIrr(chip), sent]).toEqual([false, [PIN]]);
    });

    test('that is masked sends nothing, and unmasking does not bring the edge back', () => {
      const { chip, sent } = withEntry(MASKED | VECTOR, options);
      expect(chip.setIrq(PIN, true)).toBe(IGNORED);
      setup(chip, PIN, VECTOR);
      expect(sent).toEqual([]);
    });

    test('passes on how many processors its message reached', () => {
      const { chip, answer } = withEntry(VECTOR, options);
      for (const reached of [3, 0, -1]) {
        answer.reached = reached;
        expect(chip.setIrq(PIN, true)).toBe(reached);
        expect(chip.setIrq(PIN, false)).toBe(1);
      }
    });
  });

  describe('a level entry', () => {
    test('sends one message while its wire is high, and sets remote IRR', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      expect(chip.setIrq(PIN, true)).toBe(1);
      expect(chip.setIrq(PIN, true)).toBe(IGNORED);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN], true]);
    });

    test('until the EOI nothing more is sent, whatever the wire does', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      for (let i = 0; i < 3; i++) {
        chip.setIrq(PIN, true);
        chip.setIrq(PIN, false);
      }
      expect([sent, remoteIrr(chip)]).toEqual([[PIN], true]);
    });

    test('an EOI clears remote IRR; a wire that is still high sends again', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      chip.eoi(VECTOR);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN, PIN], true]);
      chip.setIrq(PIN, false);
      chip.eoi(VECTOR);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN, PIN], false]);
    });

    test('an EOI of another vector, or of an edge interrupt, leaves it alone', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      chip.eoi(VECTOR + 1);
      chip.eoi(VECTOR, false);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN], true]);
    });

    test('entries that share a vector are all let go by one EOI', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      setup(chip, OTHER, LEVEL | VECTOR);
      chip.setIrq(PIN, true);
      chip.setIrq(OTHER, true);
      chip.setIrq(PIN, false);
      chip.eoi(VECTOR);
      expect([remoteIrr(chip, PIN), remoteIrr(chip, OTHER), sent]).toEqual([
        false,
        true,
        [PIN, OTHER, OTHER],
      ]);
    });

    test('a wire that never falls is sent again by every EOI, however many', () => {
      const { chip, sent, clock } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      for (let i = 0; i < 70_000; i++) {
        chip.eoi(VECTOR);
        if (sent.length === i + 1) clock.runUntil(clock.now + ms(8));
      }
      expect(sent).toHaveLength(70_001);
    });

    test('a wire that rose while masked is served when the entry is unmasked', () => {
      const { chip, sent } = withEntry(MASKED | LEVEL | VECTOR, options);
      expect(chip.setIrq(PIN, true)).toBe(IGNORED);
      setup(chip, PIN, LEVEL | VECTOR);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN], true]);
    });

    test('a wire that fell again before that is not', () => {
      const { chip, sent } = withEntry(MASKED | LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      chip.setIrq(PIN, false);
      setup(chip, PIN, LEVEL | VECTOR);
      expect(sent).toEqual([]);
    });

    test('unmasking one in service waits for its EOI', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      setup(chip, PIN, MASKED | LEVEL | VECTOR);
      setup(chip, PIN, LEVEL | VECTOR);
      expect(sent).toEqual([PIN]);
    });

    test('masked in service, it is not sent again by the EOI', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      setup(chip, PIN, MASKED | LEVEL | VECTOR);
      chip.eoi(VECTOR);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN], false]);
    });

    test('written as edge and back, it has no remote IRR: the EOI of those without an EOI register', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true);
      setup(chip, PIN, MASKED | VECTOR);
      setup(chip, PIN, MASKED | LEVEL | VECTOR);
      expect(remoteIrr(chip)).toBe(false);
      setup(chip, PIN, LEVEL | VECTOR);
      expect(sent).toEqual([PIN, PIN]);
    });

    test('is high while any of its sources holds it high', () => {
      const { chip, sent } = withEntry(LEVEL | VECTOR, options);
      chip.setIrq(PIN, true, 0);
      chip.setIrq(PIN, true, 63);
      chip.setIrq(PIN, false, 0);
      chip.eoi(VECTOR);
      expect(sent).toEqual([PIN, PIN]);
      chip.setIrq(PIN, false, 63);
      chip.eoi(VECTOR);
      expect([sent, remoteIrr(chip)]).toEqual([[PIN, PIN], false]);
    });
  });

  test('the message has both halves of the entry', () => {
    const messages: number[][] = [];
    const { chip } = board(options, {
      send: (low, high, rtc, pin) => {
        messages.push([low & ~REMOTE_IRR, high >>> 24, Number(rtc), pin]);
        return 1;
      },
    });
    setup(chip, PIN, LEVEL | (1 << 11) | (1 << 8) | VECTOR, 0xc3);
    chip.setIrq(PIN, true);
    expect(messages).toEqual([[LEVEL | (1 << 11) | (1 << 8) | VECTOR, 0xc3, 0, PIN]]);
  });

  test('who is told of a write sees the entry as it was and as it is', () => {
    const seen: number[][] = [];
    const made = board(options, {
      written: (pin, oldLow, oldHigh) =>
        seen.push([pin, oldLow, made.chip.low[pin]!, oldHigh >>> 24, made.chip.high[pin]! >>> 24]),
    });
    setup(made.chip, PIN, VECTOR, 2);
    expect(seen).toEqual([
      [PIN, MASKED, MASKED, 0, 2],
      [PIN, MASKED, VECTOR, 2, 2],
    ]);
  });

  test('a wire that is held by who counts its holders is looked at by the next EOI or write only', () => {
    const { chip, sent } = withEntry(LEVEL | VECTOR, options);
    chip.hold(PIN, true);
    expect(sent).toEqual([]);
    chip.eoi(VECTOR);
    expect(sent).toEqual([PIN]);
    chip.hold(PIN, false);
    chip.eoi(VECTOR);
    expect([sent, remoteIrr(chip)]).toEqual([[PIN], false]);
    expect(chip.service(PIN)).toBe(1);
    expect([sent, chip.service(PIN)]).toEqual([[PIN, PIN], IGNORED]);
  });

  test('whatever software and wires do, a copy made of plain data goes on the same', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Rng(seed).stream('ioapic');
      const [one, two] = [board(options), board(options)];
      const steps = Array.from({ length: 300 }, () => [4, 4, 2 ** 17, 2].map((n) => random.below(n))) as [
        number,
        number,
        number,
        number,
      ][];
      const step = ({ chip }: typeof one, [what, pin, value, high]: (typeof steps)[number]) => {
        if (what === 0) write(chip, 0x10 + 2 * pin, (value & ~0xff) | (0x30 + pin));
        else if (what === 1) chip.eoi(0x30 + pin, high === 1);
        else chip.setIrq(pin, high === 1, what);
      };
      for (const s of steps.slice(0, 150)) step(one, s);
      two.chip.restore(JSON.parse(JSON.stringify(one.chip.save())));
      one.sent.length = 0;
      for (const s of steps.slice(150)) {
        step(one, s);
        step(two, s);
      }
      expect(two.chip.save()).toEqual(one.chip.save());
      expect(two.sent).toEqual(one.sent);
      expect(one.sent.length).toBeGreaterThan(0);
    }
  });

  test('looking at it changes nothing', () => {
    const { chip } = withEntry(LEVEL | VECTOR, options);
    chip.setIrq(PIN, true);
    const before = JSON.stringify(chip.save());
    const seen = chip.inspect();
    expect(seen.pins[PIN]).toEqual({ pin: PIN, low: LEVEL | REMOTE_IRR | VECTOR, high: 0, line: true });
    expect(seen).toMatchObject({ id: 0, irr: 1 << PIN });
    expect(JSON.stringify(chip.save())).toBe(before);
  });
});

test('there are 24 pins, 48 under Xen', () => {
  expect(PRESETS.map(([, options]) => board(options).chip.low.length)).toEqual([24, 24, 48]);
});

describe('widths', () => {
  const WIDTHS = [1, 2, 4, 8] as const;

  test('the window of a chip takes 32-bit accesses only; others are lost and read 0', () => {
    const { chip } = withEntry(MASKED | VECTOR);
    chip.misuses = 0;
    expect(WIDTHS.map((width) => chip.read(IOWIN, width))).toEqual([0, 0, MASKED | VECTOR, 0]);
    for (const width of WIDTHS) if (width !== 4) chip.write(IOWIN, 0x55, width);
    expect([entry(chip, PIN), chip.misuses]).toEqual([MASKED | VECTOR, 6]);
  });

  test.each([
    ['KVM', KVM_IOAPIC],
    ['Xen', XEN_IOAPIC],
  ])('%s cuts what is read and extends what is written', (_name, options) => {
    const { chip } = withEntry(MASKED | 0x234, options);
    expect(WIDTHS.map((width) => chip.read(IOWIN, width))).toEqual([
      0x34,
      0x234,
      MASKED | 0x234,
      MASKED | 0x234,
    ]);
    chip.write(IOWIN, 0xffff_ff41, 1);
    expect([entry(chip, PIN), chip.misuses]).toEqual([0x41, 0]);
  });

  test('IOREGSEL has 8 bits; under Xen it has 32', () => {
    const selects = PRESETS.map(([, options]) => {
      const { chip } = board(options);
      chip.write(IOREGSEL, 0xdead_be01, 4);
      return [chip.read(IOREGSEL, 4), chip.read(IOWIN, 4) !== 0];
    });
    expect(selects).toEqual([
      [0x01, true],
      [0x01, true],
      [0xdead_be01, false],
    ]);
  });

  test('reserved bits of an entry read 0; under KVM and Xen they keep what was written', () => {
    const reads = PRESETS.map(([, options]) => {
      const { chip } = board(options);
      write(chip, 0x11 + 2 * PIN, 0x12_345678);
      write(chip, 0x10 + 2 * PIN, RESERVED | MASKED | VECTOR);
      return [read(chip, 0x11 + 2 * PIN), entry(chip, PIN)];
    });
    expect(reads).toEqual([
      [0x12_000000, MASKED | VECTOR],
      [0x12_345678, RESERVED | MASKED | VECTOR],
      [0x12_345678, RESERVED | MASKED | VECTOR],
    ]);
  });

  test('there are no more pins than IOREGSEL reaches entries', () => {
    const pins = (n: number) => () => board({ ...INTEL_IOAPIC, pins: n });
    expect(pins(120)).not.toThrow();
    expect(pins(121)).toThrow('121 pins, an IOAPIC has 120 at most');
  });
});

describe('the EOI register', () => {
  test('from version 0x20 on a write is an EOI of that vector', () => {
    const { chip, sent } = withEntry(LEVEL | VECTOR);
    chip.setIrq(PIN, true);
    chip.write(EOI, VECTOR + 1, 4);
    expect(sent).toEqual([PIN]);
    chip.write(EOI, VECTOR, 4);
    expect(sent).toEqual([PIN, PIN]);
  });

  test.each([
    ['the 82093AA', { ...INTEL_IOAPIC, version: 0x11 }],
    ['KVM', KVM_IOAPIC],
    ['Xen', XEN_IOAPIC],
  ])('%s has none', (_name, options) => {
    const { chip, sent } = withEntry(LEVEL | VECTOR, options);
    chip.setIrq(PIN, true);
    chip.write(EOI, VECTOR, 4);
    expect([sent, remoteIrr(chip), chip.misuses]).toEqual([[PIN], true, 1]);
  });
});

describe('who takes a level interrupt', () => {
  const irrAfter = (options: IoApicOptions, reached: number) => {
    const { chip, answer } = withEntry(LEVEL | VECTOR, options);
    answer.reached = reached;
    expect(chip.setIrq(PIN, true)).toBe(reached);
    return remoteIrr(chip);
  };

  test('nobody: remote IRR is set all the same', () => {
    expect([0, -1].map((reached) => irrAfter(INTEL_IOAPIC, reached))).toEqual([true, true]);
    expect([0, -1].map((reached) => irrAfter(XEN_IOAPIC, reached))).toEqual([true, true]);
  });

  test('under KVM it stays clear if somebody was meant, and is set if nobody was', () => {
    expect([0, -1].map((reached) => irrAfter(KVM_IOAPIC, reached))).toEqual([false, true]);
  });

  test('under KVM each change of the wire tries again then', () => {
    const { chip, sent, answer } = withEntry(LEVEL | VECTOR, KVM_IOAPIC);
    answer.reached = 0;
    chip.setIrq(PIN, true);
    answer.reached = 1;
    expect(chip.setIrq(PIN, true)).toBe(1);
    expect([sent, remoteIrr(chip)]).toEqual([[PIN, PIN], true]);
  });
});

describe('who waits for an EOI', () => {
  test('under KVM is told while remote IRR is set: a wire driven meanwhile waits until it is clear', () => {
    const seen: boolean[] = [];
    const made = withEntry(LEVEL | VECTOR, KVM_IOAPIC, {
      acked: (pin) => {
        seen.push(remoteIrr(made.chip));
        made.chip.setIrq(pin, false);
        expect(made.chip.setIrq(pin, true)).toBe(IGNORED);
      },
    });
    made.chip.setIrq(PIN, true);
    made.chip.eoi(VECTOR);
    expect([seen, made.sent]).toEqual([[true], [PIN, PIN]]);
  });

  test('under Xen is told when it is clear: a wire driven meanwhile sends at once, and only once', () => {
    const seen: boolean[] = [];
    const made = withEntry(LEVEL | VECTOR, XEN_IOAPIC, {
      acked: (pin) => {
        seen.push(remoteIrr(made.chip));
        made.chip.setIrq(pin, false);
        expect(made.chip.setIrq(pin, true)).toBe(1);
      },
    });
    made.chip.setIrq(PIN, true);
    made.chip.eoi(VECTOR);
    expect([seen, made.sent]).toEqual([[false], [PIN, PIN]]);
  });

  test('under KVM hears of edge interrupts too', () => {
    const { chip, acked } = withEntry(VECTOR, KVM_IOAPIC);
    chip.setIrq(PIN, true);
    chip.eoi(VECTOR, false);
    expect(acked).toEqual([PIN]);
  });
});

describe('KVM', () => {
  test('an edge at a masked pin is kept: it coalesces later ones, and is sent once the entry is level', () => {
    const { chip, sent } = withEntry(MASKED | VECTOR, KVM_IOAPIC);
    expect([chip.setIrq(PIN, true), chip.inspect().irr]).toEqual([IGNORED, 1 << PIN]);
    setup(chip, PIN, VECTOR);
    expect([chip.setIrq(PIN, true), sent]).toEqual([COALESCED, []]);
    setup(chip, PIN, LEVEL | VECTOR);
    expect(sent).toEqual([PIN]);
  });

  test('elsewhere the edge is lost, and the wire that is still high is a level once the entry is level', () => {
    for (const options of [INTEL_IOAPIC, XEN_IOAPIC]) {
      const { chip, sent } = withEntry(MASKED | VECTOR, options);
      expect([chip.setIrq(PIN, true), chip.inspect().irr]).toEqual([IGNORED, 0]);
      setup(chip, PIN, LEVEL | VECTOR);
      expect(sent).toEqual([PIN]);
    }
  });

  test("a level interrupt's EOI makes an edge entry with its vector send again while its wire is high", () => {
    const again = PRESETS.map(([, options]) => {
      const { chip, sent } = withEntry(VECTOR, options);
      chip.setIrq(PIN, true);
      chip.eoi(VECTOR);
      return sent.length;
    });
    expect(again).toEqual([1, 2, 1]);
  });

  test('what was delivered is not requested any more in the image that user space gets', () => {
    const { chip } = withEntry(VECTOR, KVM_IOAPIC);
    setup(chip, OTHER, MASKED | VECTOR);
    chip.setIrq(PIN, true);
    chip.setIrq(OTHER, true);
    expect([chip.irr, chip.inspect().irr]).toEqual([(1 << PIN) | (1 << OTHER), 1 << OTHER]);
  });

  test('the image put back injects what is requested, and forgets the edges that were delivered', () => {
    const { chip, sent } = withEntry(VECTOR, KVM_IOAPIC);
    setup(chip, OTHER, MASKED | LEVEL | VECTOR);
    chip.setIrq(PIN, true);
    chip.setIrq(OTHER, true);
    chip.low[OTHER]! &= ~MASKED;
    chip.reload();
    expect([sent, remoteIrr(chip, OTHER)]).toEqual([[PIN, OTHER], true]);
    expect([chip.irr, chip.delivered]).toEqual([1 << OTHER, 0]);
  });

  test('an edge on a wire that is high already is coalesced, and requested in that image all the same', () => {
    const { chip } = withEntry(VECTOR, KVM_IOAPIC);
    chip.setIrq(PIN, true);
    expect([chip.setIrq(PIN, true), chip.inspect().irr]).toEqual([COALESCED, 1 << PIN]);
  });

  describe('the real-time clock', () => {
    const rtc = (reached = 1) => {
      const made = board(KVM_IOAPIC);
      made.answer.reached = reached;
      setup(made.chip, RTC, VECTOR);
      return made;
    };

    test('is coalesced until all who took it have said EOI', () => {
      const { chip, sent } = rtc(2);
      expect(chip.setIrq(RTC, true, 0, true)).toBe(2);
      chip.setIrq(RTC, false, 0, true);
      expect([chip.rtcPending, chip.setIrq(RTC, true, 0, true)]).toEqual([2, COALESCED]);
      chip.rtcPending = 0;
      expect([chip.setIrq(RTC, true, 0, true), sent]).toEqual([2, [RTC, RTC]]);
    });

    test('waits for nobody if nobody took it', () => {
      for (const reached of [0, -1]) {
        const { chip } = rtc(reached);
        expect([chip.setIrq(RTC, true, 0, true), chip.rtcPending]).toEqual([reached, 0]);
      }
    });

    test('is as other pins for those who do not ask, and elsewhere', () => {
      const { chip } = rtc();
      chip.setIrq(RTC, true);
      expect(chip.rtcPending).toBe(0);
      for (const options of [XEN_IOAPIC, INTEL_IOAPIC]) {
        const other = board(options);
        setup(other.chip, RTC, VECTOR);
        other.chip.setIrq(RTC, true, 0, true);
        expect(other.chip.rtcPending).toBe(0);
      }
    });
  });

  describe('a storm', () => {
    const LIMIT = KVM_IOAPIC.stormLimit;
    const storm = (options: IoApicOptions, eois: number, output: Partial<IoApicOutput> = {}) => {
      const made = withEntry(LEVEL | VECTOR, options, output);
      made.chip.setIrq(PIN, true);
      for (let i = 0; i < eois; i++) made.chip.eoi(VECTOR);
      return made;
    };

    test('the ten thousandth EOI in a row that finds its wire high waits two jiffies', () => {
      const delayed: number[] = [];
      const { chip, sent, clock } = storm(KVM_IOAPIC, LIMIT - 1, { delayed: (pin) => delayed.push(pin) });
      expect([sent.length, delayed]).toEqual([LIMIT, []]);
      chip.eoi(VECTOR);
      expect([sent.length, remoteIrr(chip), delayed]).toEqual([LIMIT, false, [PIN]]);
      clock.runUntil(ms(8) - 1);
      expect(sent).toHaveLength(LIMIT);
      clock.runUntil(ms(8));
      expect([sent.length, remoteIrr(chip)]).toEqual([LIMIT + 1, true]);
    });

    test('an EOI that finds it low begins the count anew', () => {
      const { chip, sent } = storm(KVM_IOAPIC, LIMIT - 1);
      chip.setIrq(PIN, false);
      chip.eoi(VECTOR);
      chip.setIrq(PIN, true);
      chip.eoi(VECTOR);
      expect(sent).toHaveLength(LIMIT + 2);
    });

    test('a wire that falls meanwhile is not served', () => {
      const { chip, sent, clock } = storm(KVM_IOAPIC, LIMIT);
      chip.setIrq(PIN, false);
      clock.runUntil(ms(20));
      expect(sent).toHaveLength(LIMIT);
    });

    test('has no end elsewhere', () => {
      expect(storm(XEN_IOAPIC, LIMIT).sent).toHaveLength(LIMIT + 1);
      expect(storm(INTEL_IOAPIC, LIMIT).sent).toHaveLength(LIMIT + 1);
    });
  });
});

describe('Xen', () => {
  test('writing the entry of pin 0 serves no request and clears no remote IRR', () => {
    const { chip, sent } = board(XEN_IOAPIC);
    setup(chip, 0, MASKED | LEVEL | VECTOR);
    chip.setIrq(0, true);
    setup(chip, 0, LEVEL | VECTOR);
    expect(sent).toEqual([]);
    chip.eoi(VECTOR);
    setup(chip, 0, VECTOR);
    expect([sent, remoteIrr(chip, 0)]).toEqual([[0], true]);
  });

  test('elsewhere pin 0 is as the others', () => {
    for (const options of [INTEL_IOAPIC, KVM_IOAPIC]) {
      const { chip, sent } = board(options);
      setup(chip, 0, MASKED | LEVEL | VECTOR);
      chip.setIrq(0, true);
      setup(chip, 0, LEVEL | VECTOR);
      setup(chip, 0, VECTOR);
      expect([sent, remoteIrr(chip, 0)]).toEqual([[0], false]);
    }
  });

  test('pins beyond 31 are pins of their own', () => {
    const { chip, sent } = board(XEN_IOAPIC);
    for (const pin of [8, 40]) setup(chip, pin, MASKED | LEVEL | (VECTOR + pin));
    chip.setIrq(8, true);
    setup(chip, 40, LEVEL | (VECTOR + 40));
    expect(sent).toEqual([]);
    chip.setIrq(40, true);
    chip.setIrq(8, false);
    chip.eoi(VECTOR + 40);
    expect(sent).toEqual([40, 40]);
  });
});

test('one that does not resample forgets a wire that rose before the EOI', () => {
  for (const resamples of [true, false]) {
    const sent: number[] = [];
    const chip = new IoApic(
      'model',
      { ...KVM_IOAPIC, resamples },
      { send: (low) => sent.push(low & 0xff) && 1 },
    );
    chip.write(0, 0x10 + 2 * 11, 4);
    chip.write(0x10, 0x8021, 4);
    chip.setIrq(11, true);
    chip.setIrq(11, false);
    chip.setIrq(11, true);
    chip.eoi(0x21);
    expect([resamples, sent.length]).toEqual([resamples, resamples ? 2 : 1]);
  }
});
