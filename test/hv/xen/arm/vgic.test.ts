/** Xen's virtual GIC: interrupts on their way to guests, what a re-raise becomes, moving, and the books. */
import { beforeEach, describe, expect, test } from 'vitest';
import { GicLr } from '../../../../engine/hv/xen/arm/gic-hw.ts';
import {
  GIC_IRQ_GUEST_ACTIVE,
  GIC_IRQ_GUEST_ENABLED,
  GIC_IRQ_GUEST_MIGRATING,
  GIC_IRQ_GUEST_QUEUED,
  GIC_IRQ_GUEST_VISIBLE,
  IRQ_DISABLED,
  IRQ_INPROGRESS,
} from '../../../../engine/hv/xen/arm/pending-irq.ts';
import { inspectVcpu } from '../../../../engine/hv/xen/arm/vgic-inspect.ts';
import { VgicRig } from '../../../support/vgic-rig.ts';

/** GICD_ITARGETSR, GICD_SGIR */
const ITARGETSR = 0x800;
const BYTE = 0;

let rig: VgicRig;
beforeEach(() => {
  rig = new VgicRig();
  rig.enable([27, 40, 41, 42, 43, 44]);
  rig.takeAccesses();
});

/** What the guest does with all it is given, and Xen afterwards. */
function handleAll(r: VgicRig, c = 0): number[] {
  const handled: number[] = [];
  for (let irq = r.ack(c); irq < 1020; irq = r.ack(c)) {
    handled.push(irq);
    r.eoi(irq, c);
  }
  return handled;
}

describe('injection', () => {
  test('for the virtual CPU that runs here goes into the lowest free list register at once', () => {
    expect(rig.inject(40)).toBe('queued');
    expect(rig.inject(27)).toBe('queued');
    expect(rig.lrs().slice(0, 3)).toEqual(['1a000028', '1a00001b', '0']);
    expect(rig.cpus[0]!.lrMask).toBe(0b11);
    expect(rig.status(40)).toBe(GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_ENABLED);
    expect([rig.inflight(), rig.waiting()]).toEqual([[40, 27], []]);
    expect(rig.takeLog()).toEqual(['0: kick 0', '0: kick 0']);
  });

  test('with nothing left waits, and so does what comes behind it', () => {
    for (const irq of [40, 41, 42, 43, 44]) rig.inject(irq);
    expect([rig.inflight(), rig.waiting()]).toEqual([[40, 41, 42, 43, 44], [44]]);
    rig.leave();
    expect([rig.ack(), rig.waiting()]).toEqual([40, [44]]);
    rig.eoi(40);
    rig.inject(27);
    // the register is free, Xen does not know it yet
    expect(rig.waiting()).toEqual([44, 27]);
    rig.enter();
    expect(rig.cpus[0]!.lrMask).toBe(0b1110);
    rig.inject(40);
    expect(rig.waiting()).toEqual([44, 27, 40]);
    rig.leave();
    expect([rig.waiting(), rig.lrs()[0]]).toEqual([[27, 40], '1a00002c']);
  });

  test('sorts both lists by priority, equals as they come', () => {
    rig.switchTo(null);
    rig.enable([33], 0, 0x80);
    rig.enable([34], 0, 0xc0);
    for (const irq of [34, 40, 33, 41]) rig.inject(irq);
    expect([rig.inflight(), rig.waiting()]).toEqual([
      [33, 40, 41, 34],
      [33, 40, 41, 34],
    ]);
    // priorities that differ in bits that list registers lack
    rig.enable([35], 0, 0xa1);
    rig.enable([36], 0, 0x9f);
    rig.inject(35);
    rig.inject(36);
    expect(rig.waiting()).toEqual([33, 36, 40, 41, 35, 34]);
  });

  test('a priority set later is not that of what is in flight', () => {
    rig.inject(40);
    rig.write(0x400 + 40, 0xf0, BYTE);
    rig.inject(41);
    expect([rig.inflight(), rig.lrs()[0]]).toEqual([[40, 41], '1a000028']);
    rig.leave();
    handleAll(rig);
    rig.enter();
    rig.inject(40);
    rig.inject(41);
    expect([rig.inflight(), rig.lrs()[0]]).toEqual([[41, 40], '1f000028']);
  });

  test('of what the guest has not enabled waits for that', () => {
    expect(rig.inject(50)).toBe('queued');
    expect([rig.inflight(), rig.waiting(), rig.status(50)]).toEqual([[50], [], GIC_IRQ_GUEST_QUEUED]);
    expect(rig.inject(50)).toBe('coalesced');
    rig.enable([50]);
    // with the priority that it had then
    expect([rig.lrs()[0], rig.status(50)]).toEqual([
      '10000032',
      GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_ENABLED,
    ]);
    // in a list register already: enabling it once more changes nothing
    rig.enable([50]);
    expect(rig.lrs()[1]).toBe('0');
  });

  test('for one that is not up is dropped; a falling line means nothing', () => {
    rig.online[0] = false;
    expect(rig.inject(40)).toBe('dropped');
    expect([rig.status(40), rig.inflight(), rig.takeLog()]).toEqual([GIC_IRQ_GUEST_ENABLED, [], []]);
    rig.online[0] = true;
    expect(rig.vgic.injectIrq(rig.cpus[0]!, rig.domain, null, 40, false)).toBe('nothing');
    expect(rig.inflight()).toEqual([]);
  });
});

