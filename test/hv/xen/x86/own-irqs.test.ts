/** The second half of do_IRQ: actions of Xen's own, and what becomes of an interrupt that comes while one runs. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../../engine/core/clock.ts';
import type { XenProfile } from '../../../../engine/hv/xen/softirq.ts';
import { SERIAL_IRQ, TIMER_IRQ } from '../../../../engine/hv/xen/x86/irq-desc.ts';
import {
  IRQ_DISABLED,
  IRQ_INPROGRESS,
  IRQ_PENDING,
  irqStatusNames,
  irqStatusWord,
} from '../../../../engine/hv/xen/x86/irq-status.ts';
import { timing } from '../../../../engine/timing.ts';
import { HvRig } from '../../../support/hv-rig.ts';

const ACTION = us(5);

/** A host of two idle CPUs; the platform timer's action takes 5 us, and tells when it ran. */
function host(profile: XenProfile) {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }] });
  const { irqs } = rig.xen;
  const ran: { cpu: number; at: number; inIrq: boolean }[] = [];
  irqs.setup(TIMER_IRQ, {
    name: 'timer_interrupt',
    handler: (cpu) => {
      ran.push({ cpu: cpu.cpu, at: rig.clock.now, inIrq: irqs.inIrq(cpu) });
      cpu.charge(ACTION);
    },
  });
  rig.start();
  rig.run(ms(1));
  const source = rig.source('pit');
  const desc = irqs.descs[TIMER_IRQ]!;
  const fire = () => irqs.pulse(TIMER_IRQ, source);
  const books = () => rig.shop.books.accounts().find((a) => a.source === 'pit')!;
  return { rig, irqs, ran, desc, fire, books };
}

const WAY = timing.apicMessage + timing.idleWake + timing.irqEntry + timing.doIrq;

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('an interrupt of Xen’s own runs its action once, IRQ_INPROGRESS until it is over', () => {
    const h = host(profile);
    const at = h.rig.clock.now;
    expect(h.desc.status).toBe(0);
    h.fire();
    h.rig.run(WAY + ACTION - 1);
    expect(h.ran).toEqual([{ cpu: 0, at: at + WAY, inIrq: true }]);
    expect(h.desc.status).toBe(IRQ_INPROGRESS);
    h.rig.run(1);
    expect([h.desc.status, h.irqs.inIrq(h.rig.cpus[0]!)]).toEqual([0, false]);
    expect(h.books()).toMatchObject({ raised: 1, delivered: 1 });
  });

  test('one that another CPU takes while the action runs is seen as IRQ_PENDING, and run by the first', () => {
    const h = host(profile);
    h.fire();
    h.rig.run(WAY + us(1));
    h.irqs.table.aim(h.desc, 1);
    h.fire();
    h.rig.run(WAY);
    expect(irqStatusNames(h.desc.status)).toEqual(['IRQ_INPROGRESS', 'IRQ_PENDING']);
    expect(h.rig.lapics[1]!.isr.members()).toEqual([]);
    expect(h.books()).toMatchObject({ raised: 2, delivered: 1, pending: 1 });
    h.rig.run(us(20));
    expect(h.ran.map((r) => r.cpu)).toEqual([0, 0]);
    expect(h.ran[1]!.at - h.ran[0]!.at).toBe(ACTION);
    expect([h.desc.status, h.books().delivered]).toEqual([0, 2]);
  });

  test('a second one before that is one with it', () => {
    const h = host(profile);
    h.fire();
    h.rig.run(WAY + us(1));
    h.irqs.table.aim(h.desc, 1);
    h.fire();
    h.rig.run(WAY);
    h.fire();
    h.rig.run(us(20));
    expect(h.ran).toHaveLength(2);
    expect(h.books()).toMatchObject({ raised: 3, delivered: 2, coalesced: 1, pending: 0 });
  });

  test('one that comes to the same CPU while the action runs is taken after it', () => {
    const h = host(profile);
    h.fire();
    h.rig.run(WAY + us(1));
    h.fire();
    h.rig.run(us(30));
    expect(h.ran.map((r) => r.at - h.ran[0]!.at)).toEqual([0, ACTION + timing.irqEntry + timing.doIrq]);
  });

  test('the guest and softirqs of that CPU wait until the action is over', () => {
    const h = host(profile);
    h.fire();
    h.rig.run(WAY + us(1));
    h.rig.xen.wake(0, 0);
    h.rig.run(us(3));
    expect(h.rig.guest().v.state).toBe('runnable');
    h.rig.run(us(20));
    expect(h.rig.guest().times('done')).toHaveLength(2);
  });

  test('nobody bound: IRQ_DISABLED, it leaves IRQ_PENDING behind and is lost', () => {
    const h = host(profile);
    h.rig.guest().calls.mapPirq(-1, 5);
    h.irqs.pulse(5, h.rig.source('card'));
    h.rig.run(us(20));
    expect(h.irqs.descs[5]!.status).toBe(IRQ_DISABLED | IRQ_PENDING);
  });

  test('the state of a running action travels', () => {
    const [a, b] = [host(profile), host(profile)];
    a.fire();
    a.rig.run(WAY + us(1));
    b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
    for (const h of [a, b]) {
      h.irqs.table.aim(h.irqs.descs[TIMER_IRQ]!, 1);
      h.fire();
      h.rig.run(us(30));
    }
    expect(b.ran.map((r) => r.at)).toEqual([a.ran[1]!.at]);
    expect(b.rig.shop.parts.save()).toEqual(a.rig.shop.parts.save());
  });
});

test('Xen’s lines: the platform timer and com1, with vectors above those of guests', () => {
  const { irqs } = host('4.17');
  const look = (irq: number) => {
    const { vector, own, type } = irqs.descs[irq]!;
    return { vector, own, type };
  };
  expect(look(TIMER_IRQ)).toEqual({ vector: 0xf0, own: 'timer_interrupt', type: 'IO-APIC-edge' });
  expect(look(SERIAL_IRQ)).toEqual({ vector: 0xf1, own: 'ns16550_interrupt', type: 'IO-APIC-edge' });
});

test('the status word is that of the version', () => {
  const all = 0xff;
  expect(irqStatusWord('4.17', all)).toBe(0xff);
  expect(irqStatusWord('3.4', all)).toBe(1 | 2 | 4 | 8 | 16 | 32 | 256);
});
