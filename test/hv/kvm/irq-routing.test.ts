/** From GSIs to chips and back, as KVM_SET_GSI_ROUTING, KVM_IRQ_LINE, KVM_SIGNAL_MSI and KVM_IRQFD have it. */
import { describe, expect, test } from 'vitest';
import { defaultRoutes, qemuRoutes, type Route } from '../../../engine/hv/kvm/irq-routing.ts';
import { RESAMPLE_SOURCE, USERSPACE_SOURCE } from '../../../engine/hv/kvm/irqchip.ts';
import { IrqChipRig } from '../../support/irqchip-rig.ts';

const EINVAL = -22;
const EBUSY = -16;
const LEVEL = 1 << 15;
const VECTOR = 0x61;
const MSI = 0xfee0_0000;

function rig(routes: readonly Route[] = defaultRoutes(), vcpus = 1, wideIds = false) {
  const made = new IrqChipRig(vcpus, { wideIds });
  expect(made.routing.setRoutes(routes)).toBe(0);
  return made;
}

const set = ({ routing }: IrqChipRig, gsi: number, level: boolean, source = USERSPACE_SOURCE) =>
  routing.setIrq(source, gsi, level);

describe('tables', () => {
  const pinsOf = (routes: readonly Route[], to: 'pic' | 'ioapic') =>
    routes.flatMap((r) => (r.to === to ? [`${r.gsi}>${r.pin}`] : []));
  const same = (from: number, end: number) =>
    Array.from({ length: end - from }, (_, i) => `${from + i}>${from + i}`);

  test("KVM's own leads GSI 0 to 15 to both chips and the rest to the IOAPIC", () => {
    const routes = defaultRoutes();
    expect(pinsOf(routes, 'ioapic')).toEqual(same(0, 24));
    expect(pinsOf(routes, 'pic')).toEqual(same(0, 16));
  });

  test("QEMU's leads the timer's GSI 0 to pin 2 of the IOAPIC, and GSI 2 nowhere", () => {
    const routes = qemuRoutes();
    expect(pinsOf(routes, 'ioapic')).toEqual(['0>2', ...same(1, 2), ...same(3, 24)]);
    expect(pinsOf(routes, 'pic')).toEqual([...same(0, 2), ...same(3, 16)]);
  });

  test('a new table replaces the old one whole', () => {
    const r = rig();
    r.entry(20, VECTOR);
    expect(r.routing.setRoutes([{ gsi: 5, to: 'ioapic', pin: 20 }])).toBe(0);
    expect(set(r, 20, true)).toBe(-1);
    expect([set(r, 5, true), r.ack()]).toEqual([1, VECTOR]);
  });

  test('an empty one leads nowhere', () => {
    const r = rig([]);
    expect([0, 4, 23].map((gsi) => set(r, gsi, true))).toEqual([-1, -1, -1]);
  });

  test.each<[string, Route[]]>([
    ['a pin that the IOAPIC does not have', [{ gsi: 1, to: 'ioapic', pin: 24 }]],
    ['a pin that the 8259s do not have', [{ gsi: 1, to: 'pic', pin: 16 }]],
    ['a pin below 0', [{ gsi: 1, to: 'pic', pin: -1 }]],
    ['a GSI of 4096', [{ gsi: 4096, to: 'ioapic', pin: 1 }]],
    ['a GSI below 0', [{ gsi: -1, to: 'ioapic', pin: 1 }]],
    [
      'a GSI that leads to one chip twice',
      [
        { gsi: 1, to: 'ioapic', pin: 1 },
        { gsi: 1, to: 'ioapic', pin: 2 },
      ],
    ],
    [
      'a GSI that leads to one 8259 twice',
      [
        { gsi: 1, to: 'pic', pin: 8 },
        { gsi: 1, to: 'pic', pin: 9 },
      ],
    ],
    [
      'a GSI that leads to a pin and to a message',
      [
        { gsi: 1, to: 'pic', pin: 1 },
        { gsi: 1, to: 'msi', addressLow: MSI, addressHigh: 0, data: VECTOR },
      ],
    ],
    [
      'a GSI that leads to two messages',
      [
        { gsi: 1, to: 'msi', addressLow: MSI, addressHigh: 0, data: VECTOR },
        { gsi: 1, to: 'msi', addressLow: MSI, addressHigh: 0, data: VECTOR + 1 },
      ],
    ],
    [
      'more entries than there may be',
      Array.from({ length: 4097 }, (_, i): Route => ({ gsi: i % 4096, to: 'ioapic', pin: 1 })),
    ],
  ])('%s is refused, and the table is as it was', (_what, routes) => {
    const r = rig();
    r.entry(20, VECTOR);
    expect(r.routing.setRoutes([{ gsi: 30, to: 'ioapic', pin: 3 }, ...routes])).toBe(EINVAL);
    expect([set(r, 30, true), set(r, 20, true), r.routing.refused]).toEqual([-1, 1, 1]);
  });

  test('a GSI may lead to both 8259s, the IOAPIC, and share its pin with others', () => {
    const r = rig([
      { gsi: 4095, to: 'pic', pin: 1 },
      { gsi: 4095, to: 'pic', pin: 9 },
      { gsi: 4095, to: 'ioapic', pin: 7 },
      { gsi: 6, to: 'ioapic', pin: 7 },
    ]);
    r.initPics();
    r.entry(7, VECTOR);
    expect(set(r, 4095, true)).toBe(3);
    expect([r.chip.pic.master.irr & 2, r.chip.pic.slave.irr & 2, r.ack()]).toEqual([2, 2, VECTOR]);
    expect(set(r, 6, true)).toBe(0);
  });

  test('who gave it may change what was given without changing the table', () => {
    const routes: { gsi: number; to: 'ioapic'; pin: number }[] = [{ gsi: 5, to: 'ioapic', pin: 5 }];
    const r = rig(routes);
    routes[0]!.pin = 99;
    r.entry(5, VECTOR);
    expect(set(r, 5, true)).toBe(1);
  });
});

