/** The I/O bus of a machine: which addresses somebody answers at. */
import { describe, expect, test } from 'vitest';
import { IoBus, type Registers } from '../../../engine/hw/x86/io-bus.ts';

const NOBODY: Registers = { read: () => 0, write: () => {} };

describe('ranges', () => {
  test('of ports: neighbours are one, holes stay', () => {
    const bus = new IoBus();
    expect(bus.portRanges()).toEqual([]);
    bus.addPorts(0x3f8, 8, NOBODY);
    bus.addPorts(0x60, 1, NOBODY);
    bus.addPorts(0x64, 1, NOBODY);
    bus.addPorts(0x61, 2, NOBODY);
    expect(bus.portRanges()).toEqual([
      [0x60, 0x62],
      [0x64, 0x64],
      [0x3f8, 0x3ff],
    ]);
  });

  test('of memory: ascending, whatever the order they came in', () => {
    const bus = new IoBus();
    bus.addMemory(0xfe02_0000, 0x2000, NOBODY);
    bus.addMemory(0xfe00_0000, 0x1000, NOBODY);
    bus.addMemory(0xfe00_1000, 0x1000, NOBODY);
    expect(bus.memoryRanges()).toEqual([
      [0xfe00_0000, 0xfe00_1fff],
      [0xfe02_0000, 0xfe02_1fff],
    ]);
  });
});
