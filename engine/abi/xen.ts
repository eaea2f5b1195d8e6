/**
 * What Xen and a guest share: numbers of the public headers, shared_info, vcpu_info, and guest pages that
 * both can reach.
 *
 * After xen/include/public/{xen,event_channel}.h. Modelled of shared_info: the event bitmaps and the
 * vcpu_info; not the clock nor the arch part.
 */
import { Bitmap, type Changing, type Watcher } from '../core/bits.ts';
import type { Part, Plain } from '../core/state.ts';

export const DOMID_SELF = 0x7ff0;
export const DOMID_XEN = 0x7ff2;
export const DOMID_IDLE = 0x7fff;

/** VIRQ_*: V per vCPU, G global. */
export const VIRQ_TIMER = 0; // V
export const VIRQ_DEBUG = 1; // V
export const VIRQ_CONSOLE = 2; // G
export const VIRQ_DOM_EXC = 3; // G
export const VIRQ_TBUF = 4; // G
export const VIRQ_DEBUGGER = 6; // G
export const VIRQ_XENOPROF = 7; // V
export const VIRQ_CON_RING = 8; // G
export const VIRQ_PCPU_STATE = 9; // G
export const VIRQ_MEM_EVENT = 10; // G
export const VIRQ_ARGO = 11; // G
export const VIRQ_ENOMEM = 12; // G
export const VIRQ_XENPMU = 13; // V; absent before Xen 4.6
/** first of eight architectural ones; on x86 machine checks */
export const VIRQ_ARCH_0 = 16; // G
export const VIRQ_MCA = VIRQ_ARCH_0;
export const NR_VIRQS = 24;

/** Error numbers; a hypercall answers them negated. */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ENOSYS = 38;
export const ERESTART = 85;
export const EOPNOTSUPP = 95;

/** State of an event channel (struct evtchn). */
export const ECS_FREE = 0;
export const ECS_RESERVED = 1;
export const ECS_UNBOUND = 2;
export const ECS_INTERDOMAIN = 3;
export const ECS_PIRQ = 4;
export const ECS_VIRQ = 5;
export const ECS_IPI = 6;

/** Commands of event_channel_op. */
export const EVTCHNOP_bind_interdomain = 0;
export const EVTCHNOP_bind_virq = 1;
export const EVTCHNOP_bind_pirq = 2;
export const EVTCHNOP_close = 3;
export const EVTCHNOP_send = 4;
export const EVTCHNOP_status = 5;
export const EVTCHNOP_alloc_unbound = 6;
export const EVTCHNOP_bind_ipi = 7;
export const EVTCHNOP_bind_vcpu = 8;
export const EVTCHNOP_unmask = 9;
export const EVTCHNOP_reset = 10;
export const EVTCHNOP_init_control = 11;
export const EVTCHNOP_expand_array = 12;
export const EVTCHNOP_set_priority = 13;
export const EVTCHNOP_reset_cont = 14;

/** What EVTCHNOP_status answers. */
export const EVTCHNSTAT_closed = 0;
export const EVTCHNSTAT_unbound = 1;
export const EVTCHNSTAT_interdomain = 2;
export const EVTCHNSTAT_pirq = 3;
export const EVTCHNSTAT_virq = 4;
export const EVTCHNSTAT_ipi = 5;

/** Ports of the 2-level ABI with 64-bit words; 32-bit ones have 1024. */
export const EVTCHN_2L_NR_CHANNELS = 4096;

/** Event word of the FIFO ABI: three flags and a busy mark, then the link to the next port. */
export const EVTCHN_FIFO_PENDING = 1 << 31;
export const EVTCHN_FIFO_MASKED = 1 << 30;
export const EVTCHN_FIFO_LINKED = 1 << 29;
export const EVTCHN_FIFO_BUSY = 1 << 28;
export const EVTCHN_FIFO_LINK_BITS = 17;
export const EVTCHN_FIFO_LINK_MASK = (1 << EVTCHN_FIFO_LINK_BITS) - 1;
export const EVTCHN_FIFO_NR_CHANNELS = 1 << EVTCHN_FIFO_LINK_BITS;

/** Priorities of the FIFO ABI: the lowest number is served first. */
export const EVTCHN_FIFO_PRIORITY_MAX = 0;
export const EVTCHN_FIFO_PRIORITY_DEFAULT = 7;
export const EVTCHN_FIFO_PRIORITY_MIN = 15;
export const EVTCHN_FIFO_MAX_QUEUES = EVTCHN_FIFO_PRIORITY_MIN + 1;

