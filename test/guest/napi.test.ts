/** NAPI: how packets are polled, and how much of it one softirq does. */
import { expect, test } from 'vitest';
import type { LinuxCpu } from '../../engine/guest/linux/entry.ts';
import { KernelRig } from '../support/kernel-rig.ts';

/** A device whose packets are numbers of how many wait. */
function device(rig: KernelRig, name: string, perPacket = 1_000) {
  const polls: number[] = [];
  const d = { waiting: 0, polls, order: rig.log, interruptsOn: true, during: () => {} };
  const napi = rig.kernel.napi.add({
    cost: (n) => 500 + n * perPacket,
    waiting: () => d.waiting,
    poll: (_cpu, budget) => {
      d.during();
      const n = Math.min(budget, d.waiting);
      d.waiting -= n;
      polls.push(n);
      rig.log.push(`${name} ${n}`);
      return n;
    },
    complete: () => {
      d.interruptsOn = d.waiting === 0;
      return d.waiting > 0;
    },
  });
  const schedule = (cpu: LinuxCpu) => rig.kernel.napi.schedule(cpu, napi);
  return { d, schedule };
}

function arrive(rig: KernelRig, devices: readonly { schedule: (cpu: LinuxCpu) => boolean }[]) {
  const irq = rig.channel('irq', 500, (cpu) => {
    for (const { schedule } of devices) schedule(cpu);
  });
  rig.run(1e8, [[1e5, () => rig.send(irq)]]);
  return rig.log.filter((line) => line !== 'irq');
}

test('what waits is polled in one go, and interrupts are let through again', () => {
  const rig = new KernelRig();
  const x = device(rig, 'x');
  x.d.waiting = 10;
  expect(arrive(rig, [x])).toEqual(['x 10']);
  expect(x.d.interruptsOn).toBe(true);
  expect(rig.softirqCount('NET_RX')).toBe(1);
});

test('a poll is 64 packets at most; devices with more take turns', () => {
  const rig = new KernelRig();
  const [x, y] = [device(rig, 'x'), device(rig, 'y')] as const;
  x.d.waiting = 100;
  y.d.waiting = 70;
  expect(arrive(rig, [x, y])).toEqual(['x 64', 'y 64', 'x 36', 'y 6']);
});

test('several devices are polled by one softirq; one that had a full poll waits for the next', () => {
  const rig = new KernelRig();
  const list = ['a', 'b', 'c'].map((name) => device(rig, name));
  list[0]!.d.waiting = 65;
  list[1]!.d.waiting = 5;
  list[2]!.d.waiting = 5;
  expect(arrive(rig, list)).toEqual(['a 64', 'b 5', 'c 5', 'a 1']);
  expect(rig.softirqCount('NET_RX')).toBe(2);
});

test('a softirq handles 300 packets at most and then leaves the others to the next', () => {
  const rig = new KernelRig();
  const list = Array.from({ length: 7 }, (_, i) => device(rig, `${i}`, 100));
  for (const { d } of list) d.waiting = 64;
  const order = arrive(rig, list);
  // 5 * 64 = 320 is over the budget: two rest; then those with full polls find nothing
  expect(order.slice(0, 7)).toEqual(list.map((_, i) => `${i} 64`));
  expect(order.slice(7)).toEqual(['0 0', '1 0', '2 0', '3 0', '4 0', '5 0', '6 0']);
  expect(rig.softirqCount('NET_RX')).toBe(3);
});

test('a softirq ends after two ticks', () => {
  const rig = new KernelRig();
  // 64 packets take 3.2 ms: the third poll ends beyond the second tick
  const list = Array.from({ length: 4 }, (_, i) => device(rig, `${i}`, 50_000));
  for (const { d } of list) d.waiting = 63;
  expect(arrive(rig, list)).toEqual(['0 63', '1 63', '2 63', '3 63']);
  expect(rig.softirqCount('NET_RX')).toBe(2);
});

test('packets that come during a poll cost their own time: they are left to another poll', () => {
  const rig = new KernelRig();
  const x = device(rig, 'x');
  x.d.waiting = 3;
  let once = true;
  x.d.during = () => {
    if (once) x.d.waiting += 20;
    once = false;
  };
  expect(arrive(rig, [x])).toEqual(['x 3', 'x 20']);
});

test('scheduled while it is scheduled already, a device is polled once', () => {
  const rig = new KernelRig();
  const x = device(rig, 'x');
  x.d.waiting = 3;
  expect(arrive(rig, [x, x])).toEqual(['x 3']);
});
