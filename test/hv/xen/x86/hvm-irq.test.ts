/** The interrupts of an HVM guest: wires, links, messages, the way of events, and what a virtual CPU is given. */
import { beforeEach, describe, expect, test } from 'vitest';
import { HvmIrq, Via } from '../../../../engine/hv/xen/x86/hvm-irq.ts';
import { XEN_3_4_HVM } from '../../../../engine/hv/xen/x86/hvm-options.ts';
import { pciGsi, pciLink } from '../../../../engine/hv/xen/x86/hvm-wires.ts';
import { Mode, Reg } from '../../../../engine/hw/x86/apic-regs.ts';
import { RTE_LEVEL, RTE_MASKED, RTE_REMOTE_IRR } from '../../../../engine/hw/x86/ioapic-regs.ts';
import { HvmRig } from '../../../support/hvm-rig.ts';

const EXTINT = Mode.EXTINT << 8;
const VECTOR = 0x41;
const TYPE = { GSI: 0, PCI: 1 << 24, VECTOR: 2 << 24 };

let rig: HvmRig;
beforeEach(() => {
  rig = new HvmRig();
});

describe('ISA interrupts', () => {
  test('one goes to the pin of its own number, and to the 8259s', () => {
    rig.startPic();
    rig.entry(4, VECTOR);
    expect(rig.irq.isaIrqAssert(4)).toBe(2);
    expect(rig.requests()).toEqual([VECTOR]);
    expect(rig.chips.pic.master.irr).toBe(1 << 4);
  });

  test('the timer, ISA interrupt 0, goes to pin 2 of the IOAPIC and input 0 of the 8259s', () => {
    rig.startPic();
    rig.entry(2, VECTOR);
    rig.irq.isaIrqAssert(0);
    expect([rig.requests(), rig.chips.pic.master.irr, rig.irq.gsiCount[2]]).toEqual([[VECTOR], 1, 1]);
  });

  test('asserting it again is one with the first; deasserting it lowers the input of the 8259s', () => {
    rig.irq.isaIrqAssert(4);
    expect(rig.irq.isaIrqAssert(4)).toBe(0);
    expect(rig.irq.gsiCount[4]).toBe(1);
    rig.irq.isaIrqDeassert(4);
    rig.irq.isaIrqDeassert(4);
    expect([rig.irq.gsiCount[4], rig.chips.pic.master.irr]).toEqual([0, 0]);
  });

  test('masked everywhere it is ignored', () => {
    rig.chips.pic.write(0x21, 0xff);
    expect(rig.irq.isaIrqAssert(4)).toBe(-1);
  });

  test('a level pin that is unmasked while its wire is held interrupts', () => {
    rig.irq.isaIrqAssert(9);
    rig.entry(9, RTE_LEVEL | VECTOR);
    expect(rig.requests()).toEqual([VECTOR]);
  });
});

