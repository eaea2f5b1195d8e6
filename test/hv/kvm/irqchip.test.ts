/** KVM's chips together: which EOIs the IOAPIC hears of, the clock's interrupts, images of the chips. */
import { describe, expect, test } from 'vitest';
import { ms } from '../../../engine/core/clock.ts';
import { defaultRoutes } from '../../../engine/hv/kvm/irq-routing.ts';
import { Mode, Reg } from '../../../engine/hw/x86/apic-regs.ts';
import { IrqChipRig } from '../../support/irqchip-rig.ts';

const LEVEL = 1 << 15;
const LOGICAL = 1 << 11;
const MASKED = 1 << 16;
const PIN = 20;
const VECTOR = 0x61;
/** the real-time clock's */
const RTC = 8;
const ALL = [0, 1, 2, 3];

function rig(vcpus = 4) {
  const made = new IrqChipRig(vcpus);
  made.routing.setRoutes(defaultRoutes());
  return made;
}

/** All pins out of the way: pin 8 counts whatever its entry says. */
function quiet(vcpus = 4) {
  const made = rig(vcpus);
  made.entry(RTC, MASKED, 0xe0);
  made.enter();
  expect(made.handled.flat()).toEqual([]);
  return made;
}

describe('who looks at its vectors anew', () => {
  test('nobody without a reason', () => {
    expect(quiet().enter()).toEqual([]);
  });

  test('those that the entry means, by its old destination and its new one', () => {
    const r = quiet();
    r.entry(PIN, LEVEL | VECTOR, 2);
    // the upper half is written first, when the entry still means virtual CPU 0
    expect(r.enter()).toEqual([0, 2]);
    r.entry(PIN, LEVEL | VECTOR, 2);
    expect(r.enter()).toEqual([2]);
    r.entry(PIN, LEVEL | VECTOR, 3);
    expect(r.enter()).toEqual([2, 3]);
  });

  test('the old destination is read in the new mode', () => {
    const r = quiet();
    for (const [i, apic] of r.apics.entries()) apic.write(Reg.LDR, 1 << (24 + i));
    r.entry(PIN, VECTOR, 1);
    r.enter();
    // physical 1 becomes logical 1, which is virtual CPU 0
    r.chip.ioapic.write(0x10, LOGICAL | VECTOR, 4);
    expect(r.enter()).toEqual([0]);
  });

  test.each([
    ['lowest priority', Mode.LOWEST],
    ['NMI', Mode.NMI],
    ['ExtINT', Mode.EXTINT],
  ])('all, if the entry is written as %s', (_name, mode) => {
    const r = quiet();
    r.entry(PIN, (mode << 8) | VECTOR, 2);
    expect(r.enter()).toEqual(ALL);
  });

  test.each<[string, (r: IrqChipRig) => unknown]>([
    ['an ID', (r) => r.apics[1]!.write(Reg.ID, 5 << 24)],
    ['a logical address', (r) => r.apics[1]!.write(Reg.LDR, 1 << 24)],
    ['a destination format', (r) => r.apics[1]!.write(Reg.DFR, 0x0fff_ffff)],
    ['a local APIC being disabled', (r) => r.apics[1]!.write(Reg.SVR, 0xff)],
    ['a local APIC being reset', (r) => r.apics[1]!.reset(true)],
    ['a notifier', (r) => r.routing.notify(3, () => {})],
    ['a notifier going away', (r) => r.routing.notify(3, () => {})()],
    ['an irqfd', (r) => r.routing.addResampler(7, 3)],
    ["the IOAPIC's image being put back", (r) => r.chip.reloadIoApic()],
  ])('all, for %s', (_what, change) => {
    const r = quiet();
    change(r);
    expect(r.enter()).toEqual(ALL);
  });

  test('one whose local APIC is off does not, and is not asked again', () => {
    const r = quiet();
    r.apics[2]!.wrmsr(0x1b, 0xfee0_0000, 0);
    expect(r.enter()).toEqual([0, 1, 3]);
    expect(r.enter()).toEqual([]);
  });
});

describe('vectors whose EOIs reach the IOAPIC', () => {
  const handled = (low: number, destination = 1) => {
    const r = quiet(2);
    r.entry(PIN, low, destination);
    r.enter();
    return r.handled;
  };

  test('are those of level pins, on the virtual CPUs that they are meant for', () => {
    expect(handled(LEVEL | VECTOR)).toEqual([[], [VECTOR]]);
    expect(handled(LEVEL | VECTOR, 0xff)).toEqual([[VECTOR], [VECTOR]]);
  });

  test('masked or not', () => {
    expect(handled(MASKED | LEVEL | VECTOR)).toEqual([[], [VECTOR]]);
  });

  test('not those of edge pins', () => {
    expect(handled(VECTOR)).toEqual([[], []]);
  });

  test("but the clock's, and those that somebody is to be told of", () => {
    const r = quiet(2);
    r.routing.notify(PIN, () => {});
    r.entry(PIN, VECTOR, 1);
    r.entry(RTC, VECTOR + 1, 0);
    r.enter();
    expect(r.handled).toEqual([[VECTOR + 1], [VECTOR]]);
  });

  test('and one that is requested or in service where it is not meant for any more', () => {
    const r = quiet(2);
    r.entry(PIN, LEVEL | VECTOR, 0);
    r.enter();
    r.routing.setIrq(0, PIN, true);
    r.entry(PIN, LEVEL | VECTOR, 1);
    r.enter();
    expect(r.handled).toEqual([[VECTOR], [VECTOR]]);
    r.ack();
    r.entry(PIN, LEVEL | VECTOR, 1);
    r.chip.rescan();
    r.enter();
    expect(r.handled).toEqual([[VECTOR], [VECTOR]]);
    r.routing.setIrq(0, PIN, false);
    r.eoi();
    expect(r.remoteIrr(PIN)).toBe(false);
  });

  test('no others: an EOI before the set is made anew is lost to the IOAPIC', () => {
    const r = quiet(1);
    r.entry(PIN, LEVEL | VECTOR);
    r.routing.setIrq(0, PIN, true);
    r.routing.setIrq(0, PIN, false);
    r.ack();
    r.eoi();
    expect(r.remoteIrr(PIN)).toBe(true);
  });
});

