/** Physical interrupts: acknowledgement, the stack of pending EOIs, re-aiming, and what becomes of each raise. */
import { describe, expect, test } from 'vitest';
import { VIRQ_CONSOLE } from '../../../../engine/abi/xen.ts';
import { ms, us } from '../../../../engine/core/clock.ts';
import { IRQ_MOVE_CLEANUP_VECTOR } from '../../../../engine/hv/xen/x86/apic-vectors.ts';
import { IRQ_MOVE_PENDING } from '../../../../engine/hv/xen/x86/irq-status.ts';
import { pvHypercall, timing } from '../../../../engine/timing.ts';
import { HvRig, MSI, MSIX } from '../../../support/hv-rig.ts';

/** Level pins, by rising vector: a0 and a8 on 4.17. */
const PIN_LOW = 16;
const PIN_HIGH = 17;
const EDGE_PIN = 5;
const CALL_FUNCTION = 'fb';

/**
 * A host of two CPUs whose domain 0 has a virtual CPU on each; what its guests are told of interrupts they do
 * not acknowledge by themselves.
 */
function host(profile: '3.4' | '4.17' = '4.17') {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0], [1]] }] });
  const { xen, cpus } = rig;
  const source = rig.source('card');
  const account = (destination: string, from = 'card') => {
    const found = rig.shop.books.accounts().find((a) => a.source === from && a.destination === destination);
    return found && { raised: found.raised, ...found.ignored };
  };
  const start = () => {
    rig.start();
    rig.run(ms(1));
  };
  return { rig, xen, irqs: xen.irqs, cpus, lapics: xen.lapics, source, account, start };
}

const isr = (h: ReturnType<typeof host>, cpu: number) => h.lapics[cpu]!.isr.members();
const depth = (h: ReturnType<typeof host>, cpu: number) => h.irqs.guests.pendingEoi[cpu]!.depth;
const movePending = (h: ReturnType<typeof host>, irq: number) =>
  (h.irqs.descs[irq]!.status & IRQ_MOVE_PENDING) !== 0;
const pirqOf = (h: ReturnType<typeof host>, irq: number) => h.irqs.descs[irq]!.pirqs[0]!.pirq;
const pending = ({ rig }: ReturnType<typeof host>, irq: number) => {
  const { domain, pirq } = rig.xen.irqs.descs[irq]!.pirqs[0]!;
  return rig.xen.channels.channels(domain).find((c) => c.kind === 'pirq' && c.pirq === pirq)!.pending;
};

describe('acknowledgement', () => {
  test.each([
    ['an edge line', -1, EDGE_PIN],
    ['a message that can be masked', MSIX, -1],
  ])('%s gets its EOI before the guest has looked', (_, device, gsi) => {
    const h = host();
    const irq = h.rig.bindPirq(device, gsi);
    h.start();
    h.rig.guest().compute(us(100));
    h.irqs.pulse(irq, h.source);
    while (!pending(h, irq)) h.rig.clock.step();
    expect([isr(h, 0), depth(h, 0), h.irqs.needsEoi(0, pirqOf(h, irq))]).toEqual([[], 0, false]);
  });

  test.each([
    ['a level line', -1, PIN_LOW],
    ['a message that cannot be masked', MSI, -1],
  ])('%s stays in service until the guest says EOI', (_, device, gsi) => {
    const h = host();
    const irq = h.rig.bindPirq(device, gsi);
    const { vector } = h.irqs.descs[irq]!;
    const pirq = pirqOf(h, irq);
    h.start();
    if (gsi >= 0) h.irqs.request(irq, h.source);
    else h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    expect([isr(h, 0), depth(h, 0), h.irqs.needsEoi(0, pirqOf(h, irq))]).toEqual([[vector], 1, true]);
    if (gsi >= 0) h.irqs.lower(irq);
    h.rig.guest().next = eoiThenSleep(h, pirq);
    wakeUp(h, 0);
    expect([isr(h, 0), depth(h, 0)]).toEqual([[], 0]);
  });

  test('what it does not know it acknowledges and drops', () => {
    const h = host();
    h.start();
    h.lapics[0]!.request(0x3f);
    h.rig.run(us(20));
    expect(isr(h, 0)).toEqual([]);
  });
});

