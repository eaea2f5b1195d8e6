/** Late EOI: when the event channel of a split driver is let through again. */
import { describe, expect, test } from 'vitest';
import { GuestRig, KINDS } from '../support/guest-rig.ts';

const HZ = 250;

/** A guest with one or more late channels; their drivers say by hand when they are done. */
function late(n = 1, kernel = KINDS[0]!) {
  const rig = new GuestRig(kernel);
  const ports = rig.channels(n, true);
  return { rig, ports, port: ports[0]! };
}

/** The peer sends, the guest's handler runs, and the driver gives its EOI; the delay in jiffies, 0 for none. */
function event(rig: GuestRig, port: number, spurious: boolean): number {
  rig.delays = [];
  rig.send(port);
  expect(rig.upcall()).toEqual([port]);
  rig.events.late.eoi(port, spurious, 0);
  return rig.delays[0]?.jiffies ?? 0;
}

/** Time passes and the worker runs. */
function pass(rig: GuestRig, jiffies: number, cpu = 0): void {
  rig.now += jiffies;
  rig.events.late.worker(cpu);
}

describe.each(KINDS.slice(0, 2))('$name', (kernel) => {
  test('the channel is masked from its handler to its EOI', () => {
    const { rig, port } = late(1, kernel);
    rig.send(port);
    expect(rig.upcall()).toEqual([port]);
    expect(rig.abi.isMasked(port)).toBe(true);
    rig.send(port, port);
    expect(rig.upcall()).toEqual([]);
    expect(rig.pending(port)).toBe(true);
    rig.events.late.eoi(port, false, 0);
    expect(rig.abi.isMasked(port)).toBe(false);
    expect(rig.upcall()).toEqual([port]);
  });

  test('an event that finds work has no delay, however many there are', () => {
    const { rig, port } = late(1, kernel);
    for (let i = 0; i < 20; i++) expect(event(rig, port, false)).toBe(0);
  });

  test('the first spurious event has no delay, the second one tick; an event with work in between forgives', () => {
    const { rig, port } = late(1, kernel);
    expect(event(rig, port, true)).toBe(0);
    expect(event(rig, port, false)).toBe(0);
    expect(event(rig, port, true)).toBe(0);
    expect(event(rig, port, true)).toBe(1);
  });

  test('a channel that is held back stays masked, and its events wait, until the delay is over', () => {
    const { rig, port } = late(1, kernel);
    event(rig, port, true);
    event(rig, port, true);
    rig.send(port);
    expect(rig.upcall()).toEqual([]);
    pass(rig, 0);
    expect(rig.upcall()).toEqual([]);
    pass(rig, 1);
    expect(rig.upcall()).toEqual([port]);
  });

  test('the end of a delay starts the count anew: of spurious events alone every other one is held back', () => {
    const { rig, port } = late(1, kernel);
    const delays = Array.from({ length: 8 }, () => {
      const delay = event(rig, port, true);
      if (delay > 0) pass(rig, delay);
      return delay;
    });
    expect(delays).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });
});

test.each([
  [0, 0],
  [1, 1],
  [2, 2],
  [3, 4],
  [4, 8],
  [5, 16],
  [6, 32],
  [7, 64],
  [8, 128],
  [9, HZ], // 256, but one second at most
  [10, HZ],
])('after %i spurious events in a row the next one is held back for %i ticks', (before, delay) => {
  const { rig, port } = late();
  rig.info(port).spurious = before;
  expect(event(rig, port, true)).toBe(delay);
  expect(rig.info(port).spurious).toBe(Math.min(before + 1, 10));
});

test('a second EOI while the first is held back changes nothing', () => {
  const { rig, port } = late();
  event(rig, port, true);
  event(rig, port, true);
  rig.events.late.eoi(port, false, 0);
  expect(rig.abi.isMasked(port)).toBe(true);
  pass(rig, 1);
  expect(rig.abi.isMasked(port)).toBe(false);
});

test('channels held back are let through in the order of their times; the worker is told of the earliest', () => {
  const { rig, ports } = late(3);
  const [a, b, c] = ports as [number, number, number];
  for (const [port, before] of [
    [a, 4], // 8 ticks
    [b, 2], // 2
    [c, 3], // 4
  ] as const) {
    rig.info(port).spurious = before;
    rig.send(port);
    rig.upcall();
    rig.events.late.eoi(port, true, 0);
  }
  // asked for again only when an earlier one comes
  expect(rig.delays.map((d) => d.jiffies)).toEqual([8, 2]);
  const masked = () => ports.map((port) => rig.abi.isMasked(port));
  rig.delays = [];
  pass(rig, 2);
  expect(masked()).toEqual([true, false, true]);
  expect(rig.delays).toEqual([{ cpu: 0, jiffies: 2 }]);
  pass(rig, 2);
  expect(masked()).toEqual([true, false, false]);
  pass(rig, 4);
  expect(masked()).toEqual([false, false, false]);
});

