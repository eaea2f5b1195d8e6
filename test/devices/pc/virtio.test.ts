/** virtio over PCI with block and network devices: configuration, vectors, INTx with its status, queues. */
import { describe, expect, test } from 'vitest';
import {
  BLK,
  BLK_F_MQ,
  blockRequest,
  COMMON,
  CTRL_MQ_PAIRS_SET,
  control,
  LAYOUT,
  NET_F_CTRL_VQ,
  NET_F_MQ,
  NO_VECTOR,
} from '../../../engine/abi/virtio.ts';
import type { BlockRequest } from '../../../engine/devices/pc/backend.ts';
import { VirtioBlk } from '../../../engine/devices/pc/virtio-blk.ts';
import { VirtioNet } from '../../../engine/devices/pc/virtio-net.ts';
import { travelled } from '../../support/pc-wire.ts';
import { type VirtioOptions, VirtioRig } from '../../support/virtio-rig.ts';

const READ = blockRequest(BLK.in, 8);

function blk(options?: VirtioOptions, count = 2) {
  const kicks: number[] = [];
  const started: [queue: number, tag: number, request: BlockRequest][] = [];
  const backend = {
    kick: (queue: number) => {
      kicks.push(queue);
    },
    start: (queue: number, tag: number, request: BlockRequest) => {
      started.push([queue, tag, request]);
    },
  };
  const rig = new VirtioRig((place) => new VirtioBlk('virtio0', place, count, backend), options);
  return Object.assign(rig, { kicks, started });
}

function net(options?: VirtioOptions, pairs = 2) {
  const kicks: number[] = [];
  const out: number[] = [];
  const backend = {
    kick: (queue: number) => {
      kicks.push(queue);
    },
    transmit: (_queue: number, packet: number) => {
      out.push(packet);
    },
  };
  const rig = new VirtioRig((place) => new VirtioNet('virtio0', place, pairs, backend), options);
  return Object.assign(rig, { kicks, out });
}

describe('configuration', () => {
  test('the function is a modern virtio device with MSI-X and four structures', () => {
    const { fn } = blk().device;
    expect([fn.readConfig(0, 4), fn.readConfig(8, 1)]).toEqual([0x1042_1af4, 1]);
    const found: number[][] = [];
    for (let at = fn.readConfig(0x34, 1); at !== 0; at = fn.readConfig(at + 1, 1)) {
      if (fn.readConfig(at, 1) === 9) found.push([fn.readConfig(at + 3, 1), fn.readConfig(at + 8, 4)]);
    }
    expect(found).toEqual([
      [1, LAYOUT.common],
      [2, LAYOUT.notify],
      [3, LAYOUT.isr],
      [4, LAYOUT.device],
    ]);
    expect(fn.findCapability(0x11)).toBe(0x40);
  });

  test('queues are selected and keep what is written to them', () => {
    const rig = blk();
    expect(rig.r(COMMON.numQueues, 2)).toBe(2);
    rig.w(COMMON.queueSelect, 1, 2);
    rig.w(COMMON.queueSize, 64, 2);
    rig.w(COMMON.queueDevice, 0x5_0000_1000, 8);
    expect([rig.r(COMMON.queueSize, 2), rig.r(COMMON.queueNotifyOff, 2)]).toEqual([64, 1]);
    expect([rig.r(COMMON.queueDevice, 4), rig.r(COMMON.queueDevice + 4, 4)]).toEqual([0x1000, 5]);
    rig.w(COMMON.queueSelect, 0, 2);
    expect([rig.r(COMMON.queueSize, 2), rig.r(COMMON.queueDevice, 4)]).toEqual([256, 0]);
    rig.w(COMMON.queueSelect, 7, 2);
    rig.w(COMMON.queueSize, 3, 2);
    expect([rig.r(COMMON.queueSize, 2), rig.r(COMMON.queueEnable, 2)]).toEqual([0, 0]);
  });

  test('a vector that the table lacks reads back as none', () => {
    const rig = blk();
    rig.w(COMMON.msixConfig, 2, 2);
    expect(rig.r(COMMON.msixConfig, 2)).toBe(2);
    rig.w(COMMON.msixConfig, 3, 2);
    expect(rig.r(COMMON.msixConfig, 2)).toBe(NO_VECTOR);
    rig.w(COMMON.queueMsixVector, 9, 2);
    expect(rig.r(COMMON.queueMsixVector, 2)).toBe(NO_VECTOR);
  });

  test('FEATURES_OK does not stay for features that were not offered', () => {
    const rig = blk();
    rig.w(COMMON.driverFeatureSelect, 1, 4);
    rig.w(COMMON.driverFeature, 1, 4);
    rig.w(COMMON.driverFeatureSelect, 0, 4);
    rig.w(COMMON.driverFeature, 1, 4);
    rig.w(COMMON.deviceStatus, 11, 1);
    expect(rig.r(COMMON.deviceStatus, 1)).toBe(3);
    rig.w(COMMON.driverFeature, 2 ** BLK_F_MQ, 4);
    rig.w(COMMON.deviceStatus, 11, 1);
    expect(rig.r(COMMON.deviceStatus, 1)).toBe(11);
  });

  test('features are offered in words', () => {
    const rig = net();
    expect(rig.r(COMMON.deviceFeature, 4)).toBe(2 ** 29 + 2 ** 22 + 2 ** 17 + 2 ** 16);
    rig.w(COMMON.deviceFeatureSelect, 1, 4);
    expect(rig.r(COMMON.deviceFeature, 4)).toBe(1);
    rig.w(COMMON.deviceFeatureSelect, 2, 4);
    expect(rig.r(COMMON.deviceFeature, 4)).toBe(0);
  });

  test("the device's own is read in any width", () => {
    expect(blk().r(LAYOUT.device + 34, 2)).toBe(2);
    const rig = net();
    expect(Array.from({ length: 6 }, (_, n) => rig.r(LAYOUT.device + n, 1))).toEqual([
      0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
    ]);
    expect([rig.r(LAYOUT.device + 6, 2), rig.r(LAYOUT.device + 8, 2)]).toEqual([1, 2]);
  });

  test('a reset takes back everything', () => {
    const rig = blk({ eventIdx: true, msix: false });
    rig.setUp();
    rig.submit(0, READ);
    rig.device.process(0);
    rig.device.complete(0, 0);
    expect(rig.wire.high).toBe(true);
    rig.w(COMMON.deviceStatus, 0, 1);
    expect([rig.wire.high, rig.r(LAYOUT.isr, 1), rig.r(COMMON.deviceStatus, 1)]).toEqual([false, 0, 0]);
    rig.kicks.length = 0;
    rig.notify(0);
    rig.device.process(0);
    rig.device.complete(0, 0);
    expect([rig.kicks, rig.device.events]).toEqual([[], 1]);
  });

  test('notifications of a device that is not ready, and of no queue, are lost', () => {
    const rig = blk();
    rig.notify(0);
    rig.setUp();
    rig.notify(5);
    expect(rig.kicks).toEqual([]);
  });

  test('a ring at an address where none is never has work', () => {
    const rig = blk();
    rig.setUp();
    rig.w(COMMON.queueSelect, 0, 2);
    rig.w(COMMON.queueDesc, 0x123000, 4);
    rig.w(COMMON.queueEnable, 1, 2);
    rig.notify(0);
    rig.device.process(0);
    expect([rig.kicks, rig.started]).toEqual([[0], []]);
  });
});

