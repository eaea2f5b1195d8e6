/** The brakes against storms: 3.4's IRQ_GUEST_EOI_PENDING with its 1 ms, and 4.17's irq_ratelimit. */
import { describe, expect, test } from 'vitest';
import { ms, type Ns, us } from '../../../../engine/core/clock.ts';
import type { XenProfile } from '../../../../engine/hv/xen/softirq.ts';
import type { IrqOptions } from '../../../../engine/hv/xen/x86/do-irq.ts';
import { IRQ_GUEST, IRQ_GUEST_EOI_PENDING } from '../../../../engine/hv/xen/x86/irq-status.ts';
import { timing } from '../../../../engine/timing.ts';
import { HvRig, MSI, MSIX } from '../../../support/hv-rig.ts';

const EDGE_PIN = 5;
const LEVEL_PIN = 16;
/** From a device's message to the end of the guests' part of do_IRQ, on a CPU that idles. */
const WAY: Ns =
  timing.apicMessage +
  timing.idleWake +
  timing.irqEntry +
  timing.doIrq +
  timing.doIrqGuest +
  timing.evtchnSetPending;
/** TIMER softirq's lateness: timer_slop, and the way from the local APIC's timer to it. */
const LATE: Ns = us(55);

function host(profile: XenProfile, options: Partial<IrqOptions> = {}, device = MSIX, gsi = -1) {
  const rig = new HvRig({
    profile,
    cpus: 2,
    domains: [{ vcpus: [[0]] }, { vcpus: [[1]] }],
    irqOptions: options,
  });
  const irq = rig.bindPirq(device, gsi);
  const { irqs } = rig.xen;
  const source = rig.source('card');
  const desc = irqs.descs[irq]!;
  const { pirq } = desc.pirqs[0]!;
  const { port } = rig.xen.channels.channels(0).find((c) => c.kind === 'pirq')!;
  rig.start();
  rig.run(ms(1));
  const fire = (settle: Ns = us(20)) => {
    irqs.pulse(irq, source);
    rig.run(settle);
  };
  const books = () => {
    const { raised, delivered, coalesced, pending, ignored } = rig.shop.books
      .accounts()
      .find((a) => a.source === 'card' && a.destination === `dom0 pirq ${pirq}`)!;
    const lost = Object.values(ignored).reduce((a, b) => a + b, 0);
    expect(raised).toBe(delivered + coalesced + pending + lost);
    return { raised, coalesced, pending, ...ignored };
  };
  /** the guest does not look: the event stays pending */
  const deaf = () => rig.shared[0]!.evtchnMask.set(port);
  /** steps until something holds; the time */
  const until = (what: () => boolean): Ns => {
    for (let i = 0; i < 100_000 && !what(); i++) rig.clock.step();
    expect(what()).toBe(true);
    return rig.clock.now;
  };
  return { rig, irqs, irq, pirq, desc, port, fire, books, deaf, until };
}

const braked = (h: ReturnType<typeof host>) => (h.desc.status & IRQ_GUEST_EOI_PENDING) !== 0;