describe('kvm_set_irq', () => {
  test('above 0: the processors reached, over all routes', () => {
    const r = rig(defaultRoutes(), 2);
    r.initPics();
    r.entry(4, VECTOR, 0xff);
    expect(set(r, 4, true)).toBe(3);
  });

  test('0: one with a request that waits', () => {
    const r = rig();
    r.entry(20, VECTOR);
    set(r, 20, true);
    expect(set(r, 20, true)).toBe(0);
  });

  test('below 0: masked everywhere, or no such GSI', () => {
    const r = rig();
    r.chip.pic.write(0x21, 0xff);
    expect([
      set(r, 4, true),
      set(r, 20, true),
      set(r, 24, true),
      set(r, 4096, true),
      set(r, -1, true),
    ]).toEqual([-1, -1, -1, -1, -1]);
  });

  test('one chip that ignores it does not take away from the other', () => {
    const r = rig();
    r.initPics();
    expect(set(r, 4, true)).toBe(1);
    set(r, 4, false);
    expect(set(r, 4, true)).toBe(0);
  });

  test('a line is high while any of its sources holds it', () => {
    const r = rig();
    r.entry(20, LEVEL | VECTOR);
    r.enter();
    const a = r.chip.requestSource();
    const b = r.chip.requestSource();
    set(r, 20, true, a);
    set(r, 20, true, b);
    set(r, 20, false, a);
    r.ack();
    r.eoi();
    expect(r.ack()).toBe(VECTOR);
    set(r, 20, false, b);
    r.eoi();
    expect([r.ack(), r.remoteIrr(20)]).toEqual([-1, false]);
  });

  test('a source that does not exist is our mistake, not the neighbouring line', () => {
    const r = rig();
    expect(() => set(r, 20, true, 64)).toThrow('source 64 of an interrupt, there are 64');
    expect(() => set(r, 20, true, -1)).toThrow('source -1');
  });
});

test('a level that rose while its entry was masked is delivered when it is unmasked', () => {
  const r = rig();
  expect(set(r, 20, true)).toBe(-1);
  r.entry(20, LEVEL | VECTOR);
  expect(r.ack()).toBe(VECTOR);
});

describe('source ids', () => {
  test('those of user space and of resampling exist from the start; the rest is given out lowest first', () => {
    const { chip } = rig();
    expect([chip.requestSource(), chip.requestSource()]).toEqual([2, 3]);
    chip.freeSource(2);
    expect([chip.requestSource(), chip.requestSource()]).toEqual([2, 4]);
  });

  test('there are 64; then the answer is EFAULT', () => {
    const { chip } = rig();
    const ids = Array.from({ length: 62 }, () => chip.requestSource());
    expect([ids.at(-1), chip.requestSource()]).toEqual([63, -14]);
  });

  test('one that is freed lets go of its lines, but nobody looks at them for that', () => {
    const r = rig();
    r.entry(20, LEVEL | VECTOR);
    r.enter();
    const id = r.chip.requestSource();
    set(r, 20, true, id);
    r.ack();
    r.chip.freeSource(id);
    r.eoi();
    expect(r.ack()).toBe(VECTOR);
    set(r, 20, false);
    r.eoi();
    expect(r.ack()).toBe(-1);
  });

  test('at the 8259s too', () => {
    const r = rig();
    const id = r.chip.requestSource();
    set(r, 3, true, id);
    r.chip.freeSource(id);
    expect([r.chip.pic.levels.high(3), r.chip.ioapic.levels.high(3)]).toEqual([false, false]);
  });

  test('freeing what is out of range does nothing', () => {
    const { chip } = rig();
    const before = JSON.stringify(chip.save());
    for (const id of [-1, 64, 1000]) chip.freeSource(id);
    expect(JSON.stringify(chip.save())).toBe(before);
  });
});

