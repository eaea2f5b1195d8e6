/**
 * APIC virtualization (SDM volume 3, chapter "APIC Virtualization and Virtual Interrupts"): the processor keeps a
 * virtual APIC for the guest, delivers its interrupts and takes its EOIs by itself, and takes over posted ones. The
 * virtual-APIC page is the register page of the hypervisor's local APIC, here as there.
 */
import { Bitmap } from '../../core/bits.ts';
import { type Plain, restoreArray, saveArray } from '../../core/state.ts';
import type { LocalApic } from './lapic.ts';
import type { Vmcs } from './vmcs.ts';

/** The posted-interrupt descriptor: requests by vector, and whom to tell. */
export class PostedDescriptor {
  /** PIR */
  readonly requests = new Bitmap(256);
  /** ON: a notification is under way */
  outstanding = false;
  /** SN: nobody is to be told */
  suppress = false;
  /** NV */
  notificationVector = 0;
  /** NDST: the physical processor, by its APIC ID */
  destination = 0;

  save(): Plain {
    const { outstanding, suppress, notificationVector, destination } = this;
    return [
      Number(outstanding),
      Number(suppress),
      notificationVector,
      destination,
      ...saveArray(this.requests.words),
    ];
  }

  restore(state: Plain): void {
    const [outstanding, suppress, notificationVector, destination, ...words] = state as number[];
    this.outstanding = outstanding === 1;
    this.suppress = suppress === 1;
    this.notificationVector = notificationVector!;
    this.destination = destination!;
    restoreArray(this.requests.words, words);
  }
}

export class ApicV {
  readonly posted = new PostedDescriptor();

  constructor(
    private readonly vmcs: Vmcs,
    private readonly page: LocalApic,
  ) {}

  /** The vector of a pending virtual interrupt, if its class is above VPPR; -1 for none. IF and blocking are not asked. */
  pending(): number {
    const { rvi } = this.vmcs;
    return rvi > 0 && (rvi & 0xf0) > (this.ppr() & 0xf0) ? rvi : -1;
  }

  /** VPPR: TPR or SVI, whichever class is higher. */
  private ppr(): number {
    const { svi } = this.vmcs;
    const { tpr } = this.page;
    return (tpr & 0xf0) >= (svi & 0xf0) ? tpr & 0xff : svi & 0xf0;
  }

  /** Virtual-interrupt delivery: VIRR to VISR, RVI and SVI follow. The answer is the vector. */
  deliver(): number {
    const { vmcs, page } = this;
    const vector = vmcs.rvi;
    page.isr.set(vector);
    page.irr.clear(vector);
    page.changed();
    vmcs.svi = vector;
    vmcs.rvi = Math.max(0, page.highestRequest);
    return vector;
  }

  /** EOI virtualization. The answer is the vector that was ended, with `exits` telling whether its EOI leaves the guest. */
  eoi(): { vector: number; exits: boolean } {
    const { vmcs, page } = this;
    const vector = vmcs.svi;
    page.isr.clear(vector);
    page.changed();
    vmcs.svi = Math.max(0, page.highestInService);
    return { vector, exits: ((vmcs.eoiExit[vector >> 5]! >>> (vector & 31)) & 1) !== 0 };
  }

  /** Self-IPI virtualization. */
  selfIpi(vector: number): void {
    this.page.irr.set(vector);
    this.page.changed();
    if (vector > this.vmcs.rvi) this.vmcs.rvi = vector;
  }

  /** Posted-interrupt processing: PIR goes to VIRR, RVI to the highest. */
  processPosted(): void {
    this.posted.outstanding = false;
    const { highest } = this.page.updateIrr(this.posted.requests);
    if (highest > this.vmcs.rvi) this.vmcs.rvi = highest;
  }
}
