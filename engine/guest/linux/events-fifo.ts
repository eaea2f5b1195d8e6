/**
 * The FIFO ABI as Linux handles it (drivers/xen/events/events_fifo.c): each CPU has sixteen queues of linked
 * event words, the ready word says which are not empty, lower numbers first. The kernel's own heads follow
 * the links; a head of 0 is read anew from the control block.
 */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import {
  EVTCHN_FIFO_LINK_MASK,
  EVTCHN_FIFO_LINKED,
  EVTCHN_FIFO_MASKED,
  EVTCHN_FIFO_MAX_QUEUES,
  EVTCHN_FIFO_NR_CHANNELS,
  EVTCHN_FIFO_PENDING,
  FIFO_CONTROL_HEAD,
  FIFO_CONTROL_READY,
  type GuestMemory,
  PAGE_WORDS,
} from '../../abi/xen.ts';
import { lowestBit } from '../../core/bits.ts';
import type { Plain } from '../../core/state.ts';
import type { EventAbi } from './events-abi.ts';

/** Guest frames: a control block for each CPU, then the pages of the event array. */
const ARRAY_GFN = 128;

export class EventsFifo implements EventAbi {
  readonly id: string;
  readonly name = 'evtchn-fifo';
  readonly maxChannels = EVTCHN_FIFO_NR_CHANNELS;
  private arrayPages = 0;
  /** per CPU: ready queues seen and not emptied, and own heads of the sixteen queues */
  private readonly ready: number[];
  private readonly heads: number[][];

  constructor(
    domain: string,
    private readonly memory: GuestMemory,
    private readonly cpus: number,
    private readonly hypercalls: (cpu: number) => Hypercalls,
  ) {
    this.id = `${domain}.events`;
    this.ready = new Array(cpus).fill(0);
    this.heads = Array.from({ length: cpus }, () => new Array(EVTCHN_FIFO_MAX_QUEUES).fill(0));
  }

  /** xen_evtchn_fifo_init: a control block for every CPU. The answer of the first hypercall that failed, or 0. */
  init(): number {
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const r = this.hypercalls(0).initControl(cpu, cpu, 0);
      if (r < 0) return r;
    }
    return 0;
  }

  /** evtchn_fifo_setup: pages of the event array up to this port; every new word starts masked. */
  setup(port: number, from: number): void {
    while (this.arrayPages * PAGE_WORDS <= port) {
      const gfn = ARRAY_GFN + this.arrayPages;
      this.memory.page(gfn)!.fill(EVTCHN_FIFO_MASKED);
      this.hypercalls(from).expandArray(gfn);
      this.arrayPages++;
    }
  }

  bindToCpu(): void {
    // Xen links an event where the port's vCPU is; nothing is kept here
  }

  isPending(port: number): boolean {
    return (this.word(port) & EVTCHN_FIFO_PENDING) !== 0;
  }

  isMasked(port: number): boolean {
    return (this.word(port) & EVTCHN_FIFO_MASKED) !== 0;
  }

  clearPending(port: number): void {
    this.page(port)[port % PAGE_WORDS]! &= ~EVTCHN_FIFO_PENDING;
  }

  setPending(port: number): void {
    this.page(port)[port % PAGE_WORDS]! |= EVTCHN_FIFO_PENDING;
  }

  mask(port: number): void {
    this.page(port)[port % PAGE_WORDS]! |= EVTCHN_FIFO_MASKED;
  }

  /** evtchn_fifo_unmask: with an event pending Xen must link it. */
  unmask(port: number, cpu: number): void {
    if (this.isPending(port)) this.hypercalls(cpu).unmask(port);
    else this.page(port)[port % PAGE_WORDS]! &= ~EVTCHN_FIFO_MASKED;
  }

  begin(cpu: number): void {
    const control = this.memory.page(cpu)!;
    this.ready[cpu] = this.ready[cpu]! | control[FIFO_CONTROL_READY]!;
    control[FIFO_CONTROL_READY] = 0;
  }

  /** consume_one_event until one is due. */
  next(cpu: number): number {
    const control = this.memory.page(cpu)!;
    const heads = this.heads[cpu]!;
    for (;;) {
      this.begin(cpu);
      const ready = this.ready[cpu]!;
      if (ready === 0) return 0;
      const queue = lowestBit(ready);
      const port = heads[queue] !== 0 ? heads[queue]! : control[FIFO_CONTROL_HEAD + queue]!;
      if (port === 0) {
        this.ready[cpu] = ready & ~(1 << queue);
        continue;
      }
      const link = this.clearLinked(port);
      heads[queue] = link;
      if (link === 0) this.ready[cpu] = ready & ~(1 << queue);
      if (this.isPending(port) && !this.isMasked(port)) return port;
    }
  }

  /** clear_linked: the answer is the port that comes after it. */
  private clearLinked(port: number): number {
    const page = this.page(port);
    const word = page[port % PAGE_WORDS]!;
    page[port % PAGE_WORDS] = word & ~(EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
    return word & EVTCHN_FIFO_LINK_MASK;
  }

  private page(port: number): Uint32Array {
    return this.memory.page(ARRAY_GFN + Math.floor(port / PAGE_WORDS))!;
  }

  private word(port: number): number {
    return port < this.arrayPages * PAGE_WORDS ? this.page(port)[port % PAGE_WORDS]! : EVTCHN_FIFO_MASKED;
  }

  save(): Plain {
    return { arrayPages: this.arrayPages, ready: this.ready, heads: this.heads };
  }

  restore(state: Plain): void {
    const s = state as { arrayPages: number; ready: number[]; heads: number[][] };
    this.arrayPages = s.arrayPages;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.ready[cpu] = s.ready[cpu]!;
      this.heads[cpu] = [...s.heads[cpu]!];
    }
  }
}
