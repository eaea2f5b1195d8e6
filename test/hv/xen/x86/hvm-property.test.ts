/** Random guests and devices on the virtual interrupt hardware: counts that agree, and states that can be saved. */
import { expect, test } from 'vitest';
import { us } from '../../../../engine/core/clock.ts';
import { Rng } from '../../../../engine/core/rng.ts';
import { isaGsi } from '../../../../engine/hv/xen/x86/hvm-chips.ts';
import { Via } from '../../../../engine/hv/xen/x86/hvm-irq.ts';
import {
  type HvmOptions,
  XEN_3_4_HVM,
  XEN_4_17_HVM,
  XEN_HVM,
} from '../../../../engine/hv/xen/x86/hvm-options.ts';
import { pciGsi, pciLink } from '../../../../engine/hv/xen/x86/hvm-wires.ts';
import { TIMER_MODES } from '../../../../engine/hv/xen/x86/vpt.ts';
import { Mode, Reg } from '../../../../engine/hw/x86/apic-regs.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const VCPUS = 3;
const VERSIONS = [
  ['c447b7308b13', XEN_HVM],
  ['4.17', XEN_4_17_HVM],
  ['3.4', XEN_3_4_HVM],
] as const;

type Random = ReturnType<Rng['stream']>;

/** A rig with the timers of two devices, as every build of it has. */
function build(options: HvmOptions, seed: number) {
  const rig = new HvmRig(VCPUS, options, TIMER_MODES[seed % TIMER_MODES.length]);
  const ticks = [rig.vpt.isaTicks('pit', 0, () => {}), rig.vpt.isaTicks('rtc', 8, () => {}, true)];
  rig.chips.timerRuns = () => rig.vpt.isActive(ticks[0]!.pt);
  return { rig, ticks };
}

type Machine = ReturnType<typeof build>;

function step({ rig, ticks }: Machine, random: Random): unknown {
  const n = (below: number) => random.below(below);
  const vcpu = n(VCPUS);
  const { apic } = rig.vcpus[vcpu]!;
  switch (n(20)) {
    case 0:
      return rig.irq.isaIrqAssert(n(16));
    case 1:
      return rig.irq.isaIrqDeassert(n(16));
    case 2:
    case 3:
      return rig.irq.pciIntxAssert(n(32), n(4));
    case 4:
      return rig.irq.pciIntxDeassert(n(32), n(4));
    case 5:
      return rig.irq.setPciLinkRoute(n(5), n(17));
    case 6:
      return rig.irq.injectMsi((0xfee0_0000 | (n(8) << 12) | (n(2) << 2)) >>> 0, 0, (n(8) << 8) | n(256));
    case 7:
      return rig.irq.setCallbackVia(n(2) ? n(50) : n(0x1_0000), n(4) << 24);
    case 8:
      rig.upcalls[vcpu] = n(2) === 1;
      return rig.upcalls[vcpu] ? rig.irq.assertEvtchnIrq(vcpu) : rig.irq.maybeDeassertEvtchnIrq();
    case 9:
      return rig.entry(n(48), (n(2) << 16) | (n(2) << 15) | (n(8) << 8) | (0x20 + n(0xd0)), n(8));
    case 10:
      return apic.write(Reg.LVT_LINT0, n(2) ? Mode.EXTINT << 8 : 1 << 16);
    case 11:
      return apic.write(n(4) ? Reg.EOI : Reg.TPR, n(4) << 4);
    case 12:
      apic.write(Reg.ICR2, n(8) << 24);
      apic.write(Reg.ICR, (n(4) << 18) | (n(7) << 8) | (1 << 14) | n(256));
      return rig.runTasklets();
    case 13:
      apic.write(Reg.SVR, (n(8) ? 0x100 : 0) | 0xff);
      apic.write(Reg.LVT_TIMER, (n(4) << 17) | (0x20 + n(0xd0)));
      return apic.write(n(2) ? Reg.TMICT : Reg.TDCR, n(100_000));
    case 14:
      return ticks[n(2)]!.start(us(1 + n(500)), n(4) ? us(1 + n(2000)) : 0);
    case 15:
      if (n(2)) rig.startPic();
      return rig.chips.pic.write(n(2) ? 0x20 : 0x21, n(2) ? 0x20 : n(256));
    case 16:
      rig.vpt.saveTimer(vcpu, n(2) === 1);
      return rig.vpt.restoreTimer(vcpu);
    default:
      rig.run(us(n(400)));
      return rig.enter(vcpu);
  }
}

