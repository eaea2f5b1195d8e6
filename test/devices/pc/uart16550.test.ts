/** The serial port, by the sentences of the PC16550D's datasheet. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { Uart16550 } from '../../../engine/devices/pc/uart16550.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;

class Rig {
  readonly clock = new Clock();
  readonly wire = new Wire(this.clock);
  out: number[] = [];
  readonly uart = new Uart16550('com1', this.clock, this.wire, (byte) => this.out.push(byte));

  /** 115200 8N1, OUT2 on, FIFO with a trigger of 8 */
  constructor(fifo = true) {
    this.w(LCR, 0x83);
    this.w(0, 1);
    this.w(1, 0);
    this.w(LCR, 0x03);
    this.w(FCR, fifo ? 0x81 : 0);
    this.w(MCR, 0x0b);
  }

  w(register: number, value: number): void {
    this.uart.write(register, value, 1);
  }

  r(register: number): number {
    return this.uart.read(register, 1);
  }

  type(n: number): void {
    for (let i = 0; i < n; i++) this.uart.receive(0x41 + i);
  }
}

/** ten bits at 115,200 baud */
const CHAR = Math.round(1e10 / 115_200);

describe('received data', () => {
  test('without a FIFO each character interrupts, until it is read', () => {
    const rig = new Rig(false);
    rig.w(IER, 1);
    rig.type(1);
    expect([rig.wire.high, rig.r(IIR), rig.r(LSR) & 1]).toEqual([true, 0x04, 1]);
    expect(rig.r(0)).toBe(0x41);
    expect([rig.wire.high, rig.r(IIR), rig.r(LSR) & 1]).toEqual([false, 0x01, 0]);
  });

  test('with a FIFO at the trigger level, until it falls below', () => {
    const rig = new Rig();
    rig.w(IER, 1);
    rig.type(7);
    expect(rig.wire.high).toBe(false);
    rig.type(1);
    expect([rig.wire.high, rig.r(IIR)]).toEqual([true, 0xc4]);
    rig.r(0);
    expect([rig.wire.high, rig.r(IIR)]).toEqual([false, 0xc1]);
  });

  test('fewer characters are reported after four times their length', () => {
    const rig = new Rig();
    rig.w(IER, 1);
    rig.type(3);
    rig.clock.runUntil(4 * CHAR - 1);
    expect(rig.wire.high).toBe(false);
    rig.clock.runUntil(4 * CHAR);
    expect([rig.wire.high, rig.r(IIR)]).toEqual([true, 0xcc]);
    rig.r(0);
    expect([rig.wire.high, rig.r(LSR) & 1]).toEqual([false, 1]);
    rig.clock.runUntil(9 * CHAR);
    expect(rig.wire.rises).toHaveLength(2);
  });

  test('a character more starts the timeout again', () => {
    const rig = new Rig();
    rig.w(IER, 1);
    rig.type(1);
    rig.clock.runUntil(3 * CHAR);
    rig.type(1);
    rig.clock.runUntil(6 * CHAR);
    expect(rig.wire.high).toBe(false);
    rig.clock.runUntil(7 * CHAR);
    expect(rig.wire.high).toBe(true);
  });

  test('an overrun is a line status interrupt, the first in priority, taken by reading LSR', () => {
    const rig = new Rig();
    rig.w(IER, 5);
    rig.type(17);
    expect(rig.r(IIR)).toBe(0xc6);
    expect(rig.r(LSR) & 2).toBe(2);
    expect([rig.r(IIR), rig.r(LSR) & 2]).toEqual([0xc4, 0]);
    const read = Array.from({ length: 16 }, () => rig.r(0));
    expect(read).toEqual(Array.from({ length: 16 }, (_, i) => 0x41 + i));
    expect(rig.r(LSR) & 1).toBe(0);
  });

  test('resetting the receive FIFO empties it', () => {
    const rig = new Rig();
    rig.w(IER, 1);
    rig.type(9);
    rig.w(FCR, 0x83);
    expect([rig.wire.high, rig.r(LSR) & 1]).toEqual([false, 0]);
    rig.clock.runUntil(100 * CHAR);
    expect(rig.wire.rises).toHaveLength(1);
  });
});