describe('a raise of what is in flight', () => {
  test('waiting or pending in a list register: is one with it', () => {
    rig.inject(40);
    expect(rig.inject(40)).toBe('coalesced');
    expect(rig.status(40) & GIC_IRQ_GUEST_QUEUED).toBe(0);
    for (const irq of [41, 42, 43, 44]) rig.inject(irq);
    expect(rig.waiting()).toEqual([44]);
    expect(rig.inject(44)).toBe('coalesced');
    expect(handleAll(rig)).toEqual([40, 41, 42, 43]);
  });

  test('waiting, or disabled: Xen looks at no list register', () => {
    for (const irq of [40, 41, 42, 43, 44]) rig.inject(irq);
    handleAll(rig);
    rig.write(0x184, 1 << 9); // 41
    rig.takeAccesses();
    rig.inject(44);
    rig.inject(41);
    expect([rig.takeAccesses(), rig.status(41)]).toEqual([[], GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_QUEUED]);
  });

  test('active: pending once more, and that once', () => {
    rig.inject(27);
    rig.ack();
    rig.takeAccesses();
    expect(rig.inject(27)).toBe('queued');
    expect(rig.takeAccesses()).toEqual(['0 GICH_LR0 read 2a00001b', '0 GICH_LR0 write 3a00001b']);
    expect(rig.status(27) & GIC_IRQ_GUEST_ACTIVE).toBe(GIC_IRQ_GUEST_ACTIVE);
    expect(rig.inject(27)).toBe('coalesced');
    rig.eoi(27);
    expect(handleAll(rig)).toEqual([27]);
  });

  test('active, in GICv3: the rest of its list register stays', () => {
    rig = new VgicRig({ version: 3 });
    rig.enable([27], 0, 0x98);
    rig.inject(27);
    rig.ack();
    rig.inject(27);
    expect(rig.lrs()[0]).toBe('d09800000000001b');
  });

  test('active and disabled: waits', () => {
    rig.inject(40);
    rig.ack();
    rig.write(0x184, 1 << 8);
    expect(rig.inject(40)).toBe('queued');
    expect(rig.lrs()[0]).toBe('2a000028');
    rig.eoi(40);
    rig.enter();
    // it is no longer in flight, and nothing ever looks at it again
    expect([rig.inflight(), rig.status(40)]).toEqual([[], GIC_IRQ_GUEST_QUEUED]);
    const { hw } = rig.cpus[0]!;
    expect(inspectVcpu(rig.v(0), hw, null)).toMatchObject({ inflight: [], leftQueued: [40] });
  });

  test('active, a physical one: is lost', () => {
    rig = new VgicRig({ hw: [40] });
    rig.enable([40]);
    rig.physical(40);
    rig.ack();
    expect(rig.physical(40)).toBe('lost');
    expect([rig.lrs()[0], rig.status(40) & GIC_IRQ_GUEST_QUEUED]).toEqual(['aa00a028', 0]);
  });

  test('ended, which Xen has not seen yet: is raised anew', () => {
    rig.inject(40);
    rig.leave();
    handleAll(rig);
    expect(rig.inject(40)).toBe('queued');
    expect([rig.lrs()[0], rig.inflight()]).toEqual(['1a000028', [40]]);
  });

  test('on another CPU: is seen when that leaves the guest', () => {
    rig = new VgicRig({ cpus: 2, vcpus: 2 });
    rig.enable([40, 41]);
    rig.write(ITARGETSR + 40, 2, BYTE);
    rig.inject(40, 1);
    expect(rig.ack(1)).toBe(40);
    rig.takeLog();
    expect(rig.inject(40, 0)).toBe('queued');
    expect(rig.takeLog()).toEqual(['0: kick 1']);
    expect(rig.lrs(1)[0]).toBe('2a000028');
    rig.enter(1);
    expect(rig.lrs(1)[0]).toBe('3a000028');
    // pending there: one with it
    rig.eoi(40, 1);
    expect(rig.inject(40, 0)).toBe('queued');
    rig.enter(1);
    expect([rig.lrs(1)[0], rig.status(40) & GIC_IRQ_GUEST_QUEUED]).toEqual(['1a000028', 0]);
    expect(rig.account('dom0 irq 40')).toEqual([3, 1, 1, 1, {}]);
  });
});

