/** Records of one raise become hops: in order, with costs, names and what waits meanwhile. */
import { describe, expect, test } from 'vitest';
import { Trace } from '../../engine/core/trace.ts';
import {
  buildMachine,
  builtinScenario,
  JourneyLog,
  type Machine,
  pastJourney,
  pastJourneys,
  takeSnapshot,
} from '../../engine/index.ts';
import { type HopTable, hopOf, lineUp } from '../../engine/machine/hops.ts';

const TABLE: HopTable<string> = {
  wire: { mode: 'device', name: 'wire', detail: () => 'up', about: '' },
  entry: {
    mode: 'root',
    name: (host) => `${host}_entry`,
    detail: (_, [a]) => `of ${a}`,
    about: '',
    charged: 7,
  },
  host: { mode: 'root', name: 'host', detail: () => '', about: '', end: () => 1 },
  guest: { mode: 'guest', name: 'guest', detail: () => '', about: '', end: () => 2 },
};

/** Records of journey 1 as hops: name of the tracepoint, time, CPU. */
function hops(...records: [name: string, time: number, cpu: number][]) {
  const trace = new Trace(64);
  for (const [name, time, cpu] of records) trace.emit(trace.point(name, 'a'), time, 1, cpu, 5);
  const passed = trace.journey(1).map((record) => ({
    record,
    hop: hopOf(TABLE, 'xen', record),
    pending: `after ${record.seq}`,
  }));
  return lineUp(passed, 100);
}

describe('hops', () => {
  test('begin at the raise and follow each other in time, whatever was written first', () => {
    const times = hops(['wire', 100, -1], ['entry', 130, 0], ['entry', 120, 1]).map((h) => [h.at, h.cpu]);
    expect(times).toEqual([
      [0, -1],
      [20, 1],
      [30, 0],
    ]);
  });

  test('cost the time to the next one on the same CPU, outside of CPUs to the next at all', () => {
    const all = hops(['wire', 100, -1], ['entry', 120, 1], ['entry', 130, 0], ['entry', 150, 1]);
    expect(all.map((h) => h.next)).toEqual([20, 30, null, null]);
    expect(all.map((h) => h.charged)).toEqual([null, 7, 7, 7]);
  });

  test('are named by their table, and by their tracepoint where it has no row', () => {
    const [known, unknown] = hops(['entry', 100, 0], ['something', 101, 0]);
    expect(known).toMatchObject({ name: 'xen_entry', detail: 'of 5', mode: 'root' });
    expect(unknown).toMatchObject({ name: 'something', text: 'something', end: false });
  });

  test("a host's handler is the end until a guest's has run", () => {
    expect(hops(['host', 100, 0]).map((h) => h.end)).toEqual([true]);
    expect(hops(['host', 100, 0], ['guest', 110, 1]).map((h) => h.end)).toEqual([false, true]);
  });
});

function built(name: string, at: number): Machine {
  const machine = buildMachine(builtinScenario(name)!, 42);
  machine.runUntil(at);
  return machine;
}

/** Fires and runs event by event until the journey is at rest, or for 5 ms. */
function follow(machine: Machine, device: string): JourneyLog {
  machine.fire(device);
  const log = new JourneyLog(machine, machine.lastFired!);
  const end = machine.clock.now + 5e6;
  while (!log.over && machine.clock.now < end && machine.step()) log.look();
  return log;
}