describe('messages', () => {
  test('a route of a message sends it on the rise; a fall is ignored', () => {
    const r = rig([{ gsi: 40, to: 'msi', addressLow: MSI | (1 << 12), addressHigh: 0, data: VECTOR }], 2);
    expect([set(r, 40, true), r.ack(0), r.ack(1)]).toEqual([1, -1, VECTOR]);
    expect(set(r, 40, false)).toBe(-1);
  });

  test('KVM_SIGNAL_MSI: physical, logical, and to all', () => {
    const r = rig([], 2);
    for (const [i, apic] of r.apics.entries()) apic.write(0xd0, 1 << (24 + i));
    expect(r.routing.signalMsi(MSI | (1 << 12), 0, 0x41)).toBe(1);
    expect(r.routing.signalMsi(MSI | (3 << 12) | 4, 0, 0x42)).toBe(2);
    expect(r.routing.signalMsi(MSI | (0xff << 12), 0, 0x43)).toBe(2);
    expect(r.apics.map((apic) => apic.irr.members())).toEqual([
      [0x42, 0x43],
      [0x41, 0x42, 0x43],
    ]);
  });

  test('to nobody: 0 where the map of destinations says so, -1 where each was asked; counted', () => {
    const r = rig([], 2);
    expect([r.routing.signalMsi(MSI | (9 << 12), 0, VECTOR), r.routing.refused]).toEqual([0, 0]);
    // one logical address flat and one in a cluster: there is no map
    r.apics[0]!.write(0xd0, 1 << 24);
    r.apics[1]!.write(0xd0, 1 << 24);
    r.apics[1]!.write(0xe0, 0x0fff_ffff);
    expect([r.routing.signalMsi(MSI | (0x80 << 12) | 4, 0, VECTOR), r.routing.refused]).toEqual([-1, 1]);
  });

  test('with 32-bit destinations the upper half of the address has 24 bits, and no others', () => {
    const r = rig([], 1, true);
    expect(r.routing.signalMsi(MSI, 0x100, VECTOR)).toBe(0);
    expect(r.routing.signalMsi(MSI, 0x01, VECTOR)).toBe(EINVAL);
    expect(r.routing.setRoutes([{ gsi: 1, to: 'msi', addressLow: MSI, addressHigh: 1, data: VECTOR }])).toBe(
      EINVAL,
    );
    expect(r.routing.refused).toBe(2);
  });

  test('without them it does not matter', () => {
    expect(rig().routing.signalMsi(MSI, 0x01, VECTOR)).toBe(1);
  });
});

describe('ack notifiers', () => {
  test('hear of an EOI before remote IRR is cleared, the last registered first', () => {
    const r = rig();
    const heard: unknown[] = [];
    r.routing.notify(20, () => heard.push(['first', r.remoteIrr(20)]));
    r.routing.notify(20, () => heard.push(['second', r.remoteIrr(20)]));
    r.routing.notify(21, () => heard.push('another'));
    r.entry(20, LEVEL | VECTOR);
    r.enter();
    set(r, 20, true);
    set(r, 20, false);
    r.ack();
    r.eoi();
    expect(heard).toEqual([
      ['second', true],
      ['first', true],
    ]);
    expect(r.remoteIrr(20)).toBe(false);
  });

  test('hear of edges too, and no more once they are gone', () => {
    const r = rig();
    let heard = 0;
    const gone = r.routing.notify(20, () => heard++);
    r.entry(20, VECTOR);
    const once = () => {
      r.enter();
      set(r, 20, true);
      set(r, 20, false);
      r.ack();
      r.eoi();
      return heard;
    };
    expect(once()).toBe(1);
    gone();
    expect([once(), r.handled[0]!.includes(VECTOR)]).toEqual([1, false]);
  });

  test('hear of an EOI at the 8259s', () => {
    const r = rig();
    const heard: string[] = [];
    for (const gsi of [3, 12]) r.routing.notify(gsi, () => heard.push(`gsi ${gsi}`));
    r.initPics();
    heard.length = 0;
    for (const gsi of [3, 12]) {
      set(r, gsi, true);
      set(r, gsi, false);
    }
    expect(r.chip.pic.ack()).toBe(0x3c);
    r.chip.pic.write(0xa0, 0x20);
    r.chip.pic.write(0x20, 0x20);
    expect([r.chip.pic.ack(), heard]).toEqual([0x33, ['gsi 12']]);
    r.chip.pic.write(0x20, 0x20);
    expect(heard).toEqual(['gsi 12', 'gsi 3']);
  });

  test('follow the table: the GSI is the one that leads to the pin now, of several the last', () => {
    const r = rig();
    const heard: number[] = [];
    for (const gsi of [5, 6, 20]) r.routing.notify(gsi, () => heard.push(gsi));
    r.routing.setRoutes([
      { gsi: 5, to: 'ioapic', pin: 20 },
      { gsi: 6, to: 'ioapic', pin: 20 },
    ]);
    r.entry(20, LEVEL | VECTOR);
    r.enter();
    set(r, 5, true);
    set(r, 5, false);
    r.ack();
    r.eoi();
    expect(heard).toEqual([6]);
  });
});