describe('out of the guest', () => {
  test('UIE is cleared first, then list registers in use are read, the lowest first', () => {
    for (const irq of [40, 41, 42]) rig.inject(irq);
    rig.ack();
    rig.eoi(40);
    rig.takeAccesses();
    rig.enter();
    expect(rig.takeAccesses()).toEqual([
      '0 GICH_HCR read 1',
      '0 GICH_HCR write 1',
      '0 GICH_LR0 read a000028',
      '0 GICH_LR1 read 1a000029',
      '0 GICH_LR2 read 1a00002a',
    ]);
    expect([rig.inflight(), rig.domain.spis[8]!.lr, rig.cpus[0]!.lrMask]).toEqual([[41, 42], 255, 0b110]);
  });

  test('the idle one has nothing to read or to write', () => {
    rig.switchTo(null);
    rig.takeAccesses();
    rig.enter();
    rig.leave();
    rig.switchTo(null);
    expect(rig.takeAccesses()).toEqual([]);
    expect(rig.vgic.gic.vcpuPendingIrq(rig.cpus[0]!)).toBe(false);
  });

  test('a physical one that is done is no longer in progress', () => {
    rig = new VgicRig({ hw: [40] });
    rig.enable([40]);
    rig.physical(40);
    handleAll(rig);
    expect(rig.desc(40).status).toBe(IRQ_INPROGRESS);
    rig.enter();
    expect(rig.desc(40).status).toBe(0);
  });
});

describe('into the guest', () => {
  test('nothing waits: nothing is written', () => {
    rig.inject(40);
    rig.takeAccesses();
    rig.leave();
    expect(rig.takeAccesses()).toEqual([]);
  });

  test('a more urgent one gets the register of the last that is not active', () => {
    for (const [n, irq] of [40, 41, 42, 43].entries()) {
      rig.enable([irq], 0, 0xa0 + 8 * n);
      rig.inject(irq);
    }
    rig.enable([33], 0, 0x80);
    rig.inject(33);
    rig.leave();
    expect(rig.lrs()[3]).toBe('18000021');
    expect([rig.waiting(), rig.status(43) & (GIC_IRQ_GUEST_VISIBLE | GIC_IRQ_GUEST_QUEUED)]).toEqual([
      [43],
      GIC_IRQ_GUEST_QUEUED,
    ]);
    expect(rig.domain.spis[43 - 32]!.lr).toBe(255);
    // full, and one waits
    expect(rig.cpus[0]!.hw.core.hcr).toBe(3);
    expect(handleAll(rig)).toEqual([33, 40, 41, 42]);
    // nothing is in use: maintenance, which Xen takes as any exit
    expect(rig.takeLog().at(-1)).toBe('maintenance 1');
    rig.enter();
    expect(rig.takeLog()).toEqual(['maintenance 0']);
    rig.leave();
    expect([rig.waiting(), rig.lrs()[0]]).toEqual([[], '1b80002b']);
    expect(rig.cpus[0]!.hw.core.hcr).toBe(1);
  });

  test('one that is active keeps its register', () => {
    rig.inject(40);
    rig.ack();
    for (const [n, irq] of [41, 42, 43].entries()) {
      rig.enable([irq], 0, 0x98 - 8 * n);
      rig.inject(irq);
    }
    rig.enter();
    rig.enable([33], 0, 0x80);
    rig.inject(33);
    rig.leave();
    expect([rig.inflight(), rig.waiting()]).toEqual([[33, 43, 42, 41, 40], [41]]);
    expect(rig.lrs().slice(0, 2)).toEqual(['2a000028', '18000021']);
  });

  test('equal priority gives up nothing', () => {
    for (const irq of [40, 41, 42, 43]) rig.inject(irq);
    rig.inject(44);
    rig.leave();
    expect([rig.waiting(), rig.lrs()[0]]).toEqual([[44], '1a000028']);
    expect(rig.cpus[0]!.hw.core.hcr).toBe(3);
  });

  test('no more than there are list registers are given up at a time', () => {
    rig = new VgicRig({ lrs: 1 });
    rig.enable([40], 0, 0xa0);
    rig.enable([41], 0, 0x80);
    rig.enable([42], 0, 0x60);
    rig.inject(40);
    rig.inject(41);
    rig.inject(42);
    rig.leave();
    expect([rig.lrs(), rig.waiting()]).toEqual([['1600002a'], [41, 40]]);
  });
});

