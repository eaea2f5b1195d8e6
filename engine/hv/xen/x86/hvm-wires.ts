/**
 * The virtual interrupt wires of an HVM guest (struct hvm_irq, xen/arch/x86/hvm/irq.c): INTx of 32 PCI devices, ISA
 * interrupts, the PCI bridge's four links, and how many wires hold each GSI. A GSI's first wire is an edge for the chips,
 * its last one leaving lowers the 8259s' input.
 *
 * Counts are of 8 bits and wrap, as in C.
 */
import { Bitmap } from '../../../core/bits.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../../core/state.ts';
import { COALESCED } from '../../../hw/x86/ioapic.ts';
import { type HvmChips, isaGsi } from './hvm-chips.ts';

const DEVICES = 32;
const LINKS = 4;
const ISA_IRQS = 16;
const EINVAL = -22;

/** GSI of a PCI device's INTx (hvm_pci_intx_gsi). */
export function pciGsi(device: number, intx: number): number {
  return (((device << 2) + (device >> 3) + intx) & 31) + 16;
}

/** Link of a PCI device's INTx: devices take turns (hvm_pci_intx_link). */
export function pciLink(device: number, intx: number): number {
  return (device + intx) & 3;
}

/** GSIs that a guest takes as event channels in place of interrupts (XENFEAT_hvm_pirqs, hvm_domain_use_pirq). */
export interface EmulatedPirqs {
  /** Is this GSI's interrupt an event channel? */
  bound(gsi: number): boolean;
  /** send_guest_pirq */
  send(gsi: number): void;
}

export class HvmWires implements Part {
  readonly id: string;
  /** wires holding each GSI (gsi_assert_count) */
  readonly gsiCount: Uint8Array;
  /** INTx that are asserted, device * 4 + intx (pci_intx) */
  readonly pciIntx = new Bitmap(DEVICES * 4);
  /** ISA interrupts that are asserted (isa_irq) */
  isaIrq = 0;
  /** ISA interrupt of each link; 0: none (pci_link.route) */
  readonly linkRoute = new Uint8Array(LINKS);
  /** INTx holding each link (pci_link_assert_count) */
  readonly linkCount = new Uint8Array(LINKS);
  /** none unless the guest asked for it */
  pirqs: EmulatedPirqs = { bound: () => false, send: () => {} };

  constructor(
    name: string,
    protected readonly chips: HvmChips,
  ) {
    this.id = `${name}.hvm_irq`;
    this.gsiCount = new Uint8Array(chips.ioapic.low.length);
  }

  // ISA

  /**
   * hvm_isa_irq_assert. Like all that raise something it answers how many virtual CPUs and chips took it, COALESCED if it
   * was raised before, IGNORED if all is masked.
   */
  isaIrqAssert(irq: number): number {
    this.chips.hop('hvm_isa_irq_assert', irq);
    if (this.isaIrq & (1 << irq)) return COALESCED;
    this.isaIrq |= 1 << irq;
    const gsi = isaGsi(irq);
    return this.count(gsi) ? this.assertIrq(gsi, irq) : COALESCED;
  }

  /** hvm_isa_irq_deassert */
  isaIrqDeassert(irq: number): void {
    this.chips.hop('hvm_isa_irq_deassert', irq);
    if (!(this.isaIrq & (1 << irq))) return;
    this.isaIrq &= ~(1 << irq);
    if (this.uncount(isaGsi(irq))) this.deassertIrq(irq);
  }

  // PCI

  /** hvm_pci_intx_assert: the device's own GSI, and by its link an ISA interrupt. */
  pciIntxAssert(device: number, intx: number): number {
    this.chips.hop('hvm_pci_intx_assert', device, intx);
    if (!this.pciIntx.set(device * 4 + intx)) return COALESCED;
    const gsi = pciGsi(device, intx);
    const own = this.count(gsi) ? this.assertGsi(gsi) : COALESCED;
    const link = pciLink(device, intx);
    const isaIrq = this.linkRoute[link]!;
    if (this.linkCount[link]!++ !== 0 || isaIrq === 0 || !this.count(isaIrq)) return own;
    return together(own, this.assertIrq(isaIrq, isaIrq));
  }

  /** hvm_pci_intx_deassert */
  pciIntxDeassert(device: number, intx: number): void {
    this.chips.hop('hvm_pci_intx_deassert', device, intx);
    if (!this.pciIntx.has(device * 4 + intx)) return;
    this.pciIntx.clear(device * 4 + intx);
    this.uncount(pciGsi(device, intx));
    const link = pciLink(device, intx);
    const isaIrq = this.linkRoute[link]!;
    if (--this.linkCount[link]! === 0 && isaIrq !== 0 && this.uncount(isaIrq)) this.deassertIrq(isaIrq);
  }