describe('resampling irqfds', () => {
  /** Two of them share GSI 20, which a guest has taken. */
  function shared() {
    const r = rig();
    expect([r.routing.addResampler(7, 20), r.routing.addResampler(8, 20)]).toEqual([0, 0]);
    r.entry(20, LEVEL | VECTOR);
    r.enter();
    set(r, 20, true, RESAMPLE_SOURCE);
    expect(r.ack()).toBe(VECTOR);
    return r;
  }

  test('the line falls once at the EOI, and then each is told', () => {
    const r = shared();
    r.eoi();
    expect(r.signalled).toEqual([
      [8, 20],
      [7, 20],
    ]);
    expect([r.ack(), r.remoteIrr(20), r.chip.ioapic.levels.high(20)]).toEqual([-1, false, false]);
  });

  test('one that still holds it raises it anew, and that is delivered when remote IRR is clear', () => {
    const r = shared();
    const answers: number[] = [];
    r.routing.resample = (fd, gsi) => {
      if (fd === 7) answers.push(set(r, gsi, true, RESAMPLE_SOURCE));
    };
    r.eoi();
    expect([answers, r.ack(), r.remoteIrr(20)]).toEqual([[-1], VECTOR, true]);
  });

  test('another source of the line is left alone', () => {
    const r = shared();
    set(r, 20, true);
    r.eoi();
    expect([r.ack(), r.signalled.length]).toEqual([VECTOR, 2]);
  });

  test('one that is used already is busy', () => {
    const r = shared();
    expect([r.routing.addResampler(7, 21), r.routing.addResampler(9, 21)]).toEqual([EBUSY, 0]);
  });

  test('one that goes away is not told; with the last the line falls and nobody listens', () => {
    const r = shared();
    r.routing.removeResampler(8);
    r.routing.removeResampler(99);
    r.eoi();
    expect(r.signalled).toEqual([[7, 20]]);
    set(r, 20, true, RESAMPLE_SOURCE);
    r.ack();
    r.routing.removeResampler(7);
    expect(r.chip.ioapic.levels.high(20)).toBe(false);
    r.eoi();
    expect([r.signalled, r.ack()]).toEqual([[[7, 20]], -1]);
    expect(r.routing.addResampler(7, 3)).toBe(0);
  });

  test('with the last of a GSI, EOIs of its edge interrupts reach the IOAPIC no more', () => {
    const r = rig();
    r.routing.addResampler(7, 20);
    r.entry(20, VECTOR);
    r.enter();
    expect(r.handled[0]).toContain(VECTOR);
    r.routing.removeResampler(7);
    r.enter();
    expect(r.handled[0]).not.toContain(VECTOR);
  });
});

test('a saved table goes on in another machine, its irqfds too', () => {
  const r = rig([
    { gsi: 30, to: 'ioapic', pin: 20 },
    { gsi: 31, to: 'msi', addressLow: MSI, addressHigh: 0, data: 0x71 },
  ]);
  r.routing.addResampler(7, 30);
  r.routing.addResampler(8, 30);
  r.routing.addResampler(5, 31);
  r.routing.setRoutes([{ gsi: -1, to: 'pic', pin: 0 }]);
  r.entry(20, LEVEL | VECTOR);
  r.enter();
  set(r, 30, true, RESAMPLE_SOURCE);
  const copy = rig();
  copy.routing.addResampler(1, 30);
  copy.chip.restore(JSON.parse(JSON.stringify(r.chip.save())));
  copy.routing.restore(JSON.parse(JSON.stringify(r.routing.save())));
  copy.apics[0]!.restore(JSON.parse(JSON.stringify(r.apics[0]!.save())));
  expect([copy.routing.save(), copy.routing.refused]).toEqual([r.routing.save(), 1]);
  expect([copy.ack(), set(copy, 31, true), copy.ack(), set(copy, 4, true)]).toEqual([VECTOR, 1, 0x71, -1]);
  copy.eoi();
  copy.eoi();
  expect(copy.signalled).toEqual([
    [8, 30],
    [7, 30],
  ]);
  expect(copy.routing.addResampler(1, 30)).toBe(0);
});