test("Xen's search for a second victim goes on at the first: it may take what it has just put in", () => {
  rig = new VgicRig({ lrs: 2 });
  for (const [irq, priority] of [
    [40, 0x40],
    [41, 0x50],
    [42, 0x20],
    [43, 0x60],
  ] as const) {
    rig.enable([irq], 0, priority);
  }
  rig.inject(40);
  rig.inject(41);
  rig.inject(42);
  rig.inject(43);
  rig.leave();
  // 42 evicts 41; for 43, less urgent than all of them, the search goes on before 41 and evicts 40
  expect(rig.lrs()).toEqual(['1600002b', '1200002a']);
  expect(rig.waiting()).toEqual([40, 41]);
});

describe('has the guest an interrupt to handle', () => {
  const pending = () => rig.vgic.gic.vcpuPendingIrq(rig.cpus[0]!);

  test('in flight, enabled, above the mask and what is active', () => {
    expect(pending()).toBe(false);
    rig.inject(50); // not enabled
    expect(pending()).toBe(false);
    rig.inject(40);
    expect(pending()).toBe(true);
    rig.takeAccesses();
    pending();
    expect(rig.takeAccesses()).toEqual(['0 GICH_APR read 0', '0 GICH_VMCR read f04c0001']);
    rig.ack();
    // in GICv2 active priorities count, of whatever
    expect(pending()).toBe(false);
  });

  test('the mask has five bits in GICv2, and eight in GICv3, where it hardly ever masks', () => {
    for (const version of [2, 3] as const) {
      rig = new VgicRig({ version });
      rig.enable([40], 0, 0xa0);
      rig.inject(40);
      const { core } = rig.cpus[0]!.hw;
      core.writeVmcr((core.vmcr & 0xff_ffff) | (0xa0 << 24));
      expect(pending()).toBe(version === 3);
      core.writeVmcr((core.vmcr & 0xff_ffff) | (0x10 << 24));
      expect(pending()).toBe(false);
    }
  });

  test("its event channel's interrupt is not in flight", () => {
    expect(rig.vgic.gic.evtchnIrqPending(rig.v(0), 31)).toBe(true);
    rig.inject(31);
    expect(rig.vgic.gic.evtchnIrqPending(rig.v(0), 31)).toBe(false);
  });
});

describe('context switches', () => {
  test('GICv2: list registers upwards, APR, VMCR, HCR; off in between', () => {
    rig = new VgicRig({ vcpus: 2 });
    rig.enable([27]);
    rig.inject(27);
    rig.ack();
    rig.takeAccesses();
    rig.switchTo(1);
    expect(rig.takeAccesses()).toEqual(
      [
        ...['LR0 read 2a00001b', 'LR1 read 0', 'LR2 read 0', 'LR3 read 0', 'APR read 100000'],
        ...['VMCR read f04c0001', 'HCR write 0', 'LR0 write 0', 'LR1 write 0', 'LR2 write 0', 'LR3 write 0'],
        ...['APR write 0', 'VMCR write f04c0001', 'HCR write 1'],
      ].map((access) => `0 GICH_${access}`),
    );
    expect([rig.v(0).lrMask, rig.cpus[0]!.lrMask]).toEqual([1, 0]);
    rig.switchTo(0);
    expect([rig.lrs()[0], rig.cpus[0]!.lrMask, rig.cpus[0]!.hw.core.ap0]).toEqual(['2a00001b', 1, 1 << 20]);
  });

  test('GICv3: list registers downwards before AP and VMCR, and back after them; HCR as it is', () => {
    rig = new VgicRig({ version: 3, vcpus: 2, lrs: 2 });
    rig.enable([27]);
    rig.inject(27);
    rig.ack();
    rig.takeAccesses();
    rig.switchTo(1);
    expect(rig.takeAccesses()).toEqual(
      [
        ...['LR1_EL2 read 0', 'LR0_EL2 read 90a000000000001b', 'AP0R0_EL2 read 0', 'AP1R0_EL2 read 100000'],
        ...['VMCR_EL2 read f04c000a', 'VMCR_EL2 write f04c000a', 'AP0R0_EL2 write 0', 'AP1R0_EL2 write 0'],
        ...['LR1_EL2 write 0', 'LR0_EL2 write 0'],
      ].map((access) => `0 ICH_${access}`),
    );
    rig.switchTo(0);
    expect([rig.lrs()[0], rig.cpus[0]!.hw.core.ap1]).toEqual(['90a000000000001b', 1 << 20]);
  });

  test('a CPU is brought up and goes down', () => {
    const v3 = new VgicRig({ version: 3 });
    v3.cpus[0]!.hw.hypInit();
    v3.cpus[0]!.hw.hypDisable();
    expect(v3.takeAccesses()).toEqual([
      ...['0 ICH_VMCR_EL2 write 202', '0 ICH_HCR_EL2 write 1'],
      ...['0 ICH_HCR_EL2 read 1', '0 ICH_HCR_EL2 write 0'],
    ]);
    rig.cpus[0]!.hw.hypInit();
    rig.cpus[0]!.hw.hypDisable();
    expect(rig.takeAccesses()).toEqual(['0 GICH_HCR write 0']);
  });
});