describe('PCI', () => {
  test('INTx of 32 devices are spread over GSI 16 to 47, and over four links', () => {
    expect([pciGsi(0, 0), pciGsi(3, 0), pciGsi(7, 3), pciGsi(8, 0), pciGsi(31, 3)]).toEqual([
      16, 28, 47, 17, 18,
    ]);
    expect([pciLink(0, 0), pciLink(3, 0), pciLink(3, 1), pciLink(31, 3)]).toEqual([0, 3, 0, 2]);
  });

  test('an INTx holds its GSI and, by its link, an ISA interrupt', () => {
    rig.entry(pciGsi(3, 0), RTE_LEVEL | VECTOR);
    rig.irq.setPciLinkRoute(3, 11);
    expect(rig.irq.pciIntxAssert(3, 0)).toBe(2);
    expect([rig.irq.gsiCount[28], rig.irq.gsiCount[11], rig.irq.linkCount[3]]).toEqual([1, 1, 1]);
    expect([rig.requests(), rig.chips.pic.slave.irr]).toEqual([[VECTOR], 1 << 3]);
    rig.irq.pciIntxDeassert(3, 0);
    expect([rig.irq.gsiCount[28], rig.irq.gsiCount[11], rig.irq.linkCount[3]]).toEqual([0, 0, 0]);
    expect(rig.chips.pic.slave.irr).toBe(0);
  });

  test('devices share a link: its interrupt falls with the last of them', () => {
    rig.irq.setPciLinkRoute(3, 11);
    rig.irq.pciIntxAssert(3, 0);
    rig.irq.pciIntxAssert(7, 0);
    expect([rig.irq.linkCount[3], rig.irq.gsiCount[11]]).toEqual([2, 1]);
    rig.irq.pciIntxDeassert(3, 0);
    expect(rig.chips.pic.slave.irr).toBe(1 << 3);
    rig.irq.pciIntxDeassert(7, 0);
    expect(rig.chips.pic.slave.irr).toBe(0);
  });

  test('a shared level interrupt stays held by the other device after the EOI', () => {
    const gsi = pciGsi(3, 0);
    const [other, pin] = [...Array(32).keys()]
      .flatMap((d) => [0, 1, 2, 3].map((i) => [d, i] as const))
      .find(([d, i]) => d !== 3 && pciGsi(d, i) === gsi)!;
    rig.entry(gsi, RTE_LEVEL | VECTOR);
    rig.irq.pciIntxAssert(3, 0);
    rig.irq.pciIntxAssert(other, pin);
    expect(rig.take()).toBe('lapic 41');
    rig.irq.pciIntxDeassert(3, 0);
    rig.eoi();
    expect(rig.take()).toBe('lapic 41');
    rig.irq.pciIntxDeassert(other, pin);
    rig.eoi();
    expect(rig.take()).toBe('none');
    expect(rig.acked).toEqual([gsi, gsi]);
  });

  test('a new route takes an interrupt that is held along', () => {
    rig.irq.setPciLinkRoute(0, 10);
    rig.irq.pciIntxAssert(0, 0);
    expect(rig.irq.setPciLinkRoute(0, 5)).toBe(0);
    expect([rig.irq.gsiCount[10], rig.irq.gsiCount[5]]).toEqual([0, 1]);
    expect([rig.chips.pic.master.irr & (1 << 5), rig.chips.pic.slave.irr]).toEqual([1 << 5, 0]);
    rig.irq.setPciLinkRoute(0, 0);
    expect([rig.irq.gsiCount[5], rig.chips.pic.master.irr & (1 << 5)]).toEqual([0, 0]);
  });

  test('there are four links and sixteen interrupts to route them to', () => {
    expect([rig.irq.setPciLinkRoute(4, 1), rig.irq.setPciLinkRoute(0, 16)]).toEqual([-22, -22]);
    expect([...rig.irq.linkRoute]).toEqual([0, 0, 0, 0]);
  });
});

describe('GSIs by themselves', () => {
  test('counts are of eight bits: the 256th wire is the first again', () => {
    rig.entry(20, VECTOR);
    for (let i = 0; i < 256; i++) rig.irq.ioapicAssert(20, true);
    expect(rig.irq.gsiCount[20]).toBe(0);
    rig.take();
    rig.irq.ioapicAssert(20, true);
    expect(rig.requests()).toEqual([VECTOR]);
    rig.irq.ioapicDeassert(20);
    rig.irq.ioapicDeassert(20);
    expect(rig.irq.gsiCount[20]).toBe(255);
  });

  test('a pulse is an edge whoever holds the GSI, and holds nothing', () => {
    rig.entry(20, VECTOR);
    rig.irq.ioapicAssert(20, true);
    rig.take();
    rig.irq.ioapicAssert(20, false);
    expect([rig.requests(), rig.irq.gsiCount[20]]).toEqual([[VECTOR], 1]);
  });

  test('the one wire of a GSI counts once as a level, and as an edge not at all', () => {
    rig.entry(20, RTE_LEVEL | VECTOR);
    rig.irq.gsiAssert(20);
    expect(rig.irq.gsiAssert(20)).toBe(0);
    expect(rig.irq.gsiCount[20]).toBe(1);
    rig.irq.gsiDeassert(20);
    rig.entry(21, VECTOR + 1);
    rig.irq.gsiAssert(21);
    expect([rig.irq.gsiCount[20], rig.irq.gsiCount[21], rig.requests()]).toEqual([
      0,
      0,
      [VECTOR, VECTOR + 1],
    ]);
  });

  test('a GSI that the guest takes as an event channel reaches no IOAPIC, and its end no 8259', () => {
    const sent: number[] = [];
    rig.irq.pirqs = { bound: (gsi) => gsi === 4, send: (gsi) => sent.push(gsi) };
    rig.entry(4, VECTOR);
    rig.irq.isaIrqAssert(4);
    expect([sent, rig.requests(), rig.chips.pic.master.irr]).toEqual([[4], [], 1 << 4]);
    rig.irq.isaIrqDeassert(4);
    expect(rig.chips.pic.master.irr).toBe(1 << 4);
  });
});

