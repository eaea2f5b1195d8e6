/** Softirqs: their order, and how another CPU is told of one. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../engine/core/clock.ts';
import { SOFTIRQS, softirqNumber } from '../../../engine/hv/xen/softirq.ts';
import { pvHypercall, timing } from '../../../engine/timing.ts';
import { HvRig } from '../../support/hv-rig.ts';

const EVENT_CHECK = 'fc';
const TIMER = softirqNumber('4.17', 'TIMER');
const SCHEDULE = softirqNumber('4.17', 'SCHEDULE');
const KICK = softirqNumber('4.17', 'VCPU_KICK');

/** A host with a computing guest on CPU 0 and another CPU that idles; softirqs are noted as they run. */
function host(profile: '3.4' | '4.17' = '4.17') {
  const rig = new HvRig({ profile, domains: [{ vcpus: [[0]] }] });
  rig.guest().compute(us(50));
  rig.start();
  rig.run(ms(3));
  const ran: { nr: number; cpu: number; at: number }[] = [];
  const { xen } = rig;
  const original = xen.softirq.bind(xen);
  xen.softirq = (cpu, nr) => {
    ran.push({ nr, cpu: cpu.cpu, at: rig.clock.now });
    original(cpu, nr);
  };
  const counts = rig.countInterrupts();
  return { rig, ran, counts, xen, cpus: rig.cpus };
}

describe('numbers', () => {
  test('4.17 has RCU and SCHED_SLAVE before SCHEDULE', () => {
    expect([TIMER, SCHEDULE, KICK]).toEqual([0, 3, 8]);
    expect(SOFTIRQS['4.17'][10]).toBe('HVM_DPCI');
  });

  test('3.4 has SCHEDULE right after TIMER', () => {
    expect([softirqNumber('3.4', 'SCHEDULE'), softirqNumber('3.4', 'VCPU_KICK')]).toEqual([1, 9]);
  });
});

describe('order', () => {
  test('the lowest runs first, whichever was raised first', () => {
    const { rig, ran, xen, cpus } = host();
    for (const nr of [KICK, 5, 1, TIMER]) xen.eventCheck.raiseSoftirq(cpus[0]!, nr);
    rig.run(us(20));
    expect(ran.map((r) => r.nr)).toEqual([TIMER, 1, 5, KICK]);
  });

  test('one raised while another runs still runs in the same round', () => {
    const { rig, ran, xen, cpus } = host();
    const original = xen.softirq;
    xen.softirq = (cpu, nr) => {
      original.call(xen, cpu, nr);
      if (nr === 5) cpu.raiseSoftirq(1);
    };
    xen.eventCheck.raiseSoftirq(cpus[0]!, 5);
    rig.run(us(20));
    expect(ran.map((r) => r.nr)).toEqual([5, 1]);
    expect(ran[0]!.at).toBe(ran[1]!.at);
  });
});

test('scheduling sets the timer of the turn: the timer softirq runs after it, before those behind it', () => {
  const { rig, ran, xen, cpus } = host();
  xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
  xen.eventCheck.raiseSoftirq(cpus[0]!, SCHEDULE);
  rig.run(us(20));
  expect(ran.map((r) => r.nr)).toEqual([SCHEDULE, TIMER, KICK]);
});

