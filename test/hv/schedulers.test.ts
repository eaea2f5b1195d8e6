/** What both schedulers owe to those they schedule. */
import { describe, expect, test } from 'vitest';
import { VIRQ_TIMER } from '../../engine/abi/xen.ts';
import { ms, seconds, us } from '../../engine/core/clock.ts';
import { HvRig, type RigDomain } from '../support/hv-rig.ts';

const BOTH = [0, 1];
const one = (weight?: number): RigDomain =>
  weight === undefined ? { vcpus: [BOTH] } : { vcpus: [BOTH], weight };

/** All virtual CPUs of all domains compute for ever. */
function busy(profile: '3.4' | '4.17', domains: readonly RigDomain[], cpus = 2): HvRig {
  const rig = new HvRig({ profile, cpus, domains });
  for (const v of rig.xen.vcpus) rig.guest(v.domain, v.vcpu).compute(us(170));
  return rig.start();
}

/**
 * The last domain wakes now and then, as on any real host. Without that all turns are multiples of one another,
 * and credit2 settles in a cycle in which the end of an epoch always cuts off the same one's credit.
 */
function disturbed(profile: '3.4' | '4.17', domains: readonly RigDomain[], cpus = 2): HvRig {
  const rig = busy(profile, [...domains, { vcpus: [BOTH] }], cpus);
  const guest = rig.guest(domains.length);
  const rng = rig.shop.rng.stream('disturbance');
  guest.calls.bindVirq(VIRQ_TIMER, 0);
  let awake = false;
  guest.next = () => {
    awake = !awake;
    if (awake) {
      guest.v.run(us(50) + rng.below(us(300)));
      return;
    }
    guest.calls.setTimer(guest.v.now + us(300) + rng.below(ms(5)));
    guest.v.block();
  };
  return rig;
}

const shares = (rig: HvRig) => rig.xen.vcpus.map((v) => rig.ran(v.domain, v.vcpu) / rig.clock.now);

