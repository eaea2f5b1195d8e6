/** An IDE channel of the PIIX3: task file, bus master, INTRQ and what clears it. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { AtaChannel } from '../../../engine/devices/pc/ata.ts';
import type { BlockRequest } from '../../../engine/devices/pc/backend.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const BSY = 0x80;
const READ_DMA = 0xc8;
const START = 1;
const TO_MEMORY = 8;

class Rig {
  readonly clock = new Clock();
  readonly wire = new Wire(this.clock);
  kicks = 0;
  started: BlockRequest[] = [];
  readonly ata: AtaChannel;

  constructor(disk = true) {
    const backend = {
      kick: () => {
        this.kicks++;
      },
      start: (_queue: number, _tag: number, request: BlockRequest) => {
        this.started.push(request);
      },
    };
    this.ata = new AtaChannel('ide0', this.wire, backend, disk);
  }

  command(command: number, sectors = 8): void {
    this.ata.commandBlock.write(2, sectors >> 8, 1);
    this.ata.commandBlock.write(2, sectors & 0xff, 1);
    this.ata.commandBlock.write(7, command, 1);
  }

  dma(value: number): void {
    this.ata.busMaster.write(0, value, 1);
  }

  get busMasterStatus(): number {
    return this.ata.busMaster.read(2, 1);
  }

  get alternate(): number {
    return this.ata.controlBlock.read(0, 1);
  }

  /** The status register: reading it has an effect. */
  status(): number {
    return this.ata.commandBlock.read(7, 1);
  }

  /** A read by DMA, up to the disk's end of it. */
  readDone(): void {
    this.command(READ_DMA);
    this.dma(START | TO_MEMORY);
    this.ata.process(0);
    this.ata.complete(0, 0);
  }
}

describe('a command by DMA', () => {
  test('waits for the bus master, is handed out once, and ends with INTRQ', () => {
    const rig = new Rig();
    rig.command(READ_DMA, 16);
    expect([rig.alternate & BSY, rig.kicks]).toEqual([BSY, 0]);
    rig.dma(START | TO_MEMORY);
    expect([rig.kicks, rig.busMasterStatus & 7]).toEqual([1, 1]);
    rig.ata.process(0);
    rig.ata.process(0);
    expect(rig.started).toEqual([{ kind: 'read', sectors: 16 }]);
    expect(rig.wire.high).toBe(false);
    rig.ata.complete(0, 0);
    expect([rig.wire.high, rig.alternate & BSY, rig.busMasterStatus & 7]).toEqual([true, 0, 4]);
  });

  test('starts as well when the bus master was started first', () => {
    const rig = new Rig();
    rig.dma(START);
    rig.command(0xca);
    rig.ata.process(0);
    expect(rig.started).toEqual([{ kind: 'write', sectors: 8 }]);
  });

  test('with a count of 0 means 256 sectors, 65,536 with long addresses', () => {
    const rig = new Rig();
    for (const command of [READ_DMA, 0x25]) {
      rig.command(command, 0);
      rig.dma(START | TO_MEMORY);
      rig.ata.process(0);
      rig.ata.complete(0, 0);
      rig.status();
      rig.dma(0);
    }
    rig.command(0x35, 0x300);
    rig.dma(START);
    rig.ata.process(0);
    expect(rig.started.map((r) => r.sectors)).toEqual([256, 65_536, 0x300]);
  });

  test('a flush needs no bus master', () => {
    const rig = new Rig();
    rig.command(0xe7);
    rig.ata.process(0);
    expect(rig.started).toEqual([{ kind: 'flush', sectors: 0 }]);
  });

  test('an answer that nobody waits for is none', () => {
    const rig = new Rig();
    rig.ata.complete(0, 0);
    expect(rig.wire.high).toBe(false);
  });
});

