/** The interrupt hook: what it records where and when, what that costs, and that it changes nothing while it is off. */
import { describe, expect, test } from 'vitest';
import { DOMID_IDLE } from '../../../../engine/abi/xen.ts';
import { ms, us } from '../../../../engine/core/clock.ts';
import {
  APIC_TIMER_VECTOR,
  EVENT_CHECK_VECTOR,
  softirqNumber,
  type XenProfile,
} from '../../../../engine/hv/xen/softirq.ts';
import { HOOK_POINTS } from '../../../../engine/hv/xen/x86/hook.ts';
import { timing } from '../../../../engine/timing.ts';
import { HvRig, MSIX } from '../../../support/hv-rig.ts';

/** Domain 0 computes on CPU 0, CPU 1 idles. */
function host(profile: XenProfile, on = true) {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }, { vcpus: [[1]] }] });
  const irq = rig.bindPirq(MSIX);
  rig.guest().compute(us(200));
  rig.start();
  rig.run(ms(3));
  const { hook, irqs } = rig.xen;
  hook.on = on;
  const from = rig.shop.trace.written;
  const records = () =>
    [...rig.shop.trace.records(from + 1)]
      .filter((r) => r.point.name === 'hook')
      .map(({ args: [point, vector, dom, vcpu], cpu, time, journey }) => ({
        point: HOOK_POINTS[point!]!,
        vector,
        dom,
        vcpu,
        cpu,
        time,
        journey,
      }));
  const trace = (name: string) => [...rig.shop.trace.records(from + 1)].filter((r) => r.point.name === name);
  const fire = () => irqs.pulse(irq, rig.source('card'));
  const { vector } = irqs.descs[irq]!;
  return { rig, hook, irqs, irq, vector, fire, records, trace };
}

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('an interrupt is recorded in do_IRQ with the virtual CPU that it found, before anything is done', () => {
    const h = host(profile);
    const at = h.rig.clock.now;
    const journey = h.fire();
    h.rig.run(us(20));
    expect(h.records().filter((r) => r.point === 'do_IRQ')).toEqual([
      {
        point: 'do_IRQ',
        vector: h.vector,
        dom: 0,
        vcpu: 0,
        cpu: 0,
        time: at + timing.apicMessage + timing.irqEntry,
        journey,
      },
    ]);
    const [doIrq] = h.trace('do_IRQ');
    expect(doIrq!.time - h.records()[0]!.time).toBe(timing.hookRecord);
  });

  test('the local APIC’s own vectors are recorded where that version takes them', () => {
    const h = host(profile);
    h.rig.xen.eventCheck.raiseSoftirq(h.rig.cpus[0]!, softirqNumber(profile, 'VCPU_KICK'));
    h.rig.lapics[0]!.request(APIC_TIMER_VECTOR[profile]);
    h.rig.run(us(20));
    const point = profile === '3.4' ? 'smp' : 'direct_apic_vector';
    expect(h.records().map((r) => [r.point, r.vector])).toEqual([
      [point, APIC_TIMER_VECTOR[profile]],
      [point, EVENT_CHECK_VECTOR],
    ]);
  });

  test('a vector that no interrupt has comes by do_IRQ too', () => {
    const h = host(profile);
    h.rig.lapics[0]!.request(0x3f);
    h.rig.run(us(20));
    expect(h.records().map((r) => [r.point, r.vector])).toEqual([['do_IRQ', 0x3f]]);
  });

  test('an idle CPU is the idle domain’s', () => {
    const h = host(profile);
    h.rig.lapics[1]!.request(EVENT_CHECK_VECTOR);
    h.rig.run(us(20));
    expect(h.records()).toMatchObject([{ dom: DOMID_IDLE, vcpu: 1, cpu: 1 }]);
  });

  test('what it adds to the time with interrupts off is summed for each CPU', () => {
    const h = host(profile);
    for (let i = 0; i < 3; i++) {
      h.fire();
      h.rig.run(us(20));
    }
    h.rig.lapics[1]!.request(EVENT_CHECK_VECTOR);
    h.rig.run(us(20));
    expect(h.hook.inspect(0)).toEqual({ records: 3, added: 3 * timing.hookRecord });
    expect(h.hook.inspect(1)).toEqual({ records: 1, added: timing.hookRecord });
  });
});

test('an exception is recorded by whoever finds it', () => {
  const h = host('4.17');
  h.hook.record(h.rig.cpus[0]!, 'exception exit', 14);
  expect(h.records()).toMatchObject([{ point: 'exception exit', vector: 14, dom: 0, vcpu: 0 }]);
});

test('an interrupt comes later by one record while it is on, and no later while it is off', () => {
  const took = (on: boolean) => {
    const h = host('4.17', on);
    const at = h.rig.clock.now;
    h.fire();
    h.rig.run(us(20));
    return h.trace('send_guest_pirq')[0]!.time - at;
  };
  expect(took(true) - took(false)).toBe(timing.hookRecord);
});

test('off, it records and costs nothing', () => {
  const h = host('4.17', false);
  for (let i = 0; i < 5; i++) h.fire();
  h.rig.run(ms(1));
  expect([h.records(), h.hook.inspect(0)]).toEqual([[], { records: 0, added: 0 }]);
});

test('switched on, it stays on in a restored machine', () => {
  const [a, b] = [host('4.17'), host('4.17', false)];
  a.fire();
  a.rig.run(us(20));
  b.hook.restore(JSON.parse(JSON.stringify(a.hook.save())));
  expect([b.hook.on, b.hook.inspect(0)]).toEqual([true, a.hook.inspect(0)]);
});
