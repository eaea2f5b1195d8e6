/**
 * A domain on ARM as Xen keeps it (struct arch_domain): its virtual GIC, the pages of it that trap, and where the books
 * keep what is on its way to the guest.
 */
import type { Books, SlotId, SourceId } from '../../../core/books.ts';
import type { Registers } from '../../../core/registers.ts';
import type { Domain } from '../domain.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { VgicDomain } from './vgic-domain.ts';

/** Where a domain's memory map has its GIC. */
export interface GicMap {
  readonly dist: number;
  readonly distSize: number;
  /** GICv2: the CPU interface, which is the virtual one of the machine */
  readonly cpu: number;
  /** GICv3: redistributors, one after the other */
  readonly redist: number;
}

/** A range of addresses that Xen emulates (register_mmio_handler), or that is a device's own. */
export interface MmioRange {
  readonly base: number;
  readonly size: number;
  readonly registers: Registers;
  /** mapped into the guest: no trap */
  readonly direct: boolean;
}

export interface ArmDomainInit {
  readonly domain: Domain;
  readonly vgic: VgicDomain;
  readonly map: GicMap;
  /** PPI that tells of event channels (evtchn_irq) */
  readonly evtchnIrq: number;
}

export class ArmDomain {
  readonly domain: Domain;
  readonly vgic: VgicDomain;
  readonly map: GicMap;
  readonly evtchnIrq: number;
  readonly vcpus: readonly ArmVcpu[];
  readonly ranges: MmioRange[] = [];
  /** in whose name event channels raise their PPI */
  readonly upcallSource: SourceId;

  constructor(init: ArmDomainInit, books: Books) {
    this.domain = init.domain;
    this.vgic = init.vgic;
    this.map = init.map;
    this.evtchnIrq = init.evtchnIrq;
    this.vcpus = init.domain.vcpus as readonly ArmVcpu[];
    this.upcallSource = books.sourceOf(`dom${init.domain.id} events`);
    this.vcpus.forEach((v, n) => {
      v.arm = this;
      v.vgic = init.vgic.vcpus[n]!;
    });
  }

  /** Where what a virtual CPU's guest takes has waited: in a list register. */
  takenSlot(v: ArmVcpu, irq: number): SlotId {
    return this.vgic.pendingOf(v.vgic, irq).slot + 1;
  }

  rangeAt(address: number): MmioRange | undefined {
    return this.ranges.find(({ base, size }) => address >= base && address < base + size);
  }
}
