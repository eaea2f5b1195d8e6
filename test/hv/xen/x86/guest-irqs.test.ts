/**
 * Lines bound to guests, sentence by sentence after xen/arch/x86/irq.c: sharing, ack types, what the last EOI does,
 * unbinding while in flight, and 4.17's eoi_timer.
 */
import { describe, expect, test } from 'vitest';
import { EBUSY, EINVAL } from '../../../../engine/abi/xen.ts';
import { ms, us } from '../../../../engine/core/clock.ts';
import type { XenProfile } from '../../../../engine/hv/xen/softirq.ts';
import type { IrqOptions } from '../../../../engine/hv/xen/x86/do-irq.ts';
import * as Status from '../../../../engine/hv/xen/x86/irq-status.ts';
import { HvRig, MSI, MSIX } from '../../../support/hv-rig.ts';

/** A level pin, and a second one. */
const PIN = 16;
const PIN2 = 17;
const PROFILES: readonly XenProfile[] = ['3.4', '4.17'];

/** A host of four CPUs; domains of one virtual CPU each, on one CPU after the other. */
function host(profile: XenProfile, domains: number, irqOptions: Partial<IrqOptions> = {}) {
  const cpus = 4;
  const rig = new HvRig({
    profile,
    cpus,
    domains: Array.from({ length: domains }, (_, d) => ({ vcpus: [[d % cpus]] })),
    irqOptions,
  });
  const source = rig.source('card');
  const { irqs } = rig.xen;
  const account = (destination: string, from = 'card') => {
    const found = rig.shop.books.accounts().find((a) => a.source === from && a.destination === destination);
    if (!found) return undefined;
    const { raised, delivered, coalesced, pending, ignored } = found;
    expect(raised).toBe(delivered + coalesced + pending + Object.values(ignored).reduce((a, b) => a + b, 0));
    return { raised, delivered, coalesced, pending, ...ignored };
  };
  const start = () => {
    rig.start();
    rig.run(ms(1));
  };
  /** the guests' handlers say EOI, these do not */
  const answering = (except: readonly number[] = []) => {
    for (let d = 0; d < domains; d++) {
      const guest = rig.guest(d);
      guest.handler = () => {
        if (!except.includes(d)) guest.calls.eoi(PIN);
      };
    }
  };
  const eoi = (domain: number, pirq = PIN) => irqs.guests.guestEoi(domain, pirq);
  const isr = (cpu: number) => rig.lapics[cpu]!.isr.members();
  const desc = (irq = PIN) => irqs.descs[irq]!;
  const upcalls = (d: number) => rig.guest(d).times('upcall').length;
  return { rig, irqs, source, account, start, answering, eoi, isr, desc, upcalls };
}

describe.each(PROFILES)('binding on %s', (profile) => {
  test('a pirq that is not mapped is -EINVAL', () => {
    const h = host(profile, 1);
    expect(h.rig.guest().calls.bindPirq(PIN)).toBe(-EINVAL);
  });

  test('a line bound before is IRQ_DISABLED, afterwards IRQ_GUEST, and unmasked', () => {
    const h = host(profile, 1);
    h.rig.guest().calls.mapPirq(-1, PIN);
    expect([h.desc().status, h.irqs.ioapics.entry(PIN).masked]).toEqual([Status.IRQ_DISABLED, true]);
    h.rig.bindLine(0, PIN, false);
    expect([h.desc().status, h.irqs.ioapics.entry(PIN).masked]).toEqual([Status.IRQ_GUEST, false]);
  });

  test.each([
    ['the first does not share', false, true],
    ['the second does not share', true, false],
  ])('when %s it is -EBUSY', (_, first, second) => {
    const h = host(profile, 2);
    expect(h.rig.bindLine(0, PIN, first)).toBeGreaterThan(0);
    expect(h.rig.bindLine(1, PIN, second)).toBe(-EBUSY);
    expect(h.desc().action!.guests.map((g) => g.domain)).toEqual([0]);
  });

  test('seven domains share a line, an eighth gets -EBUSY', () => {
    const h = host(profile, 8, { irqMaxGuests: 7 });
    const answers = Array.from({ length: 8 }, (_, d) => h.rig.bindLine(d, PIN, true));
    expect(answers.map((port) => port > 0)).toEqual([...Array(7).fill(true), false]);
    expect(answers[7]).toBe(-EBUSY);
  });
});