/** A guest's step that says EOI for the pirqs, in order, and sleeps. */
function eoiThenSleep({ rig }: ReturnType<typeof host>, ...pirqs: number[]): () => void {
  let said = false;
  return () => {
    const guest = rig.guest();
    if (!said) for (const pirq of pirqs) guest.calls.eoi(pirq);
    said = true;
    guest.v.block();
  };
}

/** Wakes a virtual CPU and lets it run. */
function wakeUp({ rig, xen }: ReturnType<typeof host>, vcpu: number): void {
  xen.wake(0, vcpu);
  rig.run(us(50));
}

describe('the stack of pending EOIs', () => {
  /** Two level lines for CPU 0, their vectors of one class. */
  function both() {
    const h = host();
    const irqs = [h.rig.bindPirq(-1, PIN_LOW), h.rig.bindPirq(-1, PIN_HIGH)] as const;
    const vectors = irqs.map((irq) => h.irqs.descs[irq]!.vector) as [number, number];
    h.start();
    return { ...h, low: irqs[0], high: irqs[1], vectors };
  }

  test('only a higher class comes through, and is on top', () => {
    const h = both();
    const other = h.rig.bindPirq(MSI);
    const { vector } = h.irqs.descs[other]!;
    expect(vector >> 4).toBeGreaterThan(h.vectors[1] >> 4);
    for (const irq of [h.low, h.high]) h.irqs.request(irq, h.source);
    h.irqs.pulse(other, h.source);
    h.rig.run(us(50));
    // the two lines are of one class: the one that came first is taken, the other waits at the local APIC
    expect(isr(h, 0)).toEqual([h.vectors[0], vector]);
    expect(h.lapics[0]!.irr.members()).toEqual([h.vectors[1]]);
    expect(h.irqs.guests.pendingEoi[0]!.list().map((e) => e.vector)).toEqual([h.vectors[0], vector]);
  });

  test('one that is done below another waits for it; then both go', () => {
    const h = both();
    const other = h.rig.bindPirq(MSI);
    h.irqs.request(h.high, h.source);
    h.irqs.pulse(other, h.source);
    h.rig.run(us(50));
    const { vector } = h.irqs.descs[other]!;
    const pirq = pirqOf(h, other);
    h.irqs.lower(h.high);
    h.rig.guest().next = eoiThenSleep(h, PIN_HIGH);
    wakeUp(h, 0);
    expect([isr(h, 0), depth(h, 0)]).toEqual([[h.vectors[1], vector], 2]);
    h.rig.guest().next = eoiThenSleep(h, pirq);
    wakeUp(h, 0);
    expect([isr(h, 0), depth(h, 0)]).toEqual([[], 0]);
  });

  test('an EOI said twice, or for what is not in flight, is nothing', () => {
    const h = both();
    h.irqs.request(h.high, h.source);
    h.rig.run(us(50));
    h.irqs.lower(h.high);
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW, PIN_HIGH, PIN_HIGH);
    wakeUp(h, 0);
    expect([isr(h, 0), depth(h, 0)]).toEqual([[], 0]);
  });

  test('an EOI said on another CPU is an IPI to the one that took the interrupt', () => {
    const h = both();
    const counts = h.rig.countInterrupts();
    h.irqs.request(h.high, h.source);
    h.rig.run(us(50));
    h.irqs.lower(h.high);
    const other = h.rig.guest(0, 1);
    let said = 0;
    other.next = () => {
      if (said === 0) {
        other.calls.eoi(PIN_HIGH);
        said = h.rig.clock.now;
        expect(isr(h, 0)).toEqual([h.vectors[1]]);
      }
      other.v.block();
    };
    wakeUp(h, 1);
    expect([isr(h, 0), depth(h, 0)]).toEqual([[], 0]);
    expect([counts.get(`0:${CALL_FUNCTION}`), counts.get(`1:${CALL_FUNCTION}`)]).toEqual([1, undefined]);
  });

  test('a vector in service keeps back its own class until then', () => {
    const h = both();
    h.irqs.request(h.high, h.source);
    h.rig.run(us(50));
    h.irqs.request(h.low, h.source);
    h.rig.run(us(50));
    expect([isr(h, 0), h.irqs.lines.isPending(h.low)]).toEqual([[h.vectors[1]], true]);
    h.irqs.lower(h.high);
    h.rig.guest().next = eoiThenSleep(h, PIN_HIGH);
    wakeUp(h, 0);
    expect([isr(h, 0), h.irqs.lines.isPending(h.low)]).toEqual([[h.vectors[0]], false]);
  });
});

