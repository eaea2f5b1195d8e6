/**
 * Where versions of Xen part in the interrupt hardware they give an HVM guest, beside its chips, whose own differences
 * are named in hw/x86/*-options.ts: every difference by name, in one place. XEN_HVM is commit c447b7308b13.
 */
import type { BusOptions } from '../../../hw/x86/apic-bus-options.ts';
import { XEN_BUS } from '../../../hw/x86/apic-bus-options.ts';
import { type PicOptions, XEN_3_4_PIC, XEN_PIC } from '../../../hw/x86/i8259-options.ts';
import { type IoApicOptions, XEN_3_4_IOAPIC, XEN_IOAPIC } from '../../../hw/x86/ioapic-options.ts';
import {
  type LapicOptions,
  XEN_3_4_LAPIC,
  XEN_4_17_LAPIC,
  XEN_LAPIC,
} from '../../../hw/x86/lapic-options.ts';
import type { XenProfile } from '../softirq.ts';

export interface HvmOptions {
  readonly pic: PicOptions;
  readonly ioapic: IoApicOptions;
  readonly lapic: LapicOptions;
  readonly bus: BusOptions;

  // who is meant

  /**
   * Who takes the 8259s' interrupts. `chosen`: the first virtual CPU whose LINT0, or pin 0 of the IOAPIC, lets them
   * through (vlapic_adjust_i8259_target). `first`: virtual CPU 0 and no other, by its LINT0, or with its local APIC off
   * (3.4).
   */
  readonly picTarget: 'chosen' | 'first';
  /**
   * A message of the IOAPIC, or an MSI, that names a virtual CPU is requested there though its local APIC is off (3.4).
   * Later ones pass it by.
   */
  readonly requestsWhenOff: boolean;
  /**
   * The 8254's interrupt at the IOAPIC goes to virtual CPU 0: by lowest priority if that is meant, or whatever its entry
   * says (3.4).
   */
  readonly timerGoesToFirst: 'if meant' | 'always';
  /** An MSI of delivery mode ExtINT is a fixed one (3.4). Later ones refuse it. */
  readonly extIntMessages: boolean;

  // event channels

  /** Events may interrupt by a vector of their own, without a chip in between (HVMIRQ_callback_vector): not in 3.4. */
  readonly callbackVector: boolean;
  /** Each virtual CPU may have its events by a vector of its local APIC (HVMOP_set_evtchn_upcall_vector): not in 3.4. */
  readonly upcallVectors: boolean;
  /** A new way for events is taken at once by those that wait: not in 3.4, where the next change of the line does. */
  readonly viaTakesWaiting: boolean;

  /** Machine checks are injected, after NMIs: not in 3.4. */
  readonly machineChecks: boolean;
  /**
   * Who is told by INIT and SIPI. `later`: a tasklet carries them out, for which their sender waits. `at once`: the target
   * goes down, or starts, in the sender's instruction, and only its reset is left to a tasklet (3.4).
   */
  readonly initSipi: 'later' | 'at once';
  /** Another virtual CPU's NMI brings back one that is down: not in 3.4. */
  readonly nmiWakes: boolean;

  // time

  /**
   * A periodic timer is set for its next tick once all that wait have been taken, and one whose interrupt is masked is put
   * aside. In 3.4 it is set again as it expires, and those masked are passed over.
   */
  readonly ticksWait: boolean;
  /** The local APIC's timer has a TSC-deadline mode: not in 3.4. */
  readonly tscDeadline: boolean;
  /** The guest is not told the same time twice: not in 3.4. */
  readonly strictTime: boolean;
  /**
   * The local APIC's timer follows LVTT and TDCR while it counts. In 3.4 they matter when TMICT is written; what is left
   * goes on below 0, and TMICT of 0 interrupts at once.
   */
  readonly timerFollows: boolean;
}

export const XEN_HVM: HvmOptions = {
  pic: XEN_PIC,
  ioapic: XEN_IOAPIC,
  lapic: XEN_LAPIC,
  bus: XEN_BUS,
  picTarget: 'chosen',
  requestsWhenOff: false,
  timerGoesToFirst: 'if meant',
  extIntMessages: false,
  callbackVector: true,
  upcallVectors: true,
  viaTakesWaiting: true,
  machineChecks: true,
  initSipi: 'later',
  nmiWakes: true,
  ticksWait: true,
  tscDeadline: true,
  strictTime: true,
  timerFollows: true,
};

export const XEN_4_17_HVM: HvmOptions = { ...XEN_HVM, lapic: XEN_4_17_LAPIC };

export const XEN_3_4_HVM: HvmOptions = {
  ...XEN_HVM,
  pic: XEN_3_4_PIC,
  ioapic: XEN_3_4_IOAPIC,
  lapic: XEN_3_4_LAPIC,
  picTarget: 'first',
  requestsWhenOff: true,
  timerGoesToFirst: 'always',
  extIntMessages: true,
  callbackVector: false,
  upcallVectors: false,
  viaTakesWaiting: false,
  machineChecks: false,
  initSipi: 'at once',
  nmiWakes: false,
  ticksWait: false,
  tscDeadline: false,
  strictTime: false,
  timerFollows: false,
};

export const HVM_OPTIONS: Readonly<Record<XenProfile, HvmOptions>> = {
  '3.4': XEN_3_4_HVM,
  '4.17': XEN_4_17_HVM,
};
