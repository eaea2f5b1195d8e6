/**
 * The 2-level ABI: a bit per port in shared_info, and per vCPU a selector of the words to look at.
 *
 * After xen/common/event_2l.c. Order matters: the pending bit, the selector bit, the upcall; whoever finds
 * one of them set stops there.
 */
import { ENOSYS } from '../../abi/xen.ts';
import type { Evtchn, EvtchnDomain, EvtchnPortOps, EvtchnVcpu } from './evtchn-domain.ts';

export class Evtchn2l implements EvtchnPortOps {
  readonly abi = '2-level';
  readonly maxEvtchns: number;
  readonly hasPriorities = false;
  /** port to word of the bitmap */
  private readonly wordShift: number;

  constructor(private readonly d: EvtchnDomain) {
    const { wordBits } = d.shared;
    this.maxEvtchns = wordBits * wordBits;
    this.wordShift = wordBits === 64 ? 6 : 5;
  }

  init(): void {}

  setPending(v: EvtchnVcpu, chn: Evtchn): void {
    const { d } = this;
    const { port } = chn;
    if (!d.shared.evtchnPending.set(port)) {
      d.output.pended(d.id, port, 'coalesced');
      return;
    }
    d.output.pended(d.id, port, 'pended');
    if (!d.shared.evtchnMask.has(port)) this.select(v, port);
    d.checkPollers(port);
  }

  clearPending(chn: Evtchn): boolean {
    return this.d.shared.evtchnPending.clear(chn.port);
  }

  unmask(chn: Evtchn): void {
    const { port } = chn;
    const { evtchnMask, evtchnPending } = this.d.shared;
    if (evtchnMask.clear(port) && evtchnPending.has(port)) this.select(this.d.vcpus[chn.notifyVcpu]!, port);
  }

  private select(v: EvtchnVcpu, port: number): void {
    if (v.info.pendingSel.set(port >>> this.wordShift)) this.d.markEventsPending(v);
  }

  isPending(chn: Evtchn): boolean {
    return chn.port < this.maxEvtchns && this.d.shared.evtchnPending.has(chn.port);
  }

  isMasked(chn: Evtchn): boolean {
    return chn.port >= this.maxEvtchns || this.d.shared.evtchnMask.has(chn.port);
  }

  isBusy(): boolean {
    return false;
  }

  setPriority(): number {
    return -ENOSYS;
  }

  printState(chn: Evtchn): string {
    const { info } = this.d.vcpus[chn.notifyVcpu]!;
    return info.pendingSel.has(chn.port >>> this.wordShift) ? '1' : '0';
  }
}