describe('a level line', () => {
  test('still high after the EOI is a new raise, by the line itself', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW);
    wakeUp(h, 0);
    expect(h.account('dom0 pirq 16', 'reassert')).toEqual({ raised: 1 });
    expect(h.account('dom0 pirq 16')).toEqual({ raised: 1 });
    expect(depth(h, 0)).toBe(1);
  });

  test('that raise leaves the IOAPIC when the hypercall has come to the EOI', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW);
    const before = h.rig.shop.trace.written;
    wakeUp(h, 0);
    const records = [...h.rig.shop.trace.records(before + 1)];
    const at = (name: string) => records.find((r) => r.point.name === name)!.time;
    expect(at('apic_accept') - at('irq_raise')).toBe(pvHypercall() + timing.apicMessage);
  });

  test('asked for again while it is on its way is one with that', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.irqs.request(irq, h.source);
    expect(h.rig.shop.books.accounts().find((a) => a.destination === 'dom0 pirq 16')).toMatchObject({
      raised: 2,
      coalesced: 1,
    });
  });

  test('asked for again while in service is not a raise of its own', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    h.irqs.request(irq, h.source);
    expect(h.account('dom0 pirq 16')).toEqual({ raised: 2, 'in service': 1 });
  });

  test('high when it is bound is served at once', () => {
    const h = host();
    const { calls } = h.rig.guest();
    calls.mapPirq(0, PIN_LOW);
    h.irqs.request(PIN_LOW, h.source);
    expect(h.account('-')).toEqual({ raised: 1, masked: 1 });
    h.rig.bindPirq(-1, PIN_LOW);
    expect(h.account('dom0 pirq 16', 'reassert')).toEqual({ raised: 1 });
    h.start();
    expect(depth(h, 0)).toBe(1);
  });

  test('unbound while in service, it gets its EOI and is masked', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    const { port } = h.xen.channels.channels(0).find((c) => c.kind === 'pirq')!;
    h.xen.channels.close(0, port);
    h.rig.run(us(50));
    expect([isr(h, 0), depth(h, 0)]).toEqual([[], 0]);
    // nobody is left to be interrupted by the wire that is still high
    expect(h.account('dom0 pirq 16', 'reassert')).toBeUndefined();
  });
});