describe('messages', () => {
  const address = (destination: number, logical = 0) => (0xfee0_0000 | (destination << 12) | logical) >>> 0;

  test('a fixed one is requested at all that are meant', () => {
    expect(rig.irq.injectMsi(address(0xff), 0, VECTOR)).toBe(0);
    expect([0, 1, 2].map((v) => rig.requests(v))).toEqual([[VECTOR], [VECTOR], [VECTOR]]);
    expect(rig.kicked).toEqual([0, 1, 2]);
  });

  test('to nobody: 0 when fixed, ESRCH by lowest priority; other modes are EINVAL', () => {
    const answers = [Mode.FIXED, Mode.LOWEST, Mode.SMI, Mode.NMI, Mode.INIT, Mode.EXTINT].map((mode) =>
      rig.irq.injectMsi(address(9), 0, (mode << 8) | VECTOR),
    );
    expect(answers).toEqual([0, -3, -22, -22, -22, -22]);
  });

  test('vector 0 names an event channel by the destination, and ERANGE without one', () => {
    const pirqs: number[] = [];
    rig.irq.messagePirq = (pirq) => {
      pirqs.push(pirq);
      return 0;
    };
    expect(rig.irq.injectMsi(address(0x35), 0x0000_0100, 0x4300)).toBe(0);
    expect(pirqs).toEqual([0x135]);
    expect(rig.irq.injectMsi(address(0), 0, 0x4300)).toBe(-34);
  });

  test('under 3.4 ExtINT is fixed, and a local APIC that is off is asked all the same', () => {
    rig = new HvmRig(2, XEN_3_4_HVM);
    rig.vcpus[1]!.apic.write(Reg.SVR, 0xff);
    expect(rig.irq.injectMsi(address(2), 0, EXTINT | VECTOR)).toBe(0);
    expect(rig.requests(1)).toEqual([VECTOR]);
    rig = new HvmRig(2);
    rig.vcpus[1]!.apic.write(Reg.SVR, 0xff);
    rig.irq.injectMsi(address(2), 0, VECTOR);
    expect(rig.requests(1)).toEqual([]);
  });
});

