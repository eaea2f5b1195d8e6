/** Message-signalled interrupts of a PCI function: MSI-X with its table and pending bits, and MSI. */
import { describe, expect, test } from 'vitest';
import { Msi } from '../../../engine/devices/pc/msi.ts';
import { Msix } from '../../../engine/devices/pc/msix.ts';
import { PciFunction } from '../../../engine/devices/pc/pci.ts';
import { Messages, travelled } from '../../support/pc-wire.ts';

const INIT = { vendor: 0x1af4, device: 0x1041, classCode: 0x020000, bars: [], pin: 1 };

describe('MSI-X', () => {
  function rig(vectors = 4, latches = true) {
    const bus = new Messages();
    const msix = new Msix('card', vectors, bus.send, 1, 0, 0x800, latches);
    const fn = new PciFunction('card', 24, INIT, undefined);
    const at = fn.addCapability(msix);
    const control = (value: number) => fn.writeConfig(at + 2, value, 2);
    const entry = (v: number, data: number, masked = 0) => {
      msix.table.write(v * 16, 0xfee0_1000, 4);
      msix.table.write(v * 16 + 4, 0, 4);
      msix.table.write(v * 16 + 8, data, 4);
      msix.table.write(v * 16 + 12, masked, 4);
    };
    return { bus, msix, fn, at, control, entry };
  }

  test('the capability tells the size of the table and where both structures are', () => {
    const { fn, at } = rig(4);
    expect(fn.readConfig(at, 1)).toBe(0x11);
    expect(fn.readConfig(at + 2, 2)).toBe(3);
    expect([fn.readConfig(at + 4, 4), fn.readConfig(at + 8, 4)]).toEqual([0x001, 0x801]);
  });

  test('a message is a store of the data to the address', () => {
    const { bus, msix, control, entry } = rig();
    entry(2, 0x4031);
    control(0x8000);
    expect(msix.notify(2)).toBe(true);
    expect(bus.sent).toEqual([[0xfee0_1000, 0, 0x4031]]);
  });

  test('nothing is sent or kept while it is not enabled', () => {
    const { bus, msix, control, entry } = rig();
    entry(0, 0x31);
    expect(msix.notify(0)).toBe(false);
    control(0x8000);
    expect([bus.sent, msix.isPending(0)]).toEqual([[], false]);
  });

  test('vectors are masked from reset', () => {
    const { msix } = rig();
    expect(msix.table.read(12, 4)).toBe(1);
  });

  test("a masked vector's message sets its pending bit, once, and is sent on unmask", () => {
    const { bus, msix, control, entry } = rig();
    entry(1, 0x41, 1);
    control(0x8000);
    msix.notify(1);
    msix.notify(1);
    expect([bus.sent.length, msix.pendingBits.read(0, 4)]).toEqual([0, 2]);
    msix.table.write(16 + 12, 0, 4);
    expect([bus.take(), msix.pendingBits.read(0, 4)]).toEqual([[0x41], 0]);
  });

  test('without pending bits the message of a masked vector is lost, that of the function mask too', () => {
    const { bus, msix, control, entry } = rig(4, false);
    entry(1, 0x41, 1);
    entry(2, 0x42);
    control(0x8000);
    msix.notify(1);
    msix.table.write(16 + 12, 0, 4);
    control(0xc000);
    msix.notify(2);
    control(0x8000);
    expect([bus.sent.length, msix.pendingBits.read(0, 4)]).toEqual([0, 0]);
    msix.notify(1);
    expect(bus.take()).toEqual([0x41]);
  });

  test('the message that is sent on unmask is the one the table has then', () => {
    const { bus, msix, control, entry } = rig();
    entry(1, 0x41, 1);
    control(0x8000);
    msix.notify(1);
    entry(1, 0x42, 0);
    expect(bus.take()).toEqual([0x42]);
  });

  test('the function mask holds every vector back and lets them go, lowest first', () => {
    const { bus, msix, control, entry } = rig();
    for (const v of [0, 1, 2]) entry(v, 0x50 + v, v === 1 ? 1 : 0);
    control(0xc000);
    for (const v of [2, 1, 0]) msix.notify(v);
    expect([bus.sent.length, msix.pendingBits.read(0, 8)]).toEqual([0, 7]);
    control(0x8000);
    expect([bus.take(), msix.pendingBits.read(0, 4)]).toEqual([[0x50, 0x52], 2]);
  });

  test('unmasking while the function is masked sends nothing', () => {
    const { bus, msix, control, entry } = rig();
    entry(0, 0x33, 1);
    control(0xc000);
    msix.notify(0);
    msix.table.write(12, 0, 4);
    expect(bus.sent).toEqual([]);
    control(0x8000);
    expect(bus.take()).toEqual([0x33]);
  });

  test('reserved bits stay zero, pending bits are read-only', () => {
    const { msix } = rig();
    msix.table.write(0, 0xfee0_1003, 4);
    msix.table.write(12, 0xffff_fffe, 4);
    msix.pendingBits.write(0, 0xff, 4);
    expect([msix.table.read(0, 4), msix.table.read(12, 4)]).toEqual([0xfee0_1000, 0]);
    expect(msix.pendingBits.read(0, 4)).toBe(0);
  });

  test('eight bytes may be written at once; narrow, misplaced and far accesses do nothing', () => {
    const { msix } = rig();
    msix.table.write(0, 0x12_fee0_2000, 8);
    expect([msix.table.read(0, 4), msix.table.read(4, 4), msix.table.read(0, 8)]).toEqual([
      0xfee0_2000, 0x12, 0x12_fee0_2000,
    ]);
    msix.table.write(8, 0x77, 2);
    msix.table.write(10, 0x77, 4);
    msix.table.write(0x100, 0x77, 4);
    expect([msix.table.read(8, 4), msix.table.read(0x100, 4), msix.table.read(8, 1)]).toEqual([0, 0, 0]);
  });

  test("a vector beyond the table is nobody's", () => {
    const { bus, msix, control } = rig(4);
    control(0x8000);
    expect([msix.notify(4), bus.sent]).toEqual([false, []]);
  });

  test('more than 32 vectors have more than one word of pending bits', () => {
    const { msix, control } = rig(40);
    control(0x8000);
    msix.notify(33);
    expect([msix.pendingBits.read(0, 4), msix.pendingBits.read(4, 4)]).toEqual([0, 2]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.entry(1, 0x41, 1);
    a.control(0x8000);
    a.msix.notify(1);
    b.msix.restore(travelled(a.msix.save()));
    expect(b.msix.inspect()).toEqual(a.msix.inspect());
    b.msix.table.write(16 + 12, 0, 4);
    expect(b.bus.take()).toEqual([0x41]);
  });
});

describe('MSI', () => {
  function rig(messages = 4) {
    const bus = new Messages();
    const msi = new Msi('card', messages, bus.send);
    const fn = new PciFunction('card', 24, INIT, undefined);
    const at = fn.addCapability(msi);
    fn.writeConfig(at + 4, 0xfee0_0000, 4);
    fn.writeConfig(at + 12, 0x4060, 2);
    return { bus, msi, fn, at };
  }

  test('says how many messages it could use, and that it has masks and long addresses', () => {
    const { fn, at } = rig(8);
    expect(fn.readConfig(at, 1)).toBe(0x05);
    expect(fn.readConfig(at + 2, 2)).toBe((3 << 1) | 0x80 | 0x100);
  });

  test('messages differ in the low bits of their data, as many as are allowed', () => {
    const { bus, msi, fn, at } = rig(4);
    fn.writeConfig(at + 2, 1 | (2 << 4), 2);
    for (const v of [0, 3]) msi.notify(v);
    expect(bus.sent).toEqual([
      [0xfee0_0000, 0, 0x4060],
      [0xfee0_0000, 0, 0x4063],
    ]);
    bus.take();
    fn.writeConfig(at + 2, 1, 2);
    msi.notify(3);
    expect(bus.take()).toEqual([0x4060]);
  });

  test('no more messages than it is capable of are enabled', () => {
    const { fn, at } = rig(2);
    fn.writeConfig(at + 2, 1 | (5 << 4), 2);
    expect((fn.readConfig(at + 2, 2) >> 4) & 7).toBe(1);
  });

  test('a masked message is pending and sent on unmask', () => {
    const { bus, msi, fn, at } = rig(4);
    fn.writeConfig(at + 2, 1 | (2 << 4), 2);
    fn.writeConfig(at + 16, 0b110, 4);
    for (const v of [0, 1, 2]) msi.notify(v);
    expect([bus.take(), fn.readConfig(at + 20, 4)]).toEqual([[0x4060], 0b110]);
    fn.writeConfig(at + 16, 0b100, 4);
    expect([bus.take(), fn.readConfig(at + 20, 4)]).toEqual([[0x4061], 0b100]);
  });

  test('nothing is sent while it is not enabled', () => {
    const { bus, msi } = rig();
    expect([msi.notify(0), bus.sent]).toEqual([false, []]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.fn.writeConfig(a.at + 2, 1 | (2 << 4), 2);
    a.fn.writeConfig(a.at + 16, 2, 4);
    a.msi.notify(1);
    b.msi.restore(travelled(a.msi.save()));
    expect(b.msi.inspect()).toEqual(a.msi.inspect());
    b.fn.writeConfig(b.at + 16, 0, 4);
    expect(b.bus.take()).toEqual([0x4061]);
  });
});