describe('a raise that is lost', () => {
  test('an edge that nobody is bound to, when it is handled; the second one masks the pin', () => {
    const h = host();
    h.rig.guest().calls.mapPirq(0, EDGE_PIN);
    h.start();
    const fire = () => {
      h.irqs.pulse(EDGE_PIN, h.source);
      h.rig.run(us(50));
      return h.irqs.ioapics.entry(EDGE_PIN).masked;
    };
    expect([fire(), fire(), fire()]).toEqual([false, true, true]);
    expect(h.account('dom0 pirq 5')).toEqual({ raised: 2, unbound: 2 });
    expect(h.account('-')).toEqual({ raised: 1, masked: 1 });
    expect(isr(h, 0)).toEqual([]);
  });

  test('a message that nobody has bound, for being unbound', () => {
    const h = host();
    const pirq = h.rig.guest().calls.mapPirq(MSIX, -1);
    h.irqs.pulse(h.xen.irqOf(0, pirq), h.source);
    expect(h.account('-')).toEqual({ raised: 1, unbound: 1 });
  });

  test('a message that is unbound while it waits, when it is handled', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    h.start();
    h.irqs.pulse(irq, h.source);
    const { port, pirq } = h.xen.channels.channels(0).find((c) => c.kind === 'pirq')!;
    h.xen.channels.close(0, port);
    h.rig.run(us(50));
    expect(h.account(`dom0 pirq ${pirq}`)).toEqual({ raised: 1, unbound: 1 });
    expect(isr(h, 0)).toEqual([]);
  });

  test('a message whose pirq is unmapped while it is on its way', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    const pirq = pirqOf(h, irq);
    h.start();
    h.irqs.pulse(irq, h.source);
    h.rig.guest().calls.unmapPirq(pirq);
    h.rig.run(us(50));
    expect(h.account(`dom0 pirq ${pirq}`)).toEqual({ raised: 1, unmapped: 1 });
    expect([h.irqs.descs[irq], h.xen.irqOf(0, pirq)]).toEqual([undefined, -1]);
  });
});

describe('requests', () => {
  test('two messages before the first is taken are one interrupt', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    h.start();
    h.irqs.pulse(irq, h.source);
    h.rig.run(timing.apicMessage - 10);
    h.irqs.pulse(irq, h.source);
    expect(h.rig.shop.books.accounts().find((a) => a.source === 'card')).toMatchObject({ coalesced: 1 });
  });

  test('one that comes after the CPU has acknowledged the first is another interrupt', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    h.start();
    const counts = h.rig.countInterrupts();
    const { vector } = h.irqs.descs[irq]!;
    h.irqs.pulse(irq, h.source);
    while (isr(h, 0).length === 0) h.rig.clock.step();
    expect(h.irqs.lines.isPending(irq)).toBe(false);
    h.irqs.pulse(irq, h.source);
    expect(h.irqs.lines.isPending(irq)).toBe(true);
    h.rig.run(us(50));
    expect(counts.get(`0:${vector.toString(16)}`)).toBe(2);
  });

  test('a wave of interrupts is taken highest vector first', () => {
    const h = host();
    const irqs = [MSIX, MSIX, MSIX].map((device) => h.rig.bindPirq(device));
    h.start();
    const taken: number[] = [];
    const original = h.xen.interrupt.bind(h.xen);
    h.xen.interrupt = (cpu, vector) => {
      taken.push(vector);
      original(cpu, vector);
    };
    h.lapics[0]!.request(0xfc);
    for (const irq of irqs) h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    const vectors = irqs.map((irq) => h.irqs.descs[irq]!.vector);
    expect(taken.filter((v) => vectors.includes(v))).toEqual([...vectors].sort((a, b) => b - a));
  });
});