describe('interrupts', () => {
  test('each queue has the message of its vector', () => {
    const rig = blk();
    rig.setUp([BLK_F_MQ]);
    rig.submit(1, READ);
    rig.device.process(1);
    rig.device.complete(1, rig.started[0]![1]);
    expect(rig.bus.take()).toEqual([0x42]);
    expect([rig.take(1), rig.wire.high]).toEqual([[READ], false]);
  });

  test('a masked vector is told when it is unmasked', () => {
    const rig = blk();
    rig.setUp();
    rig.device.msix.table.write(16 + 12, 1, 4);
    rig.submit(0, READ);
    rig.device.process(0);
    rig.device.complete(0, 0);
    expect([rig.bus.sent.length, rig.device.msix.isPending(1)]).toEqual([0, true]);
    rig.device.fn.bars[1]!.registers.write(16 + 12, 0, 4);
    expect(rig.bus.take()).toEqual([0x41]);
  });

  test('a queue without a vector interrupts nobody', () => {
    const rig = blk();
    rig.setUp();
    rig.w(COMMON.queueSelect, 0, 2);
    rig.w(COMMON.queueMsixVector, NO_VECTOR, 2);
    rig.submit(0, READ);
    rig.device.process(0);
    rig.device.complete(0, 0);
    expect(rig.bus.sent).toEqual([]);
  });

  test('without MSI-X the pin is high until the ISR status is read', () => {
    const rig = blk({ eventIdx: true, msix: false });
    rig.setUp();
    rig.submit(0, READ);
    rig.device.process(0);
    rig.device.complete(0, 0);
    expect(rig.wire.high).toBe(true);
    expect([rig.r(LAYOUT.isr, 1), rig.wire.high, rig.r(LAYOUT.isr, 1)]).toEqual([1, false, 0]);
  });

  test('a change of the configuration has its own message, and a generation', () => {
    const rig = net();
    rig.device.setLink(false);
    rig.setUp();
    expect(rig.bus.sent).toEqual([]);
    rig.device.setLink(true);
    expect([rig.bus.take(), rig.r(COMMON.configGeneration, 1)]).toEqual([[0x40], 1]);
    const intx = net({ eventIdx: false, msix: false });
    intx.setUp();
    intx.device.setLink(false);
    expect([intx.r(LAYOUT.isr, 1), intx.r(LAYOUT.device + 6, 2)]).toEqual([3, 0]);
  });

  test('the driver that polls is left alone', () => {
    for (const eventIdx of [true, false]) {
      const rig = net({ eventIdx, msix: true });
      rig.setUp();
      rig.submit(0, 0, 0, 0, 0);
      rig.queues[0]!.disableCallbacks();
      if (!eventIdx) expect(rig.rings[0]!.availFlags).toBe(1);
      // the first of all is always told with event indices
      rig.device.receive(2);
      rig.bus.take();
      rig.device.receive(4);
      expect(rig.bus.take()).toEqual([]);
      rig.take(0);
      rig.queues[0]!.enableCallbacks();
      rig.device.receive(6);
      expect(rig.bus.take()).toEqual([0x41]);
    }
  });
});

