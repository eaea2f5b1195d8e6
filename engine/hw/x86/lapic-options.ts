/**
 * Where emulations of the local APIC part from each other and from the manual: every difference by name, in one place.
 * KVM is arch/x86/kvm/lapic.c of Linux 6.1, Xen is xen/arch/x86/hvm/vlapic.c, the manual is volume 3 of the SDM.
 * Differences in who is meant by a message are in apic-bus-options.ts.
 */

export interface LapicOptions {
  /** Version register without the number of LVT entries: 0x14 under KVM and Xen, 0x15 of a present processor. */
  readonly version: number;

  // vectors and errors

  /** Vectors below 16 are errors, told in ESR and by LVTERR (manual, Xen). KVM takes them like others; its ESR stays 0. */
  readonly illegalVectors: boolean;
  /** Access to a reserved register of the page is an error too (manual). KVM and Xen do not mind. */
  readonly illegalRegisters: boolean;
  /** An error shows in ESR at once and for good, which cannot be written (Xen 4.17). Else writing ESR shows those since then. */
  readonly esrAtOnce: boolean;
  /**
   * A command of the ICR for vectors has a trigger mode. `asserted`: level sets TMR, its deassert is dropped (KVM). `both`:
   * the deassert is one, too (Xen 3.4). False: all are edges.
   */
  readonly levelCommands: 'asserted' | 'both' | false;
  /** A vector in TMR stays until its EOI (Xen 3.4). Else each request has it set or cleared. */
  readonly tmrUntilEoi: boolean;
  /** A request that is one with an earlier one still tells the virtual CPU to look (KVM). Only a new one does elsewhere. */
  readonly kicksAgain: boolean;
  /** A performance-counter interrupt masks its LVT entry (manual, KVM for Intel guests). Xen leaves it. */
  readonly perfMasksItself: boolean;

  // identity and modes

  /** LINT0 of the first processor comes out of reset as unmasked ExtINT: KVM's quirk LINT0_REENABLED. Masked elsewhere. */
  readonly lint0Reenabled: boolean;
  /** Bits of the ID that can be written: 31-24 under KVM, all under Xen, none on present processors. */
  readonly idMask: number;
  /** There is an x2APIC mode: not in Xen 3.4, which takes any value for IA32_APIC_BASE and heeds the enable bit alone. */
  readonly hasX2apic: boolean;
  /** LDR in x2APIC mode is made from half the ID, the number of the virtual CPU (Xen 4.17). Else from the ID. */
  readonly ldrOfHalfId: boolean;
  /** Setting the enable bit of IA32_APIC_BASE resets all registers (manual, Xen). KVM sets the ID, the rest is as it was. */
  readonly enablingResets: boolean;
  /** ESR outlives INIT and reset (Xen). It is cleared elsewhere. */
  readonly esrSurvives: boolean;
  /** The page stays at 0xfee00000 in xAPIC mode, to move it is #GP (Xen). KVM and processors move it. */
  readonly fixedPage: boolean;
  /** Reserved bits of IA32_APIC_BASE's upper half: addresses have 40 bits under KVM here, 52 under Xen, 46 on a processor. */
  readonly baseHighReserved: number;

  // the page

  /** While disabled or in x2APIC mode the page reads all ones: KVM's quirk LAPIC_MMIO_HOLE. Elsewhere nobody is there. */
  readonly pageHole: boolean;
  /**
   * The page is memory (Xen): every register up to TDCR reads as stored, reserved ones 0, and narrow stores are merged.
   * KVM and the manual know only stores of 32 bits, and nothing can be read from reserved registers.
   */
  readonly plainPage: boolean;

  // MSRs

  /** WRMSR with reserved bits is #GP for each register (manual, Xen). KVM ignores them, but for the ICR, ESR and self-IPI. */
  readonly reservedFaults: boolean;
  /** WRMSR of TMICT ignores bits 63-32 (Xen); #GP elsewhere. */
  readonly wideTmict: boolean;
  /** The MSR of an LVT entry for CMCI can be used without there being one, and holds nothing (Xen); #GP elsewhere. */
  readonly hollowCmci: boolean;
  /** Bits 63-32 of the ICR as an MSR are the word of ICR2 (Xen). KVM keeps the two apart. */
  readonly icrUpperIsIcr2: boolean;
  /** A self-IPI leaves its command in the ICR (Xen). It has a register of its own elsewhere. */
  readonly selfIpiInIcr: boolean;