describe('where an interrupt goes', () => {
  test('to the CPU of the virtual CPU that it was bound for', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    expect(h.irqs.descs[irq]!.cpu).toBe(0);
  });

  test('re-aimed, the next one still arrives where it was, and takes the move along', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSIX);
    h.start();
    const { vector } = h.irqs.descs[irq]!;
    const counts = h.rig.countInterrupts();
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    const fire = () => {
      h.irqs.pulse(irq, h.source);
      h.rig.run(us(50));
      return [counts.get(`0:${vector.toString(16)}`) ?? 0, counts.get(`1:${vector.toString(16)}`) ?? 0];
    };
    expect([fire(), fire(), fire()]).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
  });

  test('a message on its way arrives at the CPU that it was sent to', () => {
    const h = host();
    const [a, b] = [h.rig.bindPirq(MSIX), h.rig.bindPirq(MSIX)];
    h.start();
    h.irqs.pulse(a, h.source);
    const desc = h.irqs.descs[a]!;
    h.irqs.table.aim(desc, 1);
    while (!h.lapics[0]!.isr.has(desc.vector)) h.rig.clock.step();
    expect(h.lapics[1]!.irr.members()).toEqual([]);
    h.rig.run(us(50));
    h.irqs.pulse(b, h.source);
    expect(h.irqs.lines.isPending(b)).toBe(true);
  });

  test('a level line moves at its EOI, not while it is in service', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    expect(h.irqs.descs[irq]!.cpu).toBe(0);
    h.irqs.lower(irq);
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW);
    wakeUp(h, 0);
    expect([h.irqs.descs[irq]!.cpu, h.irqs.ioapics.entry(irq).destination]).toEqual([1, 1]);
  });

  test('raised anew by its EOI, it moves only at the next', () => {
    const h = host();
    const irq = h.rig.bindPirq(-1, PIN_LOW);
    h.start();
    h.irqs.request(irq, h.source);
    h.rig.run(us(50));
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW);
    wakeUp(h, 0);
    expect([h.irqs.descs[irq]!.cpu, movePending(h, irq)]).toEqual([0, true]);
    h.irqs.lower(irq);
    h.rig.guest().next = eoiThenSleep(h, PIN_LOW);
    wakeUp(h, 0);
    expect([h.irqs.descs[irq]!.cpu, movePending(h, irq)]).toEqual([1, false]);
  });

  test('a message in service on two CPUs is ended on both when the guest is done with the last', () => {
    const h = host();
    const irq = h.rig.bindPirq(MSI);
    const pirq = pirqOf(h, irq);
    h.start();
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    h.irqs.pulse(irq, h.source);
    // said on CPU 1 just before the second one is taken there: the IPI to CPU 0 comes too late
    const other = h.rig.guest(0, 1);
    let said = false;
    other.next = () => {
      if (!said) other.calls.eoi(pirq);
      said = true;
      other.v.block();
    };
    while (!h.lapics[1]!.isr.has(h.irqs.descs[irq]!.vector)) h.rig.clock.step();
    h.rig.run(1_000);
    h.irqs.guests.guestEoi(0, pirq);
    h.rig.run(us(50));
    expect([depth(h, 0), depth(h, 1)]).toEqual([1, 1]);
    wakeUp(h, 1);
    expect([depth(h, 0), depth(h, 1), isr(h, 0), isr(h, 1)]).toEqual([0, 0, [], []]);
  });

  test('a pin that is unmapped and mapped again keeps its vector', () => {
    const h = host();
    const { calls } = h.rig.guest();
    for (const gsi of [EDGE_PIN, PIN_LOW]) {
      calls.mapPirq(0, gsi);
      const { vector } = h.irqs.descs[gsi]!;
      calls.unmapPirq(gsi);
      expect(h.irqs.descs[gsi]!.pirqs).toEqual([]);
      calls.mapPirq(0, gsi);
      expect(h.irqs.descs[gsi]!.vector).toBe(vector);
    }
  });

  test('a legacy line leaves CPU 0 with a new vector; the old one is free after the first interrupt there', () => {
    const h = host();
    h.start();
    const irq = h.rig.bindPirq(-1, EDGE_PIN);
    const before = h.irqs.descs[irq]!.vector;
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    const after = h.irqs.descs[irq]!.vector;
    expect([after === before, h.irqs.ioapics.entry(irq).vector]).toEqual([false, after]);
    expect(h.irqs.table.vectors.irqOf(before)).toBe(irq);
    h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    expect(h.irqs.table.vectors.irqOf(before)).toBeLessThan(0);
    expect(h.irqs.table.vectors.irqOf(after)).toBe(irq);
  });

  test('CPU 0 frees it when it is told by IPI, and not while a request by it waits there', () => {
    const h = host();
    h.start();
    const irq = h.rig.bindPirq(-1, EDGE_PIN);
    const old = h.irqs.descs[irq]!.vector;
    const fire = () => {
      h.irqs.pulse(irq, h.source);
      h.rig.run(us(50));
    };
    h.irqs.setAffinity(0, pirqOf(h, irq), 1);
    fire();
    expect([h.irqs.descs[irq]!.oldVector, h.irqs.descs[irq]!.moveCleanup]).toEqual([old, false]);
    h.irqs.pulse(irq, h.source);
    while (!h.lapics[0]!.isr.has(IRQ_MOVE_CLEANUP_VECTOR)) h.rig.clock.step();
    expect(h.irqs.descs[irq]!.moveCleanup).toBe(true);
    h.lapics[0]!.request(old);
    while (h.lapics[0]!.isr.has(IRQ_MOVE_CLEANUP_VECTOR)) h.rig.clock.step();
    expect([h.irqs.descs[irq]!.oldVector, h.irqs.table.vectors.irqOf(old)]).toEqual([old, irq]);
    h.rig.run(us(50));
    expect(h.irqs.descs[irq]).toMatchObject({ oldVector: -1, moveCleanup: false });
    const cleanups = h.xen.inspect().cpus[0]!.vectors.find((v) => v.vector === IRQ_MOVE_CLEANUP_VECTOR);
    expect(cleanups).toEqual({ vector: 0x22, count: 2 });
    expect(h.xen.vectorName(0x22).what).toBe('irq_move_cleanup_interrupt');
  });

  test('on 3.4 the vector stays whichever CPU it is aimed at', () => {
    const h = host('3.4');
    const irq = h.rig.bindPirq(-1, EDGE_PIN);
    const { vector } = h.irqs.descs[irq]!;
    h.irqs.table.aim(h.irqs.descs[irq]!, 1);
    expect(h.irqs.descs[irq]).toMatchObject({ vector, cpu: 1, oldVector: -1 });
  });

  test('it follows its virtual CPU to another CPU', () => {
    const rig = new HvRig({ cpus: 2, domains: [{ vcpus: [[0, 1]] }, { vcpus: [[0]] }] });
    const irq = rig.bindPirq(MSIX);
    const { v } = rig.guest();
    const { cpu } = v.cpu;
    rig.start();
    rig.run(ms(1));
    rig.guest(1).compute(us(100));
    v.cpu = rig.cpus[0]!;
    rig.xen.wake(1, 0);
    rig.run(us(30));
    rig.xen.wake(0, 0);
    rig.run(us(30));
    expect([cpu, v.cpu.cpu, rig.xen.irqs.descs[irq]!.moveTo]).toEqual([0, 1, 1]);
  });
});

