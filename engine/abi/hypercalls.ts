/**
 * The hypercalls a paravirtual kernel makes, as its own virtual CPU sees them. Answers are those of the
 * public interface: 0 or a number, or a negative errno. Each costs the time of a trip into Xen.
 */
import type { Ns } from '../core/clock.ts';

export interface Hypercalls {
  /** EVTCHNOP_alloc_unbound for a peer in `remote`; the answer is the port */
  allocUnbound(remote: number): number;
  /** EVTCHNOP_bind_interdomain; the answer is the local port */
  bindInterdomain(remote: number, remotePort: number): number;
  bindVirq(virq: number, vcpu: number): number;
  bindIpi(vcpu: number): number;
  /** @param willShare BIND_PIRQ__WILL_SHARE: other domains may have the line too */
  bindPirq(pirq: number, willShare?: boolean): number;
  close(port: number): number;
  send(port: number): number;
  bindVcpu(port: number, vcpu: number): number;
  unmask(port: number): number;
  initControl(vcpu: number, gfn: number, offset: number): number;
  expandArray(gfn: number): number;
  setPriority(port: number, priority: number): number;
  /** VCPUOP_set_singleshot_timer of this vCPU; undefined stops it */
  setTimer(when: Ns | undefined): void;
  /** PHYSDEVOP_map_pirq: a GSI, or -1 for a message-signalled interrupt; the answer is the pirq */
  mapPirq(device: number, gsi: number): number;
  unmapPirq(pirq: number): number;
  /** PHYSDEVOP_eoi */
  eoi(pirq: number): number;
  /** PHYSDEVOP_irq_status_query: must this pirq be acknowledged to Xen? */
  needsEoi(pirq: number): boolean;
}
