/** How Xen programs the physical IOAPICs. */
import { describe, expect, test } from 'vitest';
import { IoApics } from '../../../../engine/hv/xen/x86/io-apic.ts';
import { RTE_DESTINATION, Rte } from '../../../../engine/hw/x86/ioapic-regs.ts';

const VECTOR = 0x61;

function ioapics(gsis = 24, cpus = 4) {
  const sent: number[][] = [];
  const apics = new IoApics(gsis, cpus, (...message) => {
    sent.push(message);
    return 1;
  });
  return { apics, sent };
}

/** A redirection entry as it is in the chip. */
function raw({ apics }: ReturnType<typeof ioapics>, pin: number) {
  const [low, high] = [apics.chips[0]!.low[pin]!, apics.chips[0]!.high[pin]!];
  const [logical, mode] = [Rte.logical.get(low), Rte.mode.get(low)];
  return { logical, mode, destination: RTE_DESTINATION.get(high) };
}

describe('CPUs', () => {
  test('up to 8 are a logical mask, of which the first is interrupted', () => {
    const it = ioapics(24, 8);
    it.apics.setup(5, VECTOR, false);
    it.apics.aim(5, [1, 7], VECTOR);
    expect(raw(it, 5)).toEqual({ logical: 1, mode: 1, destination: 0x82 });
    it.apics.setMask(5, false);
    it.apics.drive(5, true);
    expect(it.sent).toEqual([[5, 1, VECTOR]]);
    it.apics.aim(5, [7], VECTOR);
    expect([raw(it, 5).destination, it.apics.entry(5).destination]).toEqual([0x80, 7]);
  });

  test('more than that are local APICs by their IDs', () => {
    const it = ioapics(24, 9);
    it.apics.setup(5, VECTOR, false);
    it.apics.aim(5, [8], VECTOR);
    expect(raw(it, 5)).toEqual({ logical: 0, mode: 0, destination: 8 });
    it.apics.setMask(5, false);
    it.apics.drive(5, true);
    expect(it.sent).toEqual([[5, 8, VECTOR]]);
  });
});

test("the platform timer's interrupt 0 is on pin 2", () => {
  const it = ioapics();
  it.apics.setup(0, VECTOR, false);
  it.apics.aim(0, [3], VECTOR);
  it.apics.setMask(0, false);
  expect([raw(it, 0).destination, raw(it, 2).destination]).toEqual([0, 8]);
  it.apics.drive(0, true);
  expect(it.sent).toEqual([[0, 3, VECTOR]]);
});

describe('an entry', () => {
  test('is masked until somebody wants its interrupts, and then aimed', () => {
    const { apics, sent } = ioapics();
    apics.setup(5, VECTOR, false);
    apics.aim(5, [2], VECTOR);
    expect(apics.entry(5)).toEqual({
      vector: VECTOR,
      destination: 2,
      level: false,
      masked: true,
      remoteIrr: false,
    });
    apics.aim(5, [3], VECTOR + 8);
    expect(apics.entry(5)).toMatchObject({ vector: VECTOR + 8, destination: 3, masked: true });
    apics.setMask(5, false);
    apics.drive(5, true);
    expect(sent).toEqual([[5, 3, VECTOR + 8]]);
  });

  test('set up anew keeps its destination', () => {
    const { apics } = ioapics();
    apics.aim(5, [3], VECTOR);
    apics.setup(5, VECTOR + 1, true);
    expect(apics.entry(5)).toMatchObject({ vector: VECTOR + 1, destination: 3, level: true });
  });

  test('masked and unmasked while in service, it waits for its EOI', () => {
    const { apics, sent } = ioapics();
    apics.setup(16, VECTOR, true);
    apics.aim(16, [0], VECTOR);
    apics.setMask(16, false);
    apics.drive(16, true);
    apics.setMask(16, true);
    apics.setMask(16, false);
    expect([sent.length, apics.entry(16).remoteIrr]).toEqual([1, true]);
    apics.eoi(VECTOR);
    expect(sent).toEqual([
      [16, 0, VECTOR],
      [16, 0, VECTOR],
    ]);
  });

  test('of a level line that is high sends as soon as it is unmasked', () => {
    const { apics, sent } = ioapics();
    apics.setup(16, VECTOR, true);
    apics.aim(16, [0], VECTOR);
    expect(apics.drive(16, true)).toBeLessThan(0);
    apics.setMask(16, false);
    expect(sent).toEqual([[16, 0, VECTOR]]);
  });
});

test('GSIs that one chip has no entries for are on further chips, which all hear of an EOI', () => {
  const { apics, sent } = ioapics(240, 240);
  expect(apics.chips.map((chip) => chip.low.length)).toEqual([120, 120]);
  for (const gsi of [0, 119, 120, 239]) {
    apics.setup(gsi, VECTOR, true);
    apics.aim(gsi, [gsi], VECTOR);
    apics.setMask(gsi, false);
    apics.drive(gsi, true);
  }
  const all = [0, 119, 120, 239].map((gsi) => [gsi, gsi, VECTOR]);
  expect(sent).toEqual(all);
  apics.eoi(VECTOR);
  expect(sent).toEqual([...all, ...all]);
  expect(apics.chips.map((chip) => chip.misuses)).toEqual([0, 0]);
});

test('its state travels as plain data', () => {
  const { apics } = ioapics(130);
  for (const gsi of [7, 129]) {
    apics.setup(gsi, VECTOR, true);
    apics.aim(gsi, [0], VECTOR);
    apics.setMask(gsi, false);
    apics.drive(gsi, true);
  }
  const { apics: copy, sent } = ioapics(130);
  copy.restore(JSON.parse(JSON.stringify(apics.save())));
  expect([7, 129].map((gsi) => copy.entry(gsi))).toEqual([7, 129].map((gsi) => apics.entry(gsi)));
  copy.eoi(VECTOR);
  expect(sent).toEqual([
    [7, 0, VECTOR],
    [129, 0, VECTOR],
  ]);
});