test("the serial line is Xen's: its interrupt reaches dom0 as VIRQ_CONSOLE in the same journey", () => {
  const h = host();
  const port = h.rig.guest().calls.bindVirq(VIRQ_CONSOLE, 0);
  h.start();
  const journey = h.xen.serialInput();
  h.rig.run(us(50));
  expect(h.rig.guest().times('upcall')).toHaveLength(1);
  const hops = h.rig.shop.trace.journey(journey).map((r) => r.point.name);
  expect(hops.slice(0, 8)).toEqual([
    'irq_raise',
    'apic_accept',
    'do_IRQ',
    'ns16550_interrupt',
    'send_guest_global_virq',
    'evtchn_set_pending',
    'vcpu_kick',
    'vcpu_wake',
  ]);
  expect(h.account('xen irq 4', 'uart')).toEqual({ raised: 1 });
  expect(h.account(`dom0:${port}`, 'xen console')).toEqual({ raised: 1 });
});

test('the hops of an interrupt are at the times at which they happen', () => {
  const h = host();
  const irq = h.rig.bindPirq(MSIX);
  h.start();
  const journey = h.irqs.pulse(irq, h.source);
  h.rig.run(us(50));
  const records = h.rig.shop.trace.journey(journey);
  const at = new Map(records.map((r) => [r.point.name, r.time - records[0]!.time]));
  const { apicMessage, idleWake, irqEntry, doIrq, doIrqGuest, evtchnSetPending } = timing;
  const accepted = apicMessage;
  const doIrqAt = accepted + idleWake + irqEntry;
  expect(at.get('apic_accept')).toBe(accepted);
  expect(at.get('do_IRQ')).toBe(doIrqAt);
  expect(at.get('do_IRQ_guest')).toBe(doIrqAt + doIrq);
  expect(at.get('send_guest_pirq')).toBe(doIrqAt + doIrq + doIrqGuest);
  expect(at.get('evtchn_set_pending')).toBe(doIrqAt + doIrq + doIrqGuest);
  expect(at.get('vcpu_kick')).toBe(doIrqAt + doIrq + doIrqGuest + evtchnSetPending);
});

