/**
 * The FIFO ABI: a word per port in pages of the guest, linked into one of 16 queues per vCPU.
 *
 * After xen/common/event_fifo.c. Xen keeps the tail of each queue, the guest's control block holds the head
 * and the ready bits. Xen and the guest share an event word: Xen sets PENDING and LINKED, the guest clears
 * them as it consumes. The retries of compare-and-exchange are not modelled: nobody interferes.
 */

import {
  EINVAL,
  ENOENT,
  ENOSPC,
  EOPNOTSUPP,
  EVTCHN_FIFO_BUSY,
  EVTCHN_FIFO_LINK_MASK,
  EVTCHN_FIFO_LINKED,
  EVTCHN_FIFO_MASKED,
  EVTCHN_FIFO_MAX_QUEUES,
  EVTCHN_FIFO_NR_CHANNELS,
  EVTCHN_FIFO_PENDING,
  EVTCHN_FIFO_PRIORITY_DEFAULT,
  EVTCHN_FIFO_PRIORITY_MIN,
  FIFO_CONTROL_BYTES,
  FIFO_CONTROL_HEAD,
  FIFO_CONTROL_READY,
  PAGE_SIZE,
  PAGE_WORDS,
} from '../../abi/xen.ts';
import type { Plain } from '../../core/state.ts';
import type { Evtchn, EvtchnDomain, EvtchnPortOps, EvtchnVcpu } from './evtchn-domain.ts';

const PAGE_SHIFT = 10; // words of a page
const WORD_IN_PAGE = PAGE_WORDS - 1;
const MAX_EVENT_ARRAY_PAGES = EVTCHN_FIFO_NR_CHANNELS / PAGE_WORDS;

/** struct evtchn_fifo_vcpu: the queues of a vCPU. */
class FifoVcpu {
  /** the words of the control block in the guest's page; none before EVTCHNOP_init_control */
  controlBlock: Uint32Array | undefined;
  gfn = 0;
  /** byte of the page where it begins */
  offset = 0;
  /** last port of each queue; 0: Xen does not know one */
  readonly tail = new Int32Array(EVTCHN_FIFO_MAX_QUEUES);

  map(page: Uint32Array, gfn: number, offset: number): void {
    this.gfn = gfn;
    this.offset = offset;
    this.controlBlock = page.subarray(offset / 4, (offset + FIFO_CONTROL_BYTES) / 4);
  }
}

export interface SavedFifo {
  readonly array: readonly number[];
  readonly vcpus: readonly (readonly [gfn: number, offset: number, tail: number[]])[];
}

export class EvtchnFifo implements EvtchnPortOps {
  readonly abi = 'fifo';
  readonly maxEvtchns = EVTCHN_FIFO_NR_CHANNELS;
  readonly hasPriorities = true;
  /** pages of event words, in the order the guest gave them */
  private readonly eventArray: Uint32Array[] = [];
  private readonly arrayGfns: number[] = [];
  private readonly vcpus: readonly FifoVcpu[];

  constructor(private readonly d: EvtchnDomain) {
    this.vcpus = d.vcpus.map(() => new FifoVcpu());
  }

  /** event words there are */
  get numEvtchns(): number {
    return this.eventArray.length * PAGE_WORDS;
  }

  /** The last port of a queue as Xen knows it. */
  tailOf(vcpu: number, priority: number): number {
    return this.vcpus[vcpu]!.tail[priority]!;
  }

  /** The page with the event word of a port, word port % 1024; undefined where the array does not reach. */
  eventPage(port: number): Uint32Array | undefined {
    return this.eventArray[port >>> PAGE_SHIFT];
  }

  /** The words of a vCPU's control block; undefined before EVTCHNOP_init_control. */
  controlBlock(vcpu: number): Uint32Array | undefined {
    return this.vcpus[vcpu]!.controlBlock;
  }

  private wordOf(port: number): number | undefined {
    return this.eventPage(port)?.[port & WORD_IN_PAGE];
  }

  private has(port: number, flag: number): boolean {
    return ((this.wordOf(port) ?? 0) & flag) !== 0;
  }