test('unless told otherwise 4.17 lets 32 domains share, 3.4 seven', () => {
  const bound = (profile: XenProfile) => {
    const h = host(profile, 34);
    return Array.from({ length: 34 }, (_, d) => h.rig.bindLine(d, PIN, true)).filter((p) => p > 0).length;
  };
  expect([bound('4.17'), bound('3.4')]).toEqual([32, 7]);
});

describe.each(PROFILES)('a level line shared on %s', (profile) => {
  test.each([1, 2, 7])(
    'by %i domains reaches each of them once and is free when the last has said EOI',
    (n) => {
      const h = host(profile, n);
      for (let d = 0; d < n; d++) h.rig.bindLine(d, PIN, true);
      h.start();
      h.irqs.request(PIN, h.source);
      h.rig.run(us(100));
      h.irqs.lower(PIN);
      expect(Array.from({ length: n }, (_, d) => h.upcalls(d))).toEqual(Array(n).fill(1));
      for (let d = 0; d < n; d++) {
        expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([n - d, [h.desc().vector]]);
        h.eoi(d);
        h.rig.run(us(10));
      }
      expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([0, []]);
    },
  );

  test('an EOI said twice counts once', () => {
    const h = host(profile, 2);
    for (const d of [0, 1]) h.rig.bindLine(d, PIN, true);
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    h.irqs.lower(PIN);
    h.eoi(0);
    h.eoi(0);
    h.rig.run(us(10));
    expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([1, [h.desc().vector]]);
  });

  test('its raise is delivered at the line; each guest gets one of the line, in the same journey', () => {
    const h = host(profile, 3);
    for (const d of [0, 1, 2]) h.rig.bindLine(d, PIN, true);
    h.start();
    const journey = h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    expect(h.account('irq 16')).toMatchObject({ raised: 1, delivered: 1 });
    for (const d of [0, 1, 2]) {
      // nobody takes it off the books: the rig's guests do not
      expect(h.account(`dom${d} pirq 16`, 'irq 16')).toMatchObject({ raised: 1, pending: 1 });
      expect(h.account(`dom${d} pirq 16`)).toBeUndefined();
    }
    const sent = h.rig.shop.trace.journey(journey).filter((r) => r.point.name === 'send_guest_pirq');
    expect(sent.map((r) => r.args)).toEqual([
      [0, PIN],
      [1, PIN],
      [2, PIN],
    ]);
    const there = h.rig.shop.trace.journey(journey).filter((r) => r.cpu === 0);
    const times = there.map((r) => r.time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('with one domain left, raises are that domain’s again', () => {
    const h = host(profile, 2);
    const port = h.rig.bindLine(0, PIN, true);
    h.rig.bindLine(1, PIN, true);
    h.rig.guest(0).calls.close(port);
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    expect(h.account('dom1 pirq 16')).toMatchObject({ raised: 1 });
    expect(h.upcalls(0)).toBe(0);
  });
});

describe.each(PROFILES)('unbinding while in flight on %s', (profile) => {
  const shared = () => {
    const h = host(profile, 2);
    const ports = [h.rig.bindLine(0, PIN, true), h.rig.bindLine(1, PIN, true)] as const;
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    h.irqs.lower(PIN);
    return { ...h, ports };
  };

  test('the one that had not answered is not waited for', () => {
    const h = shared();
    h.eoi(0);
    h.rig.run(us(10));
    expect(h.isr(0)).toEqual([h.desc().vector]);
    h.rig.guest(1).calls.close(h.ports[1]);
    h.rig.run(us(10));
    expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([0, []]);
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(false);
  });

  test('the other one still is', () => {
    const h = shared();
    h.rig.guest(1).calls.close(h.ports[1]);
    h.rig.run(us(10));
    expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([1, [h.desc().vector]]);
    h.eoi(0);
    h.rig.run(us(10));
    expect(h.isr(0)).toEqual([]);
  });

  test('when both are gone the line is ended, masked and IRQ_DISABLED', () => {
    const h = shared();
    for (const d of [0, 1]) h.rig.guest(d).calls.close(h.ports[d]!);
    h.rig.run(us(10));
    expect([h.desc().action, h.desc().status, h.isr(0)]).toEqual([null, Status.IRQ_DISABLED, []]);
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(true);
  });
});

describe.each(PROFILES)('ack types on %s', (profile) => {
  test.each([
    ['an edge line', 'NONE', -1, 5],
    ['a message that can be masked', 'NONE', MSIX, -1],
    ['a message that cannot', 'EOI', MSI, -1],
    ['a level line', 'EOI', -1, PIN],
  ])('%s has %s', (_, ackType, device, gsi) => {
    const h = host(profile, 1);
    const irq = h.rig.bindPirq(device, gsi);
    expect(h.desc(irq).action!.ackType).toBe(ackType);
    expect(h.irqs.needsEoi(0, h.desc(irq).pirqs[0]!.pirq)).toBe(ackType !== 'NONE');
  });

  test('a level line with ioapic_ack=old has UNMASK: EOI at once, the pin masked until the guest says EOI', () => {
    const h = host(profile, 1, { ioapicAck: 'old' });
    h.rig.bindLine(0, PIN, true);
    expect(h.desc().action!.ackType).toBe('UNMASK');
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    const look = () => {
      const { masked, remoteIrr } = h.irqs.ioapics.entry(PIN);
      return { masked, remoteIrr, isr: h.isr(0), depth: h.irqs.guests.pendingEoi[0]!.depth };
    };
    expect(look()).toEqual({ masked: true, remoteIrr: false, isr: [], depth: 0 });
    // asked for again meanwhile it is one that is in service
    h.irqs.request(PIN, h.source);
    expect(h.account('dom0 pirq 16')).toMatchObject({ raised: 2, 'in service': 1 });
    h.irqs.lower(PIN);
    h.eoi(0);
    expect(look()).toEqual({ masked: false, remoteIrr: false, isr: [], depth: 0 });
  });

  test('with ioapic_ack=old a line still high at the EOI comes again', () => {
    const h = host(profile, 1, { ioapicAck: 'old' });
    h.rig.bindLine(0, PIN, true);
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    h.eoi(0);
    h.rig.run(us(100));
    expect(h.account('dom0 pirq 16', 'reassert')).toMatchObject({ raised: 1 });
    expect(h.upcalls(0)).toBe(2);
  });

  test('with ioapic_ack=old the last of several guests unmasks', () => {
    const h = host(profile, 2, { ioapicAck: 'old' });
    const ports = [h.rig.bindLine(0, PIN, true), h.rig.bindLine(1, PIN, true)];
    h.start();
    h.irqs.request(PIN, h.source);
    h.rig.run(us(100));
    h.irqs.lower(PIN);
    h.eoi(1);
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(true);
    h.rig.guest(0).calls.close(ports[0]!);
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(false);
  });
});

test('a second level line below the first waits on the stack until that is ended', () => {
  const h = host('4.17', 1);
  for (const pin of [PIN, PIN2]) h.rig.bindLine(0, pin, true);
  const msi = h.rig.bindPirq(MSI);
  h.start();
  h.irqs.request(PIN, h.source);
  h.irqs.pulse(msi, h.source);
  h.rig.run(us(100));
  const [low, high] = [h.desc().vector, h.desc(msi).vector];
  expect(h.isr(0)).toEqual([low, high]);
  h.irqs.lower(PIN);
  h.eoi(0);
  h.rig.run(us(10));
  expect(h.irqs.guests.pendingEoi[0]!.list()).toEqual([
    { irq: PIN, vector: low, ready: true },
    { irq: msi, vector: high, ready: false },
  ]);
  h.eoi(0, h.desc(msi).pirqs[0]!.pirq);
  h.rig.run(us(10));
  expect(h.isr(0)).toEqual([]);
});

describe('the eoi_timer of 4.17', () => {
  const unanswered = (irqOptions: Partial<IrqOptions> = {}, profile: XenProfile = '4.17') => {
    const h = host(profile, 2, irqOptions);
    for (const d of [0, 1]) h.rig.bindLine(d, PIN, true);
    h.start();
    h.irqs.request(PIN, h.source);
    const counted = (name: string) => [...h.rig.shop.trace.records()].filter((r) => r.point.name === name);
    const until = (name: string) => {
      const before = counted(name).length;
      for (let i = 0; i < 10_000 && counted(name).length === before; i++) h.rig.clock.step();
      return counted(name).at(-1)!;
    };
    return { ...h, until, counted };
  };

  test('forces the missing EOI 1 ms after do_IRQ, on the CPU that took it', () => {
    const h = unanswered();
    const sent = h.until('send_guest_pirq');
    const at = h.rig.clock.now;
    expect(sent.cpu).toBe(0);
    const timer = h.until('irq_guest_eoi_timer');
    expect([timer.args, timer.cpu]).toEqual([[PIN, 2], 0]);
    // no nearer than the time that was asked for, and late by no more than the timers' slop and the way there
    expect(h.rig.clock.now - at).toBeGreaterThan(ms(1));
    expect(h.rig.clock.now - at).toBeLessThan(ms(1) + us(55));
    expect([h.desc().action!.inFlight, h.desc().action!.guests.map((g) => g.masked)]).toEqual([
      0,
      [false, false],
    ]);
    expect(h.isr(0)).toEqual([]);
  });

  test('with ioapic_ack=old it unmasks the pin', () => {
    const h = unanswered({ ioapicAck: 'old' });
    h.until('send_guest_pirq');
    h.irqs.lower(PIN);
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(true);
    h.until('irq_guest_eoi_timer');
    expect(h.irqs.ioapics.entry(PIN).masked).toBe(false);
  });

  test('what one of two guests has not answered is forced all the same', () => {
    const h = unanswered();
    h.until('send_guest_pirq');
    h.irqs.lower(PIN);
    h.rig.run(us(50));
    h.eoi(0);
    expect(h.until('irq_guest_eoi_timer').args).toEqual([PIN, 1]);
  });

  test('is stopped by the last EOI', () => {
    const h = unanswered();
    h.until('send_guest_pirq');
    h.irqs.lower(PIN);
    h.rig.run(us(50));
    for (const d of [0, 1]) h.eoi(d);
    h.rig.run(ms(5));
    expect(h.counted('irq_guest_eoi_timer')).toEqual([]);
  });

  test('a line that is held high by its device comes again each time, until a guest quiets it', () => {
    const h = unanswered();
    h.rig.run(ms(10));
    const forced = h.counted('irq_guest_eoi_timer').length;
    expect(forced).toBeGreaterThanOrEqual(9);
    expect(forced).toBeLessThanOrEqual(10);
    expect(h.account('irq 16', 'reassert')!.raised).toBe(forced);
  });

  test('an EOI that comes after it is nothing', () => {
    const h = unanswered();
    h.until('send_guest_pirq');
    h.irqs.lower(PIN);
    h.until('irq_guest_eoi_timer');
    for (const d of [0, 1]) h.eoi(d);
    h.rig.run(us(50));
    expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([0, []]);
  });

  test('3.4 has none: the line stays in service', () => {
    const h = unanswered({}, '3.4');
    h.rig.run(ms(20));
    expect([h.desc().action!.inFlight, h.isr(0)]).toEqual([2, [h.desc().vector]]);
  });
});

test('saved in flight, restored, it goes on the same', () => {
  const build = () => {
    const h = host('4.17', 3);
    for (const d of [0, 1, 2]) h.rig.bindLine(d, PIN, true);
    h.answering([2]);
    h.start();
    return h;
  };
  const [a, b] = [build(), build()];
  a.irqs.request(PIN, a.source);
  a.rig.run(us(20));
  b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
  expect(b.rig.shop.parts.save()).toEqual(a.rig.shop.parts.save());
  expect(b.desc().action!.guests[1]).toBe(b.desc().pirqs[1]);
  for (const h of [a, b]) {
    h.irqs.lower(PIN);
    h.eoi(1);
    h.rig.run(us(3));
  }
  expect(b.irqs.save()).toEqual(a.irqs.save());
});