test('a channel that is closed while it is held back is forgotten; its port starts afresh', () => {
  const { rig, ports } = late(2);
  const [a, b] = ports as [number, number];
  for (const port of ports) {
    event(rig, port, true);
    event(rig, port, true);
  }
  rig.events.late.forget(a);
  expect(rig.events.late.isWaiting(a)).toBe(false);
  pass(rig, 1);
  expect([rig.abi.isMasked(a), rig.abi.isMasked(b)]).toEqual([true, false]);
});

test('a delay is served on the CPU that gave the EOI', () => {
  const { rig, port } = late();
  event(rig, port, true);
  rig.send(port);
  rig.upcall();
  rig.events.late.eoi(port, true, 1);
  expect(rig.delays).toEqual([{ cpu: 1, jiffies: 1 }]);
  pass(rig, 1, 0);
  expect(rig.abi.isMasked(port)).toBe(true);
  pass(rig, 0, 1);
  expect(rig.abi.isMasked(port)).toBe(false);
});

describe('an upcall that does not end', () => {
  /** Two channels that keep raising each other; `tick` is called before each event with its number. */
  function storm(events: number, tick: (n: number, rig: GuestRig) => void) {
    const { rig, ports } = late(2);
    const delays: number[] = [];
    let n = 0;
    for (const port of ports) {
      rig.onEvent.set(port, () => {
        tick(++n, rig);
        rig.delays = [];
        rig.events.late.eoi(port, false, 0);
        delays.push(rig.delays.length > 0 ? rig.info(port).eoiTime - rig.now : 0);
        if (n < events) rig.send(...ports);
      });
    }
    rig.send(...ports);
    rig.upcall();
    return { rig, ports, delays };
  }

  test('with fewer than 512 events nothing is held back, however long they take', () => {
    const { delays } = storm(510, (_, rig) => rig.now++);
    expect(delays.length).toBe(511);
    expect(delays.every((d) => d === 0)).toBe(true);
  });

  test('from the 512th event on, more than two ticks after the 256th, EOIs are held back for ten ticks', () => {
    const { delays, rig, ports } = storm(2_000, (n, r) => {
      if (n === 300) r.now += 3;
    });
    // both channels wait then, and the upcall ends
    expect(delays.length).toBe(513);
    expect(delays[510]).toBe(0);
    expect(delays[511]).toBe(10);
    expect(ports.every((port) => rig.abi.isMasked(port))).toBe(true);
    rig.now += 10;
    rig.events.late.worker(0);
    expect(ports.some((port) => rig.abi.isMasked(port))).toBe(false);
    expect(rig.settle().length).toBeGreaterThan(0);
  });

  test('within two ticks nothing is held back', () => {
    const { delays } = storm(2_000, (n, rig) => {
      if (n === 300) rig.now += 2;
    });
    expect(delays.length).toBeGreaterThanOrEqual(2_000);
    expect(delays.every((d) => d === 0)).toBe(true);
  });

  test('an EOI that comes after the upcall is not held back', () => {
    const { rig, ports } = late(2);
    const [a, b] = ports as [number, number];
    let n = 0;
    rig.onEvent.set(a, () => {
      if (++n === 300) rig.now += 3;
      if (n < 512) {
        rig.events.late.eoi(a, false, 0);
        rig.send(a);
      } else rig.send(b);
    });
    rig.send(a);
    rig.upcall();
    expect(rig.info(b).eoiTime).toBe(rig.now + 10);
    rig.events.late.eoi(b, false, 0);
    expect(rig.abi.isMasked(b)).toBe(false);
    expect(rig.info(b).eoiTime).toBe(0);
  });
});

test('saved while a channel is held back and restored, it is let through at its time', () => {
  const { rig, port } = late();
  event(rig, port, true);
  event(rig, port, true);
  const saved = JSON.parse(JSON.stringify(rig.events.save()));
  pass(rig, 1);
  rig.events.restore(saved);
  expect(rig.events.late.isWaiting(port)).toBe(true);
  expect(rig.info(port).active).toBe(true);
  pass(rig, 0);
  expect(rig.events.late.isWaiting(port)).toBe(false);
  expect(rig.info(port).active).toBe(false);
});
