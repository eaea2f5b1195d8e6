/** The split virtqueue: both ends, with flags and with event indices. */
import { describe, expect, test } from 'vitest';
import { DeviceQueue, DriverQueue, Virtqueue } from '../../engine/abi/virtio-ring.ts';

function rig(eventIdx: boolean, size = 8) {
  const ring = new Virtqueue('q', size);
  const driver = new DriverQueue(ring, eventIdx);
  const device = new DeviceQueue('q', ring, eventIdx);
  device.enableNotifications();
  /** the device uses everything; true: it interrupts */
  const serve = () => {
    for (let head = device.pop(); head >= 0; head = device.pop()) device.push(head);
    device.enableNotifications();
    return device.shouldInterrupt();
  };
  const takeAll = () => {
    const out: number[] = [];
    for (let head = driver.take(); head >= 0; head = driver.take()) out.push(driver.content(head));
    return out;
  };
  return { ring, driver, device, serve, takeAll };
}

describe.each([
  ['flags', false],
  ['event indices', true],
])('with %s', (_name, eventIdx) => {
  test('buffers go to the device in order and come back as it uses them', () => {
    const { driver, device, takeAll } = rig(eventIdx);
    for (const content of [10, 20, 30]) driver.add(content);
    const heads = [device.pop(), device.pop(), device.pop()];
    expect(heads.map((h) => device.content(h))).toEqual([10, 20, 30]);
    expect(device.pop()).toBe(-1);
    for (const head of heads.reverse()) device.push(head);
    expect([driver.waiting, takeAll(), driver.take()]).toEqual([3, [30, 20, 10], -1]);
  });

  test('indices wrap at 65,536', () => {
    const { driver, serve, takeAll } = rig(eventIdx);
    let wrong = 0;
    for (let n = 0; n < 66_000; n++) {
      driver.add(n);
      if (!driver.kickPrepare() || !serve()) wrong++;
      if (takeAll().join() !== `${n}`) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('a full queue takes no more', () => {
    const { driver } = rig(eventIdx, 2);
    driver.add(1);
    driver.add(2);
    expect(driver.free).toEqual([]);
    expect(() => driver.add(3)).toThrow('full');
  });

  test('the driver without callbacks is not interrupted', () => {
    const { driver, serve, takeAll } = rig(eventIdx);
    driver.add(1);
    expect(serve()).toBe(true);
    takeAll();
    driver.disableCallbacks();
    for (let n = 0; n < 3; n++) {
      driver.add(n);
      expect(serve()).toBe(false);
    }
    expect(driver.enableCallbacks()).toBe(false);
    takeAll();
    expect(driver.enableCallbacks()).toBe(true);
    driver.add(9);
    expect(serve()).toBe(true);
  });

  test("an interrupt without used buffers is not this queue's", () => {
    const { driver, serve } = rig(eventIdx);
    expect(driver.interrupted()).toBe(false);
    driver.add(1);
    serve();
    expect(driver.interrupted()).toBe(true);
  });

  test('copies of both ends and the memory go on as the originals do', () => {
    const a = rig(eventIdx);
    const b = rig(eventIdx);
    for (const n of [1, 2, 3]) a.driver.add(n);
    a.device.push(a.device.pop());
    a.device.shouldInterrupt();
    for (const part of ['ring', 'driver', 'device'] as const) {
      b[part].restore(JSON.parse(JSON.stringify(a[part].save())));
    }
    expect(b.device.shouldInterrupt()).toBe(a.device.shouldInterrupt());
    expect(b.takeAll()).toEqual([1]);
    expect(b.driver.kickPrepare()).toBe(a.driver.kickPrepare());
    b.driver.add(4);
    expect([b.device.waiting, b.device.content(b.device.pop())]).toEqual([3, 2]);
  });
});

describe('notifications of the device', () => {
  test('with flags none is wanted while it looks by itself', () => {
    const { driver, device } = rig(false);
    device.disableNotifications();
    driver.add(1);
    expect(driver.kickPrepare()).toBe(false);
    expect(device.enableNotifications()).toBe(true);
    driver.add(2);
    expect(driver.kickPrepare()).toBe(true);
  });

  test('with event indices one for the first buffer after it has looked', () => {
    const { driver, serve } = rig(true);
    driver.add(1);
    expect(driver.kickPrepare()).toBe(true);
    driver.add(2);
    expect(driver.kickPrepare()).toBe(false);
    serve();
    driver.add(3);
    driver.add(4);
    expect(driver.kickPrepare()).toBe(true);
  });
});

describe('interrupts with event indices', () => {
  test('one for the first used buffer since the driver looked', () => {
    const { driver, device, takeAll } = rig(true);
    for (let n = 0; n < 4; n++) driver.add(n);
    const answers = [0, 1, 2].map(() => {
      device.push(device.pop());
      return device.shouldInterrupt();
    });
    expect(answers).toEqual([true, false, false]);
    takeAll();
    device.push(device.pop());
    expect(device.shouldInterrupt()).toBe(true);
  });

  test('delayed callbacks wait for three quarters of what is under way', () => {
    const { driver, device } = rig(true);
    device.shouldInterrupt();
    for (let n = 0; n < 8; n++) driver.add(n);
    expect(driver.enableCallbacksDelayed()).toBe(true);
    const answers = Array.from({ length: 8 }, () => {
      device.push(device.pop());
      return device.shouldInterrupt();
    });
    expect(answers).toEqual([false, false, false, false, false, false, true, false]);
  });

  test('delayed callbacks say when more than that has been used already', () => {
    const { driver, device } = rig(true);
    for (let n = 0; n < 4; n++) driver.add(n);
    for (let n = 0; n < 4; n++) device.push(device.pop());
    expect(driver.enableCallbacksDelayed()).toBe(false);
  });

  test('an interrupt that has come keeps others away: disabling writes nothing', () => {
    const { ring, driver, serve } = rig(true);
    driver.add(1);
    serve();
    driver.interrupted();
    ring.usedEvent = 77;
    driver.disableCallbacks();
    expect(ring.usedEvent).toBe(77);
    driver.enableCallbacks();
    expect(ring.usedEvent).toBe(0);
  });
});
