/**
 * The guest's side of event channels as the vectors model it: plain writes to shared memory, and a consumer
 * per ABI. Nothing here makes a hypercall.
 */
import { type EvtchnDomain, xen } from '../../engine/index.ts';

const QUEUES = xen.EVTCHN_FIFO_MAX_QUEUES;
/** pops of one fupcall at most */
const MOST_POPS = 256;

export interface Pop {
  readonly port: number;
  readonly handled: boolean;
  /** no control block, or nothing ready: not a pop in fupcall */
  readonly idle: boolean;
}

export class EvtchnGuest {
  /** per vCPU the queues found ready */
  readonly ready: Int32Array;
  /** per vCPU the guest's own head of each queue */
  readonly heads: readonly Int32Array[];

  constructor(private readonly d: EvtchnDomain) {
    this.ready = new Int32Array(d.vcpus.length);
    this.heads = d.vcpus.map(() => new Int32Array(QUEUES));
  }

  /** A new kernel: it remembers nothing. */
  forget(): void {
    this.ready.fill(0);
    for (const heads of this.heads) heads.fill(0);
  }

  mask(port: number): void {
    if (this.d.fifo) this.changeWord(port, xen.EVTCHN_FIFO_MASKED, true);
    else this.d.shared.evtchnMask.set(port);
  }

  unmask(port: number): void {
    if (this.d.fifo) this.changeWord(port, xen.EVTCHN_FIFO_MASKED, false);
    else this.d.shared.evtchnMask.clear(port);
  }

  clear(port: number): void {
    if (this.d.fifo) this.changeWord(port, xen.EVTCHN_FIFO_PENDING, false);
    else this.d.shared.evtchnPending.clear(port);
  }

  private changeWord(port: number, flag: number, on: boolean): void {
    const page = this.d.fifo?.eventPage(port);
    if (!page) return;
    const i = port % xen.PAGE_WORDS;
    page[i] = on ? page[i]! | flag : page[i]! & ~flag;
  }

  /** Reads and clears the selector; the answer is its bits. */
  takeSelector(vcpu: number): number[] {
    const { pendingSel } = this.d.vcpus[vcpu]!.info;
    const bits = pendingSel.members();
    pendingSel.words.fill(0);
    return bits;
  }

  /** The 2-level handler, one pass; the answer is the ports handled. */
  upcall(vcpu: number): number[] {
    const { evtchnPending, evtchnMask, wordBits } = this.d.shared;
    const handled: number[] = [];
    this.d.vcpus[vcpu]!.info.upcallPending = 0;
    for (const word of this.takeSelector(vcpu)) {
      for (let port = word * wordBits; port < (word + 1) * wordBits; port++) {
        if (!evtchnPending.has(port) || evtchnMask.has(port)) continue;
        evtchnPending.clear(port);
        handled.push(port);
      }
    }
    return handled;
  }

  /** One step of the FIFO consumer. */
  pop(vcpu: number): Pop {
    const idle: Pop = { port: 0, handled: false, idle: true };
    const heads = this.heads[vcpu]!;
    const block = this.d.fifo?.controlBlock(vcpu);
    if (this.ready[vcpu] === 0) this.d.vcpus[vcpu]!.info.upcallPending = 0;
    if (!block) return idle;
    this.ready[vcpu]! |= block[xen.FIFO_CONTROL_READY]! & 0xffff;
    block[xen.FIFO_CONTROL_READY] = 0;
    const ready = this.ready[vcpu]!;
    if (ready === 0) return idle;

    const queue = 31 - Math.clz32(ready & -ready);
    const port = heads[queue]! || block[xen.FIFO_CONTROL_HEAD + queue]!;
    const page = port === 0 ? undefined : this.d.fifo?.eventPage(port);
    if (!page) {
      this.ready[vcpu]! &= ~(1 << queue);
      heads[queue] = 0;
      return { port: 0, handled: false, idle: false };
    }
    const i = port % xen.PAGE_WORDS;
    const link = page[i]! & xen.EVTCHN_FIFO_LINK_MASK;
    const word = page[i]! & ~(xen.EVTCHN_FIFO_LINKED | xen.EVTCHN_FIFO_LINK_MASK);
    if (link === 0) this.ready[vcpu]! &= ~(1 << queue);
    heads[queue] = link;
    const handled = (word & xen.EVTCHN_FIFO_PENDING) !== 0 && (word & xen.EVTCHN_FIFO_MASKED) === 0;
    page[i] = handled ? word & ~xen.EVTCHN_FIFO_PENDING : word;
    return { port, handled, idle: false };
  }

  /** The FIFO consumer until it runs dry. */
  popAll(vcpu: number): Pop[] {
    const pops: Pop[] = [];
    while (pops.length < MOST_POPS) {
      const pop = this.pop(vcpu);
      if (pop.idle) break;
      pops.push(pop);
    }
    return pops;
  }
}