describe.each(['3.4', '4.17'] as const)('Xen %s', (profile) => {
  test('three that compute on two CPUs get equal time, within 5 percent over 10 s', () => {
    const rig = disturbed(profile, [one(), one(), one()]);
    rig.run(seconds(10));
    const equal = shares(rig).slice(0, 3);
    const mean = equal.reduce((a, b) => a + b) / 3;
    expect(mean).toBeGreaterThan(0.63);
    for (const share of equal) expect(Math.abs(share / mean - 1)).toBeLessThan(0.05);
  });

  test('undisturbed, in step with one another, they get it within 10 percent', () => {
    const rig = busy(profile, [one(), one(), one()]);
    rig.run(seconds(10));
    for (const share of shares(rig)) expect(Math.abs(share / (2 / 3) - 1)).toBeLessThan(0.1);
    expect(shares(rig).reduce((a, b) => a + b)).toBeGreaterThan(1.99);
  });

  test('one that is pinned leaves its CPU for that, and is free again', () => {
    const rig = busy(profile, [one(), one(), one()]);
    rig.run(ms(50));
    const { v } = rig.guest(0);
    const { sched, cpus } = rig.xen;
    const away = cpus[1 - v.cpu.cpu]!;
    sched.pin(v, away);
    const before = rig.ran(0);
    for (let n = 0; n < 200; n++) {
      rig.run(ms(1));
      expect(v.cpu).toBe(away);
    }
    expect(rig.ran(0)).toBeGreaterThan(before);
    sched.unpin(v);
    expect(v.mayRunOn(cpus[0]!) && v.mayRunOn(cpus[1]!)).toBe(true);
    // to where its affinity does not let it be it does not stay
    const [alone] = [new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }] })];
    alone.guest().compute(us(170));
    alone.start().run(ms(5));
    alone.xen.sched.pin(alone.guest().v, alone.cpus[1]!);
    alone.run(ms(5));
    expect(alone.guest().v.cpu.cpu).toBe(1);
    alone.xen.sched.unpin(alone.guest().v);
    alone.run(ms(5));
    expect([alone.guest().v.cpu.cpu, alone.guest().v.state]).toEqual([0, 'running']);
  });

  test('one that is paused twice runs when both let it go on, and not before', () => {
    const rig = busy(profile, [one(), one()]);
    rig.run(ms(20));
    const { v } = rig.guest(0);
    const { sched } = rig.xen;
    sched.pause(v);
    sched.pause(v);
    rig.run(ms(1));
    const stood = rig.ran(0);
    rig.run(ms(40));
    sched.unpause(v);
    rig.run(ms(40));
    expect([rig.ran(0), v.state]).toEqual([stood, 'blocked']);
    sched.unpause(v);
    rig.run(ms(80));
    expect(rig.ran(0)).toBeGreaterThan(stood);
  });

  test('one that sleeps while it is paused goes on sleeping, and one that is woken meanwhile runs after', () => {
    const rig = new HvRig({ profile, cpus: 2, domains: [one(), one()] });
    const guest = rig.guest(0);
    guest.calls.bindVirq(VIRQ_TIMER, 0);
    guest.next = () => {
      guest.calls.setTimer(guest.v.now + ms(10));
      guest.v.block();
    };
    rig.start().run(ms(5));
    const { sched } = rig.xen;
    sched.pause(guest.v);
    sched.unpause(guest.v);
    rig.run(ms(1));
    expect(guest.v.state).toBe('blocked');
    sched.pause(guest.v);
    rig.run(ms(20));
    expect(guest.times('upcall')).toEqual([]);
    sched.unpause(guest.v);
    rig.run(ms(1));
    expect(guest.times('upcall')).toHaveLength(1);
  });

  test('no more of them than CPUs: each has one for itself', () => {
    const rig = busy(profile, [one(), one()]);
    rig.run(seconds(2));
    for (const share of shares(rig)) expect(share).toBeGreaterThan(0.99);
  });

  test('a pinned one runs nowhere else, and those that may move leave it a good part', () => {
    const rig = busy(profile, [{ vcpus: [[1]] }, one(), one()]);
    rig.run(seconds(4));
    expect(rig.guest(0).log.every((l) => l.cpu === 1)).toBe(true);
    // credit2 cuts credit off at the end of an epoch: who can use one CPU only loses more of it
    expect(shares(rig)[0]).toBeGreaterThan(profile === '3.4' ? 0.6 : 0.4);
    expect(shares(rig).reduce((a, b) => a + b)).toBeGreaterThan(1.99);
  });

  test('two pinned to one CPU share it although the other idles', () => {
    const rig = busy(profile, [{ vcpus: [[0]] }, { vcpus: [[0]] }]);
    rig.run(seconds(2));
    for (const share of shares(rig)) expect(Math.abs(share / 0.5 - 1)).toBeLessThan(0.05);
    expect(rig.cpus[1]!.idleTime()).toBeGreaterThan(seconds(1.99));
  });

  test('a domain of twice the weight gets twice the time', () => {
    const rig = busy(
      profile,
      [
        { vcpus: [[0]], weight: 512 },
        { vcpus: [[0]], weight: 256 },
      ],
      1,
    );
    rig.run(seconds(10));
    const [heavy, light] = shares(rig);
    expect(heavy! / light!).toBeGreaterThan(1.8);
    expect(heavy! / light!).toBeLessThan(2.2);
  });

  test('who wakes finds an idle CPU within the time to wake it', () => {
    const rig = busy(profile, [one(), { vcpus: [BOTH] }]);
    const sleeper = rig.guest(1);
    sleeper.next = () => sleeper.v.block();
    rig.run(ms(50));
    rig.at(rig.clock.now + us(333), () => rig.xen.wake(1, 0));
    const from = rig.clock.now;
    sleeper.log.length = 0;
    rig.run(ms(1));
    expect(sleeper.times('done')[0]! - from).toBeLessThan(us(5));
  });

  test('who sleeps is charged nothing and computes at once when there is room', () => {
    const rig = busy(profile, [one(), one()]);
    const sleeper = rig.guest(1);
    sleeper.next = () => sleeper.v.block();
    rig.run(seconds(1));
    expect(rig.ran(1)).toBeLessThan(us(100));
    expect(rig.ran(0)).toBeGreaterThan(seconds(0.999));
  });
});

describe('domains of several virtual CPUs', () => {
  test('credit shares by domain: one with two virtual CPUs has no more than one with one', () => {
    const rig = busy('3.4', [{ vcpus: [[0], [0]] }, { vcpus: [[0]] }], 1);
    rig.run(seconds(10));
    const [a, b, alone] = shares(rig);
    expect((a! + b!) / alone!).toBeGreaterThan(0.9);
    expect((a! + b!) / alone!).toBeLessThan(1.1);
  });

  test('credit2 shares by virtual CPU', () => {
    const rig = busy('4.17', [{ vcpus: [[0], [0]] }, { vcpus: [[0]] }], 1);
    rig.run(seconds(10));
    for (const share of shares(rig)) expect(Math.abs(share * 3 - 1)).toBeLessThan(0.05);
  });
});