describe('events', () => {
  function pend(vcpu = 0): void {
    rig.upcalls[vcpu] = true;
    rig.irq.assertEvtchnIrq(vcpu);
  }

  function seen(vcpu = 0): void {
    rig.upcalls[vcpu] = false;
    rig.irq.maybeDeassertEvtchnIrq();
  }

  test('by a GSI: the line is held while events of virtual CPU 0 wait', () => {
    rig.entry(28, RTE_LEVEL | VECTOR);
    rig.irq.setCallbackVia(28, TYPE.GSI);
    pend();
    pend();
    expect([rig.irq.viaAsserted, rig.irq.gsiCount[28], rig.requests()]).toEqual([true, 1, [VECTOR]]);
    seen();
    expect([rig.irq.viaAsserted, rig.irq.gsiCount[28]]).toEqual([false, 0]);
  });

  test('by a GSI below 16 the 8259s are told, too', () => {
    rig.irq.setCallbackVia(5, TYPE.GSI);
    pend();
    expect(rig.chips.pic.master.irr).toBe(1 << 5);
    seen();
    expect(rig.chips.pic.master.irr).toBe(0);
  });

  test('by INTx of a PCI device, as the platform device has it', () => {
    // device 3, INTA: bits 15-11 and 1-0
    rig.irq.setCallbackVia(3 << 11, TYPE.PCI);
    expect([rig.irq.viaType, rig.irq.via]).toEqual([Via.PCI_INTX, 3]);
    pend();
    expect([rig.irq.pciIntx.members(), rig.irq.gsiCount[28]]).toEqual([[12], 1]);
    seen();
    expect(rig.irq.pciIntx.members()).toEqual([]);
  });

  test('by a vector: each virtual CPU is kicked, and given it before the chips', () => {
    rig.irq.setCallbackVia(0xf3, TYPE.VECTOR);
    rig.forget();
    pend(2);
    expect([rig.kicked, rig.take(2), rig.take(0)]).toEqual([[2], 'vector f3', 'none']);
    // it stays until the guest has looked
    expect(rig.take(2)).toBe('vector f3');
    seen(2);
    expect(rig.take(2)).toBe('none');
  });

  test("by a vector of a virtual CPU's own local APIC", () => {
    expect(rig.irq.setUpcallVector(1, 0xf3)).toBe(0);
    pend(1);
    expect(rig.requests(1)).toEqual([0xf3]);
    expect([rig.irq.setUpcallVector(1, 15), rig.irq.setUpcallVector(1, 256)]).toEqual([-22, -22]);
  });

  test('enabling the local APIC requests the vector of events that wait', () => {
    rig.vcpus[1]!.upcallVector = 0xf3;
    rig.vcpus[1]!.apic.write(Reg.SVR, 0xff);
    pend(1);
    expect(rig.requests(1)).toEqual([]);
    rig.vcpus[1]!.apic.write(Reg.SVR, 0x1ff);
    expect(rig.requests(1)).toEqual([0xf3]);
  });

  test('a change of way lets go of the old line and takes the new one', () => {
    rig.irq.setCallbackVia(28, TYPE.GSI);
    pend();
    rig.irq.setCallbackVia(3 << 11, TYPE.PCI);
    expect([rig.irq.gsiCount[28], rig.irq.pciIntx.members()]).toEqual([1, [12]]);
    rig.irq.setCallbackVia(0, 0);
    expect([rig.irq.viaType, rig.irq.gsiCount[28], rig.irq.pciIntx.members()]).toEqual([Via.NONE, 0, []]);
    rig.irq.setCallbackVia(5, TYPE.GSI);
    expect([rig.irq.gsiCount[5], rig.chips.pic.master.irr]).toEqual([1, 1 << 5]);
  });

  test('there is no GSI 0 or 48, and no fourth way', () => {
    for (const [low, high] of [
      [0x100, TYPE.GSI],
      [48, TYPE.GSI],
      [0xf3, 3 << 24],
    ] as const) {
      rig.irq.setCallbackVia(low, high);
      expect(rig.irq.viaType).toBe(Via.NONE);
    }
  });

  test('in the handler of an interrupt the delivery is left to a tasklet', () => {
    const later: number[] = [];
    rig.irq.defer = (vcpu) => later.push(vcpu) > 0;
    rig.irq.setCallbackVia(5, TYPE.GSI);
    later.length = 0;
    pend();
    expect([later, rig.irq.viaAsserted]).toEqual([[0], false]);
    rig.irq.defer = () => false;
    rig.irq.assertEvtchnIrq(0);
    expect(rig.irq.viaAsserted).toBe(true);
  });

  test('under 3.4 there are no vectors for events, and a new line is not told of what waits', () => {
    rig = new HvmRig(2, XEN_3_4_HVM);
    rig.irq.setCallbackVia(0xf3, TYPE.VECTOR);
    expect([rig.irq.viaType, rig.irq.setUpcallVector(1, 0xf3)]).toEqual([Via.NONE, -22]);
    rig.upcalls[0] = true;
    rig.irq.setCallbackVia(5, TYPE.GSI);
    expect(rig.irq.viaAsserted).toBe(false);
    rig = new HvmRig(2);
    rig.upcalls[0] = true;
    rig.irq.setCallbackVia(5, TYPE.GSI);
    expect(rig.irq.viaAsserted).toBe(true);
  });
});