describe('virtio-blk', () => {
  test('hands out what its buffers say and answers in any order', () => {
    const rig = blk();
    rig.setUp();
    rig.submit(0, READ, blockRequest(BLK.out, 16), blockRequest(BLK.flush, 0));
    expect([rig.kicks, rig.started.length]).toEqual([[0], 0]);
    rig.device.process(0);
    expect(rig.started.map(([, , r]) => r)).toEqual([
      { kind: 'read', sectors: 8 },
      { kind: 'write', sectors: 16 },
      { kind: 'flush', sectors: 0 },
    ]);
    for (const [queue, tag] of rig.started.reverse()) rig.device.complete(queue, tag);
    expect(rig.take(0)).toEqual([blockRequest(BLK.flush, 0), blockRequest(BLK.out, 16), READ]);
  });

  test('with event indices a second answer before the driver has looked is no second interrupt', () => {
    const rig = blk();
    rig.setUp();
    rig.submit(0, READ, READ);
    rig.device.process(0);
    for (const [queue, tag] of rig.started) rig.device.complete(queue, tag);
    expect(rig.bus.take()).toEqual([0x41]);
  });

  test('the user can make it report another size', () => {
    const rig = blk();
    rig.setUp();
    rig.device.fire();
    expect(rig.bus.take()).toEqual([0x40]);
  });
});

describe('virtio-net', () => {
  test('a packet takes a buffer of the receive queue; without one it is lost', () => {
    const rig = net();
    rig.setUp();
    expect(rig.device.receive(10)).toBe(false);
    rig.submit(0, 0);
    expect([rig.device.receive(12), rig.device.receive(14)]).toEqual([true, false]);
    expect([rig.bus.take(), rig.take(0), rig.device.dropped]).toEqual([[0x41], [12], 2]);
  });

  test('packets are spread over the pairs that the driver has asked for', () => {
    const rig = net();
    rig.setUp([NET_F_MQ, NET_F_CTRL_VQ]);
    for (const queue of [0, 2]) rig.submit(queue, 0, 0, 0);
    rig.device.receive(1);
    rig.submit(4, control(CTRL_MQ_PAIRS_SET, 2));
    expect(rig.bus.take()).toEqual([0x41, 0x45]);
    rig.device.receive(3);
    rig.device.receive(4);
    expect([rig.take(0), rig.take(2), rig.device.inspect().active]).toEqual([[1, 4], [3], 2]);
    rig.submit(4, control(CTRL_MQ_PAIRS_SET, 3));
    expect(rig.device.inspect().active).toBe(2);
  });

  test('packets leave when the host looks, with an interrupt for the first', () => {
    const rig = net();
    rig.setUp();
    rig.submit(1, 7, 8, 9);
    expect([rig.kicks, rig.out]).toEqual([[1], []]);
    rig.device.process(1);
    expect([rig.out, rig.bus.take(), rig.take(1)]).toEqual([[7, 8, 9], [0x42], [7, 8, 9]]);
  });

  test("buffers for packets to come need nobody's work", () => {
    const rig = net();
    rig.setUp();
    rig.submit(0, 0);
    expect(rig.kicks).toEqual([]);
  });

  test('the user can make a packet arrive', () => {
    const rig = net();
    rig.setUp();
    rig.submit(0, 0);
    rig.device.fire();
    expect(rig.bus.take()).toEqual([0x41]);
  });
});

test('copies go on as the originals do', () => {
  const a = blk();
  const b = blk();
  a.setUp([BLK_F_MQ]);
  b.setUp([BLK_F_MQ]);
  a.submit(0, READ, READ);
  a.device.process(0);
  a.device.complete(0, 1);
  b.device.restore(travelled(a.device.save()));
  b.copyRingsFrom(a);
  a.bus.take();
  for (const rig of [a, b]) {
    rig.take(0);
    rig.device.complete(0, 0);
  }
  expect([a.bus.take(), b.bus.take()]).toEqual([[0x41], [0x41]]);
  expect(b.device.inspect()).toEqual(a.device.inspect());

  const c = net({ eventIdx: false, msix: false });
  const d = net({ eventIdx: false, msix: false });
  for (const rig of [c, d]) rig.setUp();
  c.submit(0, 0, 0);
  c.device.receive(1);
  d.device.restore(travelled(c.device.save()));
  d.copyRingsFrom(c);
  expect(d.device.inspect()).toEqual(c.device.inspect());
  expect(d.device.receive(3)).toBe(true);
  expect([d.take(0), d.r(LAYOUT.isr, 1)]).toEqual([[1, 3], 1]);
});
