/**
 * Where emulations of the IOAPIC part from each other and from the manuals (82093AA datasheet, ICH): every difference by
 * name, in one place.
 */

export interface IoApicOptions {
  readonly pins: number;
  /** Version register, bits 7-0: 0x11 for the 82093AA, Xen and KVM. 0x20 for the ICH and later: with an EOI register. */
  readonly version: number;
  /** Bits of IOREGSEL: eight in the manuals and in KVM. Xen keeps all 32, and compares them all. */
  readonly selectMask: number;
  /** The window beyond the last entry reads as ones: KVM. Manuals and Xen: 0. */
  readonly beyondIsOnes: boolean;
  /** Reserved bits of an entry keep what is written: KVM and Xen. In the manuals they read 0. */
  readonly reservedStick: boolean;
  /** The window takes 32-bit accesses only: manuals. KVM and Xen cut and extend any width. */
  readonly dwordsOnly: boolean;
  /**
   * An edge that comes while its pin is masked is a request that waits, until the wire falls or the image is put back:
   * KVM. Elsewhere it is lost at once. In either case unmasking does not send it.
   */
  readonly maskedEdgesWait: boolean;
  /**
   * Remote IRR is set as the message goes out, taken or not: Xen, and chips whose messages nobody answers (ICH). KVM
   * sets it afterwards, unless somebody was meant and nobody took it.
   */
  readonly remoteIrrFirst: boolean;
  /** Who waits for an EOI is told while remote IRR is still set: KVM. Xen clears it first. Chips have nobody to tell. */
  readonly ackedFirst: boolean;
  /** An EOI of a level interrupt makes an edge entry with the same vector send again, if its wire is high: KVM. */
  readonly eoiMeansEdges: boolean;
  /** After that many re-injections in a row by EOI the next waits: KVM's 10000. 0: never. */
  readonly stormLimit: number;
  /** Pin 8 carries the real-time clock, whose interrupts count their EOIs and coalesce until all are in: KVM. */
  readonly tracksRtc: boolean;
  /**
   * Writing the entry of pin 0, which the 8259s' INT is wired to, only decides who takes their interrupts: Xen. It
   * clears no remote IRR and serves no request, as for all pins elsewhere.
   */
  readonly picPinApart: boolean;
  /** Writing an entry as edge clears its remote IRR: Linux and later Xens rely on it. Not in Xen 3.4. */
  readonly edgeClearsRemoteIrr: boolean;
  /** An EOI is for all pins of its vector. In Xen 3.4 for the first one alone. */
  readonly eoiForAll: boolean;
  /**
   * At an EOI it looks at its wires again: whatever is high interrupts once more. Device models have been written that
   * serve a pin only as its wire rises.
   */
  readonly resamples: boolean;
}

export const KVM_IOAPIC: IoApicOptions = {
  pins: 24,
  version: 0x11,
  selectMask: 0xff,
  beyondIsOnes: true,
  reservedStick: true,
  dwordsOnly: false,
  maskedEdgesWait: true,
  remoteIrrFirst: false,
  ackedFirst: true,
  eoiMeansEdges: true,
  stormLimit: 10_000,
  tracksRtc: true,
  picPinApart: false,
  edgeClearsRemoteIrr: true,
  eoiForAll: true,
  resamples: true,
};

/** Its wires are gsi_assert_count of xen/arch/x86/hvm/irq.c, which the caller keeps: see `hold` and `service`. */
export const XEN_IOAPIC: IoApicOptions = {
  pins: 48,
  version: 0x11,
  selectMask: 0xffff_ffff,
  beyondIsOnes: false,
  reservedStick: true,
  dwordsOnly: false,
  maskedEdgesWait: false,
  remoteIrrFirst: true,
  ackedFirst: false,
  eoiMeansEdges: false,
  stormLimit: 0,
  tracksRtc: false,
  picPinApart: true,
  edgeClearsRemoteIrr: true,
  eoiForAll: true,
  resamples: true,
};

/** Xen 3.4. */
export const XEN_3_4_IOAPIC: IoApicOptions = {
  ...XEN_IOAPIC,
  picPinApart: false,
  edgeClearsRemoteIrr: false,
  eoiForAll: false,
};

/** The one in the ICH; the 82093AA differs by its version and so lacks the EOI register. */
export const INTEL_IOAPIC: IoApicOptions = {
  pins: 24,
  version: 0x20,
  selectMask: 0xff,
  beyondIsOnes: false,
  reservedStick: false,
  dwordsOnly: true,
  maskedEdgesWait: false,
  remoteIrrFirst: true,
  ackedFirst: false,
  eoiMeansEdges: false,
  stormLimit: 0,
  tracksRtc: false,
  picPinApart: false,
  edgeClearsRemoteIrr: true,
  eoiForAll: true,
  resamples: true,
};
