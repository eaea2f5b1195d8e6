/** The event channels of a domain as they stand: flags, selector, queues with their links. */
import { expect, test } from 'vitest';
import { buildMachine, builtinScenario, takeSnapshot, xen } from '../../engine/index.ts';
import { eventChannels } from '../../engine/machine/xen/channels-inspect.ts';
import { type Abi, Rig } from '../support/evtchn-rig.ts';

/** Three channels from domain 0 to domain 1, and their ports there. */
function rigged(abi: Abi) {
  const rig = new Rig(abi);
  const pairs = [0, 1, 2].map(() => rig.pair(0, 1));
  const look = () => eventChannels(rig.evtchn.domain(1));
  const send = (n: number) => rig.evtchn.send(0, pairs[n]!.from);
  return { rig, ports: pairs.map((p) => p.to), look, send };
}

test('2-level: pending ports select their word and ask for an upcall', () => {
  const { ports, look, send } = rigged('2-level');
  expect(look()).toMatchObject({ abi: '2-level', wordBits: 64, limit: 4095, ports: 4096, active: 3 });
  expect(look().vcpus[0]).toEqual({ upcallPending: 0, upcallMask: 0, sel: [], ready: null, queues: [] });
  send(1);
  expect(look().vcpus[0]).toMatchObject({ upcallPending: 1, sel: [Math.floor(ports[1]! / 64)] });
  expect(look().channels.filter((c) => c.pending)).toEqual([
    {
      port: ports[1],
      vcpu: 0,
      what: expect.stringMatching(/^interdomain dom0:\d+$/),
      pending: true,
      masked: false,
      priority: 0,
      link: null,
      busy: false,
      kept: false,
    },
  ]);
});

test('FIFO: a queue has its ports in the order of their links, each priority its own', () => {
  const { rig, ports, look, send } = rigged('fifo');
  expect(look()).toMatchObject({ abi: 'fifo', ports: 1024 });
  expect(look().vcpus[0]).toMatchObject({ ready: 0, queues: [] });
  rig.evtchn.setPriority(1, ports[2]!, 3);
  for (const n of [1, 0, 2]) send(n);
  const { vcpus, channels } = look();
  expect(vcpus[0]).toMatchObject({ upcallPending: 1, ready: (1 << 7) | (1 << 3) });
  expect(vcpus[0]!.queues).toEqual([
    { priority: 3, head: ports[2], tail: ports[2], ports: [ports[2]] },
    { priority: 7, head: ports[1], tail: ports[0], ports: [ports[1], ports[0]] },
  ]);
  expect(channels.find((c) => c.port === ports[1])?.link).toBe(ports[0]);
  expect(channels.find((c) => c.port === ports[0])?.link).toBe(0);
  rig.handle(1);
  expect(look().vcpus[0]!.queues).toEqual([]);
  expect(look().channels.some((c) => c.pending || c.link !== null)).toBe(false);
});

test('the highest port is that of the ABI or of the domain, whichever is lower', () => {
  const limit = (abi: Abi, maxPort: number, wordBits: 32 | 64 = 64) =>
    eventChannels(new Rig(abi, { maxPort, wordBits }).evtchn.domain(1)).limit;
  expect([limit('2-level', 1023), limit('2-level', 9999), limit('2-level', 9999, 32)]).toEqual([
    1023, 4095, 1023,
  ]);
  expect([limit('fifo', 1023), limit('fifo', 999_999)]).toEqual([1023, xen.EVTCHN_FIFO_NR_CHANNELS - 1]);
});

test.each(['xen-mixed', 'xen-arm-v2'])('%s: they agree with the snapshot', (name) => {
  const machine = buildMachine(builtinScenario(name)!, 42);
  machine.runUntil(0.3e9);
  const { domains } = takeSnapshot(machine);
  for (const { id, channels, vcpus } of domains) {
    const events = machine.platform.channels!(id)!;
    expect(events.channels.map(({ port, vcpu, pending, masked }) => [port, vcpu, pending, masked])).toEqual(
      channels.map(({ port, vcpu, pending, masked }) => [port, vcpu, pending, masked]),
    );
    expect(events.channels.length).toBe(events.active);
    expect(events.vcpus.map((v) => v.upcallPending === 1)).toEqual(vcpus.map((v) => v.upcallPending));
  }
  expect(machine.platform.channels!(99)).toBeUndefined();
});