describe('a storm', () => {
  test('a guest that ends a level interrupt without lowering its line gets 10000, then one every two jiffies', () => {
    const r = quiet(1);
    r.entry(PIN, LEVEL | VECTOR);
    r.enter();
    r.routing.setIrq(0, PIN, true);
    let taken = 0;
    while (r.ack() === VECTOR) {
      taken++;
      r.eoi();
    }
    expect(taken).toBe(10_000);
    r.clock.runUntil(ms(8));
    expect(r.ack()).toBe(VECTOR);
  });
});

describe("the clock's interrupts", () => {
  const clock = (low = VECTOR, destination = 0xff, vcpus = 3) => {
    const r = rig(vcpus);
    r.entry(RTC, low, destination);
    r.enter();
    return r;
  };
  const tick = (r: IrqChipRig) => {
    r.chip.ioapic.setIrq(RTC, false, 0, true);
    return r.chip.ioapic.setIrq(RTC, true, 0, true);
  };
  const pending = (r: IrqChipRig) => r.chip.ioapic.rtcPending;

  test('are coalesced until every virtual CPU that took the last one has ended it', () => {
    const r = clock();
    expect([tick(r), pending(r)]).toEqual([3, 3]);
    for (const vcpu of [2, 0]) {
      r.ack(vcpu);
      r.eoi(vcpu);
      expect(tick(r)).toBe(0);
    }
    r.ack(1);
    r.eoi(1);
    expect([pending(r), tick(r)]).toEqual([0, 3]);
  });

  test('an EOI of another vector does not count', () => {
    const r = clock();
    r.entry(PIN, LEVEL | (VECTOR + 16), 0);
    r.enter();
    tick(r);
    r.routing.setIrq(0, PIN, true);
    r.routing.setIrq(0, PIN, false);
    expect(r.ack()).toBe(VECTOR + 16);
    r.eoi();
    expect(pending(r)).toBe(3);
  });

  test('the EOI of one counts though the entry has another vector by then', () => {
    const r = clock(VECTOR, 0, 1);
    tick(r);
    r.entry(RTC, VECTOR + 1, 0);
    r.enter();
    expect(r.handled).toEqual([[VECTOR, VECTOR + 1]]);
    r.ack();
    r.eoi();
    expect(pending(r)).toBe(0);
  });

  test('after its image is put back those owe an EOI that have it requested or in service', () => {
    const r = clock();
    tick(r);
    r.ack(1);
    r.eoi(1);
    r.ack(2);
    r.chip.ioapic.setIrq(RTC, false);
    r.chip.reloadIoApic();
    r.enter();
    expect(pending(r)).toBe(2);
    for (const vcpu of [0, 2]) {
      if (vcpu === 0) r.ack(vcpu);
      r.eoi(vcpu);
    }
    expect(pending(r)).toBe(0);
  });

  test('one sent as NMI is owed by nobody, which is noticed when the image is put back', () => {
    const r = clock((Mode.NMI << 8) | VECTOR, 0, 1);
    expect([tick(r), pending(r), tick(r)]).toEqual([1, 1, 0]);
    r.chip.ioapic.setIrq(RTC, false);
    r.chip.reloadIoApic();
    expect(pending(r)).toBe(0);
  });
});

test("the IOAPIC's image put back injects a level that nobody took", () => {
  const r = rig(1);
  r.entry(PIN, LEVEL | VECTOR);
  r.apics[0]!.write(Reg.SVR, 0xff);
  expect([r.routing.setIrq(0, PIN, true), r.remoteIrr(PIN)]).toEqual([0, false]);
  r.apics[0]!.write(Reg.SVR, 0x1ff);
  r.chip.reloadIoApic();
  expect([r.ack(), r.remoteIrr(PIN)]).toEqual([VECTOR, true]);
});

test('saved chips go on where they were', () => {
  const r = rig(2);
  r.initPics();
  r.entry(RTC, VECTOR + 1, 1);
  r.entry(PIN, LEVEL | VECTOR, 0);
  r.enter();
  const source = r.chip.requestSource();
  r.routing.setIrq(source, PIN, true);
  r.chip.ioapic.setIrq(RTC, true, 0, true);
  r.routing.setIrq(0, 3, true);
  r.chip.rescan();
  const copy = rig(2);
  copy.chip.restore(JSON.parse(JSON.stringify(r.chip.save())));
  for (const [i, apic] of copy.apics.entries()) apic.restore(JSON.parse(JSON.stringify(r.apics[i]!.save())));
  expect(copy.chip.save()).toEqual(r.chip.save());
  for (const one of [r, copy]) {
    expect([one.handled, one.enter()]).toEqual([
      [[VECTOR], [VECTOR + 1]],
      [0, 1],
    ]);
    expect([one.ack(0), one.ack(1), one.chip.pic.ack()]).toEqual([VECTOR, VECTOR + 1, 0x33]);
    one.routing.setIrq(source, PIN, false);
    one.eoi(0);
    one.eoi(1);
    expect([one.remoteIrr(PIN), one.chip.ioapic.rtcPending, one.chip.requestSource()]).toEqual([
      false,
      0,
      source + 1,
    ]);
  }
});
