/** PCI functions of a PC: configuration space, capabilities, INTx pins and where the PIIX3 routes them. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { FixedCapability, type FunctionInit, PciBus, PciFunction } from '../../../engine/devices/pc/pci.ts';
import { Piix3Routing, pirqOf } from '../../../engine/devices/pc/piix3.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const NO_REGISTERS = { read: () => 0, write: () => {} };

const CARD: FunctionInit = {
  vendor: 0x8086,
  device: 0x100e,
  classCode: 0x02_00_00,
  revision: 3,
  subsystem: 0x1100_1af4,
  bars: [
    { kind: 'memory', base: 0xfeb8_0000, size: 0x2_0000, registers: NO_REGISTERS },
    { kind: 'io', base: 0xc000, size: 64, registers: NO_REGISTERS },
  ],
  pin: 1,
};

const DEVFN = 3 << 3;

function rig() {
  const clock = new Clock();
  const wire = new Wire(clock);
  const bus = new PciBus('bus');
  const fn = bus.add(new PciFunction('card', DEVFN, CARD, wire));
  const select = (devfn: number, register: number, bus0 = 0) =>
    bus.write(0, 0x8000_0000 + (bus0 << 16) + (devfn << 8) + (register & ~3), 4);
  return { clock, wire, bus, fn, select };
}

describe('configuration space', () => {
  test('is reached by address and data ports', () => {
    const { bus, select } = rig();
    select(DEVFN, 0);
    expect(bus.read(4, 4)).toBe(0x100e_8086);
    expect(bus.read(6, 2)).toBe(0x100e);
    expect(bus.read(5, 1)).toBe(0x80);
    select(DEVFN, 8);
    expect(bus.read(4, 4)).toBe(0x0200_0003);
    select(DEVFN, 0x2c);
    expect(bus.read(4, 4)).toBe(0x1100_1af4);
    select(DEVFN, 0x3c);
    expect(bus.read(5, 1)).toBe(1);
  });

  test('nobody there reads as all ones', () => {
    const { bus, select } = rig();
    select(DEVFN + 1, 0);
    expect([bus.read(4, 4), bus.read(4, 2), bus.read(4, 1)]).toEqual([0xffff_ffff, 0xffff, 0xff]);
    select(DEVFN, 0, 1);
    expect(bus.read(4, 4)).toBe(0xffff_ffff);
    bus.write(0, DEVFN << 8, 4);
    expect(bus.read(4, 4)).toBe(0xffff_ffff);
  });

  test('the address port takes four bytes only', () => {
    const { bus, select } = rig();
    select(DEVFN, 8);
    bus.write(0, 0, 1);
    expect(bus.read(0, 4)).toBe(0x8000_0000 + (DEVFN << 8) + 8);
    expect(bus.read(0, 1)).toBe(0xff);
  });

  test('base address registers answer their size when all ones are written', () => {
    const { fn } = rig();
    expect([fn.readConfig(0x10, 4), fn.readConfig(0x14, 4)]).toEqual([0xfeb8_0000, 0xc001]);
    fn.writeConfig(0x10, 0xffff_ffff, 4);
    fn.writeConfig(0x14, 0xffff_ffff, 4);
    expect([fn.readConfig(0x10, 4), fn.readConfig(0x14, 4)]).toEqual([0xfffe_0000, 0xffff_ffc1]);
    fn.writeConfig(0x10, 0xfeb8_0000, 4);
    expect(fn.readConfig(0x10, 4)).toBe(0xfeb8_0000);
    fn.writeConfig(0x20, 0xffff_ffff, 4);
    expect(fn.readConfig(0x20, 4)).toBe(0);
  });

  test('identification is read-only, the interrupt line is a note', () => {
    const { fn } = rig();
    fn.writeConfig(0, 0, 4);
    fn.writeConfig(0x3c, 11, 1);
    fn.writeConfig(0x3d, 4, 1);
    expect([fn.readConfig(0, 2), fn.readConfig(0x3c, 2)]).toEqual([0x8086, 0x010b]);
  });

  test('capabilities are a list', () => {
    const { fn } = rig();
    expect(fn.readConfig(6, 2) & 0x10).toBe(0);
    fn.addCapability(new FixedCapability(9, [0x1234_0000, 0x55aa]));
    const second = fn.addCapability(new FixedCapability(1, [0x0002_0000]));
    expect(fn.readConfig(6, 2) & 0x10).toBe(0x10);
    const first = fn.readConfig(0x34, 1);
    expect([first, fn.findCapability(9), fn.findCapability(1)]).toEqual([0x40, 0x40, second]);
    expect(fn.readConfig(first, 4)).toBe(0x1234_0009 | (second << 8));
    expect(fn.readConfig(first + 4, 2)).toBe(0x55aa);
    expect(fn.readConfig(second, 4)).toBe(0x0002_0001);
    fn.writeConfig(first + 4, 0, 4);
    expect(fn.readConfig(first + 4, 2)).toBe(0x55aa);
    expect(fn.findCapability(0x11)).toBeUndefined();
  });
});

describe('INTx', () => {
  test('is a level that the status register tells of', () => {
    const { fn, wire } = rig();
    fn.setIntx(true);
    expect([wire.high, fn.readConfig(6, 2) & 8]).toEqual([true, 8]);
    fn.setIntx(false);
    expect([wire.high, fn.readConfig(6, 2) & 8]).toEqual([false, 0]);
  });

  test('is kept off the wire by INTx disable', () => {
    const { fn, wire } = rig();
    fn.setIntx(true);
    fn.writeConfig(4, 0x0400, 2);
    expect([wire.high, fn.readConfig(6, 2) & 8]).toEqual([false, 8]);
    fn.writeConfig(4, 0x0007, 2);
    expect(wire.high).toBe(true);
  });
});

describe('PIIX3 routing', () => {
  function routing() {
    const clock = new Clock();
    const gsis = Array.from({ length: 16 }, () => new Wire(clock));
    return { gsis, piix: new Piix3Routing('piix3', gsis) };
  }

  test('pins are swizzled by slot', () => {
    const pirqs = [1, 2, 3, 4].map((slot) => [1, 2, 3, 4].map((pin) => pirqOf(slot << 3, pin)));
    expect(pirqs).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3, 0],
      [2, 3, 0, 1],
      [3, 0, 1, 2],
    ]);
  });

  test('as the firmware leaves it, slot 3 and the USB function share interrupt 11', () => {
    const { piix } = routing();
    expect(piix.gsiOf(3 << 3, 1)).toBe(11);
    expect(piix.gsiOf((1 << 3) | 2, 4)).toBe(11);
    expect(piix.gsiOf(1 << 3, 1)).toBe(10);
  });

  test('a shared interrupt is high while one of its pins is', () => {
    const { piix, gsis } = routing();
    const [c, d] = [piix.intx(3 << 3, 1), piix.intx(4 << 3, 1)];
    c.set(true);
    d.set(true);
    c.set(false);
    expect(gsis[11]!.high).toBe(true);
    d.set(false);
    expect([gsis[11]!.high, gsis[11]!.rises.length]).toEqual([false, 1]);
  });

  test('a route takes the level along; 0x80 cuts it', () => {
    const { piix, gsis } = routing();
    piix.intx(3 << 3, 1).set(true);
    piix.setRoute(2, 5);
    expect([gsis[11]!.high, gsis[5]!.high, piix.route(2)]).toEqual([false, true, 5]);
    piix.setRoute(2, 0x85);
    expect([gsis[5]!.high, piix.gsiOf(3 << 3, 1)]).toEqual([false, undefined]);
  });

  test('timer, keyboard, cascade, clock and coprocessor interrupts are out of reach', () => {
    const { piix, gsis } = routing();
    piix.intx(3 << 3, 1).set(true);
    for (const gsi of [0, 1, 2, 8, 13]) {
      piix.setRoute(2, gsi);
      expect(gsis[gsi]!.high).toBe(false);
    }
  });

  test('a copy has the wires as they were', () => {
    const [a, b] = [routing(), routing()];
    const ends = [a, b].map(({ piix }) => piix.intx(3 << 3, 1));
    ends[0]!.set(true);
    a.piix.setRoute(2, 5);
    b.piix.restore(travelled(a.piix.save()));
    expect(b.piix.inspect()).toEqual(a.piix.inspect());
    ends[1]!.set(false);
    expect(b.piix.inspect()[2]).toEqual({ high: false, gsi: 5 });
  });
});

test('a copy of a function has its registers', () => {
  const [a, b] = [rig(), rig()];
  a.fn.writeConfig(4, 0x0403, 2);
  a.fn.writeConfig(0x3c, 11, 1);
  a.fn.setIntx(true);
  a.select(DEVFN, 4);
  b.fn.restore(travelled(a.fn.save()));
  b.bus.restore(travelled(a.bus.save()));
  expect(b.bus.read(4, 4)).toBe(a.bus.read(4, 4));
  expect(b.fn.inspect()).toEqual(a.fn.inspect());
  b.fn.writeConfig(4, 3, 2);
  expect(b.wire.high).toBe(true);
});