describe('4.17’s record of an interrupt that guests have got', () => {
  const handled = (profile: '3.4' | '4.17') => {
    const h = host(profile);
    const irq = h.rig.bindPirq(MSIX);
    h.start();
    h.irqs.pulse(irq, h.source);
    h.rig.run(us(50));
    const records = [...h.rig.shop.trace.records()];
    const at = (name: string) => records.find((r) => r.point.name === name);
    return {
      irq,
      record: at('irq_handled'),
      guestPart: at('do_IRQ_guest')!,
      sent: at('evtchn_set_pending')!,
    };
  };

  test('has its number and the times before and after do_IRQ_guest (TRC_HW_IRQ_HANDLED)', () => {
    const { irq, record, guestPart, sent } = handled('4.17');
    expect(record!.args.slice(0, 2)).toEqual([irq, guestPart.time]);
    expect(record!.args[2]).toBeGreaterThanOrEqual(sent.time + timing.evtchnSetPending);
  });

  test('is missing on 3.4', () => {
    expect(handled('3.4').record).toBeUndefined();
  });
});

test('on 4.17 the local APIC’s own vectors come through do_IRQ, on 3.4 they do not', () => {
  for (const profile of ['3.4', '4.17'] as const) {
    const h = host(profile);
    h.start();
    const inIrq: boolean[] = [];
    const original = h.xen.directApicVector.bind(h.xen);
    h.xen.directApicVector = (cpu, vector) => {
      inIrq.push(h.irqs.inIrq(cpu));
      return original(cpu, vector);
    };
    h.lapics[0]!.request(0xfc);
    h.rig.run(us(20));
    expect([inIrq, h.irqs.inIrq(h.cpus[0]!)]).toEqual([[profile === '4.17'], false]);
  }
});

test('mapping more messages than there are vectors is refused', () => {
  const rig = new HvRig();
  const { calls } = rig.guest();
  const answers = Array.from({ length: 41 }, () => calls.mapPirq(MSIX, -1));
  // 64 pirqs, of which 24 are those of pins
  expect(answers.slice(0, 40).every((pirq) => pirq >= 24)).toBe(true);
  expect(answers[40]).toBe(-28);
});

test('its state travels as plain data', () => {
  const h = host();
  const low = h.rig.bindPirq(-1, PIN_LOW);
  const msi = h.rig.bindPirq(MSI);
  h.start();
  h.irqs.request(low, h.source);
  h.rig.run(us(50));
  h.irqs.pulse(msi, h.source);
  h.irqs.setAffinity(0, pirqOf(h, msi), 1);
  const saved = JSON.parse(JSON.stringify(h.irqs.save()));
  const copy = host();
  copy.rig.bindPirq(MSIX);
  copy.irqs.restore(saved);
  expect(copy.irqs.save()).toEqual(saved);
  expect(copy.xen.irqOf(0, PIN_LOW)).toBe(PIN_LOW);
  expect(copy.irqs.guests.pendingEoi[0]!.list()).toEqual(h.irqs.guests.pendingEoi[0]!.list());
  h.rig.run(us(50));
  expect(copy.irqs.save()).toEqual(saved);
});
