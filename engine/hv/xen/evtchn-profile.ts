/** In what the event channels of Xen 3.4 differ from those of 4.17: each difference a named rule. */
import {
  EVTCHNOP_reset,
  EVTCHNOP_reset_cont,
  VIRQ_DEBUG,
  VIRQ_TIMER,
  VIRQ_XENOPROF,
  VIRQ_XENPMU,
} from '../../abi/xen.ts';

export type EvtchnProfile = '4.17' | '3.4';

export interface EvtchnRules {
  readonly profile: EvtchnProfile;
  /** the highest command of event_channel_op; the FIFO ABI came with 11 to 13 */
  readonly lastCommand: number;
  /** EVTCHNS_PER_BUCKET: ports come into being by that many */
  readonly portsPerBucket: number;
  /** a domain may be given fewer ports than its ABI has (max_evtchn_port) */
  readonly portLimit: boolean;
  /** VIRQs that every vCPU has for itself; all others are global */
  readonly perVcpuVirqs: readonly number[];
  /** the toolstack chooses who receives a global VIRQ; else the hardware domain does */
  readonly virqHandlers: boolean;
  /**
   * Naming another domain is refused before anything else is looked at, and so is naming oneself by
   * number (rcu_lock_target_domain_by_id); else a port is allocated first (XSM).
   */
  readonly permissionFirst: boolean;
  /** raising, clearing, unmasking and polling pass over ports a guest may not use (evtchn_usable) */
  readonly usableOnly: boolean;
  /** EVTCHNOP_status refuses ports that Xen consumes */
  readonly statusHidesXen: boolean;
  /** EVTCHNOP_reset of another domain wants it paused, and can be preempted */
  readonly carefulReset: boolean;
  /** a pirq's affinity follows the vCPU it is bound to */
  readonly pirqFollowsVcpu: boolean;
  /** "evtchn: don't reuse ports that are still busy": one whose event word is linked is not given out */
  readonly busyPorts: boolean;
  /** "evtchn: don't lose pending state if FIFO event array page is missing": kept until the page is there, else lost */
  readonly keepsPending: boolean;
  /** evtchn_destroy closes from the highest port down and keeps the ports; else upwards, then frees them */
  readonly destroyFromTop: boolean;
}

/** What was mended within a version. */
export type EvtchnFixes = Pick<EvtchnRules, 'busyPorts' | 'keepsPending'>;

export const EVTCHN_RULES: { readonly [profile in EvtchnProfile]: EvtchnRules } = {
  '4.17': {
    profile: '4.17',
    lastCommand: EVTCHNOP_reset_cont,
    portsPerBucket: 64,
    portLimit: true,
    perVcpuVirqs: [VIRQ_TIMER, VIRQ_DEBUG, VIRQ_XENOPROF, VIRQ_XENPMU],
    virqHandlers: true,
    permissionFirst: false,
    usableOnly: true,
    statusHidesXen: true,
    carefulReset: true,
    pirqFollowsVcpu: true,
    busyPorts: true,
    keepsPending: true,
    destroyFromTop: true,
  },
  '3.4': {
    profile: '3.4',
    lastCommand: EVTCHNOP_reset,
    portsPerBucket: 128,
    portLimit: false,
    perVcpuVirqs: [VIRQ_TIMER, VIRQ_DEBUG, VIRQ_XENOPROF],
    virqHandlers: false,
    permissionFirst: true,
    usableOnly: false,
    statusHidesXen: false,
    carefulReset: false,
    pirqFollowsVcpu: false,
    // it has no FIFO ABI
    busyPorts: true,
    keepsPending: true,
    destroyFromTop: false,
  },
};
