/** Event channels in a Linux guest: what holds on either ABI and in every kernel, on the real Xen side. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hypercalls } from '../../engine/abi/hypercalls.ts';
import * as xen from '../../engine/abi/xen.ts';
import { Events2l } from '../../engine/guest/linux/events-2l.ts';
import { KERNELS } from '../../engine/guest/linux/profiles.ts';
import { GuestRig, type Kernel, KINDS } from '../support/guest-rig.ts';

describe.each(KINDS)('$name', (kernel) => {
  test('an event is handled once', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    rig.send(port);
    expect(rig.due(0)).toBe(true);
    expect(rig.upcall()).toEqual([port]);
    expect(rig.due(0)).toBe(false);
    expect(rig.upcall()).toEqual([]);
  });

  test('events that come before the handler are one', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    rig.send(port, port, port);
    expect(rig.upcall()).toEqual([port]);
    expect(rig.info(port).desc.counts[0]).toBe(1);
  });

  test('per-CPU events are handled on their own CPU', () => {
    const rig = new GuestRig(kernel);
    const ports = [rig.timer(0), rig.ipi(0), rig.timer(1), rig.ipi(1)];
    for (const port of ports) rig.raise(port);
    expect(rig.due(0) && rig.due(1)).toBe(true);
    rig.settle();
    const where = new Map(rig.handled.map((h) => [h.port, h.cpu]));
    expect(ports.map((port) => where.get(port))).toEqual([0, 0, 1, 1]);
  });

  test('a port is handled on the CPU it is bound to', () => {
    const rig = new GuestRig(kernel);
    const [a, b] = rig.channels(2) as [number, number];
    rig.rebind(b, 1);
    rig.send(a, b);
    expect(rig.upcall(1)).toEqual([b]);
    expect(rig.upcall(0)).toEqual([a]);
  });

  test('an event that is pending while its port moves is not lost', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    rig.send(port);
    rig.rebind(port, 1);
    expect(rig.settle()).toEqual([port]);
    rig.send(port);
    expect(rig.upcall(1)).toEqual([port]);
  });

  test('a masked port is not handled; its event comes when it is unmasked', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    rig.mask(port);
    rig.send(port);
    expect(rig.settle()).toEqual([]);
    expect(rig.pending(port)).toBe(true);
    rig.unmask(port);
    expect(rig.settle()).toEqual([port]);
  });

  test('a port masked by the handler before it in the same upcall waits until it is unmasked', () => {
    const rig = new GuestRig(kernel);
    const [a, b] = rig.channels(2) as [number, number];
    rig.onEvent.set(a, () => rig.mask(b));
    rig.send(a, b);
    const first = rig.settle();
    expect(first[0]).toBe(a);
    rig.unmask(b);
    expect([...first, ...rig.settle()].filter((port) => port === b)).toHaveLength(1);
  });

  test('nested masking: as often unmasked as masked', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    rig.mask(port);
    rig.mask(port);
    rig.send(port);
    rig.unmask(port);
    expect(rig.settle()).toEqual([]);
    rig.unmask(port);
    expect(rig.settle()).toEqual([port]);
  });

  test('an event raised while its handler runs is delivered again after it', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    let again = 2;
    rig.onEvent.set(port, () => {
      if (again-- > 0) rig.send(port, port);
    });
    rig.send(port);
    expect(rig.settle()).toEqual([port, port, port]);
  });

  test('what other ports receive while a handler runs is handled before the upcalls end', () => {
    const rig = new GuestRig(kernel);
    const ports = rig.channels(4);
    const [first, , third] = ports as [number, number, number, number];
    let once = true;
    rig.onEvent.set(third, () => {
      if (once) rig.send(...ports);
      once = false;
    });
    rig.send(third);
    expect(rig.upcall().filter((port) => port === first)).toHaveLength(1);
    expect(ports.some((port) => rig.pending(port))).toBe(false);
  });

  test('a port raised again by its own handler does not starve the others', () => {
    const rig = new GuestRig(kernel);
    const ports = rig.channels(3);
    const [first] = ports as [number];
    let left = 20;
    rig.onEvent.set(first, () => {
      if (left-- > 0) rig.send(first);
    });
    rig.send(...ports);
    const order = rig.settle();
    expect(order).toHaveLength(23);
    expect(order.indexOf(ports[2]!)).toBeLessThan(22);
  });

  test('while upcalls are masked events wait; they come when upcalls are let in', () => {
    const rig = new GuestRig(kernel);
    const port = rig.channel();
    const v = rig.evtchn.domain(1).shared.vcpus[0]!;
    v.upcallMask = 1;
    rig.send(port);
    expect(rig.due(0)).toBe(false);
    expect(v.upcallPending).toBe(1);
    v.upcallMask = 0;
    expect(rig.upcall()).toEqual([port]);
  });

  test('a state saved between two handlers and restored goes on with the second', () => {
    const rig = new GuestRig(kernel);
    const [a, b, c] = rig.channels(3) as [number, number, number];
    rig.onEvent.set(a, () => {
      const saved = JSON.parse(JSON.stringify([rig.abi.save(), rig.events.save()]));
      rig.abi.restore(saved[0]);
      rig.events.restore(saved[1]);
    });
    rig.send(a, b, c);
    expect(rig.upcall().sort()).toEqual([a, b, c].sort());
  });

  test('whatever is sent, masked, moved and handled in whatever order: nothing is lost', () => {
    const step = fc.record({
      what: fc.constantFrom('send', 'send', 'send', 'mask', 'unmask', 'rebind', 'upcall', 'upcall', 'virq'),
      port: fc.nat(4),
      cpu: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const rig = new GuestRig(kernel);
        const timers = [rig.timer(0), rig.timer(1)];
        const ports = rig.channels(5);
        const owed = new Set<number>();
        const masked = new Map<number, number>();
        for (const port of [...ports, ...timers]) rig.onEvent.set(port, () => void owed.delete(port));
        for (const { what, port: i, cpu } of steps) {
          const port = ports[i]!;
          if (what === 'send') {
            owed.add(port);
            rig.send(port);
          } else if (what === 'virq') {
            owed.add(timers[cpu]!);
            rig.raise(timers[cpu]!);
          } else if (what === 'mask') {
            masked.set(port, (masked.get(port) ?? 0) + 1);
            rig.mask(port);
          } else if (what === 'unmask' && (masked.get(port) ?? 0) > 0) {
            masked.set(port, masked.get(port)! - 1);
            rig.unmask(port);
          } else if (what === 'rebind') rig.rebind(port, cpu);
          else if (what === 'upcall') {
            const seen = rig.upcall(cpu);
            for (const p of seen) expect(masked.get(p) ?? 0, `masked port ${p} was handled`).toBe(0);
          }
        }
        rig.settle();
        for (const port of owed) expect(masked.get(port) ?? 0, `event of port ${port} is lost`).not.toBe(0);
        for (const [port, n] of masked) for (let k = 0; k < n; k++) rig.unmask(port);
        rig.settle();
        expect([...owed]).toEqual([]);
        for (const port of ports) expect(rig.books.holds(port)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('FIFO', () => {
  const fifo = KINDS[0]!;

  test('events of one priority are handled in the order they came', () => {
    const rig = new GuestRig(fifo);
    const ports = rig.channels(5);
    const order = [3, 0, 4, 1, 2].map((i) => ports[i]!);
    rig.send(...order);
    expect(rig.upcall()).toEqual(order);
  });

  test('a lower priority number goes first, even when it came last', () => {
    const rig = new GuestRig(fifo);
    const [a, b] = rig.channels(2) as [number, number];
    const timer = rig.timer(0);
    rig.send(a, b);
    rig.raise(timer);
    expect(rig.upcall()).toEqual([timer, a, b]);
  });

  test('a more urgent event that comes while a queue is read goes before the rest of the queue', () => {
    const rig = new GuestRig(fifo);
    const [a, b] = rig.channels(2) as [number, number];
    const timer = rig.timer(0);
    rig.onEvent.set(a, () => rig.raise(timer));
    rig.send(a, b);
    expect(rig.upcall()).toEqual([a, timer, b]);
  });

  test('an event that comes while its queue is read is handled at its end, without another upcall', () => {
    const rig = new GuestRig(fifo);
    const [a, b] = rig.channels(2) as [number, number];
    let once = true;
    rig.onEvent.set(a, () => {
      if (once) rig.send(a);
      once = false;
    });
    rig.send(a, b);
    expect(rig.upcall()).toEqual([a, b, a]);
  });

  test('a masked event leaves its queue and joins it anew when unmasked', () => {
    const rig = new GuestRig(fifo);
    const [a, b] = rig.channels(2) as [number, number];
    rig.mask(a);
    rig.send(a, b);
    expect(rig.upcall()).toEqual([b]);
    rig.send(b);
    rig.unmask(a);
    expect(rig.upcall()).toEqual([b, a]);
  });

  test('unmasking with nothing pending makes no hypercall', () => {
    const rig = new GuestRig(fifo);
    const port = rig.channel();
    rig.mask(port);
    let calls = 0;
    const { unmask } = rig.evtchn;
    rig.evtchn.unmask = (dom, p) => {
      calls++;
      return unmask.call(rig.evtchn, dom, p);
    };
    rig.unmask(port);
    expect(calls).toBe(0);
    rig.mask(port);
    rig.send(port);
    rig.unmask(port);
    expect(calls).toBe(1);
  });

  test('ports beyond a page of event words get their page when they are bound', () => {
    const rig = new GuestRig(fifo);
    rig.fillUpTo(1030);
    const port = rig.channel();
    expect(port).toBe(1030);
    rig.send(port);
    expect(rig.upcall()).toEqual([port]);
  });
});

describe('2-level', () => {
  const [, pvops, forward, old] = KINDS as [unknown, (typeof KINDS)[0], (typeof KINDS)[0], (typeof KINDS)[0]];

  test.each([pvops, forward, old])('$name: ports of one upcall are handled from the lowest up', (kernel) => {
    const rig = new GuestRig(kernel);
    const ports = rig.channels(5);
    rig.send(...[...ports].reverse());
    expect(rig.upcall()).toEqual(ports);
  });

  test.each([pvops, forward])('$name: an upcall starts at the port after the last one handled', (kernel) => {
    const rig = new GuestRig(kernel);
    const [a, b, c, d] = rig.channels(4) as [number, number, number, number];
    rig.send(b);
    rig.upcall();
    rig.send(a, b, c, d);
    expect(rig.upcall()).toEqual([c, d, a, b]);
  });

  test('2.6.18: with all ports in one word every upcall starts at the lowest', () => {
    const rig = new GuestRig(old);
    const [a, b, c, d] = rig.channels(4) as [number, number, number, number];
    rig.send(b);
    rig.upcall();
    rig.send(a, b, c, d);
    expect(rig.upcall()).toEqual([a, b, c, d]);
  });

  test('2.6.18: the word after the last one is looked at first, from the bit after the last one', () => {
    const rig = new GuestRig(old);
    const low = rig.channel();
    rig.fillUpTo(64);
    const high = rig.channels(4);
    expect(high[0]).toBe(64);
    rig.send(low);
    expect(rig.upcall()).toEqual([low]);
    // low is bit 1 of word 0: word 1 is looked at from bit 2, then word 0, then word 1 from its start
    rig.send(low, ...high);
    expect(rig.upcall()).toEqual([high[2], high[3], low, high[0], high[1]]);
  });

  test('pvops: a word is read once, and the one it started in again at the end', () => {
    const rig = new GuestRig(pvops);
    const [a, b, c] = rig.channels(3) as [number, number, number];
    rig.onEvent.set(a, () => rig.send(b, c));
    rig.send(a, c);
    // b was not pending when the word was read: it comes with the second look, as c does again
    expect(rig.upcall()).toEqual([a, c, b]);
  });

  test('2.6.18: a word is read anew after every port', () => {
    const rig = new GuestRig(old);
    const [a, b, c] = rig.channels(3) as [number, number, number];
    rig.onEvent.set(a, () => rig.send(b, c));
    rig.send(a, c);
    expect(rig.upcall()).toEqual([a, b, c]);
  });

  test('pvops: words are gone through from the one the last upcall stopped in, round to it again', () => {
    const rig = new GuestRig(pvops);
    const low = rig.channels(2);
    rig.fillUpTo(64);
    const middle = rig.channels(2);
    rig.fillUpTo(128);
    const high = rig.channels(1);
    rig.send(middle[0]!);
    rig.upcall();
    rig.send(...low, ...middle, ...high);
    expect(rig.upcall()).toEqual([middle[1], ...high, ...low, middle[0]]);
  });

  test('pvops: the timer goes before all others; in 2.6.18 it has its place among them', () => {
    for (const [kernel, first] of [
      [pvops, true],
      [old, false],
    ] as const) {
      const rig = new GuestRig(kernel);
      const a = rig.channel();
      const timer = rig.timer(0);
      expect(timer).toBeGreaterThan(a);
      rig.send(a);
      rig.raise(timer);
      expect(rig.upcall()).toEqual(first ? [timer, a] : [a, timer]);
    }
  });

  test('the second look at the first word: pvops sees all of it, a forward port only what is before the start', () => {
    // a forward port without NO_HZ looks at its timer first, which tells the rounds apart
    const ticking = { ...forward, profile: { ...forward.profile, timerFirst: true } };
    for (const [kernel, all] of [
      [pvops, true],
      [ticking, false],
    ] as const) {
      const rig = new GuestRig(kernel);
      const [a, b, c] = rig.channels(3) as [number, number, number];
      const timer = rig.timer(0);
      rig.send(a);
      rig.upcall();
      rig.onEvent.set(b, () => {
        rig.send(c);
        rig.raise(timer);
      });
      rig.send(b);
      // what the second look leaves comes in the next round, after the timer
      expect(rig.upcall()).toEqual(all ? [b, c, timer] : [b, timer, c]);
    }
  });

  test('pvops: what the timer raises is seen in the same round', () => {
    const rig = new GuestRig(pvops);
    const a = rig.channel();
    const timer = rig.timer(0);
    rig.onEvent.set(timer, () => rig.send(a));
    rig.raise(timer);
    rig.evtchn.domain(1).shared.vcpus[0]!.upcallMask = 0;
    expect(rig.upcall()).toEqual([timer, a]);
    expect(rig.due(0)).toBe(false);
  });

  test('unmasking on the own CPU makes no hypercall, on another it does', () => {
    const rig = new GuestRig(pvops);
    const [a, b] = rig.channels(2) as [number, number];
    rig.rebind(b, 1);
    const calls: number[] = [];
    const { unmask } = rig.evtchn;
    rig.evtchn.unmask = (dom, port) => {
      calls.push(port);
      return unmask.call(rig.evtchn, dom, port);
    };
    for (const port of [a, b]) {
      rig.mask(port);
      rig.send(port);
      rig.unmask(port);
    }
    expect(calls).toEqual([b]);
    expect(rig.settle().sort()).toEqual([a, b].sort());
  });
});

describe('2-level, before the scan went round (2.6.38)', () => {
  const old: Kernel = {
    name: '2.6.38',
    profile: KERNELS['linux-2.6.38'],
    xen: '4.17',
    scan: 'lowest-first',
  };

  test('the lowest port comes first, and again and again while it is raised', () => {
    const rig = new GuestRig(old);
    const [a, b, c] = rig.channels(3) as [number, number, number];
    let left = 5;
    rig.onEvent.set(a, () => {
      if (left-- > 0) rig.send(a);
    });
    rig.send(c, b, a);
    expect(rig.upcall()).toEqual([a, a, a, a, a, a, b, c]);
  });

  test('words too: what a later word has waits; an earlier word is not looked at again before the next round', () => {
    const rig = new GuestRig(old);
    const a = rig.channel();
    rig.fillUpTo(70);
    const [b, c] = rig.channels(2) as [number, number];
    let once = true;
    rig.onEvent.set(b, () => {
      if (once) rig.send(a);
      once = false;
    });
    rig.send(c, b, a);
    expect(rig.upcall()).toEqual([a, b, c, a]);
  });

  test('a state saved between two handlers goes on', () => {
    const rig = new GuestRig(old);
    const [a, b] = rig.channels(2) as [number, number];
    rig.onEvent.set(a, () => rig.abi.restore(JSON.parse(JSON.stringify(rig.abi.save()))));
    rig.send(b, a);
    expect(rig.upcall()).toEqual([a, b]);
  });
});

test.each([false, true])(
  'an event that is pending as its port is unmasked, with asksToUnmask %s',
  (asksToUnmask) => {
    const shared = new xen.SharedInfo(1, 1);
    const asked: number[] = [];
    const calls = { unmask: (port: number) => asked.push(port) } as unknown as Hypercalls;
    const options = { timerFirst: true, asksToUnmask };
    const abi = new Events2l(
      'guest',
      shared,
      () => calls,
      options,
      () => 0,
    );
    abi.setup(5);
    abi.setPending(5);
    abi.unmask(5, 0);
    // else nobody would look at the flag: an HVM guest has no irq enable of its own, and WFI would not sleep
    expect([asked, shared.vcpus[0]!.upcallPending]).toEqual(asksToUnmask ? [[5], 0] : [[], 1]);
    expect(abi.isMasked(5)).toBe(asksToUnmask);
  },
);
