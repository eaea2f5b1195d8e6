/** Drivers of a PC's old devices on a native kernel: the accesses of their handlers, and what they leave unhandled. */
import { describe, expect, test } from 'vitest';
import { I8042 } from '../../../engine/devices/pc/i8042.ts';
import { Rtc } from '../../../engine/devices/pc/rtc.ts';
import { Uart16550 } from '../../../engine/devices/pc/uart16550.ts';
import { ioOf } from '../../../engine/guest/linux/drivers/io.ts';
import { RtcCmos } from '../../../engine/guest/linux/drivers/rtc-cmos.ts';
import { Serial8250 } from '../../../engine/guest/linux/drivers/serial8250.ts';
import { Serio } from '../../../engine/guest/linux/drivers/serio.ts';
import { DriverRig } from '../../support/driver-rig.ts';

describe('i8042', () => {
  function rig() {
    const r = new DriverRig();
    const chip = r.add(new I8042('kbd', r.clock, r.line(1), r.line(12)));
    r.bus.addPorts(0x60, 1, chip.data);
    r.bus.addPorts(0x64, 1, chip.control);
    const driver = new Serio(r.kernel);
    driver.probe(ioOf(r.kernel.cpus[0]!));
    for (const gsi of [12, 1]) {
      r.kernel.controllers.requestGsi(gsi, { level: false, name: 'i8042', work: driver.interrupt });
    }
    r.run(100);
    r.took();
    return Object.assign(r, { chip, driver });
  }

  test('reads the status and one byte for each interrupt', () => {
    const r = rig();
    r.chip.press(0x1e);
    r.run(1_000);
    expect(r.took()).toEqual(['in 64', 'in 60']);
    r.run(100_000);
    expect(r.took()).toEqual(['in 64', 'in 60']);
    expect([r.driver.keys, r.count('i8042')]).toEqual([1, 2]);
  });

  test('a movement takes three interrupts', () => {
    const r = rig();
    r.chip.move(5, 5);
    r.run(1_000);
    expect(r.driver.movements).toBe(1);
    expect(r.kernel.irqs.descs[12]!.counts).toEqual([3]);
    expect(r.took()).toHaveLength(6);
  });

  test('after probing the mouse sends and nothing waits', () => {
    const r = rig();
    expect([r.chip.mouse.enabled, r.chip.inspect().output, r.chip.inspect().commandByte]).toEqual([
      true,
      null,
      0x47,
    ]);
    expect(r.kernel.irqs.descs[12]!.counts).toEqual([0]);
  });

  test('an interrupt without data is not its own', () => {
    const r = rig();
    r.line(1).set(true);
    r.run(100);
    expect([r.took(), r.kernel.irqs.descs[1]!.unhandled]).toEqual([['in 64'], 1]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.chip.move(5, 5);
    a.run(1);
    b.parts.restore(a.save());
    for (const r of [a, b]) r.run(1_000);
    expect([b.driver.movements, b.kernel.irqs.descs[12]!.counts]).toEqual([1, [3]]);
    expect(b.save()).toEqual(a.save());
  });
});

describe('serial port', () => {
  function rig() {
    const r = new DriverRig();
    const out: number[] = [];
    const uart = r.add(new Uart16550('com1', r.clock, r.line(4), (byte) => out.push(byte)));
    r.bus.addPorts(0x3f8, 8, uart);
    const driver = new Serial8250(r.kernel, 'ttyS0', 0x3f8);
    r.kernel.controllers.requestGsi(4, { level: false, name: 'ttyS0', work: driver.interrupt });
    driver.probe(ioOf(r.kernel.cpus[0]!));
    r.run(100);
    r.took();
    return Object.assign(r, { uart, driver, out });
  }

  test('is served until IIR says that there is no interrupt', () => {
    const r = rig();
    for (let n = 0; n < 8; n++) r.uart.receive(0x41);
    r.run(50);
    const byte = ['in 3f8', 'in 3fd'];
    const expected = ['in 3fa', 'in 3fd', ...Array(8).fill(byte).flat(), 'in 3fe', 'in 3fa'];
    expect(r.took()).toEqual(expected);
    expect([r.driver.received, r.count('ttyS0')]).toEqual([8, 1]);
  });

  test('a single character comes with the timeout', () => {
    const r = rig();
    r.uart.fire();
    r.run(100);
    expect(r.count('ttyS0')).toBe(0);
    r.run(1_000);
    expect([r.driver.received, r.count('ttyS0')]).toEqual([1, 1]);
  });

  test("writing turns the transmitter's interrupt on until everything is written", () => {
    const r = rig();
    const text = Array.from({ length: 40 }, (_, n) => n);
    r.driver.write(r.kernel.cpus[0]!, text);
    expect(r.took()).toEqual(['out 3f9 7']);
    r.run(10_000);
    expect(r.out).toEqual(text);
    // 40 characters, 16 at a time
    expect([r.count('ttyS0'), r.uart.inspect().ier]).toEqual([3, 5]);
  });

  test('an interrupt while IIR says there is none is not its own', () => {
    const r = rig();
    r.line(4).set(true);
    r.run(100);
    expect([r.took(), r.kernel.irqs.descs[4]!.unhandled]).toEqual([['in 3fa'], 1]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.driver.write(a.kernel.cpus[0]!, [1, 2, 3, 4, 5]);
    a.uart.fire();
    a.run(100);
    b.parts.restore(a.save());
    for (const r of [a, b]) {
      r.out.length = 0;
      r.run(2_000);
    }
    expect(b.out).toEqual(a.out);
    expect(b.save()).toEqual(a.save());
    expect(b.driver.received).toBe(1);
  });
});

describe('real-time clock', () => {
  function rig() {
    const r = new DriverRig();
    const rtc = r.add(new Rtc('rtc', r.clock, r.line(8)));
    r.bus.addPorts(0x70, 2, rtc);
    const driver = new RtcCmos(r.kernel);
    driver.probe(ioOf(r.kernel.cpus[0]!));
    r.kernel.controllers.requestGsi(8, { level: false, name: 'rtc0', work: driver.interrupt });
    r.run(100);
    r.took();
    return Object.assign(r, { rtc, driver });
  }

  test('an alarm rings once: register C, register B, alarm off, register C again', () => {
    const r = rig();
    r.rtc.fire();
    r.run(100);
    expect(r.took()).toEqual([
      'out 70 c',
      'in 71',
      'out 70 b',
      'in 71',
      'out 70 b',
      'out 71 2',
      'out 70 c',
      'in 71',
    ]);
    expect([r.driver.alarms, r.count('rtc0'), r.rtc.inspect().b]).toEqual([1, 1, 2]);
  });

  test('updates come each second', () => {
    const r = rig();
    r.driver.enable(r.kernel.cpus[0]!, 0x10);
    r.run(5_000_000);
    expect([r.driver.ticks, r.count('rtc0')]).toEqual([5, 5]);
  });

  test('an interrupt that is not enabled is not its own', () => {
    const r = rig();
    r.line(8).set(true);
    r.run(100);
    expect(r.kernel.irqs.descs[8]!.unhandled).toBe(1);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.driver.enable(a.kernel.cpus[0]!, 0x10);
    a.run(1_500_000);
    b.parts.restore(a.save());
    for (const r of [a, b]) r.run(2_000_000);
    expect(b.driver.ticks).toBe(3);
    expect(b.save()).toEqual(a.save());
  });
});
