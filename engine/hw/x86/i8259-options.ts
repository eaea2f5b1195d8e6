/** Where 8259A emulations part from each other and from the datasheet: every difference by name, in one place. */

export interface PicOptions {
  /**
   * How the slave's INT reaches input 2 of the master. `pulse`: at every update with a request in the slave an
   * edge is latched there, which stays if the request goes away (KVM). `wire`: a level that rises and falls with
   * INT (Xen, and the board's wire).
   */
  readonly cascade: 'pulse' | 'wire';
  /** Lowering an edge input forgets the request that was not acknowledged yet: datasheet and Xen, not KVM. */
  readonly fallingEdgeForgets: boolean;
  /** Input 2 of the master can be driven from outside: KVM. On a board it is wired to the slave, Xen ignores it. */
  readonly drivenCascade: boolean;
  /** An acknowledge cycle without a request gives IRQ7 (datasheet, KVM). Xen answers that there is none. */
  readonly spurious: boolean;
  /** After ICW1 an input that has stayed high is an edge when it is driven high again: KVM. Others: it must fall first. */
  readonly initForgetsLevels: boolean;
  /** ICW1 clears the in-service register, poll and rotation on automatic EOI: Xen. KVM keeps them. */
  readonly initClearsIsr: boolean;
  /**
   * INT from ICW1 until initialisation is over: held low (Xen), as requests have it (Xen 3.4), or what it was, for KVM does
   * not look at it again.
   */
  readonly initInt: 'low' | 'live' | 'kept';
  /** Who waits for an acknowledgement is told of what ICW1 forgets. Xen 3.4 does not. */
  readonly initAcknowledges: boolean;
  /** ICW1's SNGL bit skips ICW3: datasheet and Xen. KVM ignores it. */
  readonly single: boolean;
  /**
   * Poll reads. `bare`: the number alone, 7 if there is none, the request is dropped without entering service
   * (KVM). `acknowledge`: a real acknowledge; a master's answers for its slave with 8 and more, ff for none (Xen).
   * `flagged`: a real acknowledge of that chip alone, bit 7 tells of a request (datasheet).
   */
  readonly poll: 'bare' | 'acknowledge' | 'flagged';
  /** Special mask mode works: datasheet and Xen. KVM stores it only. */
  readonly specialMask: boolean;
  /** Special fully nested mode overlooks the slave in service for the slave's requests alone: datasheet, Xen. KVM for all. */
  readonly nestedForSlaveOnly: boolean;
  /** Input 2 of the master counts as level in the edge/level register, unseen by readers: Xen. */
  readonly cascadeLevel: boolean;
  /** Automatic EOI goes through the in-service register and is notified: KVM. Xen never sets the bit. */
  readonly autoEoiEntersService: boolean;
}

export const KVM_PIC: PicOptions = {
  cascade: 'pulse',
  fallingEdgeForgets: false,
  drivenCascade: true,
  spurious: true,
  initForgetsLevels: true,
  initClearsIsr: false,
  initInt: 'kept',
  initAcknowledges: true,
  single: false,
  poll: 'bare',
  specialMask: false,
  nestedForSlaveOnly: false,
  cascadeLevel: false,
  autoEoiEntersService: true,
};

export const XEN_PIC: PicOptions = {
  cascade: 'wire',
  fallingEdgeForgets: true,
  drivenCascade: false,
  spurious: false,
  initForgetsLevels: false,
  initClearsIsr: true,
  initInt: 'low',
  initAcknowledges: true,
  single: true,
  poll: 'acknowledge',
  specialMask: true,
  nestedForSlaveOnly: true,
  cascadeLevel: true,
  autoEoiEntersService: false,
};

/** Xen 3.4. */
export const XEN_3_4_PIC: PicOptions = { ...XEN_PIC, initInt: 'live', initAcknowledges: false };

/** The datasheet, with the edge/level registers of the PIIX3. */
export const INTEL_PIC: PicOptions = {
  cascade: 'wire',
  fallingEdgeForgets: true,
  drivenCascade: false,
  spurious: true,
  initForgetsLevels: false,
  initClearsIsr: true,
  initInt: 'low',
  initAcknowledges: true,
  single: true,
  poll: 'flagged',
  specialMask: true,
  nestedForSlaveOnly: true,
  cascadeLevel: false,
  autoEoiEntersService: true,
};
