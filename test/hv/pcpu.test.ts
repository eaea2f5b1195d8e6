/** A physical CPU: steps, interrupts between them, whoever blocks, and where the time goes. */
import { describe, expect, test } from 'vitest';
import { VIRQ_TIMER } from '../../engine/abi/xen.ts';
import { ms, us } from '../../engine/core/clock.ts';
import { softirqNumber } from '../../engine/hv/xen/softirq.ts';
import { timing } from '../../engine/timing.ts';
import { HvRig, MSIX, UPCALL } from '../support/hv-rig.ts';

const EVENT_CHECK = 0xfc;

/** One CPU with a guest that computes in stretches of 100 us; interrupts come by `accept`. */
function busy() {
  const rig = new HvRig({ cpus: 2, domains: [{ vcpus: [[0]] }] });
  rig.guest().compute(us(100));
  rig.start();
  rig.run(ms(2));
  const guest = rig.guest();
  guest.log.length = 0;
  const [cpu, other] = [rig.cpus[0]!, rig.cpus[1]!];
  const accept = (vector: number) => rig.lapics[0]!.request(vector);
  return { rig, guest, cpu, other, accept };
}

/** Runs to the middle of the guest's stretch: 40 us after its end. */
function intoStretch({ rig, guest }: ReturnType<typeof busy>): void {
  while (guest.times('done').length === 0) rig.clock.step();
  rig.run(us(40));
}

describe('an interrupt', () => {
  test('stops the guest where it is; the rest of its stretch comes after', () => {
    const b = busy();
    intoStretch(b);
    const [done] = b.guest.times('done');
    b.accept(EVENT_CHECK);
    b.rig.run(us(200));
    const inXen = timing.irqEntry + timing.doIrq + timing.apicVector + timing.irqEntry;
    expect(b.guest.times('done')[1]! - done!).toBe(us(100) + inXen);
  });

  test('has its effect when the way to its handler is over', () => {
    const b = busy();
    intoStretch(b);
    const from = b.rig.clock.now;
    let handled = 0;
    b.rig.xen.interrupt = (cpu, vector) => {
      expect([cpu, vector]).toEqual([b.cpu, EVENT_CHECK]);
      handled = b.rig.clock.now;
      b.rig.lapics[cpu.cpu]!.eoi();
    };
    b.accept(EVENT_CHECK);
    b.rig.run(us(10));
    expect(handled - from).toBe(timing.irqEntry + timing.doIrq + timing.apicVector);
  });

  test('that comes while the CPU is in Xen waits for the next step', () => {
    const b = busy();
    intoStretch(b);
    const order: number[] = [];
    b.rig.xen.interrupt = (cpu, vector) => {
      order.push(vector);
      b.rig.lapics[cpu.cpu]!.eoi();
    };
    b.accept(0xf0);
    b.accept(0x31);
    b.accept(0xfb);
    b.rig.run(us(10));
    // f0 was taken when it came; of those that waited the higher one is next
    expect(order).toEqual([0xf0, 0xfb, 0x31]);
  });

  test('two of them are two steps, each at its own time', () => {
    const b = busy();
    intoStretch(b);
    const at: number[] = [];
    b.rig.xen.interrupt = (cpu) => {
      at.push(b.rig.clock.now);
      b.rig.lapics[cpu.cpu]!.eoi();
    };
    b.accept(EVENT_CHECK);
    b.accept(0xfb);
    b.rig.run(us(10));
    expect(at[1]! - at[0]!).toBe(timing.irqEntry + timing.doIrq + timing.apicVector);
  });

  test('at the instant in which a stretch ends comes first, and nothing of the stretch is left', () => {
    const b = busy();
    while (b.guest.times('done').length === 0) b.rig.clock.step();
    const [done] = b.guest.times('done');
    b.rig.clock.runUntil(done! + us(100) - 1);
    b.accept(EVENT_CHECK);
    b.rig.run(us(10));
    expect(b.guest.times('done')[1]).toBe(
      done! + us(100) + timing.irqEntry + timing.doIrq + timing.apicVector + timing.irqEntry,
    );
  });

  test('wakes an idle CPU, which needs its time for that and idles again', () => {
    const { rig, other } = busy();
    const from = rig.clock.now;
    let handled = 0;
    rig.xen.interrupt = (cpu) => {
      if (cpu !== other) return;
      handled = rig.clock.now;
      rig.lapics[cpu.cpu]!.eoi();
    };
    expect(other.idle).toBe(true);
    rig.lapics[1]!.request(EVENT_CHECK);
    expect(other.idle).toBe(false);
    rig.run(us(10));
    expect(handled - from).toBe(timing.idleWake + timing.irqEntry + timing.doIrq + timing.apicVector);
    expect(other.idle).toBe(true);
  });
});

