/** What goes in and out of the event channels. */
import type { GuestMemory, SharedInfo } from '../../abi/xen.ts';

/** Where event channels lead to. Calls come in the order Xen makes them. */
export interface EvtchnOutput {
  /** vcpu_kick: upcall_pending of the vCPU went from 0 to 1 */
  kick(dom: number, vcpu: number): void;
  /** vcpu_unblock: Xen ends a SCHEDOP_poll of the vCPU */
  wake(dom: number, vcpu: number): void;
  /** the callback of a port that Xen itself consumes; vcpu is the port's notify vCPU */
  xenConsumer(dom: number, port: number, vcpu: number): void;
  /** pirq_guest_bind; the answer is 0 or a negative errno */
  pirqBind(dom: number, pirq: number, willShare: boolean): number;
  /** pirq_guest_unbind */
  pirqUnbind(dom: number, pirq: number): void;
  /** pirq_set_affinity: the physical interrupt goes where this vCPU runs */
  pirqAffinity(dom: number, pirq: number, vcpu: number): void;
  /**
   * Each attempt to make a port pending, told before anybody is kicked for it: the port was made pending
   * (or the event is kept until the FIFO event word exists; then that is told as `again`), was pending already, or the
   * event is lost.
   * Port 0, always `dropped`, stands for no port: an unbound peer, or a VIRQ or pirq that nobody bound.
   * The domain is the one that would have got it; the sender, if that one does not exist.
   */
  pended(dom: number, port: number, outcome: PendOutcome): void;
  /** Xen cleared a set pending bit, the port was closed; or what it had kept is lost */
  discarded(dom: number, port: number, why: 'closed' | 'no event channel'): void;
}

export type PendOutcome = 'pended' | 'again' | 'coalesced' | 'dropped';

/** What the event channels must know of a domain. */
export interface EvtchnDomainInit {
  readonly id: number;
  readonly vcpus: number;
  /** highest port number allowed; a PV guest of xl gets 1023, dom0 has no limit */
  readonly maxPort: number;
  readonly nrPirqs: number;
  /** the control domain: may act on other domains; the first one added is the hardware domain too */
  readonly privileged: boolean;
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  /** pirq_access_permitted; all are when it is absent */
  pirqPermitted?(pirq: number): boolean;
  /** domain_pirq_to_irq, for the dump; 0 when it is absent */
  pirqToIrq?(pirq: number): number;
}

/** EVTCHNOP_status; what a kind of channel lacks is 0. */
export interface EvtchnStatus {
  /** 0 or a negative errno */
  readonly r: number;
  /** EVTCHNSTAT_* */
  readonly status: number;
  readonly vcpu: number;
  /** remote domain of an unbound or interdomain channel */
  readonly dom: number;
  /** remote port of an interdomain channel */
  readonly port: number;
  readonly pirq: number;
  readonly virq: number;
}

export type ChannelKind = 'reserved' | 'unbound' | 'interdomain' | 'pirq' | 'virq' | 'ipi';

/** One port in use, to look at. What a kind lacks is 0. */
export interface ChannelInfo {
  readonly port: number;
  /** ECS_* */
  readonly state: number;
  readonly kind: ChannelKind;
  /** the vCPU that is notified */
  readonly vcpu: number;
  /** 1 where Xen itself is the consumer */
  readonly xenConsumer: number;
  /** the peer's domain, of unbound and interdomain channels */
  readonly remoteDom: number;
  readonly remotePort: number;
  readonly pirq: number;
  /** physical interrupt behind the pirq */
  readonly irq: number;
  readonly virq: number;
  readonly pending: boolean;
  readonly masked: boolean;
  /** FIFO: raised before it had an event word, which Xen has kept */
  readonly kept: boolean;
  /** FIFO: that counts from its next linking on; null: the ABI has none */
  readonly priority: number | null;
  /** the s column of Xen's dump: selector bit of the port's word, or busy mark and link of its event word */
  readonly link: string;
}