  // the timer

  /** Nanoseconds of a cycle of the bus that the timer counts: 1 under KVM, 10 under Xen and on a bus of 100 MHz. */
  readonly busCycle: number;
  /** Least period of a periodic timer in ns: KVM's min_timer_period_us. */
  readonly leastPeriod: number;
  /**
   * An expired timer stays pending until the virtual CPU is about to enter the guest with LVTT unmasked: KVM, and Xen's
   * vpt.c. The manual delivers LVTT at expiry, or loses it while it is masked.
   */
  readonly timerWaits: boolean;
  /** A one-shot timer that has run out runs out again when the divisor is changed: KVM. It has stopped elsewhere. */
  readonly expiredRefires: boolean;
  /**
   * TMCCT is what is left of the period in whole cycles, so 0 at the moment it starts (KVM). Else it starts at TMICT and
   * falls by one after each cycle (manual, Xen).
   */
  readonly countOfRest: boolean;
  /** In the fourth mode, which is reserved, TMICT cannot be written and reads 0, as in TSC-deadline mode (Xen). */
  readonly fourthModeStops: boolean;
}

export const KVM_LAPIC: LapicOptions = {
  version: 0x14,
  illegalVectors: false,
  illegalRegisters: false,
  levelCommands: 'asserted',
  kicksAgain: true,
  perfMasksItself: true,
  lint0Reenabled: true,
  idMask: 0xff00_0000,
  enablingResets: false,
  esrSurvives: false,
  fixedPage: false,
  baseHighReserved: 0xffff_ff00,
  pageHole: true,
  plainPage: false,
  reservedFaults: false,
  wideTmict: false,
  hollowCmci: false,
  icrUpperIsIcr2: false,
  selfIpiInIcr: false,
  busCycle: 1,
  leastPeriod: 200_000,
  timerWaits: true,
  expiredRefires: true,
  countOfRest: true,
  fourthModeStops: false,
  esrAtOnce: false,
  tmrUntilEoi: false,
  hasX2apic: true,
  ldrOfHalfId: false,
};

export const XEN_LAPIC: LapicOptions = {
  version: 0x14,
  illegalVectors: true,
  illegalRegisters: false,
  levelCommands: false,
  kicksAgain: false,
  perfMasksItself: false,
  lint0Reenabled: false,
  idMask: 0xffff_ffff,
  enablingResets: true,
  esrSurvives: true,
  fixedPage: true,
  baseHighReserved: 0xfff0_0000,
  pageHole: false,
  plainPage: true,
  reservedFaults: true,
  wideTmict: true,
  hollowCmci: true,
  icrUpperIsIcr2: true,
  selfIpiInIcr: true,
  busCycle: 10,
  leastPeriod: 0,
  timerWaits: true,
  expiredRefires: false,
  countOfRest: false,
  fourthModeStops: true,
  esrAtOnce: false,
  tmrUntilEoi: false,
  hasX2apic: true,
  ldrOfHalfId: false,
};

export const XEN_4_17_LAPIC: LapicOptions = { ...XEN_LAPIC, esrAtOnce: true, ldrOfHalfId: true };

export const XEN_3_4_LAPIC: LapicOptions = {
  ...XEN_LAPIC,
  illegalVectors: false,
  levelCommands: 'both',
  tmrUntilEoi: true,
  hasX2apic: false,
  idMask: 0,
  fixedPage: false,
  baseHighReserved: 0,
};

/** A processor's own. */
export const INTEL_LAPIC: LapicOptions = {
  version: 0x15,
  illegalVectors: true,
  illegalRegisters: true,
  levelCommands: false,
  kicksAgain: false,
  perfMasksItself: true,
  lint0Reenabled: false,
  idMask: 0,
  enablingResets: true,
  esrSurvives: false,
  fixedPage: false,
  baseHighReserved: 0xffff_c000,
  pageHole: false,
  plainPage: false,
  reservedFaults: true,
  wideTmict: false,
  hollowCmci: false,
  icrUpperIsIcr2: false,
  selfIpiInIcr: false,
  busCycle: 10,
  leastPeriod: 0,
  timerWaits: false,
  expiredRefires: false,
  countOfRest: false,
  fourthModeStops: false,
  esrAtOnce: false,
  tmrUntilEoi: false,
  hasX2apic: true,
  ldrOfHalfId: false,
};