describe('time', () => {
  test('in guests, in Xen and idle adds up to the clock, whatever happens', () => {
    const { rig, accept } = busy();
    for (let i = 0; i < 3_000; i++) {
      rig.run(337 + (i % 911));
      if (i % 3 === 0) accept(EVENT_CHECK);
      if (i % 7 === 0) rig.lapics[1]!.request(EVENT_CHECK);
      for (const cpu of rig.cpus) {
        expect(cpu.guestTime() + cpu.xenTime() + cpu.idleTime()).toBe(rig.clock.now);
      }
    }
    expect(rig.cpus[0]!.guestTime()).toBeGreaterThan(us(500));
    expect(rig.cpus[1]!.guestTime()).toBe(0);
  });

  test('an idle CPU spends nothing in Xen', () => {
    const { rig, other } = busy();
    const before = other.xenTime();
    rig.run(ms(100));
    expect(other.xenTime()).toBe(before);
  });

  test('a virtual CPU ran as long as it had a CPU', () => {
    const { rig } = busy();
    rig.run(ms(50));
    expect(rig.ran(0)).toBeGreaterThan(rig.clock.now - us(10));
  });

  test("a CPU's own time runs ahead within a step and never back", () => {
    const { rig, cpu, accept } = busy();
    let last = 0;
    for (let i = 0; i < 2_000; i++) {
      if (i % 5 === 0) accept(EVENT_CHECK);
      rig.clock.step();
      expect(cpu.time).toBeGreaterThanOrEqual(last);
      expect(cpu.time).toBeGreaterThanOrEqual(rig.clock.now);
      last = cpu.time;
    }
  });
});

describe('blocking', () => {
  /** A guest that waits for its timer VIRQ between turns of 20 us. */
  function sleeper() {
    const rig = new HvRig({ cpus: 2, domains: [{ vcpus: [[0]] }, { vcpus: [[1]] }] });
    const guest = rig.guest();
    guest.calls.bindVirq(VIRQ_TIMER, 0);
    rig.start();
    rig.run(ms(1));
    expect(guest.v.state).toBe('blocked');
    return { rig, guest };
  }

  const raise = (rig: HvRig) => rig.xen.channels.vcpuVirq(0, 0, VIRQ_TIMER);

  test('an event wakes it: an upcall is the first thing it sees', () => {
    const { rig, guest } = sleeper();
    guest.log.length = 0;
    raise(rig);
    rig.run(us(20));
    expect(guest.log.map((l) => l.what)).toEqual(['upcall', 'handler', 'done']);
    expect(guest.v.state).toBe('blocked');
  });

  test('that needs no kick on top', () => {
    const { rig } = sleeper();
    raise(rig);
    expect(rig.cpus[0]!.softirqPending(softirqNumber('4.17', 'SCHEDULE'))).toBe(true);
    expect(rig.cpus[0]!.softirqPending(softirqNumber('4.17', 'VCPU_KICK'))).toBe(false);
  });

  test('with an event pending already it does not sleep', () => {
    const { rig, guest } = sleeper();
    let times = 0;
    guest.next = () => {
      if (++times === 1) raise(rig);
      guest.v.block();
    };
    guest.log.length = 0;
    raise(rig);
    const switches = rig.shop.trace.written;
    rig.run(us(4));
    while (times < 2) rig.clock.step();
    expect(guest.log.map((l) => l.what)).toEqual(['upcall', 'handler', 'done', 'upcall', 'handler', 'done']);
    const names = [...rig.shop.trace.records(switches + 1)].map((r) => r.point.name);
    expect(names.filter((n) => n === 'sched_switch')).toHaveLength(1);
  });

  test('it stays current until the scheduling softirq; an event in between finds it there', () => {
    const { rig, guest } = sleeper();
    raise(rig);
    while (!(guest.v.blocked && guest.v.state === 'running')) rig.clock.step();
    expect(rig.cpus[0]!.current).toBe(guest.v);
    guest.log.length = 0;
    const before = rig.shop.trace.written;
    raise(rig);
    expect(guest.v.blocked).toBe(false);
    while (guest.log.length < 3) rig.clock.step();
    expect(guest.log.map((l) => l.what)).toEqual(['upcall', 'handler', 'done']);
    const names = [...rig.shop.trace.records(before + 1)].map((r) => r.point.name);
    expect(names).toContain('vcpu_wake');
    expect(names).not.toContain('sched_switch');
  });

  test('SCHEDOP_poll sleeps with upcalls masked until the port is pending', () => {
    const { rig, guest } = sleeper();
    const port = guest.calls.bindIpi(0);
    const events: string[] = [];
    let polled = false;
    guest.handler = () => events.push('handler');
    guest.next = () => {
      if (polled) {
        events.push('poll is over');
        guest.v.block();
        return;
      }
      polled = true;
      rig.shared[0]!.vcpus[0]!.upcallMask = 1;
      rig.shared[0]!.evtchnMask.set(port);
      guest.v.poll(port);
    };
    raise(rig);
    rig.run(us(30));
    expect([events, guest.v.state]).toEqual([['handler'], 'blocked']);
    rig.xen.channels.send(0, port);
    rig.run(us(30));
    expect(events).toEqual(['handler', 'poll is over']);
  });

  test('an event for one that sleeps needs no kick, for one that computes elsewhere one IPI', () => {
    const { rig, guest } = sleeper();
    const { sent } = rig.xen.eventCheck;
    const other = rig.guest(1);
    const port = other.calls.allocUnbound(0);
    guest.calls.bindInterdomain(1, port);
    rig.run(ms(1));
    other.compute(us(100));
    rig.xen.wake(1, 0);
    rig.run(ms(1));
    const before = rig.xen.eventCheck.sent;
    rig.xen.channels.xenNotify(0, guestPort(rig));
    rig.xen.channels.xenNotify(0, guestPort(rig));
    rig.run(us(20));
    expect(rig.xen.eventCheck.sent - before).toBe(1);
    expect(rig.xen.eventCheck.sent).toBeGreaterThan(sent);
  });

  /** The port of domain 0 that leads to domain 1. */
  function guestPort(rig: HvRig): number {
    return rig.xen.channels.channels(0).find((c) => c.kind === 'interdomain')!.port;
  }
});