describe('transmitter', () => {
  test('enabling its interrupt while there is room reports it; naming it in IIR acknowledges', () => {
    const rig = new Rig();
    rig.w(IER, 2);
    expect(rig.wire.high).toBe(true);
    expect(rig.r(IIR)).toBe(0xc2);
    expect([rig.wire.high, rig.r(IIR)]).toEqual([false, 0xc1]);
  });

  test('characters leave one after the other; the interrupt comes when the FIFO is empty', () => {
    const rig = new Rig();
    rig.w(IER, 2);
    rig.r(IIR);
    for (const byte of [1, 2, 3]) rig.w(0, byte);
    expect([rig.wire.high, rig.r(LSR) & 0x60]).toEqual([false, 0]);
    rig.clock.runUntil(2 * CHAR);
    expect([rig.out, rig.wire.high, rig.r(LSR) & 0x60]).toEqual([[1, 2], true, 0x20]);
    rig.clock.runUntil(3 * CHAR);
    expect([rig.out, rig.r(LSR) & 0x60]).toEqual([[1, 2, 3], 0x60]);
  });

  test('writing a character acknowledges as well', () => {
    const rig = new Rig();
    rig.w(IER, 2);
    rig.w(0, 1);
    rig.w(0, 2);
    expect(rig.wire.high).toBe(false);
  });

  test('a single character in the FIFO is reported when it is nearly through', () => {
    const rig = new Rig();
    rig.w(IER, 2);
    rig.r(IIR);
    rig.w(0, 1);
    rig.clock.runUntil(CHAR * 0.8);
    expect(rig.wire.high).toBe(false);
    rig.clock.runUntil(CHAR * 0.95);
    expect([rig.wire.high, rig.out]).toEqual([true, []]);
  });

  test('a full FIFO takes no more', () => {
    const rig = new Rig();
    for (let n = 0; n < 30; n++) rig.w(0, n);
    rig.clock.runUntil(100 * CHAR);
    expect(rig.out).toEqual(Array.from({ length: 17 }, (_, n) => n));
  });

  test('slower lines take longer', () => {
    const rig = new Rig();
    rig.w(LCR, 0x83);
    rig.w(0, 12);
    expect([rig.r(0), rig.r(1)]).toEqual([12, 0]);
    rig.w(LCR, 0x03);
    rig.w(0, 0x55);
    rig.clock.runUntil(11 * CHAR);
    expect(rig.out).toEqual([]);
    rig.clock.runUntil(12 * CHAR + 12);
    expect(rig.out).toEqual([0x55]);
  });
});

test('priority: received data before the transmitter before the modem', () => {
  const rig = new Rig(false);
  rig.w(IER, 0x0f);
  rig.uart.modem(0xa0);
  rig.type(1);
  expect(rig.r(IIR)).toBe(0x04);
  rig.r(0);
  expect(rig.r(IIR)).toBe(0x02);
  expect(rig.r(IIR)).toBe(0x00);
  expect(rig.r(MSR)).toBe(0xa1);
  expect([rig.r(IIR), rig.wire.high]).toEqual([0x01, false]);
});

test('the ring indicator reports its trailing edge', () => {
  const rig = new Rig();
  rig.uart.modem(0xf0);
  expect(rig.r(MSR)).toBe(0xf0);
  rig.uart.modem(0xb0);
  expect(rig.r(MSR)).toBe(0xb4);
});

test('the wire stays high from one interrupt to the next: no second edge', () => {
  const rig = new Rig();
  rig.w(IER, 3);
  rig.type(8);
  expect(rig.r(IIR)).toBe(0xc4);
  for (let n = 0; n < 8; n++) rig.r(0);
  expect([rig.wire.high, rig.wire.rises.length]).toEqual([true, 1]);
  expect(rig.r(IIR)).toBe(0xc2);
  expect(rig.wire.high).toBe(false);
});

test('OUT2 lets the interrupt out', () => {
  const rig = new Rig();
  rig.w(MCR, 0x03);
  rig.w(IER, 2);
  expect(rig.wire.high).toBe(false);
  rig.w(MCR, 0x0b);
  expect(rig.wire.high).toBe(true);
});

test('the scratch register keeps its byte; registers read back', () => {
  const rig = new Rig();
  rig.w(7, 0xa5);
  rig.w(IER, 0xff);
  expect([rig.r(7), rig.r(IER), rig.r(LCR), rig.r(MCR)]).toEqual([0xa5, 0x0f, 0x03, 0x0b]);
});

test('the user can make a character arrive', () => {
  const rig = new Rig(false);
  rig.w(IER, 1);
  rig.uart.fire();
  expect([rig.wire.high, rig.r(0)]).toEqual([true, 0x0d]);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  rig.w(IER, 3);
  for (const byte of [1, 2, 3]) rig.w(0, byte);
  rig.type(5);
  rig.clock.runUntil(CHAR);
  const copy = new Rig();
  copy.clock.restore(rig.clock.save());
  copy.uart.restore(travelled(rig.uart.save()));
  rig.out = [];
  rig.wire.rises = [];
  for (const r of [rig, copy]) r.clock.runUntil(10 * CHAR);
  expect(copy.out).toEqual(rig.out);
  expect(copy.out).toEqual([2, 3]);
  expect(copy.wire.rises).toEqual(rig.wire.rises);
  expect(copy.uart.inspect()).toEqual(rig.uart.inspect());
});