test('a list register in parts comes back whole, with none and without a physical interrupt', () => {
  const parts = { virq: 40, priority: 0x14, pending: true, active: true, pirq: -1, eoi: false, source: 0 };
  for (const [version, priority, change, value] of [
    [2, 0x14, {}, '3a000028'],
    [2, 0x14, { pirq: 300, pending: false }, 'aa04b028'],
    [2, 0x14, { eoi: true, active: false }, '1a080028'],
    [2, 0x14, { virq: 3, source: 5 }, '3a001403'],
    [3, 0xa0, {}, 'd0a0000000000028'],
    [3, 0xa0, { pirq: 300, pending: false }, 'b0a0012c00000028'],
    [3, 0xa0, { eoi: true, active: false }, '50a0020000000028'],
    [3, 0xa0, { pending: false }, '90a0000000000028'],
  ] as const) {
    rig = new VgicRig({ version });
    const { hw } = rig.cpus[0]!;
    const wanted = { ...parts, priority, ...change };
    hw.writeLr(2, wanted);
    expect(rig.lrs()[2]).toBe(value);
    const read = new GicLr();
    hw.readLr(2, read);
    expect({ ...read }).toEqual(wanted);
    hw.clearLr(2);
    expect(rig.lrs()[2]).toBe('0');
  }
});

describe('SGIs', () => {
  test('to a list: who is not there or not up gets none', () => {
    rig = new VgicRig({ vcpus: 4, cpus: 4 });
    rig.online[2] = false;
    rig.write(0xf00, (0b1_0110 << 16) | 5);
    expect([1, 2, 3].map((v) => rig.inflight(v))).toEqual([[5], [], []]);
  });

  test('to all others, and to oneself', () => {
    rig = new VgicRig({ vcpus: 3, cpus: 3 });
    rig.online[2] = false;
    rig.write(0xf00, (1 << 24) | 6, 2, 1);
    expect([0, 1, 2].map((v) => rig.inflight(v))).toEqual([[6], [], []]);
    rig.write(0xf00, (2 << 24) | 7, 2, 1);
    expect([0, 1, 2].map((v) => rig.inflight(v))).toEqual([[6], [7], []]);
    expect(rig.write(0xf00, (3 << 24) | 8, 2, 1)).toBe(false);
  });
});

describe('an SPI gets another target', () => {
  beforeEach(() => {
    rig = new VgicRig({ vcpus: 2, cpus: 2, hw: [40] });
    rig.enable([40, 41]);
    rig.takeLog();
  });

  test('a physical one that is not in flight: it is aimed anew', () => {
    rig.write(ITARGETSR + 40, 2, BYTE);
    expect(rig.takeLog()).toEqual(['0: affinity 40 1']);
    expect(rig.domain.target(rig.v(0), 40)).toBe(rig.v(1));
  });

  test('that waits: it goes there at once, and is the same raise', () => {
    rig.switchTo(null, 0);
    rig.physical(40, 1);
    expect(rig.waiting(0)).toEqual([40]);
    rig.takeLog();
    rig.write(ITARGETSR + 40, 2, BYTE, 1);
    expect([rig.inflight(0), rig.waiting(0), rig.inflight(1)]).toEqual([[], [], [40]]);
    expect(rig.takeLog()).toEqual(['1: affinity 40 1', '1: kick 1']);
    expect(rig.lrs(1)[0]).toBe('9a00a028');
    expect(rig.ack(1)).toBe(40);
    expect(rig.account('dom0 irq 40')).toEqual([1, 1, 0, 0, {}]);
  });

  test('that waits, when its new target is not up: it is lost', () => {
    rig.switchTo(null, 0);
    rig.physical(40, 1);
    rig.switchTo(1, 1);
    rig.online[1] = false;
    rig.write(ITARGETSR + 40, 2, BYTE, 1);
    expect([rig.inflight(0), rig.inflight(1)]).toEqual([[], []]);
    expect(rig.account('dom0 irq 40')).toEqual([1, 0, 0, 0, { offline: 1 }]);
  });

  test('that is in a list register: when the guest is done with it; no other move meanwhile', () => {
    rig.physical(40);
    rig.write(ITARGETSR + 40, 2, BYTE);
    expect(rig.status(40) & GIC_IRQ_GUEST_MIGRATING).toBe(GIC_IRQ_GUEST_MIGRATING);
    rig.write(ITARGETSR + 40, 1, BYTE);
    expect(rig.domain.target(rig.v(0), 40)).toBe(rig.v(1));
    expect(rig.console).toEqual(['d0v0 irq 40 migration failed: requested while in progress']);
    rig.takeLog();
    rig.processors[1] = 5;
    rig.vgic.moveIrqs(rig.cpus[0]!, rig.v(1));
    expect(rig.takeLog()).toEqual([]);
    rig.leave();
    handleAll(rig);
    rig.enter();
    expect(rig.takeLog()).toEqual(['deactivate 40', '0: affinity 40 5']);
    expect(rig.status(40) & GIC_IRQ_GUEST_MIGRATING).toBe(0);
  });

  test('a virtual one stays on the lists it is on', () => {
    rig.switchTo(null, 0);
    rig.inject(41);
    rig.write(ITARGETSR + 41, 2, BYTE, 1);
    expect([rig.inflight(0), rig.inflight(1), rig.takeLog()]).toEqual([[41], [], ['0: kick 0']]);
    expect(rig.domain.target(rig.v(0), 41)).toBe(rig.v(1));
  });

  test('a virtual CPU moves to another CPU: its physical interrupts go there', () => {
    rig.processors[0] = 3;
    rig.vgic.moveIrqs(rig.cpus[1]!, rig.v(0));
    expect(rig.takeLog()).toEqual(['1: affinity 40 3']);
    rig.vgic.moveIrqs(rig.cpus[1]!, rig.v(1));
    expect(rig.takeLog()).toEqual([]);
  });
});