describe('upcalls', () => {
  test('a masked one waits until the guest lets it in', () => {
    const b = busy();
    b.guest.calls.bindVirq(VIRQ_TIMER, 0);
    b.rig.shared[0]!.vcpus[0]!.upcallMask = 1;
    b.rig.xen.channels.vcpuVirq(0, 0, VIRQ_TIMER);
    b.rig.run(ms(1));
    expect(b.guest.times('upcall')).toEqual([]);
    b.rig.shared[0]!.vcpus[0]!.upcallMask = 0;
    b.rig.run(us(101));
    expect(b.guest.times('upcall')).toHaveLength(1);
  });

  test('what was interrupted goes on for as long as it had left', () => {
    const b = busy();
    b.guest.calls.bindVirq(VIRQ_TIMER, 0);
    intoStretch(b);
    b.guest.log.length = 0;
    b.rig.xen.channels.vcpuVirq(0, 0, VIRQ_TIMER);
    const from = b.rig.clock.now;
    b.rig.run(us(200));
    // 40 us were done when it was raised; the IPI let it run on for its flight
    const stopped = from + timing.ipiFlight;
    const back = b.guest.times('handler')[0]!;
    expect(b.guest.times('upcall')[0]! - stopped).toBe(
      timing.irqEntry + timing.doIrq + timing.apicVector + timing.irqEntry,
    );
    expect(back - b.guest.times('upcall')[0]!).toBe(timing.irqEntry + UPCALL);
    expect(b.guest.times('done')[0]! - back).toBe(us(60) - timing.ipiFlight);
  });

  test('a physical interrupt for an idle CPU wakes its guest within one step', () => {
    const rig = new HvRig({ cpus: 1, domains: [{ vcpus: [[0]] }] });
    const irq = rig.bindPirq(MSIX);
    rig.start();
    rig.run(ms(1));
    rig.guest().log.length = 0;
    const from = rig.clock.now;
    rig.xen.irqs.pulse(irq, rig.source('card'));
    rig.run(us(20));
    const { apicMessage, idleWake, irqEntry, doIrq, doIrqGuest, evtchnSetPending } = timing;
    const pending = apicMessage + idleWake + irqEntry + doIrq + doIrqGuest + evtchnSetPending;
    expect(rig.guest().times('upcall')[0]! - from).toBe(pending + timing.xenSwitch + timing.irqEntry);
  });
});

describe('CPUs that meet within a step', () => {
  /** A machine check, which all CPUs meet for, while the other one is in Xen for 30 us more. */
  function met() {
    const b = busy();
    intoStretch(b);
    const { rig, other } = b;
    other.charge(us(30));
    rig.xen.mce.raise('uncorrected', -1);
    return b;
  }

  test('the first waits in Xen until the last has come', () => {
    const { rig, cpu, other } = met();
    const from = rig.clock.now;
    while (!cpu.holding) rig.clock.step();
    expect([cpu.inXen, cpu.idle, other.holding]).toEqual([true, false, false]);
    while (cpu.holding) rig.clock.step();
    expect(rig.clock.now - from).toBeGreaterThanOrEqual(us(30));
    expect(cpu.time).toBeGreaterThan(rig.clock.now);
    rig.run(us(50));
    expect([cpu.holding, other.holding]).toEqual([false, false]);
  });

  test('an interrupt that comes meanwhile is taken when it goes on, the guest after that', () => {
    const b = met();
    const { rig, cpu, guest } = b;
    while (!cpu.holding) rig.clock.step();
    const seen = rig.countInterrupts();
    b.accept(EVENT_CHECK);
    rig.run(us(10));
    expect([seen.size, cpu.holding]).toEqual([0, true]);
    rig.run(us(200));
    expect(seen.get('0:fc')).toBe(1);
    expect(guest.times('done').length).toBeGreaterThan(1);
  });

  test('the time it waits is time in Xen', () => {
    const { rig, cpu } = met();
    const start = rig.clock.now;
    const before = cpu.xenTime();
    for (let t = 1; t <= 60; t++) {
      rig.run(us(1));
      expect(cpu.guestTime() + cpu.xenTime() + cpu.idleTime()).toBe(rig.clock.now);
    }
    // once in the handler, once in the softirq
    expect(cpu.xenTime() - before).toBeGreaterThan(us(30));
    expect(rig.clock.now - start).toBe(us(60));
  });
});