describe('INTRQ', () => {
  test('falls when the status register is read, not the alternate one', () => {
    const rig = new Rig();
    rig.readDone();
    expect(rig.alternate).toBe(0x50);
    expect(rig.wire.high).toBe(true);
    expect([rig.status(), rig.wire.high]).toEqual([0x50, false]);
  });

  test('falls when a command is written', () => {
    const rig = new Rig();
    rig.readDone();
    rig.command(READ_DMA);
    expect(rig.wire.high).toBe(false);
  });

  test('is kept off the wire by nIEN', () => {
    const rig = new Rig();
    rig.ata.controlBlock.write(0, 2, 1);
    rig.readDone();
    expect([rig.wire.high, rig.busMasterStatus & 4]).toEqual([false, 4]);
    rig.ata.controlBlock.write(0, 0, 1);
    expect(rig.wire.high).toBe(true);
  });

  test('is told by the bus master until that is written with 1', () => {
    const rig = new Rig();
    rig.readDone();
    rig.status();
    expect(rig.busMasterStatus).toBe(0x64);
    rig.ata.busMaster.write(2, 0x60, 1);
    expect(rig.busMasterStatus).toBe(0x64);
    rig.ata.busMaster.write(2, 0x64, 1);
    expect(rig.busMasterStatus).toBe(0x60);
  });
});

describe('other commands', () => {
  test('IDENTIFY hands out 256 words', () => {
    const rig = new Rig();
    rig.command(0xec);
    expect([rig.wire.high, rig.status() & 8]).toEqual([true, 8]);
    const words = Array.from({ length: 256 }, () => rig.ata.commandBlock.read(0, 2));
    expect([words[49], words[83]]).toEqual([0x0f00, 0x7400]);
    expect([rig.status() & 8, rig.ata.commandBlock.read(0, 2)]).toEqual([0, 0]);
  });

  test('SET FEATURES succeeds, what is unknown is aborted', () => {
    const rig = new Rig();
    rig.command(0xef);
    expect([rig.wire.high, rig.status()]).toEqual([true, 0x50]);
    rig.command(0x99);
    expect([rig.wire.high, rig.status() & 1, rig.ata.commandBlock.read(1, 1)]).toEqual([true, 1, 4]);
  });

  test('a reset forgets the command and shows the signature of a disk', () => {
    const rig = new Rig();
    rig.command(READ_DMA);
    rig.ata.controlBlock.write(0, 4, 1);
    rig.ata.controlBlock.write(0, 0, 1);
    rig.dma(START);
    expect([rig.kicks, rig.status()]).toEqual([0, 0x50]);
    expect([2, 3, 4, 5].map((n) => rig.ata.commandBlock.read(n, 1))).toEqual([1, 1, 0, 0]);
  });
});

test('the task file holds what is written, unless a command is under way', () => {
  const rig = new Rig();
  rig.ata.commandBlock.write(3, 0x55, 1);
  rig.command(READ_DMA);
  rig.ata.commandBlock.write(3, 0xaa, 1);
  expect(rig.ata.commandBlock.read(3, 1)).toBe(0x55);
  rig.command(0xef);
  expect(rig.alternate & BSY).toBe(BSY);
});

test('nobody answers for a second disk, or on an empty channel', () => {
  const rig = new Rig();
  rig.ata.commandBlock.write(6, 0x10, 1);
  rig.command(READ_DMA);
  expect([rig.status(), rig.alternate, rig.wire.high]).toEqual([0, 0, false]);
  const empty = new Rig(false);
  empty.command(0xec);
  empty.ata.commandBlock.write(2, 0x55, 1);
  expect([empty.status(), empty.ata.commandBlock.read(2, 1), empty.wire.high]).toEqual([0, 0, false]);
});

test('the table of the bus master is a double word of its own', () => {
  const rig = new Rig();
  rig.ata.busMaster.write(4, 0x1234_5677, 4);
  expect(rig.ata.busMaster.read(4, 4)).toBe(0x1234_5674);
});

test('the user can make INTRQ rise without a command', () => {
  const rig = new Rig();
  rig.ata.fire();
  expect(rig.wire.high).toBe(true);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  rig.command(0x25, 0x1234);
  rig.dma(START | TO_MEMORY);
  const copy = new Rig();
  copy.ata.restore(travelled(rig.ata.save()));
  copy.ata.process(0);
  expect(copy.started).toEqual([{ kind: 'read', sectors: 0x1234 }]);
  rig.ata.process(0);
  for (const r of [rig, copy]) r.ata.complete(0, 0);
  expect(copy.wire.high).toBe(true);
  expect(copy.ata.inspect()).toEqual(rig.ata.inspect());
});