  init(chn: Evtchn): void {
    chn.priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
  }

  setPending(v: EvtchnVcpu, chn: Evtchn): void {
    const { d } = this;
    const { port } = chn;
    const page = this.eventPage(port);
    if (!page) {
      if (!d.rules.keepsPending) {
        d.output.pended(d.id, port, 'dropped');
        return;
      }
      // kept until the guest adds the page
      d.output.pended(d.id, port, chn.latched ? 'coalesced' : 'pended');
      chn.latched = true;
      return;
    }
    this.mark(v, chn, page, 'pended');
  }

  /** Sets PENDING, and whoever is to look is told. @param outcome if that was clear */
  private mark(v: EvtchnVcpu, chn: Evtchn, page: Uint32Array, outcome: 'pended' | 'again'): void {
    const { d } = this;
    const { port } = chn;
    if (!this.vcpus[v.id]!.controlBlock) {
      if (outcome === 'again') d.output.discarded(d.id, port, 'no event channel');
      else d.output.pended(d.id, port, 'dropped');
      return;
    }
    const index = port & WORD_IN_PAGE;
    const word = page[index]!;
    const wasPending = (word & EVTCHN_FIFO_PENDING) !== 0;
    page[index] = word | EVTCHN_FIFO_PENDING;
    d.output.pended(d.id, port, wasPending ? 'coalesced' : outcome);
    this.link(v, chn, page, index);
    if (!wasPending) d.checkPollers(port);
  }

  /** Puts the port at the end of its queue unless it is masked or in a queue already. */
  private link(v: EvtchnVcpu, chn: Evtchn, page: Uint32Array, index: number): void {
    const word = page[index]!;
    if ((word & (EVTCHN_FIFO_MASKED | EVTCHN_FIFO_LINKED)) !== 0) return;
    page[index] = word | EVTCHN_FIFO_LINKED;

    const { port, priority } = chn;
    const { tail, controlBlock } = this.vcpus[v.id]!;
    // it was not linked: a queue that ended with it is empty
    const oldTail = this.vcpus[chn.lastVcpu]!.tail;
    if (oldTail[chn.lastPriority] === port) oldTail[chn.lastPriority] = 0;
    chn.lastVcpu = v.id;
    chn.lastPriority = priority;

    const last = tail[priority]!;
    tail[priority] = port;
    if (last !== 0 && this.setLink(last, port)) return;
    // nothing to append to: the queue starts here
    const block = controlBlock!;
    block[FIFO_CONTROL_HEAD + priority] = port;
    const ready = block[FIFO_CONTROL_READY]!;
    block[FIFO_CONTROL_READY] = ready | (1 << priority);
    if ((ready & (1 << priority)) === 0) this.d.markEventsPending(v);
  }

  /** evtchn_fifo_set_link: false if the guest has unlinked the word meanwhile. */
  private setLink(port: number, next: number): boolean {
    const page = this.eventPage(port)!;
    const index = port & WORD_IN_PAGE;
    const word = page[index]!;
    if ((word & EVTCHN_FIFO_LINKED) === 0) return false;
    page[index] = (word & ~(EVTCHN_FIFO_BUSY | EVTCHN_FIFO_LINK_MASK)) | next;
    return true;
  }

  clearPending(chn: Evtchn): boolean {
    const page = this.eventPage(chn.port);
    if (!page) return false;
    const index = chn.port & WORD_IN_PAGE;
    const word = page[index]!;
    page[index] = word & ~EVTCHN_FIFO_PENDING; // the guest unlinks it and passes over it
    return (word & EVTCHN_FIFO_PENDING) !== 0;
  }

  /** Clears the mask; a pending port goes the way of a raised one, without being a new raise. */
  unmask(chn: Evtchn): void {
    const page = this.eventPage(chn.port);
    if (!page) return;
    const index = chn.port & WORD_IN_PAGE;
    const word = page[index]! & ~EVTCHN_FIFO_MASKED;
    page[index] = word;
    const v = this.d.vcpus[chn.notifyVcpu]!;
    if ((word & EVTCHN_FIFO_PENDING) !== 0 && this.vcpus[v.id]!.controlBlock) this.link(v, chn, page, index);
  }

