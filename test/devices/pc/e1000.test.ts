/** The 82540EM: causes and masks, moderation, and its rings. */
import { describe, expect, test } from 'vitest';
import { DescriptorRing } from '../../../engine/abi/descriptor-ring.ts';
import { DmaMemory } from '../../../engine/abi/dma.ts';
import { CAUSE, E1000 } from '../../../engine/abi/e1000.ts';
import { Clock } from '../../../engine/core/clock.ts';
import { E1000Card } from '../../../engine/devices/pc/e1000.ts';
import { travelled, Wire } from '../../support/pc-wire.ts';

const SIZE = 8;

class Rig {
  readonly clock = new Clock();
  readonly wire = new Wire(this.clock);
  readonly memory = new DmaMemory();
  readonly rx = new DescriptorRing('rx', SIZE);
  readonly tx = new DescriptorRing('tx', SIZE);
  out: number[] = [];
  kicks = 0;
  readonly card: E1000Card;

  constructor() {
    const backend = {
      kick: () => {
        this.kicks++;
      },
      transmit: (_queue: number, packet: number) => {
        this.out.push(packet);
      },
    };
    const place = { devfn: 24, base: 0xfeb8_0000, memory: this.memory, intx: this.wire };
    this.card = new E1000Card('eth0', this.clock, place, backend);
    this.w(E1000.rdbal, this.memory.allocate(this.rx.bytes, this.rx));
    this.w(E1000.tdbal, this.memory.allocate(this.tx.bytes, this.tx));
    this.w(E1000.rdt, SIZE - 1);
    this.w(E1000.rctl, 2);
    this.w(E1000.tctl, 2);
  }

  w(register: number, value: number): void {
    this.card.write(register, value, 4);
  }

  r(register: number): number {
    return this.card.read(register, 4);
  }

  send(...packets: number[]): void {
    for (const packet of packets) {
      const tail = this.r(E1000.tdt);
      this.tx.packet[tail] = packet;
      this.tx.done[tail] = 0;
      this.w(E1000.tdt, (tail + 1) % SIZE);
    }
  }
}

describe('causes', () => {
  test('reading ICR takes them all', () => {
    const rig = new Rig();
    rig.w(E1000.ics, CAUSE.txdw | CAUSE.rxt0);
    expect([rig.r(E1000.icr), rig.r(E1000.icr)]).toEqual([CAUSE.txdw | CAUSE.rxt0, 0]);
  });

  test('writing ICR clears those written with 1', () => {
    const rig = new Rig();
    rig.w(E1000.ics, CAUSE.txdw | CAUSE.rxt0);
    rig.w(E1000.icr, CAUSE.txdw);
    expect(rig.r(E1000.icr)).toBe(CAUSE.rxt0);
  });

  test('the pin is high while an unmasked one is set', () => {
    const rig = new Rig();
    rig.w(E1000.ics, CAUSE.rxt0);
    expect(rig.wire.high).toBe(false);
    rig.w(E1000.ims, CAUSE.lsc);
    expect(rig.wire.high).toBe(false);
    rig.w(E1000.ims, CAUSE.rxt0);
    expect([rig.wire.high, rig.r(E1000.ims)]).toEqual([true, CAUSE.lsc | CAUSE.rxt0]);
    rig.w(E1000.imc, CAUSE.rxt0);
    expect([rig.wire.high, rig.r(E1000.ims)]).toEqual([false, CAUSE.lsc]);
  });

  test('the pin falls when ICR is read, and rises for what comes after', () => {
    const rig = new Rig();
    rig.w(E1000.ims, 0xffff);
    rig.w(E1000.ics, CAUSE.lsc);
    rig.w(E1000.ics, CAUSE.rxt0);
    expect(rig.card.events).toBe(1);
    rig.r(E1000.icr);
    expect(rig.wire.high).toBe(false);
    rig.w(E1000.ics, CAUSE.rxt0);
    expect(rig.card.events).toBe(2);
  });
});

describe('moderation', () => {
  test('the pin rises no sooner than ITR units of 256 ns after it rose last', () => {
    const rig = new Rig();
    rig.w(E1000.ims, 0xffff);
    rig.w(E1000.itr, 200);
    for (let t = 0; t < 200_000; t += 1_000) {
      rig.clock.runUntil(t);
      rig.w(E1000.ics, CAUSE.rxt0);
      if (rig.wire.high) rig.r(E1000.icr);
    }
    const gaps = rig.wire.rises.slice(1).map((at, i) => at - rig.wire.rises[i]!);
    expect(gaps).toEqual([51_200, 51_200, 51_200]);
  });

  test('a cause that is read or masked meanwhile does not raise it', () => {
    const rig = new Rig();
    rig.w(E1000.ims, 0xffff);
    rig.w(E1000.itr, 200);
    rig.w(E1000.ics, CAUSE.rxt0);
    rig.r(E1000.icr);
    rig.w(E1000.ics, CAUSE.rxt0);
    rig.w(E1000.imc, 0xffff);
    rig.clock.runUntil(100_000);
    expect(rig.card.events).toBe(1);
    rig.w(E1000.ims, 0xffff);
    expect(rig.card.events).toBe(2);
  });
});

