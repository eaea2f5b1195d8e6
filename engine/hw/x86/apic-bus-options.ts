/**
 * Where emulations part in who is meant by an interrupt message, by name, in one place. KVM is kvm_irq_delivery_to_apic
 * and what it calls in arch/x86/kvm/{irq_comm,lapic}.c of Linux 6.1, Xen is xen/arch/x86/hvm/vlapic.c.
 */

export interface BusOptions {
  /** MSIs have 32-bit destinations (KVM_X2APIC_API_USE_32BIT_IDS) */
  readonly wideIds?: boolean;
  /** 0xff from a device means all x2APICs too, as long as this is not set (KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) */
  readonly noBroadcastQuirk?: boolean;
  /**
   * Lowest priority: the vector modulo the number of destinations chooses (KVM's vector_hashing, and chipsets), else
   * who has accepted the fewest so far.
   */
  readonly vectorHashing?: boolean;
  /** Lowest priority: the lowest PPR, of equal ones the next after who was chosen last (Xen). Goes before vectorHashing. */
  readonly roundRobin?: boolean;
  /**
   * Destinations are looked up in a map, which answers 0 where it knows that nobody is meant, and chooses by hash among
   * destinations that may be absent (KVM, where not said otherwise). False: each processor is asked (Xen).
   */
  readonly map?: boolean;
  /** A logical destination of all ones means everybody, with an LDR of 0 too (KVM, where not said otherwise). Xen and the manual compare bits. */
  readonly logicalBroadcast?: boolean;
  /** NMI, INIT and SIPI reach processors whose local APIC is disabled in IA32_APIC_BASE (Xen). KVM passes these by. */
  readonly disabledHear?: boolean;
}

export const KVM_BUS: BusOptions = { vectorHashing: true };

export const XEN_BUS: BusOptions = {
  roundRobin: true,
  map: false,
  logicalBroadcast: false,
  disabledHear: true,
};

/** Between physical processors. */
export const INTEL_BUS: BusOptions = { vectorHashing: false, logicalBroadcast: false };
