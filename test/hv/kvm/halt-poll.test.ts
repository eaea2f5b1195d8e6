/** Halt polling: how the window adapts, what it counts, and who ends it. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../engine/core/clock.ts';
import type { KvmHost } from '../../../engine/machine/kvm/host.ts';
import { timing } from '../../../engine/timing.ts';
import { kvmHost, type Seen, watch } from '../../support/kvm-rig.ts';

/** A guest that sleeps but for a function of a card, on a CPU of its own. */
const PASSED = `
name: t
title: t
cpus: 2
host: {devices: [{driver: e1000e, name: eth0, as: nic}]}
vms:
  - {cpus: [1], devices: [{driver: vfio, name: vf, queues: 1}]}
`;

const every = (rate: number) =>
  `workloads: [{what: device, device: vm1.vf, pattern: {kind: periodic, rate: ${rate}}}]\n`;

function stats(host: KvmHost): Record<string, number> {
  return Object.fromEntries(host.kvm.stats.sums([0]));
}

/** A run, its records of halts and windows, and all others by name. */
function run(text: string, more = '', time = ms(50)) {
  const host = kvmHost(PASSED + text, `kvm: '6.1'\n${more}`);
  const seen: Seen[] = [];
  watch(host, (record) => {
    if (/^kvm_(halt_poll_ns|vcpu_wakeup|vcpu_wake_up)$|^thread_switch$/.test(record.name)) seen.push(record);
  });
  host.shop.clock.runUntil(time);
  const of = (name: string) => seen.filter((r) => r.name === name);
  return {
    host,
    counted: stats(host),
    halts: of('kvm_vcpu_wakeup').map(({ args: [, ns, waited], time }) => ({
      ns: ns!,
      waited: waited === 1,
      time,
    })),
    windows: of('kvm_halt_poll_ns').map(({ args: [, grow, to, from] }) => ({
      grow: grow === 1,
      to: to!,
      from: from!,
    })),
    wakeUps: of('kvm_vcpu_wake_up').length,
  };
}

describe('halts of some 40 us', () => {
  const { host, counted, halts, windows, wakeUps } = run(every(20_000));

  test('the window begins with 10 us and doubles until they are within it', () => {
    expect(windows.slice(0, 3)).toEqual([
      { grow: true, to: 10_000, from: 0 },
      { grow: true, to: 20_000, from: 10_000 },
      { grow: true, to: 40_000, from: 20_000 },
    ]);
    expect(host.kvm.vcpus[0]!.halt.window).toBeGreaterThanOrEqual(40_000);
  });

  test('from then on the thread sleeps no more and is never woken', () => {
    const slept = halts.filter((h) => h.waited).length;
    expect(slept).toBe(wakeUps);
    expect(counted.halt_wakeup).toBe(wakeUps);
    expect(halts.length).toBeGreaterThan(900);
    expect(slept).toBeLessThan(halts.length / 20);
  });

  test('counters of debugfs are the sums of what was traced', () => {
    const polled = halts.filter((h) => !h.waited);
    expect(counted.halt_successful_poll).toBe(polled.length);
    expect(counted.halt_poll_success_ns).toBe(polled.reduce((n, h) => n + h.ns, 0));
    expect(counted.halt_poll_invalid).toBe(0);
    expect(counted.halt_attempted_poll).toBeLessThanOrEqual(halts.length);
    const slept = halts.filter((h) => h.waited).reduce((n, h) => n + h.ns, 0);
    expect(counted.halt_wait_ns! + counted.halt_poll_fail_ns!).toBe(slept);
  });

  test('the processor that polls is busy in the host all the while', () => {
    const { host: without } = run(every(20_000), 'halt-poll-ns: 0\n');
    const inHost = (h: KvmHost) => h.board.processors[1]!.rootTime();
    expect(inHost(host) - inHost(without)).toBeGreaterThan(counted.halt_poll_success_ns! * 0.8);
    expect(host.board.processors[1]!.idleTime()).toBeLessThan(ms(5));
  });
});

