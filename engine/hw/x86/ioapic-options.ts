/** Where emulations of the IOAPIC part from each other and from the datasheet: every difference by name, in one place. */

export interface IoApicOptions {
  readonly pins: number;
  /** Version register, bits 7-0: 0x11 for the 82093AA and Xen and KVM, 0x20 for later chips. */
  readonly version: number;
  /** A window beyond the last entry reads as ones: KVM. Xen reads 0. */
  readonly beyondIsOnes: boolean;
  /**
   * Remote IRR is set before the message goes out, taken or not: datasheet and Xen. KVM sets it when it was taken,
   * or when nobody was meant.
   */
  readonly remoteIrrFirst: boolean;
  /** Pin 8 carries the real-time clock, whose interrupts count their EOIs and coalesce until all are in: KVM. */
  readonly tracksRtc: boolean;
  /** After that many re-injections in a row by EOI the next waits: KVM's 10000. 0: never. */
  readonly stormLimit: number;
  /** An EOI of a level interrupt makes an edge entry with the same vector send again, if its wire is high: KVM. */
  readonly eoiMeansEdges: boolean;
  /**
   * Writing the entry of pin 0, which the 8259s' INT is wired to, only decides who takes their interrupts: Xen. It
   * clears no remote IRR and serves no request, as for all pins elsewhere.
   */
  readonly picPinApart: boolean;
}

export const KVM_IOAPIC: IoApicOptions = {
  pins: 24,
  version: 0x11,
  beyondIsOnes: true,
  remoteIrrFirst: false,
  tracksRtc: true,
  stormLimit: 10_000,
  eoiMeansEdges: true,
  picPinApart: false,
};

export const XEN_IOAPIC: IoApicOptions = {
  pins: 48,
  version: 0x11,
  beyondIsOnes: false,
  remoteIrrFirst: true,
  tracksRtc: false,
  stormLimit: 0,
  eoiMeansEdges: false,
  picPinApart: true,
};

/** The 82093AA, and the one in the ICH. */
export const INTEL_IOAPIC: IoApicOptions = {
  pins: 24,
  version: 0x20,
  beyondIsOnes: false,
  remoteIrrFirst: true,
  tracksRtc: false,
  stormLimit: 0,
  eoiMeansEdges: false,
  picPinApart: false,
};