describe('physical interrupts', () => {
  test('enabling aims and enables, and in the hardware domain sets the type first', () => {
    for (const hardware of [false, true]) {
      rig = new VgicRig({ hw: [40, 41], hardware });
      rig.write(0xc08, 2 << 18);
      rig.write(0x104, 0x300);
      const types = (irq: number, type: string) => (hardware ? [`0: type ${irq} ${type}`] : []);
      expect(rig.takeLog()).toEqual([
        ...['0: affinity 40 0', ...types(40, 'level'), '0: enable 40'],
        ...['0: affinity 41 0', ...types(41, 'edge'), '0: enable 41'],
      ]);
      expect(rig.desc(40).status).toBe(0);
      rig.write(0x184, 0x100);
      expect([rig.takeLog(), rig.desc(40).status]).toEqual([['0: disable 40'], IRQ_DISABLED]);
    }
  });

  test('one set pending by the guest is so where it comes from', () => {
    rig = new VgicRig({ hw: [40] });
    rig.enable([40, 41]);
    rig.takeLog();
    rig.write(0x204, 0x300);
    expect([rig.takeLog(), rig.inflight()]).toEqual([['0: set pending 40', '0: kick 0'], [41]]);
    rig.write(0x200, 1 << 27);
    expect(rig.inflight()).toEqual([27, 41]);
  });

  test('are connected once, before the guest enables them', () => {
    rig = new VgicRig({ hw: [40] });
    const desc = { irq: 99, status: 0 };
    expect(rig.domain.connectHwIrq(40, desc)).toBe(-16);
    rig.enable([41]);
    expect(rig.domain.connectHwIrq(41, desc)).toBe(-16);
    expect(rig.domain.connectHwIrq(42, desc)).toBe(0);
    expect(rig.domain.disconnectHwIrq(42, rig.desc(40))).toBe(-22);
    expect(rig.domain.disconnectHwIrq(42, desc)).toBe(0);
    expect(rig.domain.connectHwIrq(42, desc)).toBe(0);
  });
});

test('interrupts are given away from the lowest on; SGIs never are', () => {
  const { domain } = new VgicRig({ spis: 32 });
  expect([domain.allocateVirq(false), domain.allocateVirq(true)]).toEqual([16, 32]);
  expect([
    domain.reserveVirq(17),
    domain.reserveVirq(17),
    domain.reserveVirq(3),
    domain.reserveVirq(64),
  ]).toEqual([true, false, false, false]);
  expect(domain.allocateVirq(false)).toBe(18);
  domain.freeVirq(16);
  expect(domain.allocateVirq(false)).toBe(16);
  for (let irq = 33; irq < 64; irq++) expect(domain.allocateVirq(true)).toBe(irq);
  expect(domain.allocateVirq(true)).toBe(-1);
  for (let irq = 19; irq < 32; irq++) domain.allocateVirq(false);
  expect(domain.allocateVirq(false)).toBe(-1);
});

test('SPIs come in ranks of 32, 988 at most', () => {
  expect(new VgicRig({ spis: 33 }).domain.nrSpis).toBe(64);
  expect(new VgicRig({ spis: 960 }).domain.nrSpis).toBe(960);
  expect(() => new VgicRig({ spis: 961 })).toThrow('988 at most');
});