  /** hvm_set_pci_link_route: 0, or EINVAL. A link that is held takes its interrupt along. */
  setPciLinkRoute(link: number, isaIrq: number): number {
    if (link >= LINKS || isaIrq >= ISA_IRQS) return EINVAL;
    const old = this.linkRoute[link]!;
    if (old === isaIrq) return 0;
    this.linkRoute[link] = isaIrq;
    if (this.linkCount[link] === 0) return 0;
    if (old !== 0 && this.uncount(old)) this.lowerPic(old);
    if (isaIrq !== 0 && this.count(isaIrq)) this.raiseBoth(isaIrq);
    return 0;
  }

  // a GSI by itself

  /** hvm_ioapic_assert: a wire of its own; `level` false: a pulse, whoever holds the GSI. */
  ioapicAssert(gsi: number, level: boolean): number {
    this.chips.hop('hvm_ioapic_assert', gsi, Number(level));
    return !level || this.count(gsi) ? this.assertGsi(gsi) : COALESCED;
  }

  /** hvm_ioapic_deassert */
  ioapicDeassert(gsi: number): void {
    this.uncount(gsi);
  }

  /** hvm_gsi_assert: the one wire of a GSI, an edge or a level as its entry says. */
  gsiAssert(gsi: number): number {
    const level = this.chips.isLevel(gsi);
    if (level && this.gsiCount[gsi] !== 0) return COALESCED;
    if (level) this.setCount(gsi, 1);
    return this.assertGsi(gsi);
  }

  /** hvm_gsi_deassert */
  gsiDeassert(gsi: number): void {
    if (this.chips.isLevel(gsi)) this.setCount(gsi, 0);
  }

  // edges

  /** One more wire holds it; true if it is the first. */
  protected count(gsi: number): boolean {
    const before = this.gsiCount[gsi]!;
    this.setCount(gsi, before + 1);
    return before === 0;
  }

  /** One wire less; true if it was the last. */
  protected uncount(gsi: number): boolean {
    this.setCount(gsi, this.gsiCount[gsi]! - 1);
    return this.gsiCount[gsi] === 0;
  }

  private setCount(gsi: number, count: number): void {
    this.gsiCount[gsi] = count;
    this.chips.ioapic.hold(gsi, this.gsiCount[gsi] !== 0);
  }

  /** assert_gsi */
  private assertGsi(gsi: number): number {
    if (!this.pirqs.bound(gsi)) return this.raiseIoApic(gsi);
    this.chips.hop('send_guest_pirq', gsi);
    this.pirqs.send(gsi);
    return 1;
  }

  /** assert_irq */
  private assertIrq(gsi: number, irq: number): number {
    return together(this.assertGsi(gsi), this.raisePic(irq));
  }

  /** deassert_irq */
  private deassertIrq(irq: number): void {
    if (!this.pirqs.bound(irq)) this.lowerPic(irq);
  }

  /** vioapic_irq_positive_edge */
  private raiseIoApic(gsi: number): number {
    this.chips.hop('vioapic_irq_positive_edge', gsi);
    return this.chips.ioapic.service(gsi);
  }

  /** vpic_irq_positive_edge */
  private raisePic(irq: number): number {
    this.chips.hop('vpic_irq_positive_edge', irq);
    return this.chips.pic.edge(irq, true);
  }

  /** Whether an event channel is bound to it or not. */
  protected raiseBoth(gsi: number): number {
    const ioapic = this.raiseIoApic(gsi);
    return gsi < ISA_IRQS ? together(ioapic, this.raisePic(gsi)) : ioapic;
  }

  /** vpic_irq_negative_edge */
  protected lowerPic(gsi: number): void {
    if (gsi >= ISA_IRQS) return;
    this.chips.hop('vpic_irq_negative_edge', gsi);
    this.chips.pic.edge(gsi, false);
  }

  save(): Plain {
    return {
      gsiCount: saveArray(this.gsiCount),
      pciIntx: saveArray(this.pciIntx.words),
      isaIrq: this.isaIrq,
      linkRoute: saveArray(this.linkRoute),
      linkCount: saveArray(this.linkCount),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      gsiCount: number[];
      pciIntx: number[];
      isaIrq: number;
      linkRoute: number[];
      linkCount: number[];
    };
    restoreArray(this.gsiCount, s.gsiCount);
    restoreArray(this.pciIntx.words, s.pciIntx);
    this.isaIrq = s.isaIrq;
    restoreArray(this.linkRoute, s.linkRoute);
    restoreArray(this.linkCount, s.linkCount);
  }
}

/** What two chips answer to one raise. */
function together(a: number, b: number): number {
  return a < 0 || b < 0 ? Math.max(a, b) : a + b;
}