const parts = ({ rig }: Machine) => [rig.chips, rig.irq, rig.vpt, ...rig.vcpus, rig.clock];
const saved = (machine: Machine) => JSON.stringify(parts(machine).map((part) => part.save()));

/** Who holds each GSI, counted anew from the wires. */
function holders({ rig }: Machine): number[] {
  const { irq } = rig;
  const held = Array.from({ length: 48 }, () => 0);
  const links = [0, 0, 0, 0];
  for (let i = 0; i < 16; i++) if (irq.isaIrq & (1 << i)) held[isaGsi(i)]!++;
  for (const wire of irq.pciIntx.members()) {
    held[pciGsi(wire >> 2, wire & 3)]!++;
    links[pciLink(wire >> 2, wire & 3)]!++;
  }
  expect([...irq.linkCount]).toEqual(links);
  for (const [link, route] of irq.linkRoute.entries()) if (links[link] && route) held[route]!++;
  if (irq.viaAsserted && irq.viaType === Via.GSI) held[irq.via]!++;
  return held;
}

test.each(VERSIONS)(
  '%s: a GSI counts who holds it, and the IOAPIC sees whether anybody does',
  (_, options) => {
    for (let seed = 0; seed < 20; seed++) {
      const machine = build(options, seed);
      const random = new Rng(seed).stream('guest');
      for (let i = 0; i < 300; i++) step(machine, random);
      const { irq, chips } = machine.rig;
      expect([...irq.gsiCount]).toEqual(holders(machine));
      irq.gsiCount.forEach((count, gsi) => {
        expect(chips.ioapic.requests.has(gsi)).toBe(count > 0);
      });
    }
  },
);

test.each(VERSIONS)('%s: saved at any moment it goes on as it would have', (_, options) => {
  for (let seed = 0; seed < 20; seed++) {
    const first = build(options, seed);
    const random = new Rng(seed).stream('guest');
    for (let i = 0; i < 40 + 10 * seed; i++) step(first, random);
    const second = build(options, seed);
    const state = JSON.parse(saved(first)) as never[];
    parts(second).forEach((part, i) => {
      part.restore(state[i]!);
    });
    second.rig.upcalls.splice(0, VCPUS, ...first.rig.upcalls);
    expect(saved(second)).toBe(saved(first));
    const [here, there] = [new Rng(seed).stream('onward'), new Rng(seed).stream('onward')];
    for (let i = 0; i < 100; i++) expect(step(second, there)).toEqual(step(first, here));
    expect(saved(second)).toBe(saved(first));
  }
});

test('all that a virtual CPU is given was asked for, and none of it twice', () => {
  for (let seed = 0; seed < 20; seed++) {
    const machine = build(XEN_HVM, seed);
    const random = new Rng(seed).stream('guest');
    for (let i = 0; i < 300; i++) {
      step(machine, random);
      const { rig } = machine;
      for (const { vcpu, apic } of rig.vcpus) {
        const waits = rig.irq.hasPendingIrq(vcpu);
        if (waits.source === 'lapic') expect(apic.irr.has(waits.vector)).toBe(true);
        if (waits.source === 'pic') expect([rig.chips.pic.intr, rig.chips.target]).toEqual([true, vcpu]);
        if (waits.source === 'nmi') expect(rig.vcpus[vcpu]!.nmiPending).toBe(true);
        if (waits.source !== 'lapic' || rig.irq.tprBlocks(vcpu, waits)) continue;
        rig.irq.ackPendingIrq(vcpu, waits);
        expect([apic.irr.has(waits.vector), apic.isr.has(waits.vector)]).toEqual([false, true]);
        expect(rig.irq.hasPendingIrq(vcpu)).not.toEqual(waits);
      }
    }
  }
});