describe('3.4: a line that every guest has pending already', () => {
  test('is let through while its guest takes what it gets', () => {
    const h = host('3.4');
    for (let i = 0; i < 20; i++) h.fire();
    expect([braked(h), h.desc.msiMasked, h.rig.guest().times('upcall').length]).toEqual([false, false, 20]);
  });

  test('is disabled by the second one; the guest is told to say EOI', () => {
    const h = host('3.4');
    h.deaf();
    h.fire();
    expect([braked(h), h.desc.msiMasked, h.irqs.needsEoi(0, h.pirq)]).toEqual([false, false, false]);
    h.fire();
    expect([braked(h), h.desc.msiMasked, h.irqs.needsEoi(0, h.pirq)]).toEqual([true, true, true]);
    expect(h.books()).toEqual({ raised: 2, coalesced: 1, pending: 1 });
  });

  test('is enabled again by a timer 1 ms after that', () => {
    const h = host('3.4');
    h.deaf();
    h.fire();
    const raisedAt = h.rig.clock.now;
    h.irqs.pulse(h.irq, h.rig.source('card'));
    const brakedAt = h.until(() => braked(h));
    expect(brakedAt).toBe(raisedAt + WAY);
    const released = h.until(() => !braked(h));
    expect(released - brakedAt).toBeGreaterThan(ms(1));
    expect(released - brakedAt).toBeLessThan(ms(1) + LATE);
    expect([h.desc.msiMasked, h.irqs.needsEoi(0, h.pirq), h.desc.status]).toEqual([false, false, IRQ_GUEST]);
  });

  test('holds one message back meanwhile, which is sent when it is enabled', () => {
    const h = host('3.4');
    h.deaf();
    for (let i = 0; i < 4; i++) h.fire();
    const held = () => h.rig.shop.books.holds(h.irqs.lines.heldSlotOf(h.irq));
    expect([h.desc.msiPending, held(), h.irqs.lines.isPending(h.irq)]).toEqual([true, true, false]);
    expect(h.books()).toEqual({ raised: 4, coalesced: 2, pending: 2 });
    h.until(() => !braked(h));
    expect([h.desc.msiPending, held(), h.irqs.lines.isPending(h.irq)]).toEqual([false, false, true]);
    h.rig.run(us(20));
    expect([braked(h), h.books()]).toEqual([true, { raised: 4, coalesced: 3, pending: 1 }]);
  });

  test('a guest that says EOI need not wait', () => {
    const h = host('3.4');
    h.deaf();
    h.fire();
    h.fire();
    h.rig.guest().calls.eoi(h.pirq);
    expect([braked(h), h.desc.msiMasked]).toEqual([false, false]);
    // the timer is gone with it
    h.rig.run(ms(3));
    h.fire();
    h.rig.run(us(500));
    expect(braked(h)).toBe(true);
  });

  test('an edge line cannot be disabled: what comes meanwhile brakes it anew, 1 ms from there', () => {
    const h = host('3.4', {}, -1, EDGE_PIN);
    h.deaf();
    h.fire();
    h.fire();
    expect([braked(h), h.irqs.ioapics.entry(EDGE_PIN).masked]).toEqual([true, false]);
    h.rig.run(us(800));
    h.fire();
    h.rig.run(us(800));
    expect([braked(h), h.books().coalesced]).toEqual([true, 2]);
    h.rig.run(us(400));
    expect(braked(h)).toBe(false);
  });

  test('one of two guests that takes it is enough to let it through', () => {
    const h = host('3.4', {}, -1, EDGE_PIN);
    h.rig.xen.channels.close(0, h.port);
    const ports = [h.rig.bindLine(0, EDGE_PIN, true), h.rig.bindLine(1, EDGE_PIN, true)];
    h.rig.shared[0]!.evtchnMask.set(ports[0]!);
    for (let i = 0; i < 5; i++) h.fire();
    expect([braked(h), h.rig.guest(1).times('upcall').length]).toEqual([false, 5]);
    h.rig.shared[1]!.evtchnMask.set(ports[1]!);
    h.fire();
    h.fire();
    expect([braked(h), h.irqs.needsEoi(0, EDGE_PIN), h.irqs.needsEoi(1, EDGE_PIN)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('lines with an EOI to come are not looked at', () => {
    const h = host('3.4', {}, MSI);
    h.deaf();
    h.fire();
    h.rig.guest().calls.eoi(h.pirq);
    h.rig.run(us(20));
    h.fire();
    expect([braked(h), h.books().coalesced]).toEqual([false, 1]);
  });

  test('unbound, it is released', () => {
    const h = host('3.4');
    h.deaf();
    for (let i = 0; i < 3; i++) h.fire();
    h.rig.guest().calls.close(h.port);
    expect(braked(h)).toBe(false);
    expect(h.rig.shop.books.holds(h.irqs.lines.heldSlotOf(h.irq))).toBe(false);
    h.rig.run(ms(3));
    expect(h.books().pending).toBe(0);
  });
});

describe('4.17: irq_ratelimit', () => {
  test('is 10,000 unless told otherwise: more in 10 ms than those, and the line is disabled', () => {
    const h = host('4.17');
    const limit = h.irqs.rateLimit;
    h.rig.run(ms(20));
    // the count that begins with the machine is over; the 10,001st of it begins another
    for (let i = 0; i < 10_000; i++) expect(limit.exceeded(h.desc)).toBe(false);
    expect(limit.exceeded(h.desc)).toBe(false);
    expect([h.desc.rlCount, h.desc.rlStart]).toEqual([0, h.rig.clock.now]);
    h.rig.run(ms(10) - 1);
    for (let i = 0; i < 10_000; i++) expect(limit.exceeded(h.desc)).toBe(false);
    expect([limit.exceeded(h.desc), h.desc.msiMasked, limit.braked()]).toEqual([true, true, [h.irq]]);
  });

  test('10 ms after the beginning of the count it is too late', () => {
    const h = host('4.17', { irqRatelimit: 3 });
    h.rig.run(ms(20));
    for (let i = 0; i < 4; i++) h.irqs.rateLimit.exceeded(h.desc);
    h.rig.run(ms(10));
    for (let i = 0; i < 3; i++) h.irqs.rateLimit.exceeded(h.desc);
    expect([h.irqs.rateLimit.exceeded(h.desc), h.desc.msiMasked]).toEqual([false, false]);
  });

  /** A count of five has begun with an interrupt just now. */
  function counting(device = MSIX, gsi = -1) {
    const h = host('4.17', { irqRatelimit: 5 }, device, gsi);
    h.rig.run(ms(20));
    for (let i = 0; i < 6; i++) h.fire();
    expect(h.desc.rlCount).toBe(0);
    return h;
  }

  test('the one that is too many is lost to the guest, and the line off until 10 ms later', () => {
    const h = counting();
    const before = h.rig.guest().times('upcall').length;
    for (let i = 0; i < 5; i++) h.fire();
    const raisedAt = h.rig.clock.now;
    h.irqs.pulse(h.irq, h.rig.source('card'));
    const brakedAt = h.until(() => h.desc.msiMasked);
    expect(brakedAt).toBe(raisedAt + WAY);
    h.rig.run(us(20));
    expect(h.rig.guest().times('upcall').length - before).toBe(5);
    expect(h.books()).toMatchObject({ 'rate limit': 1 });
    expect(h.rig.lapics[0]!.isr.members()).toEqual([]);
    const enabledAt = h.until(() => !h.desc.msiMasked);
    expect(enabledAt - brakedAt).toBeGreaterThan(ms(10));
    expect(enabledAt - brakedAt).toBeLessThan(ms(10) + LATE);
    expect(h.irqs.rateLimit.braked()).toEqual([]);
  });

  test('what its device sends meanwhile waits at the mask, as one, and begins a new count', () => {
    const h = counting();
    for (let i = 0; i < 6; i++) h.fire();
    for (let i = 0; i < 3; i++) h.fire();
    // one at the event channel, one at the mask
    expect([h.desc.msiPending, h.books().pending]).toEqual([true, 2]);
    h.until(() => !h.desc.msiMasked);
    h.rig.run(us(20));
    expect([h.desc.rlCount, h.desc.msiPending]).toEqual([0, false]);
  });

  test('an edge line is not masked: each further one is lost until the 10 ms are over', () => {
    const h = counting(-1, EDGE_PIN);
    for (let i = 0; i < 10; i++) h.fire();
    expect([h.irqs.ioapics.entry(EDGE_PIN).masked, h.books()['rate limit' as never]]).toEqual([false, 5]);
    h.rig.run(ms(10));
    h.fire();
    expect(h.books()['rate limit' as never]).toBe(5);
  });

  test('a level line is ended at once and masked; high, it comes again when it is enabled', () => {
    const h = host('4.17', { irqRatelimit: 5 }, -1, LEVEL_PIN);
    const guest = h.rig.guest();
    guest.handler = () => guest.calls.eoi(LEVEL_PIN);
    h.rig.run(ms(20));
    h.irqs.request(LEVEL_PIN, h.rig.source('card'));
    h.until(() => h.irqs.ioapics.entry(LEVEL_PIN).masked);
    h.rig.run(us(20));
    expect([h.rig.lapics[0]!.isr.members(), h.irqs.guests.pendingEoi[0]!.depth]).toEqual([[], 0]);
    const upcalls = guest.times('upcall').length;
    h.rig.run(ms(9));
    expect(guest.times('upcall')).toHaveLength(upcalls);
    h.rig.run(ms(2));
    expect(guest.times('upcall').length).toBeGreaterThan(upcalls);
  });

  test('a second line that is too fast is enabled with the first, by the same timer', () => {
    const h = counting();
    const other = h.rig.bindPirq(MSIX);
    const desc = h.irqs.descs[other]!;
    for (let i = 0; i < 6; i++) h.fire();
    const brakedAt = h.rig.clock.now;
    h.rig.run(ms(4));
    desc.rlStart = h.rig.clock.now;
    for (let i = 0; i < 6; i++) {
      h.irqs.pulse(other, h.rig.source('card'));
      h.rig.run(us(20));
    }
    expect(h.irqs.rateLimit.braked()).toEqual([other, h.irq]);
    const enabledAt = h.until(() => !desc.msiMasked);
    expect(enabledAt - brakedAt).toBeLessThan(ms(10) + LATE);
    expect(h.desc.msiMasked).toBe(false);
  });

  test('0 turns it off', () => {
    const h = host('4.17', { irqRatelimit: 0 });
    for (let i = 0; i < 30_000; i++) expect(h.irqs.rateLimit.exceeded(h.desc)).toBe(false);
  });

  test('3.4 knows nothing of it', () => {
    const h = host('3.4', { irqRatelimit: 1 });
    for (let i = 0; i < 30; i++) expect(h.irqs.rateLimit.exceeded(h.desc)).toBe(false);
  });

  test('saved while braked, restored, it is enabled at the same time', () => {
    const h = counting();
    for (let i = 0; i < 7; i++) h.fire();
    const copy = counting();
    copy.rig.shop.parts.restore(JSON.parse(JSON.stringify(h.rig.shop.parts.save())));
    const at = h.until(() => !h.irqs.descs[h.irq]!.msiMasked);
    expect(copy.until(() => !copy.irqs.descs[copy.irq]!.msiMasked)).toBe(at);
    expect(copy.irqs.save()).toEqual(h.irqs.save());
  });
});