describe('packets', () => {
  test('that arrive are written to the ring at head', () => {
    const rig = new Rig();
    rig.w(E1000.ims, 0xffff);
    rig.card.receive(101);
    rig.card.receive(102);
    expect([...rig.rx.packet.slice(0, 3), ...rig.rx.done.slice(0, 3)]).toEqual([101, 102, 0, 1, 1, 0]);
    expect([rig.r(E1000.rdh), rig.r(E1000.icr), rig.card.events]).toEqual([2, CAUSE.rxt0, 1]);
  });

  test('are lost without a descriptor, which is a cause', () => {
    const rig = new Rig();
    for (let n = 0; n < 9; n++) rig.card.receive(n);
    expect([rig.card.received, rig.card.dropped]).toEqual([SIZE - 1, 2]);
    expect(rig.r(E1000.icr)).toBe(CAUSE.rxt0 | CAUSE.rxo);
    rig.w(E1000.rdt, 3);
    expect(rig.card.receive(9)).toBe(true);
    rig.card.receive(10);
    expect([rig.rx.packet[7], rig.rx.packet[0]]).toEqual([9, 10]);
  });

  test('are lost while the receiver is off or has no ring', () => {
    const rig = new Rig();
    rig.w(E1000.rctl, 0);
    expect(rig.card.receive(1)).toBe(false);
    rig.w(E1000.rctl, 2);
    rig.w(E1000.rdbal, 0x5000);
    expect(rig.card.receive(1)).toBe(false);
    expect([rig.r(E1000.icr), rig.card.dropped]).toEqual([0, 2]);
  });

  test('leave between head and tail, with one interrupt for all', () => {
    const rig = new Rig();
    rig.w(E1000.ims, 0xffff);
    rig.send(5, 6, 7);
    expect([rig.kicks, rig.out]).toEqual([3, []]);
    rig.card.process(0);
    expect([rig.out, rig.card.events, rig.r(E1000.tdh)]).toEqual([[5, 6, 7], 1, 3]);
    expect(rig.r(E1000.icr)).toBe(CAUSE.txdw | CAUSE.txqe);
    expect([...rig.tx.done.slice(0, 4)]).toEqual([1, 1, 1, 0]);
    rig.card.process(0);
    expect(rig.card.events).toBe(1);
    rig.send(1, 2, 3, 4, 5, 6);
    rig.card.process(0);
    expect([rig.out.length, rig.r(E1000.tdh)]).toEqual([9, 1]);
  });

  test('stay while the transmitter is off', () => {
    const rig = new Rig();
    rig.w(E1000.tctl, 0);
    rig.send(5);
    expect(rig.kicks).toBe(0);
  });
});

test('a change of the link is a cause', () => {
  const rig = new Rig();
  expect(rig.r(E1000.status) & 2).toBe(2);
  rig.card.setLink(false);
  rig.card.setLink(false);
  expect([rig.r(E1000.status) & 2, rig.r(E1000.icr), rig.r(E1000.icr)]).toEqual([0, CAUSE.lsc, 0]);
  expect(rig.card.receive(1)).toBe(false);
});

test('accesses of other widths do nothing', () => {
  const rig = new Rig();
  rig.card.write(E1000.ics, 0xff, 1);
  expect([rig.card.read(E1000.status, 2), rig.r(E1000.icr)]).toEqual([0, 0]);
});

test('the user can make a packet arrive', () => {
  const rig = new Rig();
  rig.w(E1000.ims, CAUSE.rxt0);
  rig.card.fire();
  expect(rig.wire.high).toBe(true);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  rig.w(E1000.ims, 0xffff);
  rig.w(E1000.itr, 100);
  rig.card.receive(1);
  rig.r(E1000.icr);
  rig.card.receive(2);
  rig.send(9);
  const copy = new Rig();
  copy.clock.restore(rig.clock.save());
  copy.card.restore(travelled(rig.card.save()));
  copy.rx.restore(travelled(rig.rx.save()));
  copy.tx.restore(travelled(rig.tx.save()));
  rig.wire.rises = [];
  for (const r of [rig, copy]) {
    r.clock.runUntil(50_000);
    r.card.process(0);
    r.card.receive(3);
  }
  expect(copy.wire.rises).toEqual([25_600]);
  expect(rig.wire.rises).toEqual([25_600]);
  expect([copy.out, [...copy.rx.packet]]).toEqual([rig.out, [...rig.rx.packet]]);
  expect(copy.card.inspect()).toEqual(rig.card.inspect());
});
