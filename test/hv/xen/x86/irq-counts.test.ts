/** Xen's side of interrupts, as it tells of itself: counts by vector and softirq, stacks of pending EOIs. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../../engine/core/clock.ts';
import { SOFTIRQS, softirqNumber, type XenProfile } from '../../../../engine/hv/xen/softirq.ts';
import { HvRig, MSI, MSIX } from '../../../support/hv-rig.ts';

const PIN = 16;

function host(profile: XenProfile) {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }, { vcpus: [[1]] }] });
  const view = (cpu = 0) => rig.xen.inspect().cpus[cpu]!;
  const count = (name: RegExp, cpu = 0) =>
    view(cpu).vectors.find((v) => name.test(rig.xen.vectorName(v.vector).what))?.count ?? 0;
  const softirq = (name: string, cpu = 0) => view(cpu).softirqs.find((s) => s.name === name)!;
  return { rig, view, count, softirq, source: rig.source('card') };
}

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('an interrupt is counted by its vector on the CPU that takes it, under the name of what it stands for', () => {
    const h = host(profile);
    const irq = h.rig.bindPirq(MSIX);
    h.rig.start();
    h.rig.run(ms(1));
    for (let i = 0; i < 3; i++) {
      h.rig.xen.irqs.pulse(irq, h.source);
      h.rig.run(us(20));
    }
    const { vector } = h.rig.xen.irqs.descs[irq]!;
    expect(h.view(0).vectors.find((v) => v.vector === vector)).toEqual({
      vector,
      count: 3,
    });
    expect(h.rig.xen.vectorName(vector)).toEqual({
      what: `irq ${irq} PCI-MSI/-X`,
      own: null,
      guests: [{ domain: 0, pirq: 63 }],
    });
    expect(h.view(1).vectors.find((v) => v.vector === vector)).toBeUndefined();
  });

  test('a shared line names all who have it, one of Xen’s its function', () => {
    const h = host(profile);
    for (const d of [0, 1]) h.rig.bindLine(d, PIN, true);
    h.rig.start();
    h.rig.run(ms(1));
    h.rig.xen.irqs.request(PIN, h.source);
    h.rig.xen.serialInput();
    h.rig.run(us(50));
    expect(h.count(/^irq 16 IO-APIC-level$/)).toBe(1);
    expect(h.count(/^irq 4 IO-APIC-edge$/)).toBe(1);
    const { descs } = h.rig.xen.irqs;
    const [shared, own] = [PIN, 4].map((irq) => h.rig.xen.vectorName(descs[irq]!.vector));
    expect(shared!.guests.map(({ domain }) => domain)).toEqual([0, 1]);
    expect(own).toMatchObject({ own: 'ns16550_interrupt', guests: [] });
  });

  test('the local APIC’s vectors are counted under their functions', () => {
    const h = host(profile);
    h.rig.guest().compute(us(100));
    h.rig.start();
    h.rig.run(ms(1));
    const before = h.count(/event_check_interrupt/);
    h.rig.xen.eventCheck.raiseSoftirq(h.rig.cpus[0]!, softirqNumber(profile, 'VCPU_KICK'));
    h.rig.run(us(20));
    expect(h.count(/event_check_interrupt/) - before).toBe(1);
    h.rig.guest().calls.setTimer(h.rig.clock.now + us(200));
    const ticks = h.count(/apic_timer_interrupt/);
    h.rig.run(ms(1));
    expect(h.count(/apic_timer_interrupt/)).toBeGreaterThan(ticks);
  });

  test('softirqs are counted by number, in the order they run, and shown while they wait', () => {
    const h = host(profile);
    h.rig.guest().compute(us(100));
    h.rig.start();
    h.rig.run(ms(1));
    expect(h.view().softirqs.map((s) => s.name)).toEqual(SOFTIRQS[profile]);
    const before = h.softirq('VCPU_KICK').count;
    h.rig.xen.eventCheck.raiseSoftirq(h.rig.cpus[0]!, softirqNumber(profile, 'VCPU_KICK'));
    expect(h.softirq('VCPU_KICK')).toMatchObject({ count: before, pending: true });
    h.rig.run(us(20));
    expect(h.softirq('VCPU_KICK')).toMatchObject({ count: before + 1, pending: false });
    expect(h.softirq('SCHEDULE').count).toBeGreaterThan(0);
  });

  test('the stack of pending EOIs is shown from the bottom up', () => {
    const h = host(profile);
    for (const pin of [PIN, PIN + 1]) h.rig.bindLine(0, pin, true);
    const high = h.rig.bindPirq(MSI);
    h.rig.start();
    h.rig.run(ms(1));
    h.rig.xen.irqs.request(PIN, h.source);
    h.rig.run(us(20));
    h.rig.xen.irqs.pulse(high, h.source);
    h.rig.run(us(20));
    const { descs } = h.rig.xen.irqs;
    expect(h.view().pendingEoi).toEqual([
      { irq: PIN, vector: descs[PIN]!.vector, ready: false },
      { irq: high, vector: descs[high]!.vector, ready: false },
    ]);
    expect(h.view(1).pendingEoi).toEqual([]);
  });

  test('counts travel', () => {
    const [a, b] = [host(profile), host(profile)];
    a.rig.start();
    a.rig.run(ms(2));
    b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
    expect(b.rig.xen.inspect()).toEqual(a.rig.xen.inspect());
    expect(a.view().softirqs.some((s) => s.count > 0)).toBe(true);
  });
});