test('a virtual CPU is brought up anew: its lists are empty, what was on them keeps its status', () => {
  for (const irq of [40, 41, 42, 43, 44]) rig.inject(irq);
  rig.switchTo(null);
  rig.vgic.clearPendingIrqs(rig.v(0));
  expect([rig.inflight(), rig.waiting(), rig.v(0).lrMask]).toEqual([[], [], 0]);
  expect(rig.status(40) & GIC_IRQ_GUEST_VISIBLE).toBe(GIC_IRQ_GUEST_VISIBLE);
  expect(rig.status(44) & GIC_IRQ_GUEST_QUEUED).toBe(GIC_IRQ_GUEST_QUEUED);
});

describe('the books', () => {
  test('a raise is delivered when the guest acknowledges it, or is one with another', () => {
    for (const irq of [40, 40, 41, 42, 43, 44, 44]) rig.inject(irq);
    expect(rig.account('dom0 irq 40')).toEqual([2, 0, 1, 1, {}]);
    expect(rig.account('dom0 irq 44')).toEqual([2, 0, 1, 1, {}]);
    rig.leave();
    handleAll(rig);
    rig.enter();
    rig.leave();
    handleAll(rig);
    expect(rig.account('dom0 irq 40')).toEqual([2, 1, 1, 0, {}]);
    expect(rig.account('dom0 irq 44')).toEqual([2, 1, 1, 0, {}]);
  });

  test('a private one is of its virtual CPU', () => {
    rig = new VgicRig({ vcpus: 2, cpus: 2 });
    rig.enable([27], 1);
    rig.inject(27, 1, 1);
    rig.ack(1);
    expect(rig.account('dom0.vcpu1 irq 27')).toEqual([1, 1, 0, 0, {}]);
  });

  test('what is pending while active, and what has to give up its register, still waits', () => {
    rig.inject(40);
    rig.ack();
    rig.inject(40);
    rig.inject(40);
    expect(rig.account('dom0 irq 40')).toEqual([3, 1, 1, 1, {}]);
    for (const irq of [41, 42, 43]) rig.inject(irq);
    rig.enable([33], 0, 0x80);
    rig.inject(33);
    rig.leave();
    expect(rig.waiting()).toEqual([43]);
    expect(rig.account('dom0 irq 43')).toEqual([1, 0, 0, 1, {}]);
    rig.inject(43);
    expect(rig.account('dom0 irq 43')).toEqual([2, 0, 1, 1, {}]);
  });

  test('one that is lost or dropped says why', () => {
    rig = new VgicRig({ hw: [40] });
    rig.enable([40, 41]);
    rig.physical(40);
    rig.ack();
    rig.physical(40);
    expect(rig.account('dom0 irq 40')).toEqual([2, 1, 0, 0, { 'already active': 1 }]);
    rig.online[0] = false;
    rig.inject(41);
    expect(rig.account('dom0 irq 41')).toEqual([1, 0, 0, 0, { offline: 1 }]);
  });

  test('a physical raise goes on from where it waited', () => {
    const { books, raises } = rig;
    const slot = books.addSlots(1);
    expect(slot).toBe(2 * rig.domain.pendingIrqs);
    const line = books.destinationOf('irq 40');
    const journey = books.begin(books.sourceOf('uart'));
    books.pend(slot, line);
    raises.from = slot;
    rig.inject(40);
    raises.from = -1;
    expect(raises.acknowledged(rig.domain.spis[8]!)).toBe(journey);
    expect(rig.account('irq 40')).toEqual([1, 1, 0, 0, {}]);
    // and one for a virtual CPU that is not up goes nowhere
    books.pend(slot, line);
    rig.online[0] = false;
    raises.from = slot;
    rig.inject(40);
    expect(rig.account('irq 40')).toEqual([2, 1, 0, 0, { offline: 1 }]);
    expect(raises.acknowledged(rig.domain.spis[8]!)).toBe(0);
  });
});

