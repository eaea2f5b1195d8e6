/** The IOAPIC, sentence by sentence of the 82093AA's datasheet. */
import { describe, expect, test } from 'vitest';
import { PlainIoApic } from '../../../engine/hw/x86/plain-ioapic.ts';

const PIN = 5;

/** An IOAPIC with one pin set up, and the pins it sent messages for. */
function ioapic({ level = false, masked = false, taken = true } = {}) {
  const sent: number[] = [];
  const chip = new PlainIoApic(24, (pin) => {
    sent.push(pin);
    return taken;
  });
  const pin = chip.pins[PIN]!;
  pin.level = level;
  pin.masked = masked;
  pin.vector = 0x31;
  return { chip, sent, pin };
}

describe('edge', () => {
  test('a rising edge sends one message, a wire that stays high none', () => {
    const { chip, sent } = ioapic();
    expect(chip.setIrq(PIN, true)).toBe('delivered');
    expect(chip.setIrq(PIN, true)).toBe('ignored');
    expect(sent).toEqual([PIN]);
  });

  test('a falling edge sends nothing, and arms the next one', () => {
    const { chip, sent } = ioapic();
    chip.setIrq(PIN, true);
    expect(chip.setIrq(PIN, false)).toBe('ignored');
    chip.setIrq(PIN, true);
    expect(sent).toEqual([PIN, PIN]);
  });

  test('an edge at a masked pin is lost: unmasking does not bring it back', () => {
    const { chip, sent } = ioapic({ masked: true });
    expect(chip.setIrq(PIN, true)).toBe('ignored');
    expect(chip.setMask(PIN, false)).toBe(false);
    expect(sent).toEqual([]);
  });

  test('it has no remote IRR, and its EOI finds nothing to do', () => {
    const { chip, pin } = ioapic();
    chip.setIrq(PIN, true);
    expect(pin.remoteIrr).toBe(false);
    expect(chip.eoi(0x31)).toEqual([]);
  });

  test('a message for a vector that is requested already is one with it', () => {
    const { chip } = ioapic({ taken: false });
    expect(chip.setIrq(PIN, true)).toBe('coalesced');
  });
});

describe('level', () => {
  test('a high wire sends one message and sets remote IRR', () => {
    const { chip, sent, pin } = ioapic({ level: true });
    expect(chip.setIrq(PIN, true)).toBe('delivered');
    expect(pin.remoteIrr).toBe(true);
    expect(sent).toEqual([PIN]);
  });

  test('until the EOI nothing more is sent, whatever the wire does', () => {
    const { chip, sent } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    chip.setIrq(PIN, false);
    expect(chip.setIrq(PIN, true)).toBe('coalesced');
    expect(sent).toEqual([PIN]);
  });

  test('an EOI of its vector clears remote IRR and finds a wire that is still high', () => {
    const { chip, sent, pin } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    expect(chip.eoi(0x31)).toEqual([PIN]);
    expect(pin.remoteIrr).toBe(false);
    expect(chip.reassert(PIN)).toBe('delivered');
    expect(sent).toEqual([PIN, PIN]);
  });

  test('an EOI after the wire has fallen finds nothing', () => {
    const { chip } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    chip.setIrq(PIN, false);
    expect(chip.eoi(0x31)).toEqual([]);
    expect(chip.reassert(PIN)).toBe('ignored');
  });

  test('an EOI of another vector leaves it alone', () => {
    const { chip, pin } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    expect(chip.eoi(0x32)).toEqual([]);
    expect(pin.remoteIrr).toBe(true);
  });

  test('pins that share a vector are all let go by one EOI', () => {
    const { chip, sent } = ioapic({ level: true });
    Object.assign(chip.pins[6]!, { level: true, masked: false, vector: 0x31 });
    chip.setIrq(PIN, true);
    chip.setIrq(6, true);
    expect(sent).toEqual([PIN, 6]);
    expect(chip.eoi(0x31)).toEqual([PIN, 6]);
  });

  test('a level that rose while masked is to be served when the pin is unmasked', () => {
    const { chip, sent } = ioapic({ level: true, masked: true });
    expect(chip.setIrq(PIN, true)).toBe('ignored');
    expect(chip.setMask(PIN, false)).toBe(true);
    expect(chip.reassert(PIN)).toBe('delivered');
    expect(sent).toEqual([PIN]);
  });

  test('unmasking one that is in service waits for the EOI', () => {
    const { chip } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    chip.setMask(PIN, true);
    expect(chip.setMask(PIN, false)).toBe(false);
  });

  test('masked during service, it is not served after the EOI', () => {
    const { chip } = ioapic({ level: true });
    chip.setIrq(PIN, true);
    chip.setMask(PIN, true);
    expect(chip.eoi(0x31)).toEqual([]);
    expect(chip.reassert(PIN)).toBe('ignored');
  });
});

test('its state travels as plain data', () => {
  const { chip, pin } = ioapic({ level: true });
  pin.destination = 3;
  chip.setIrq(PIN, true);
  const copy = ioapic().chip;
  copy.restore(JSON.parse(JSON.stringify(chip.save())));
  expect(copy.pins).toEqual(chip.pins);
  copy.pins[PIN]!.vector = 1;
  expect(pin.vector).toBe(0x31);
});