describe('what a virtual CPU is given', () => {
  test('NMI, machine check, callback vector, 8259s, local APIC, in this order', () => {
    rig.startPic();
    rig.vcpus[0]!.apic.write(Reg.LVT_LINT0, EXTINT);
    rig.irq.setCallbackVia(0xf3, TYPE.VECTOR);
    rig.upcalls[0] = true;
    rig.entry(20, VECTOR);
    rig.irq.ioapicAssert(20, true);
    rig.irq.isaIrqAssert(4);
    rig.vcpus[0]!.mcePending = true;
    rig.vcpus[0]!.pendNmi();
    expect([rig.take(), rig.take(), rig.take()]).toEqual(['nmi 2', 'mce 12', 'vector f3']);
    rig.upcalls[0] = false;
    expect([rig.take(), rig.take(), rig.take()]).toEqual(['pic c', 'lapic 41', 'none']);
  });

  test('under 3.4 machine checks are not injected', () => {
    rig = new HvmRig(1, XEN_3_4_HVM);
    rig.vcpus[0]!.mcePending = true;
    expect(rig.take()).toBe('none');
  });

  test('of the 8259s who is their target, one at a time', () => {
    rig.startPic();
    rig.vcpus[1]!.apic.write(Reg.LVT_LINT0, EXTINT);
    rig.irq.isaIrqAssert(4);
    rig.irq.isaIrqAssert(12);
    expect([rig.take(0), rig.take(1), rig.take(1)]).toEqual(['none', 'pic 74', 'none']);
    rig.chips.pic.write(0xa0, 0x20);
    rig.chips.pic.write(0x20, 0x20);
    expect([rig.take(1), rig.acked]).toEqual(['pic c', [12, 2]]);
  });

  test('an 8259 interrupt that is gone when it is acknowledged is none', () => {
    rig.startPic();
    rig.vcpus[0]!.apic.write(Reg.LVT_LINT0, EXTINT);
    rig.irq.isaIrqAssert(4);
    const waits = rig.irq.hasPendingIrq(0);
    rig.irq.isaIrqDeassert(4);
    expect([waits.source, rig.irq.ackPendingIrq(0, waits).source]).toEqual(['pic', 'none']);
    const nmi = { source: 'nmi', vector: 2 } as const;
    const mce = { source: 'mce', vector: 18 } as const;
    expect([nmi, mce].map((intack) => rig.irq.ackPendingIrq(0, intack).source)).toEqual(['none', 'none']);
  });

  test('its task priority holds back a vector of its class or below, nothing else', () => {
    rig.vcpus[0]!.apic.write(Reg.TPR, 0x40);
    const blocks = (source: 'lapic' | 'nmi', vector: number) => rig.irq.tprBlocks(0, { source, vector });
    expect([blocks('lapic', 0x4f), blocks('lapic', 0x50), blocks('nmi', 2)]).toEqual([true, false, false]);
  });

  test('INT of the 8259s kicks their target when it rises, not while it stays', () => {
    rig.startPic();
    rig.vcpus[2]!.apic.write(Reg.LVT_LINT0, EXTINT);
    rig.forget();
    rig.irq.isaIrqAssert(4);
    rig.irq.isaIrqAssert(3);
    expect(rig.kicked).toEqual([2]);
  });

  test('under 3.4 only virtual CPU 0 is wired to the 8259s, also without a local APIC', () => {
    rig = new HvmRig(2, XEN_3_4_HVM);
    rig.startPic();
    rig.vcpus[1]!.apic.write(Reg.LVT_LINT0, EXTINT);
    rig.irq.isaIrqAssert(4);
    expect([rig.take(1), rig.take(0), rig.kicked]).toEqual(['none', 'none', []]);
    rig.vcpus[0]!.apic.wrmsr(0x1b, 0xfee0_0000, 0);
    expect(rig.take(0)).toBe('pic c');
  });
});