describe('the end of a poll', () => {
  /** From the store that ends the halt to the next entry. */
  function entries(more: string): number[] {
    const host = kvmHost(PASSED + every(20_000), `kvm: '6.1'\n${more}`);
    const taken: number[] = [];
    let accepted = 0;
    watch(host, ({ name, time, args }) => {
      if (name === 'kvm_apic_accept_irq' && args[1]! >= 0x20 && host.kvm.vcpus[0]!.mpState === 3)
        accepted = time;
      if (name !== 'kvm_entry' || accepted === 0) return;
      if (time > ms(20)) taken.push(time - accepted);
      accepted = 0;
    });
    host.shop.clock.runUntil(ms(40));
    return taken;
  }

  test('costs no wake-up: no IPI or mwait, no switch, no vcpu_load', () => {
    const [polled, slept] = [entries(''), entries('halt-poll-ns: 0\n')];
    expect(polled.length).toBeGreaterThan(200);
    expect(slept.length).toBeGreaterThan(200);
    const middle = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;
    expect(middle(slept) - middle(polled)).toBeGreaterThan(
      timing.threadSwitch + timing.vcpuLoad + timing.idleWake,
    );
    expect(middle(polled)).toBeLessThan(us(1.5));
  });

  test('a poll that finds nothing ends in sleep when the window is over', () => {
    // halts of some 100 us, and a window that stays 50 us
    const { halts, counted } = run(every(9_000), 'halt-poll-ns-grow: 1\nhalt-poll-ns-grow-start: 50000\n');
    const failed = counted.halt_attempted_poll! - counted.halt_successful_poll!;
    expect(failed).toBeGreaterThan(300);
    expect(halts.filter((h) => h.waited).length - failed).toBeLessThan(5);
    // the look at its end comes when interrupts over it are through
    expect(counted.halt_poll_fail_ns! / failed).toBeGreaterThanOrEqual(50_000);
    expect(counted.halt_poll_fail_ns! / failed).toBeLessThan(51_000);
  });

  test('another thread that becomes ready there ends it', () => {
    const host = kvmHost(PASSED + every(20_000), "kvm: '6.1'\n");
    const { clock } = host.shop;
    const [v] = host.kvm.vcpus;
    clock.runUntil(ms(20));
    const { kernel } = host;
    // in the loop, nothing over it, and just begun
    while (!kernel.cpus[1]!.spinning || v!.halt.left < v!.halt.window - us(5)) clock.step();
    let ran = -1;
    const run = (cpu: { readonly now: number }) => {
      ran = cpu.now;
      return false;
    };
    const other = kernel.thread('other', 1, { cost: () => 1_000, run });
    const began = clock.now;
    kernel.wake(other, kernel.cpus[0]!);
    const before = stats(host);
    clock.runUntil(began + us(10));
    expect(ran - began).toBeLessThan(us(2));
    expect(v!.halt.polling).toBe(false);
    expect(v!.blocking).toBe(true);
    clock.runUntil(began + us(100));
    const after = stats(host);
    expect(after.halt_attempted_poll! - after.halt_successful_poll!).toBe(
      before.halt_attempted_poll! - before.halt_successful_poll! + 1,
    );
  });
});

describe('parameters', () => {
  test('a halt longer than halt_poll_ns makes the window 0 again', () => {
    const mixed = `workloads:
  - {what: device, device: vm1.vf, pattern: {kind: bursts, rate: 20000, on: 0.01, off: 0.01}}
`;
    const { windows } = run(mixed, '', ms(300));
    const shrunk = windows.filter((w) => !w.grow);
    expect(shrunk.length).toBeGreaterThan(3);
    expect(shrunk.every((w) => w.to === 0)).toBe(true);
  });

  test('halt_poll_ns_shrink divides, and what falls below grow_start is 0', () => {
    const mixed = `workloads:
  - {what: device, device: vm1.vf, pattern: {kind: bursts, rate: 20000, on: 0.01, off: 0.01}}
`;
    const { windows } = run(mixed, 'halt-poll-ns-shrink: 2\n', ms(300));
    const shrunk = windows.filter((w) => !w.grow);
    expect(shrunk.length).toBeGreaterThan(3);
    for (const { from, to } of shrunk) expect(to).toBe(from / 2 < 10_000 ? 0 : Math.floor(from / 2));
  });

  test('halt_poll_ns_grow_start is where it begins, halt_poll_ns where it ends', () => {
    const { windows, host } = run(every(5_500), 'halt-poll-ns-grow-start: 90000\nhalt-poll-ns-grow: 3\n');
    expect(windows.slice(0, 2)).toEqual([
      { grow: true, to: 90_000, from: 0 },
      { grow: true, to: 270_000, from: 90_000 },
    ]);
    expect(host.kvm.vcpus[0]!.halt.window).toBe(200_000);
  });

  test('halt_poll_ns_grow 0: the window stays 0', () => {
    const { counted, windows } = run(every(20_000), 'halt-poll-ns-grow: 0\n');
    expect(windows.length).toBeGreaterThan(100);
    expect(windows.every((w) => w.grow && w.to === 0 && w.from === 0)).toBe(true);
    expect(counted.halt_attempted_poll).toBe(0);
  });

  test('halt_poll_ns 0: nothing polls', () => {
    const { counted, windows } = run(every(20_000), 'halt-poll-ns: 0\n');
    expect(windows).toEqual([]);
    expect([counted.halt_attempted_poll, counted.halt_poll_fail_ns]).toEqual([0, 0]);
    expect(counted.halt_wait_ns).toBeGreaterThan(0);
  });
});

test('saved while it polls and restored, it runs on the same', () => {
  const build = () => kvmHost(PASSED + every(20_000), "kvm: '6.1'\n", 3);
  const [first, second] = [build(), build()];
  first.shop.clock.runUntil(ms(20));
  while (!first.kvm.vcpus[0]!.halt.polling) first.shop.clock.step();
  const saved = structuredClone(first.shop.parts.save());
  second.shop.parts.restore(saved);
  for (const host of [first, second]) host.shop.clock.runUntil(ms(30));
  expect(second.shop.parts.save()).toEqual(first.shop.parts.save());
});
