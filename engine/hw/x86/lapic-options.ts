/** Where emulations of the local APIC part from each other and from the manual: every difference by name, in one place. */

export interface LapicOptions {
  /** Nanoseconds of a cycle of the bus that the timer counts: 1 under KVM, 10 under Xen and on a 100 MHz bus. */
  readonly busCycle: number;
  /** Version register without the number of LVT entries: all say 0x14. */
  readonly version: number;
  /**
   * An expired timer stays pending until the virtual CPU is about to enter the guest with LVTT unmasked: KVM. The
   * manual delivers LVTT at expiry, or loses it while masked.
   */
  readonly timerWaits: boolean;
  /** Least period of a periodic timer in ns: KVM's min_timer_period_us. */
  readonly leastPeriod: number;
  /** LINT0 of the first processor comes out of reset as unmasked ExtINT: KVM's quirk LINT0_REENABLED, and a PC's BIOS. */
  readonly lint0Reenabled: boolean;
  /** Vectors below 16 are errors, told in ESR (manual, Xen). KVM takes them like others; its ESR stays 0. */
  readonly illegalVectors: boolean;
  /** A performance-counter interrupt masks its LVT entry (manual, KVM for Intel guests). */
  readonly perfMasksItself: boolean;
  /** Bits of SVR that can be written: 9-0 under KVM and Xen (focus checking is kept), and in the manual. */
  readonly svrMask: number;
}

export const KVM_LAPIC: LapicOptions = {
  busCycle: 1,
  version: 0x14,
  timerWaits: true,
  leastPeriod: 200_000,
  lint0Reenabled: true,
  illegalVectors: false,
  perfMasksItself: true,
  svrMask: 0x3ff,
};

export const XEN_LAPIC: LapicOptions = {
  busCycle: 10,
  version: 0x14,
  timerWaits: false,
  leastPeriod: 0,
  lint0Reenabled: false,
  illegalVectors: true,
  perfMasksItself: false,
  svrMask: 0x3ff,
};

/** A processor's own. */
export const INTEL_LAPIC: LapicOptions = {
  busCycle: 10,
  version: 0x15,
  timerWaits: false,
  leastPeriod: 0,
  lint0Reenabled: false,
  illegalVectors: true,
  perfMasksItself: true,
  svrMask: 0x3ff,
};
