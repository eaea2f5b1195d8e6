/** Three domains and their event channels, as the vectors want them, with everything Xen tells written down. */
import { EventChannels, type EvtchnDomain, type EvtchnOutput, xen } from '../../engine/index.ts';
import { EvtchnGuest } from './evtchn-guest.ts';
import { PAGES } from './evtchn-state.ts';
import { BadVector, type Fields, integer, isFields } from './suite.ts';

/** What Xen did besides answering, in order. */
export interface Notes {
  /** kicks: [domain, vCPU] */
  k: number[][];
  /** ends of a poll: [domain, vCPU] */
  w: number[][];
  /** callbacks of Xen's own ports: [domain, vCPU, port] */
  x: number[][];
  /** affinities set: [domain, pirq] */
  aff: number[][];
}

export class EvtchnHost {
  readonly nrPirqs = 16;
  readonly evtchn: EventChannels;
  private readonly guests = new Map<number, EvtchnGuest>();
  private notes: Notes = { k: [], w: [], x: [], aff: [] };
  /** by domain, a bit per pirq that cannot be bound physically */
  private readonly pirqBusy = new Map<number, number>();

  /** @throws BadVector */
  constructor(init: Fields) {
    this.evtchn = new EventChannels(this.output(), { profile: '4.17' });
    const { doms } = init;
    if (!Array.isArray(doms) || doms.length === 0 || !doms.every(isFields)) {
      throw new BadVector('"init.doms" must be a list of domains');
    }
    for (const dom of doms) this.addDomain(dom);
  }

  private output(): EvtchnOutput {
    return {
      kick: (dom, vcpu) => this.notes.k.push([dom, vcpu]),
      wake: (dom, vcpu) => this.notes.w.push([dom, vcpu]),
      xenConsumer: (dom, port, vcpu) => this.notes.x.push([dom, vcpu, port]),
      pirqBind: (dom, pirq) => ((this.pirqBusy.get(dom)! >> pirq) & 1 ? -xen.EBUSY : 0),
      pirqUnbind() {},
      pirqAffinity: (dom, pirq) => this.notes.aff.push([dom, pirq]),
      pended() {},
      discarded() {},
    };
  }

  private addDomain(dom: Fields): void {
    const id = integer(dom, 'd', 0, xen.DOMID_SELF - 1);
    const vcpus = integer(dom, 'vcpus', 1, 64);
    const bits = integer(dom, 'bits');
    if (bits !== 32 && bits !== 64) throw new BadVector('"bits" must be 32 or 64');
    const pirqPerm = integer(dom, 'pirqPerm');
    this.pirqBusy.set(id, integer(dom, 'pirqBusy'));
    this.evtchn.addDomain({
      id,
      vcpus,
      maxPort: integer(dom, 'maxPort', 0),
      nrPirqs: this.nrPirqs,
      privileged: id === 0,
      shared: new xen.SharedInfo(id, vcpus, bits),
      memory: new xen.GuestMemory(id, PAGES),
      pirqPermitted: (pirq) => ((pirqPerm >> pirq) & 1) === 1,
    });
    this.guests.set(id, new EvtchnGuest(this.evtchn.domain(id)));
  }

  get domains(): EvtchnDomain[] {
    return [...this.guests.keys()].map((id) => this.evtchn.domain(id));
  }

  guestOf(d: EvtchnDomain): EvtchnGuest {
    return this.guests.get(d.id)!;
  }

  /** What Xen told since the last call. */
  takeNotes(): Notes {
    const { notes } = this;
    this.notes = { k: [], w: [], x: [], aff: [] };
    return notes;
  }

  // Arguments of an operation that must name something that exists.

  domain(op: Fields, name: string): EvtchnDomain {
    const id = integer(op, name);
    if (!this.guests.has(id)) throw new BadVector(`"${name}": there is no domain ${id}`);
    return this.evtchn.domain(id);
  }

  guest(op: Fields): EvtchnGuest {
    return this.guestOf(this.domain(op, 'd'));
  }

  vcpu(op: Fields, domain: string, name: string): number {
    return integer(op, name, 0, this.domain(op, domain).vcpus.length - 1);
  }

  port(op: Fields): number {
    return integer(op, 'port', 0, xen.EVTCHN_2L_NR_CHANNELS - 1);
  }
}
