/** Three domains with event channels, their guests' side, and a list of what Xen did. */
import { EvtchnGuest } from '../../cli/vectors/evtchn-guest.ts';
import { EventChannels, type EvtchnOutput, type EvtchnProfile, xen } from '../../engine/index.ts';

export type Abi = '2-level' | 'fifo';

/** pirq whose physical binding fails, and one the domain may not have */
export const BUSY_PIRQ = 14;
export const FORBIDDEN_PIRQ = 15;

export interface RigOptions {
  readonly profile?: EvtchnProfile;
  readonly maxPort?: number;
  readonly wordBits?: 32 | 64;
}

export class Rig {
  readonly evtchn: EventChannels;
  /** what Xen did, in order, e.g. `kick 1.0`, `pend 1:5 coalesced` */
  private log: string[] = [];
  private readonly guests: EvtchnGuest[];

  /** Domain 0 is privileged; each has two vCPUs, and under FIFO its control blocks and 1024 event words. */
  constructor(
    readonly abi: Abi,
    { profile = '4.17', maxPort = 4095, wordBits = 64 }: RigOptions = {},
  ) {
    this.evtchn = new EventChannels(this.output(), { profile });
    for (const id of [0, 1, 2]) {
      this.evtchn.addDomain({
        id,
        vcpus: 2,
        maxPort,
        nrPirqs: 16,
        privileged: id === 0,
        shared: new xen.SharedInfo(id, 2, wordBits),
        memory: new xen.GuestMemory(id, 8),
        pirqPermitted: (pirq) => pirq !== FORBIDDEN_PIRQ,
      });
      if (abi === 'fifo') this.switchToFifo(id);
    }
    this.guests = [0, 1, 2].map((id) => new EvtchnGuest(this.evtchn.domain(id)));
  }

  private output(): EvtchnOutput {
    const note = (text: string) => this.log.push(text);
    return {
      kick: (dom, vcpu) => note(`kick ${dom}.${vcpu}`),
      wake: (dom, vcpu) => note(`wake ${dom}.${vcpu}`),
      xenConsumer: (dom, port, vcpu) => note(`xen ${dom}:${port} vcpu ${vcpu}`),
      pirqBind: (_dom, pirq) => (pirq === BUSY_PIRQ ? -xen.EBUSY : 0),
      pirqUnbind: (dom, pirq) => note(`unbind ${dom} pirq ${pirq}`),
      pirqAffinity: (dom, pirq, vcpu) => note(`affinity ${dom} pirq ${pirq} vcpu ${vcpu}`),
      pended: (dom, port, outcome) => note(`pend ${dom}:${port} ${outcome}`),
      discarded: (dom, port) => note(`discard ${dom}:${port}`),
    };
  }

  switchToFifo(dom: number): void {
    this.evtchn.initControl(dom, 0, 0, 0);
    this.evtchn.initControl(dom, 1, 0, 128);
    this.evtchn.expandArray(dom, 1);
  }

  /** What Xen did since the last look. */
  did(): string[] {
    const { log } = this;
    this.log = [];
    return log;
  }

  /** The same without the attempts to pend. */
  notified(): string[] {
    return this.did().filter((line) => !line.startsWith('pend ') && !line.startsWith('discard '));
  }

  /** Port of domain `to` bound to one of domain `from`, nothing pending. */
  pair(from: number, to: number): { from: number; to: number } {
    const port = this.evtchn.allocUnbound(from, xen.DOMID_SELF, to);
    const local = this.evtchn.bindInterdomain(to, from, port);
    this.handle(to);
    this.did();
    return { from: port, to: local };
  }

  /** The guest's upcall handler; the answer is the ports it handled. */
  handle(dom: number, vcpu = 0): number[] {
    const guest = this.guests[dom]!;
    if (this.abi === '2-level') return guest.upcall(vcpu);
    return guest
      .popAll(vcpu)
      .filter((pop) => pop.handled)
      .map((pop) => pop.port);
  }

  guest(dom: number): EvtchnGuest {
    return this.guests[dom]!;
  }

  pending(dom: number, port: number): boolean {
    return this.evtchn.portIsPending(dom, port);
  }

  vcpu(dom: number, vcpu = 0): xen.VcpuInfo {
    return this.evtchn.domain(dom).shared.vcpus[vcpu]!;
  }

  /** The event word of a port in a FIFO domain. */
  word(dom: number, port: number): number {
    return this.evtchn.domain(dom).fifo!.eventPage(port)![port % xen.PAGE_WORDS]!;
  }
}
