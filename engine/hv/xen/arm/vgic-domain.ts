/**
 * A domain's virtual GIC (xen/arch/arm/vgic.c): the distributor's registers in ranks of 32 interrupts, and for each
 * interrupt what Xen keeps of it. What happens to them is in `vgic.ts` and `gic-vgic.ts`.
 */
import { EBUSY, EINVAL } from '../../../abi/xen.ts';
import { Bitmap } from '../../../core/bits.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../../core/state.ts';
import { MOST_INTIDS, PRIVATE, SGIS } from '../../../hw/arm/gic-regs.ts';
import { GIC_IRQ_GUEST_ENABLED, type HwIrq, PendingIrq } from './pending-irq.ts';

export const NR_LOCAL_IRQS = PRIVATE;
const IRQS_PER_RANK = 32;
const MOST_SPIS = MOST_INTIDS - NR_LOCAL_IRQS;

export type GicVersion = 2 | 3;

/** struct vgic_irq_rank: the registers of 32 interrupts. */
export class VgicRank {
  ienable = 0;
  readonly icfg = new Uint32Array(IRQS_PER_RANK / 16);
  readonly priority = new Uint8Array(IRQS_PER_RANK);
  /** the virtual CPU each is for */
  readonly vcpu: Uint16Array;

  constructor(
    readonly index: number,
    vcpu: number,
  ) {
    this.vcpu = new Uint16Array(IRQS_PER_RANK).fill(vcpu);
  }

  save(): Plain {
    return [this.ienable, saveArray(this.icfg), saveArray(this.priority), saveArray(this.vcpu)];
  }

  restore(state: Plain): void {
    const [ienable, icfg, priority, vcpu] = state as [number, Plain, Plain, Plain];
    this.ienable = ienable;
    restoreArray(this.icfg, icfg);
    restoreArray(this.priority, priority);
    restoreArray(this.vcpu, vcpu);
  }
}

/** A virtual CPU's virtual interface while another has the CPU (union gic_state_data); GICv2 uses the lower halves. */
export class GicState {
  readonly lrHigh: Int32Array;
  readonly lrLow: Int32Array;
  vmcr = 0;
  ap0 = 0;
  ap1 = 0;

  constructor(lrs: number) {
    this.lrHigh = new Int32Array(lrs);
    this.lrLow = new Int32Array(lrs);
  }

  save(): Plain {
    return [saveArray(this.lrHigh), saveArray(this.lrLow), this.vmcr, this.ap0, this.ap1];
  }

  restore(state: Plain): void {
    const [high, low, vmcr, ap0, ap1] = state as [Plain, Plain, number, number, number];
    restoreArray(this.lrHigh, high);
    restoreArray(this.lrLow, low);
    this.vmcr = vmcr;
    this.ap0 = ap0;
    this.ap1 = ap1;
  }
}

/** What a virtual CPU has of the virtual GIC. */
export class VgicVcpu {
  readonly privateIrqs: VgicRank;
  readonly pending: readonly PendingIrq[];
  /** head of the lists of interrupts in flight, and of those that wait for a list register */
  readonly queues = new PendingIrq(-1, -1);
  /** list registers in use when its CPU was switched to another */
  lrMask = 0;
  readonly gic: GicState;

  constructor(
    readonly domain: VgicDomain,
    readonly id: number,
    lrs: number,
  ) {
    this.privateIrqs = new VgicRank(0, id);
    this.pending = irqs(NR_LOCAL_IRQS, 0, id * NR_LOCAL_IRQS);
    this.gic = new GicState(lrs);
  }

  /** as Xen prints it (%pv) */
  get name(): string {
    return `d${this.domain.domain}v${this.id}`;
  }

  /** Interrupts in flight, the most urgent first. */
  inflight(): PendingIrq[] {
    const list: PendingIrq[] = [];
    for (let p = this.queues.inflightNext; p !== this.queues; p = p.inflightNext) list.push(p);
    return list;
  }

  /** Those that wait for a list register. */
  lrPending(): PendingIrq[] {
    const list: PendingIrq[] = [];
    for (let p = this.queues.lrNext; p !== this.queues; p = p.lrNext) list.push(p);
    return list;
  }
}

export interface VgicDomainOptions {
  readonly id: number;
  readonly version: GicVersion;
  readonly vcpus: number;
  readonly spis: number;
  /** list registers of the machine */
  readonly lrs: number;
  /** the domain that owns the machine: it sets physical interrupts' types */
  readonly hardware: boolean;
  /** GICv3: redistributors that fit into each region of them; one region of enough by default */
  readonly redistributors?: readonly number[];
  /** GICv3: bits of id that GICD_TYPER tells of: 10 for guests, the machine's for the hardware domain */
  readonly idBits?: number;
}

export class VgicDomain implements Part {
  readonly id: string;
  readonly domain: number;
  readonly version: GicVersion;
  readonly hardware: boolean;
  readonly idBits: number;
  readonly redistributors: readonly number[];
  readonly nrSpis: number;
  ctlr: number;
  readonly vcpus: readonly VgicVcpu[];
  readonly sharedIrqs: readonly VgicRank[];
  readonly spis: readonly PendingIrq[];
  /** interrupts that something of the domain has been given */
  private readonly allocated: Bitmap;