describe.each([
  ['xen-pv', ['disk', 'usb', 'uart', 'kbd']],
  ['xen-pv-2.6.18', ['kbd', 'disk']],
  ['kvm', ['vm1.kbd', 'vm1.disk', 'disk']],
  ['kvm-2.6.36', ['vm1.kbd', 'disk']],
  ['kvm-posted', ['vm1.ixgbevf', 'vm1.disk']],
  ['kvm-noack', ['vm1.kbd']],
  ['xen-arm-v2', ['disk', 'disk1', 'rtc', 'uart']],
  ['xen-arm-v3', ['disk', 'nic', 'dom2.rtc', 'uart']],
])('%s', (name, devices) => {
  const machine = built(name, 1e8);

  test.each(devices)('%s: every hop has words, and no CPU goes back in time', (device) => {
    const log = follow(machine, device);
    const { hops, latency } = log.snapshot;
    expect(latency).toBeGreaterThan(0);
    for (const hop of hops) {
      expect(hop.name, JSON.stringify(hop)).toMatch(/^[\w .-]+$/);
      expect(`${hop.name} ${hop.detail} ${hop.about} ${hop.text}`).not.toMatch(/undefined|NaN/);
      // fits below the hops on a terminal of 80 columns
      expect(hop.about, hop.name).toMatch(/^.{10,78}$/);
    }
    const records = machine.shop.trace.journey(log.followed.journey);
    expect(records).toHaveLength(hops.length);
    for (const cpu of new Set(records.map((r) => r.cpu))) {
      const inCode = records.filter((r) => r.cpu === cpu && machine.platform.hop(r).mode !== 'device');
      const times = inCode.map((r) => r.time);
      expect(times, `CPU${cpu}`).toEqual([...times].sort((a, b) => a - b));
    }
  });

  test('looking at a journey changes nothing', () => {
    follow(machine, devices[0]!);
    const before = JSON.stringify(machine.save());
    machine.platform.waiting(machine.shop.trace.journey(machine.lastFired!.journey));
    takeSnapshot(machine);
    expect(JSON.stringify(machine.save())).toBe(before);
  });
});

test('what waits is that of the moment of each hop', () => {
  const { hops } = follow(built('xen-pv', 1.02e8), 'usb').snapshot;
  const pending = (text: RegExp) => hops.find((h) => text.test(h.text))!.pending;
  expect(pending(/vec /)).toMatch(/^CPU\d 0x[0-9a-f]{2} ISR, pin 23 rirr$/);
  expect(pending(/dom0:\d+ pending/)).toMatch(/pin 23 rirr, dom0 port \d+ p1 m0, vCPU\d upcall p1 m0$/);
  expect(pending(/upcall/)).toMatch(/upcall p\d m1$/);
});

test('a row of /proc/interrupts has the journeys that ended in its handler', () => {
  const machine = built('xen-pv', 1e8);
  const fired = follow(machine, 'usb').snapshot;
  const past = pastJourneys(machine, { domain: 0, irq: 23 }, 'usb');
  expect(past.at(-1)!.journey).toBe(fired.journey);
  expect(past.at(-1)!.hops.map((h) => h.at)).toEqual(fired.hops.map((h) => h.at));
  expect(past.every((j) => j.latency !== null)).toBe(true);
  expect(pastJourneys(machine, { domain: 0, irq: 9999 }, 'none')).toEqual([]);
});

test.each(['xen-pv', 'xen-pv-2.6.18'])('a vector of %s has the journeys that it brought', (name) => {
  const machine = built(name, 1e8);
  const fired = follow(machine, machine.devices()[0]!.name).snapshot;
  const taken = fired.hops.find((h) => h.name === 'do_IRQ')!;
  const vector = Number(/^vector (0x[0-9a-f]+) /.exec(taken.detail)![1]);
  expect(pastJourneys(machine, { vector }, 'usb').at(-1)!.journey).toBe(fired.journey);
  const checked = pastJourneys(machine, { vector: 0xfc }, 'IPI');
  expect(checked.length).toBeGreaterThan(0);
  for (const { hops } of checked) expect(hops.map((h) => h.name).join()).toContain('event_check_interrupt');
  expect(pastJourneys(machine, { vector: 0x80 }, 'none')).toEqual([]);
  expect(pastJourney(machine, fired.journey, 'usb')!.hops.length).toBeGreaterThanOrEqual(fired.hops.length);
  expect(pastJourney(machine, 1e9, 'none')).toBeNull();
});