/** Control block of a vCPU, in 32-bit words: ready bits, a reserved word, then a head per queue. */
export const FIFO_CONTROL_READY = 0;
export const FIFO_CONTROL_HEAD = 2;
/** size of the control block in bytes */
export const FIFO_CONTROL_BYTES = 4 * (FIFO_CONTROL_HEAD + EVTCHN_FIFO_MAX_QUEUES);

export const PAGE_SIZE = 4096;
export const PAGE_WORDS = PAGE_SIZE / 4;

/** struct vcpu_info. */
export class VcpuInfo implements Changing {
  /** evtchn_pending_sel: which words of the event bitmap to look at */
  readonly pendingSel = new Bitmap(64);
  watcher: Watcher | undefined = undefined;
  private pending = 0;
  private mask = 0;

  /** evtchn_upcall_pending: 0 or 1 */
  get upcallPending(): number {
    return this.pending;
  }

  set upcallPending(value: number) {
    this.pending = value;
    this.watcher?.changed();
  }

  /** evtchn_upcall_mask: 0 or 1; Xen only reads it */
  get upcallMask(): number {
    return this.mask;
  }

  set upcallMask(value: number) {
    this.mask = value;
    this.watcher?.changed();
  }
}

/** struct shared_info: the page Xen and one domain share from the domain's first moment. */
export class SharedInfo implements Part {
  readonly id: string;
  readonly evtchnPending = new Bitmap(EVTCHN_2L_NR_CHANNELS);
  readonly evtchnMask = new Bitmap(EVTCHN_2L_NR_CHANNELS);
  readonly vcpus: readonly VcpuInfo[];

  /** @param wordBits size of the guest's long: the event bitmap has as many words as a word has bits */
  constructor(
    domid: number,
    vcpus: number,
    readonly wordBits: 32 | 64 = 64,
  ) {
    this.id = `dom${domid}.shared_info`;
    this.vcpus = Array.from({ length: vcpus }, () => new VcpuInfo());
  }

  save(): Plain {
    return {
      pending: this.evtchnPending.members(),
      mask: this.evtchnMask.members(),
      vcpus: this.vcpus.map((v) => [v.upcallPending, v.upcallMask, v.pendingSel.members()]),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      pending: number[];
      mask: number[];
      vcpus: [pending: number, mask: number, sel: number[]][];
    };
    fill(this.evtchnPending, s.pending);
    fill(this.evtchnMask, s.mask);
    this.vcpus.forEach((v, i) => {
      const [upcallPending, upcallMask, sel] = s.vcpus[i]!;
      v.upcallPending = upcallPending;
      v.upcallMask = upcallMask;
      fill(v.pendingSel, sel);
    });
  }
}

function fill(bitmap: Bitmap, members: readonly number[]): void {
  bitmap.words.fill(0);
  for (const n of members) bitmap.set(n);
}

/**
 * Pages of a domain that Xen can map, as 32-bit words. A page comes into being, zeroed, when somebody
 * first asks for it, and stays the same array for good: Xen keeps it mapped.
 */
export class GuestMemory implements Part {
  readonly id: string;
  private readonly made: (Uint32Array | undefined)[] = [];

  /** @param pages guest frame numbers from 0 up that exist */
  constructor(
    domid: number,
    readonly pages = 256,
  ) {
    this.id = `dom${domid}.memory`;
  }

  /** The page's words; undefined where the domain has no memory. */
  page(gfn: number): Uint32Array | undefined {
    if (gfn < 0 || gfn >= this.pages) return undefined;
    let page = this.made[gfn];
    if (!page) {
      page = new Uint32Array(PAGE_WORDS);
      this.made[gfn] = page;
    }
    return page;
  }

  /** Has anybody asked for the page? Else it is all zeroes. */
  isTouched(gfn: number): boolean {
    return this.made[gfn] !== undefined;
  }

  /** The pages asked for so far, by frame number. */
  private *touched(): Generator<[gfn: number, words: Uint32Array]> {
    for (let gfn = 0; gfn < this.made.length; gfn++) {
      const page = this.made[gfn];
      if (page) yield [gfn, page];
    }
  }

  /** Of each page the words that are not zero, as index and value in turn. */
  save(): Plain {
    const out: (number | number[])[][] = [];
    for (const [gfn, page] of this.touched()) {
      const words: number[] = [];
      page.forEach((word, i) => {
        if (word !== 0) words.push(i, word);
      });
      out.push([gfn, words]);
    }
    return out;
  }

  restore(state: Plain): void {
    for (const [, page] of this.touched()) page.fill(0);
    for (const [gfn, words] of state as unknown as [number, number[]][]) {
      const page = this.page(gfn)!;
      for (let i = 0; i < words.length; i += 2) page[words[i]!] = words[i + 1]!;
    }
  }
}