describe('another CPU', () => {
  test('that runs a guest gets an event-check IPI, whose handler is entered after its flight', () => {
    const { rig, ran, counts, xen, cpus } = host();
    const from = rig.clock.now;
    xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
    rig.run(us(20));
    expect(counts.get(`0:${EVENT_CHECK}`)).toBe(1);
    expect(ran.map((r) => r.nr)).toEqual([KICK]);
    expect(ran[0]!.at - from).toBe(timing.ipiFlight + timing.irqEntry + timing.doIrq + timing.apicVector);
  });

  test('one that is pending already needs no message', () => {
    const { rig, counts, xen, cpus } = host();
    const { sent } = xen.eventCheck;
    for (let i = 0; i < 5; i++) xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
    expect(xen.eventCheck.sent - sent).toBe(1);
    rig.run(us(20));
    expect(counts.get(`0:${EVENT_CHECK}`)).toBe(1);
  });

  test('IPIs for two softirqs that meet on the way are one interrupt', () => {
    const { rig, ran, counts, xen, cpus } = host();
    xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
    xen.eventCheck.raiseSoftirq(cpus[0]!, 5);
    rig.run(us(20));
    expect(counts.get(`0:${EVENT_CHECK}`)).toBe(1);
    expect(ran.map((r) => r.nr)).toEqual([5, KICK]);
  });

  test('a guest that goes on by itself does not run them before the message has come', () => {
    const { rig, ran, xen, cpus } = host();
    // a stretch ends while the IPI is on its way
    while (rig.clock.next - rig.clock.now > 300) rig.clock.runUntil(rig.clock.next - 100);
    xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
    rig.run(300);
    expect(rig.guest().times('done').at(-1)).toBeGreaterThan(rig.clock.now - 300);
    expect(ran).toEqual([]);
    rig.run(us(5));
    expect(ran.map((r) => r.nr)).toEqual([KICK]);
  });

  test('that idles is woken by the store to the line it monitors, without an interrupt', () => {
    const { rig, ran, counts, xen, cpus } = host();
    const from = rig.clock.now;
    xen.eventCheck.raiseSoftirq(cpus[1]!, KICK);
    rig.run(us(20));
    expect(counts.get(`1:${EVENT_CHECK}`)).toBeUndefined();
    expect(ran).toEqual([{ nr: KICK, cpu: 1, at: from + timing.mwaitStore + timing.idleWake }]);
    expect(cpus[1]!.idle).toBe(true);
  });

  test('that is about to idle but does not monitor the line yet needs the IPI', () => {
    const { rig, counts, xen, cpus } = host();
    const guest = rig.guest();
    guest.next = () => guest.v.block();
    while (cpus[0]!.current) rig.clock.step();
    expect([cpus[0]!.idle, cpus[0]!.inMwait]).toEqual([true, false]);
    xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
    rig.run(us(20));
    expect(counts.get(`0:${EVENT_CHECK}`)).toBe(1);
  });

  test('gets the message when the sender has come to it: after what its hypercall did before', () => {
    const { rig, ran, xen, cpus } = host();
    const guest = rig.guest();
    let at = 0;
    guest.next = () => {
      if (at === 0) {
        at = rig.clock.now;
        guest.calls.unmask(1);
        xen.eventCheck.raiseSoftirq(cpus[1]!, KICK);
      }
      guest.v.run(us(50));
    };
    rig.run(us(100));
    expect(ran[0]!.at - at).toBe(pvHypercall() + timing.mwaitStore + timing.idleWake);
  });

  test('on 3.4 an idle one needs the IPI', () => {
    const { rig, counts, xen, cpus } = host('3.4');
    xen.eventCheck.raiseSoftirq(cpus[1]!, softirqNumber('3.4', 'VCPU_KICK'));
    rig.run(us(20));
    expect(counts.get(`1:${EVENT_CHECK}`)).toBe(1);
  });

  test('the CPU itself needs no message: it looks on its way out', () => {
    const { rig, ran, counts, xen, cpus } = host();
    const guest = rig.guest();
    let once = true;
    guest.next = () => {
      if (once) {
        once = false;
        guest.calls.setTimer(undefined);
        xen.eventCheck.raiseSoftirq(cpus[0]!, KICK);
      }
      guest.v.run(us(50));
    };
    rig.run(us(100));
    expect(ran.map((r) => [r.nr, r.cpu])).toEqual([[KICK, 0]]);
    expect(counts.get(`0:${EVENT_CHECK}`)).toBeUndefined();
  });
});