  constructor(options: VgicDomainOptions) {
    const { id, version, vcpus, spis, lrs, hardware } = options;
    const rounded = (spis + IRQS_PER_RANK - 1) & ~(IRQS_PER_RANK - 1);
    if (rounded > MOST_SPIS) throw new Error(`${spis} SPIs, a virtual GIC has ${MOST_SPIS} at most`);
    this.id = `dom${id}.vgic`;
    this.domain = id;
    this.version = version;
    this.hardware = hardware;
    this.idBits = options.idBits ?? 10;
    this.redistributors = options.redistributors ?? [128];
    this.nrSpis = rounded;
    // VGICD_CTLR_DEFAULT: affinity routing
    this.ctlr = version === 3 ? 0x10 : 0;
    this.vcpus = Array.from({ length: vcpus }, (_, v) => new VgicVcpu(this, v, lrs));
    this.sharedIrqs = Array.from({ length: rounded / IRQS_PER_RANK }, (_, i) => new VgicRank(i + 1, 0));
    this.spis = irqs(rounded, NR_LOCAL_IRQS, vcpus * NR_LOCAL_IRQS);
    this.allocated = new Bitmap(NR_LOCAL_IRQS + rounded);
    for (let sgi = 0; sgi < SGIS; sgi++) this.allocated.set(sgi);
  }

  // which interrupt is whose

  /** vgic_reserve_virq. False: there is none, or it has been given away. */
  reserveVirq(irq: number): boolean {
    return irq < this.allocated.size && this.allocated.set(irq);
  }

  /** vgic_allocate_virq: the lowest free PPI or SPI; -1: none. */
  allocateVirq(spi: boolean): number {
    const end = spi ? this.allocated.size : NR_LOCAL_IRQS;
    for (let irq = spi ? NR_LOCAL_IRQS : SGIS; irq < end; irq++) if (this.allocated.set(irq)) return irq;
    return -1;
  }

  /** vgic_free_virq */
  freeVirq(irq: number): void {
    this.allocated.clear(irq);
  }

  /**
   * vgic_connect_hw_irq: a physical interrupt is given to the domain as one of its SPIs, which the guest must not have
   * enabled yet.
   */
  connectHwIrq(irq: number, desc: HwIrq): number {
    const p = this.spis[irq - NR_LOCAL_IRQS]!;
    if (p.desc !== null || p.status & GIC_IRQ_GUEST_ENABLED) return -EBUSY;
    p.desc = desc;
    return 0;
  }

  /** ... and taken away from it. */
  disconnectHwIrq(irq: number, desc: HwIrq): number {
    const p = this.spis[irq - NR_LOCAL_IRQS]!;
    if (p.desc !== desc) return -EINVAL;
    p.desc = null;
    return 0;
  }

  /** pending_irqs there are, their indices' end. */
  get pendingIrqs(): number {
    return this.vcpus.length * NR_LOCAL_IRQS + this.nrSpis;
  }

  /** The pending_irq of an index. */
  byIndex(index: number): PendingIrq {
    const own = this.vcpus[index >> 5];
    return own ? own.pending[index & 31]! : this.spis[index - this.vcpus.length * NR_LOCAL_IRQS]!;
  }

  /** vgic_get_rank; undefined beyond the SPIs there are. */
  rank(v: VgicVcpu, rank: number): VgicRank | undefined {
    return rank === 0 ? v.privateIrqs : this.sharedIrqs[rank - 1];
  }

  /** irq_to_pending */
  pendingOf(v: VgicVcpu, irq: number): PendingIrq {
    return irq < NR_LOCAL_IRQS ? v.pending[irq]! : this.spis[irq - NR_LOCAL_IRQS]!;
  }

  /** vgic_get_target_vcpu */
  target(v: VgicVcpu, irq: number): VgicVcpu {
    if (irq < NR_LOCAL_IRQS) return v;
    return this.vcpus[this.sharedIrqs[(irq >> 5) - 1]!.vcpu[irq & 31]!]!;
  }

  save(): Plain {
    const all = Array.from({ length: this.pendingIrqs }, (_, i) => this.byIndex(i));
    const indices = (list: readonly PendingIrq[]) => list.map((p) => p.index);
    return {
      ctlr: this.ctlr,
      allocated: saveArray(this.allocated.words),
      shared: this.sharedIrqs.map((rank) => rank.save()),
      status: all.map((p) => p.status),
      lr: all.map((p) => p.lr),
      priority: all.map((p) => p.priority),
      vcpus: this.vcpus.map((v) => ({
        rank: v.privateIrqs.save(),
        lrMask: v.lrMask,
        gic: v.gic.save(),
        inflight: indices(v.inflight()),
        lrPending: indices(v.lrPending()),
      })),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      ctlr: number;
      allocated: Plain;
      shared: Plain[];
      status: number[];
      lr: number[];
      priority: number[];
      vcpus: { rank: Plain; lrMask: number; gic: Plain; inflight: number[]; lrPending: number[] }[];
    };
    this.ctlr = s.ctlr;
    restoreArray(this.allocated.words, s.allocated);
    for (const [i, rank] of s.shared.entries()) this.sharedIrqs[i]!.restore(rank);
    for (let i = 0; i < this.pendingIrqs; i++) {
      const p = this.byIndex(i);
      p.status = s.status[i]!;
      p.lr = s.lr[i]!;
      p.priority = s.priority[i]!;
      p.removeInflight();
      p.removeLrPending();
    }
    for (const [i, saved] of s.vcpus.entries()) {
      const v = this.vcpus[i]!;
      v.privateIrqs.restore(saved.rank);
      v.lrMask = saved.lrMask;
      v.gic.restore(saved.gic);
      for (const index of saved.inflight) this.byIndex(index).insertInflight(v.queues);
      for (const index of saved.lrPending) this.byIndex(index).insertLrPending(v.queues);
    }
  }
}

function irqs(count: number, first: number, index: number): PendingIrq[] {
  return Array.from({ length: count }, (_, i) => new PendingIrq(first + i, index + i));
}