describe("the 8254's interrupt at the IOAPIC", () => {
  const LOWEST = Mode.LOWEST << 8;

  function timer(low: number, destination: number): number[][] {
    rig.timerRuns = true;
    rig.entry(2, low | VECTOR, destination);
    rig.irq.isaIrqAssert(0);
    return rig.vcpus.map((v) => v.apic.irr.members());
  }

  test('by lowest priority goes to virtual CPU 0 if that is meant', () => {
    expect(timer(LOWEST, 0xff)).toEqual([[VECTOR], [], []]);
    rig = new HvmRig();
    expect(timer(LOWEST, 2)).toEqual([[], [VECTOR], []]);
    rig = new HvmRig();
    expect(timer(0, 2)).toEqual([[], [VECTOR], []]);
  });

  test('while the 8254 makes no ticks it is as any other', () => {
    rig.entry(2, LOWEST | VECTOR, 0xff);
    rig.irq.isaIrqAssert(0);
    expect(rig.requests(1)).toEqual([VECTOR]);
  });

  test('under 3.4 it goes to virtual CPU 0 whoever is meant, but to nobody if nobody is', () => {
    rig = new HvmRig(3, XEN_3_4_HVM);
    expect(timer(0, 2)).toEqual([[VECTOR], [], []]);
    rig = new HvmRig(3, XEN_3_4_HVM);
    expect(timer(0, 9)).toEqual([[], [], []]);
  });
});

test('the way of a level interrupt, function by function', () => {
  rig.entry(28, RTE_LEVEL | VECTOR);
  rig.forget();
  rig.irq.pciIntxAssert(3, 0);
  rig.take();
  rig.irq.pciIntxDeassert(3, 0);
  rig.eoi();
  expect(rig.hops).toEqual([
    'hvm_pci_intx_assert 3 0',
    'vioapic_irq_positive_edge 28 0',
    'vioapic_deliver 28 65',
    'vlapic_set_irq 0 65',
    'vlapic_ack_pending_irq 0 65',
    'hvm_pci_intx_deassert 3 0',
    'vlapic_EOI_set 0 65',
    'vioapic_update_EOI 65 0',
  ]);
  expect([rig.acked, rig.ended]).toEqual([[28], [[0, VECTOR]]]);
});

test('an entry made an edge while it waits for an EOI is acknowledged by that', () => {
  rig.entry(28, RTE_LEVEL | VECTOR);
  rig.irq.pciIntxAssert(3, 0);
  expect(rig.chips.ioapic.low[28]! & RTE_REMOTE_IRR).not.toBe(0);
  rig.entry(28, VECTOR);
  expect([rig.chips.ioapic.low[28]! & RTE_REMOTE_IRR, rig.acked]).toEqual([0, [28]]);
});

test('who waits for an unmasked GSI is told of entries and of LINT0', () => {
  rig.entry(28, RTE_MASKED | VECTOR);
  expect(rig.unmasked).toBe(0);
  rig.entry(28, VECTOR);
  expect(rig.unmasked).toBe(1);
  rig.vcpus[0]!.apic.write(Reg.LVT_LINT0, EXTINT);
  expect(rig.unmasked).toBe(2);
});

test('saved wires go on where they were', () => {
  rig.irq.setPciLinkRoute(3, 11);
  rig.irq.pciIntxAssert(3, 0);
  rig.irq.isaIrqAssert(4);
  rig.irq.setCallbackVia(5, TYPE.GSI);
  rig.upcalls[0] = true;
  rig.irq.assertEvtchnIrq(0);
  const state = JSON.parse(JSON.stringify(rig.irq.save()));
  const copy = new HvmIrq('d1', new HvmRig().chips);
  copy.restore(state);
  expect(copy.save()).toEqual(state);
  copy.pciIntxDeassert(3, 0);
  copy.isaIrqDeassert(4);
  expect([copy.gsiCount[28], copy.gsiCount[11], copy.gsiCount[4], copy.gsiCount[5]]).toEqual([0, 0, 0, 1]);
});
