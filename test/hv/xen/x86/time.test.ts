/** Xen's own time: the rendezvous once a second, and the 8254 where it is the platform timer. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../../engine/core/clock.ts';
import type { XenProfile } from '../../../../engine/hv/xen/softirq.ts';
import { HvRig } from '../../../support/hv-rig.ts';

function host(profile: XenProfile, clocksource?: 'pit') {
  const rig = new HvRig({ profile, cpus: 3, domains: [{ vcpus: [[0]] }], clocksource });
  rig.start();
  const view = () => rig.xen.inspect().cpus;
  const softirqs = (name: string) => view().map((c) => c.softirqs.find((s) => s.name === name)!.count);
  const vectors = (name: string) =>
    view().map(
      (c) =>
        c.vectors.find(({ vector }) => {
          const { what, own } = rig.xen.vectorName(vector);
          return `${what} ${own}`.includes(name);
        })?.count ?? 0,
    );
  return { rig, softirqs, vectors };
}

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('all CPUs are called once a second; each corrects its clock in a softirq', () => {
    const h = host(profile);
    h.rig.run(ms(999));
    expect(h.softirqs('TIME_CALIBRATE')).toEqual([0, 0, 0]);
    h.rig.run(ms(2));
    expect(h.softirqs('TIME_CALIBRATE')).toEqual([1, 1, 1]);
    expect(h.vectors('call_function')).toEqual([0, 1, 1]);
    h.rig.run(ms(3000));
    expect([h.softirqs('TIME_CALIBRATE'), h.rig.xen.time.calibrations]).toEqual([[4, 4, 4], 4]);
  });

  test('the next one is a second after the last was done', () => {
    const h = host(profile);
    const at: number[] = [];
    for (let n = 0; at.length < 3; ) {
      h.rig.clock.step();
      if (h.rig.xen.time.calibrations > n) {
        n++;
        at.push(h.rig.clock.now);
      }
    }
    for (const i of [1, 2]) {
      expect(at[i]! - at[i - 1]!).toBeGreaterThan(ms(1000));
      expect(at[i]! - at[i - 1]!).toBeLessThan(ms(1000) + us(70));
    }
  });

  test('without clocksource=pit the platform timer does not interrupt', () => {
    const h = host(profile);
    h.rig.run(ms(500));
    expect(h.vectors('timer_interrupt').slice(1)).toEqual(h.vectors('apic_timer_interrupt').slice(1));
    expect(h.rig.shop.books.accounts().find((a) => a.source === 'pit')).toBeUndefined();
  });

  test('the 8254 interrupts CPU 0 a hundred times a second', () => {
    const h = host(profile, 'pit');
    h.rig.run(ms(1000));
    expect(h.vectors('irq 0 IO-APIC-edge timer_interrupt')).toEqual([99, 0, 0]);
    expect(h.rig.shop.books.accounts().find((a) => a.source === 'pit')).toMatchObject({
      destination: 'xen irq 0',
      raised: 99,
      delivered: 99,
    });
  });

  test('its state travels, in the middle of a rendezvous too', () => {
    const [a, b] = [host(profile), host(profile)];
    while (a.rig.xen.time.calibrations === 0) a.rig.clock.step();
    b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
    for (const h of [a, b]) h.rig.run(ms(1));
    expect(b.softirqs('TIME_CALIBRATE')).toEqual([1, 1, 1]);
    expect(b.rig.shop.parts.save()).toEqual(a.rig.shop.parts.save());
  });
});