test('what there is to see of a virtual CPU', () => {
  rig = new VgicRig({ version: 3, hw: [36] });
  rig.enable([27, 36]);
  rig.inject(27);
  rig.leave();
  handleAll(rig);
  rig.enter();
  rig.physical(36);
  rig.inject(27);
  rig.ack();
  rig.switchTo(null);
  rig.inject(40);
  rig.enable([41]);
  rig.inject(41);
  const { hw } = rig.cpus[0]!;
  const asleep = inspectVcpu(rig.v(0), hw, null);
  expect(asleep).toMatchObject({
    vcpu: 0,
    live: false,
    hcr: null,
    vmcr: 0xf04c_000a,
    ap0: 0,
    ap1: 1 << 20,
    lrMask: 3,
    inflight: [
      { irq: 40, lr: 0 }, // it has had none; 0 is what it begins with
      { irq: 36, lr: 0 },
      { irq: 27, lr: 1 },
      { irq: 41, lr: 0 },
    ],
    waiting: [41],
  });
  expect(asleep.lrs).toEqual([
    {
      lr: 0,
      value: 'b0a0002400000024',
      state: 'active',
      virq: 36,
      pirq: 36,
      priority: 0xa0,
      group: 1,
      used: true,
    },
    {
      lr: 1,
      value: '50a000000000001b',
      state: 'pending',
      virq: 27,
      pirq: null,
      priority: 0xa0,
      group: 1,
      used: true,
    },
    {
      lr: 2,
      value: '0000000000000000',
      state: 'invalid',
      virq: 0,
      pirq: null,
      priority: 0,
      group: 0,
      used: false,
    },
    {
      lr: 3,
      value: '0000000000000000',
      state: 'invalid',
      virq: 0,
      pirq: null,
      priority: 0,
      group: 0,
      used: false,
    },
  ]);
  rig.switchTo(0);
  rig.eoi(36);
  const awake = inspectVcpu(rig.v(0), hw, rig.cpus[0]!);
  expect(awake).toMatchObject({ live: true, hcr: 1, ap1: 0, lrMask: 3 });
  expect(awake.lrs[0]).toMatchObject({ value: '30a0002400000024', state: 'invalid', used: true });

  rig = new VgicRig({ hw: [36] });
  rig.enable([36]);
  rig.physical(36);
  const { lrs } = inspectVcpu(rig.v(0), rig.cpus[0]!.hw, rig.cpus[0]!);
  expect(lrs[0]).toEqual({
    lr: 0,
    value: '9a009024',
    state: 'pending',
    virq: 36,
    pirq: 36,
    priority: 0xa0,
    group: 0,
    used: true,
  });
});

describe('saved and restored', () => {
  test('a virtual CPU in GICv3 with both halves and both sets of active priorities', () => {
    const one = new VgicRig({ version: 3 });
    const { gic } = one.v(0);
    for (const n of [0, 1, 2, 3]) [gic.lrHigh[n], gic.lrLow[n]] = [n + 1, n + 5];
    [gic.vmcr, gic.ap0, gic.ap1] = [11, 12, 13];
    const again = new VgicRig({ version: 3 });
    again.domain.restore(JSON.parse(JSON.stringify(one.domain.save())));
    expect(again.v(0).gic).toEqual(gic);
  });

  test('at any moment, it goes on as it would have', () => {
    const options = { vcpus: 2, cpus: 2, hw: [40, 42] };
    const script: ((r: VgicRig) => unknown)[] = [
      (r) => r.enable([1, 27, 40, 41, 42, 43]),
      (r) => r.enable([27], 1, 0x80),
      (r) => r.write(0x000, 1),
      (r) => r.write(0xc08, 0x8888_8888),
      (r) => r.domain.reserveVirq(50),
      (r) => r.physical(40),
      (r) => r.write(ITARGETSR + 40, 2, BYTE),
      (r) => r.inject(1),
      (r) => r.inject(27),
      (r) => r.inject(41),
      (r) => r.inject(43),
      (r) => r.inject(27, 0, 1),
      (r) => r.leave(),
      (r) => r.ack(),
      (r) => r.inject(41),
      (r) => r.switchTo(null, 1),
      (r) => r.enter(),
      (r) => r.physical(42),
      (r) => r.write(0x400 + 43, 0x40, BYTE),
      (r) => r.switchTo(1, 0),
      (r) => r.inject(43, 0),
      (r) => r.leave(0),
      (r) => r.ack(0),
      (r) => r.switchTo(0, 0),
      (r) => r.eoi(40, 0),
      (r) => r.enter(0),
      (r) => [r.domain.allocateVirq(true), r.read(ITARGETSR + 40), r.read(0xc08), r.read(0), handleAll(r)],
    ];
    const save = (r: VgicRig) =>
      JSON.parse(
        JSON.stringify([
          r.domain.save(),
          r.cpus.map((cpu) => [cpu.save(), cpu.hw.core.save()]),
          r.books.save(),
          r.desc(40).status,
          r.desc(42).status,
        ]),
      );
    for (let at = 0; at < script.length; at++) {
      const straight = new VgicRig(options);
      for (const step of script.slice(0, at)) step(straight);
      const again = new VgicRig(options);
      const [domain, cpus, books, s40, s42] = save(straight);
      again.domain.restore(domain);
      for (const [c, cpu] of again.cpus.entries()) {
        cpu.restore(cpus[c][0]);
        cpu.hw.core.restore(cpus[c][1]);
      }
      again.books.restore(books);
      again.desc(40).status = s40;
      again.desc(42).status = s42;
      expect(save(again)).toEqual(save(straight));
      for (const step of script.slice(at)) expect(step(again)).toEqual(step(straight));
      expect(save(again)).toEqual(save(straight));
    }
  });
});