  isPending(chn: Evtchn): boolean {
    return this.has(chn.port, EVTCHN_FIFO_PENDING);
  }

  isMasked(chn: Evtchn): boolean {
    return this.wordOf(chn.port) === undefined || this.has(chn.port, EVTCHN_FIFO_MASKED);
  }

  isBusy(chn: Evtchn): boolean {
    return this.has(chn.port, EVTCHN_FIFO_LINKED);
  }

  setPriority(chn: Evtchn, priority: number): number {
    if (priority > EVTCHN_FIFO_PRIORITY_MIN) return -EINVAL;
    chn.priority = priority;
    return 0;
  }

  printState(chn: Evtchn): string {
    const word = this.wordOf(chn.port);
    if (word === undefined) return '?     ';
    const busy = (word & EVTCHN_FIFO_BUSY) !== 0 ? 'B' : ' ';
    const link = (word & EVTCHN_FIFO_LINKED) !== 0 ? String(word & EVTCHN_FIFO_LINK_MASK) : '-';
    return `${busy} ${link.padEnd(4)}`;
  }

  /** map_control_block: 0 or a negative errno. */
  mapControlBlock(vcpu: number, gfn: number, offset: number): number {
    const v = this.vcpus[vcpu]!;
    if (v.controlBlock) return -EINVAL;
    const page = this.d.memory.page(gfn);
    if (!page) return -EINVAL;
    v.map(page, gfn, offset);
    return 0;
  }

  /** add_page_to_event_array: what was raised while its word was missing is raised now. */
  addPage(gfn: number): number {
    if (this.eventArray.length >= MAX_EVENT_ARRAY_PAGES) return -ENOSPC;
    const page = this.d.memory.page(gfn);
    if (!page) return -EINVAL;
    const first = this.numEvtchns;
    this.eventArray.push(page);
    this.arrayGfns.push(gfn);
    for (const chn of this.d.ports.slice(first, this.numEvtchns)) {
      if (chn.latched) this.mark(this.d.vcpus[chn.notifyVcpu]!, chn, page, 'again');
    }
    return 0;
  }

  save(): Plain {
    return {
      array: this.arrayGfns,
      vcpus: this.vcpus.map((v) => [v.controlBlock ? v.gfn : -1, v.offset, Array.from(v.tail)]),
    };
  }

  /** Into a new one. */
  restore(saved: SavedFifo): void {
    for (const gfn of saved.array) {
      this.arrayGfns.push(gfn);
      this.eventArray.push(this.d.memory.page(gfn)!);
    }
    saved.vcpus.forEach(([gfn, offset, tail], i) => {
      const v = this.vcpus[i]!;
      v.tail.set(tail);
      if (gfn >= 0) v.map(this.d.memory.page(gfn)!, gfn, offset);
    });
  }
}

/** evtchn_fifo_init_control: the first call takes the whole domain to the FIFO ABI. */
export function fifoInitControl(d: EvtchnDomain, vcpu: number, gfn: number, offset: number): number {
  if (!d.vcpus[vcpu]) return -ENOENT;
  if (offset > PAGE_SIZE - FIFO_CONTROL_BYTES || (offset & 7) !== 0) return -EINVAL;
  if (d.fifo) return d.fifo.mapControlBlock(vcpu, gfn, offset);
  const fifo = new EvtchnFifo(d);
  const r = fifo.mapControlBlock(vcpu, gfn, offset);
  if (r !== 0) return r;
  for (const chn of d.ports.slice(1, d.portOps.maxEvtchns)) {
    if (d.shared.evtchnPending.has(chn.port)) chn.latched = true;
    chn.priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
  }
  d.switchToFifo(fifo);
  return 0;
}

/** evtchn_fifo_expand_array */
export function fifoExpandArray(d: EvtchnDomain, gfn: number): number {
  return d.fifo ? d.fifo.addPage(gfn) : -EOPNOTSUPP;
}
